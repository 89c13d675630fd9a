/* GET /metrics by libmicrohttpd. The socket is opened here, so that every way to name an address is
 * ours to check and to say, and port 0 tells which one it became. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"

/* More than these make room, the oldest first. The server itself takes some more: what is let go
 * of is closed only when it comes to it, and at its limit it would accept nobody. */
#define CONNECTIONS 32u
#define CONNECTIONS_LIMIT (4 * CONNECTIONS)
/* Without a byte; and from the beginning to the end of a request, as a byte now and then is all
 * that it takes to stay. */
#define TIMEOUT_SECONDS 10u
#define REQUEST_NS 5000000000ull

static const char openmetrics_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
static const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";

struct client {
    struct client *newer;
    int fd;
    uint64_t since_ns;  /* it was accepted, or had its last answer; monotonic */
    bool asked, let_go; /* its request is there; it is about to be closed */
};

struct serve {
    struct MHD_Daemon *daemon;
    int fd;
    bool is_local;          /* only this machine comes to it */
    struct client *clients; /* of the server's thread alone */
    serve_write *write;
    void *data;
};

/* ---- who is connected: all in the server's thread ---- */

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void let_go_of(struct client *c) {
    c->let_go = true;
    shutdown(c->fd, SHUT_RDWR); /* which the server sees, and closes it */
}

/* Anybody on the machine may hold connections; who comes anew must find room. */
static void make_room(struct serve *s) {
    uint64_t at = now();
    struct client *oldest = NULL;
    uint32_t count = 0;
    for (struct client *c = s->clients; c; c = c->newer) {
        if (c->let_go)
            continue;
        if (!c->asked && at - c->since_ns > REQUEST_NS) {
            let_go_of(c);
            continue;
        }
        count++;
        if (!oldest || c->since_ns < oldest->since_ns)
            oldest = c;
    }
    if (count >= CONNECTIONS)
        let_go_of(oldest);
}

static void take(struct serve *s, struct client *c, int fd) {
    struct client **last = &s->clients;
    while (*last)
        last = &(*last)->newer;
    *c = (struct client){.fd = fd, .since_ns = now()};
    *last = c;
}

static void drop(struct serve *s, struct client *c) {
    struct client **at = &s->clients;
    while (*at && *at != c)
        at = &(*at)->newer;
    if (*at)
        *at = c->newer;
    free(c);
}

static void notice(void *data, struct MHD_Connection *connection, void **context,
                   enum MHD_ConnectionNotificationCode what) {
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct client *c = info ? malloc(sizeof *c) : NULL;
        make_room(data);
        if (c)
            take(data, c, info->connect_fd);
        *context = c;
    } else if (*context) {
        drop(data, *context);
        *context = NULL;
    }
}

static struct client *client_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The next request on the same connection has its own time. */
static void completed(void *data, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode how) {
    struct client *c = client_of(connection);
    (void)data, (void)context, (void)how;
    if (!c)
        return;
    c->asked = false;
    c->since_ns = now();
}

/* ---- what the client wants ---- */

/* A page of a foreign name that is made to lead here (DNS rebinding) would be let read the answer
 * by the browser; it sends that name. */
static bool is_foreign(const struct serve *s, struct MHD_Connection *connection) {
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    char name[64];
    struct in6_addr address;
    if (!s->is_local || !host)
        return false;
    bool v6 = host[0] == '[';
    size_t length = strcspn(host + v6, v6 ? "]" : ":");
    if (length >= sizeof name)
        return true;
    memcpy(name, host + v6, length);
    name[length] = 0;
    if (v6)
        return inet_pton(AF_INET6, name, &address) != 1;
    return strcasecmp(name, "localhost") != 0 && inet_pton(AF_INET, name, &address) != 1;
}

/* How much a media type is wanted, by its q; -1 = it is not named. */
static double wanted(const char *accept, const char *type) {
    const char *at = accept ? strcasestr(accept, type) : NULL;
    if (!at)
        return -1;
    size_t length = strcspn(at, ",");
    const char *q = memmem(at, length, ";q=", 3);
    if (!q)
        q = memmem(at, length, "; q=", 4);
    return q ? strtod(strchr(q, '=') + 1, NULL) : 1;
}

static bool wants_openmetrics(struct MHD_Connection *connection) {
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
    double open = wanted(accept, "application/openmetrics-text");
    return open > 0 && open >= wanted(accept, "text/plain");
}

/* ---- answers ---- */

/* The response takes the text, which it frees. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              char *text, size_t size) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text) {
    char *copy = strdup(text);
    return copy ? answer(connection, status, "text/plain; charset=utf-8", copy, strlen(copy))
                : MHD_NO;
}

static enum MHD_Result answer_metrics(struct serve *s, struct MHD_Connection *connection) {
    bool openmetrics = wants_openmetrics(connection);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int status = out ? s->write(s->data, out, openmetrics) : -ENOMEM;
    if (out)
        fclose(out);
    if (status) {
        free(text);
        return say(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "the figures could not be read\n");
    }
    return answer(connection, MHD_HTTP_OK, openmetrics ? openmetrics_type : text_type, text, size);
}

static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **context) {
    (void)version, (void)upload;
    static int met;
    if (!*context) { /* the head alone has come */
        *context = &met;
        return MHD_YES;
    }
    if (*upload_size) { /* nobody reads it */
        *upload_size = 0;
        return MHD_YES;
    }
    struct client *client = client_of(connection);
    if (client)
        client->asked = true;
    if (is_foreign(data, connection))
        return say(connection, MHD_HTTP_FORBIDDEN, "only as localhost or by an address\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(data, connection);
    if (strcmp(url, "/") == 0)
        return say(connection, MHD_HTTP_OK, "squall metrics: see /metrics\n");
    return say(connection, MHD_HTTP_NOT_FOUND, "there is only /metrics\n");
}

/* ---- the socket ---- */

/* Splits "ADDRESS:PORT"; an address of "" means all. */
static int split(const char *where, char *host, size_t size, const char **port) {
    const char *colon = strrchr(where, ':'), *start = where, *end = colon;
    if (!colon) {
        snprintf(host, size, "127.0.0.1");
        *port = where;
        return *where ? 0 : -EINVAL;
    }
    *port = colon + 1;
    if (*start == '[' && end > start && end[-1] == ']') {
        start++;
        end--;
    } else if (memchr(start, ':', (size_t)(end - start))) {
        return -EINVAL; /* IPv6 without brackets */
    }
    if ((size_t)(end - start) >= size || !**port)
        return -EINVAL;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = 0;
    return 0;
}

static int open_socket(const struct addrinfo *info) {
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, zero = 0;
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (info->ai_family == AF_INET6) /* "" means both kinds */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, 16) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static int by_family(const struct addrinfo *info, int family) {
    int fd = -EAFNOSUPPORT;
    for (; info && fd < 0; info = info->ai_next)
        if (family == AF_UNSPEC || info->ai_family == family)
            fd = open_socket(info);
    return fd;
}

/* Returns a descriptor or a negative errno; -EINVAL: no such address. */
static int listen_at(const char *where) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    char host[256];
    const char *port;
    uint64_t number;
    if (split(where, host, sizeof host, &port) ||
        base_parse_number(port, strlen(port), 10, &number) || number > UINT16_MAX ||
        getaddrinfo(*host ? host : NULL, port, &hints, &found) != 0)
        return -EINVAL;
    int fd = *host ? by_family(found, AF_UNSPEC) : by_family(found, AF_INET6);
    if (fd < 0 && !*host) /* a machine without IPv6 */
        fd = by_family(found, AF_INET);
    freeaddrinfo(found);
    return fd;
}

static bool is_local(int fd) {
    union {
        struct sockaddr_storage any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    socklen_t size = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &size) != 0)
        return false;
    if (a.any.ss_family == AF_INET)
        return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
    return a.any.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
}

static void tell(int fd) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[256] = "?", port[16] = "?";
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    bool v6 = strchr(host, ':') != NULL;
    message("metrics at http://%s%s%s:%s/metrics", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

int serve_open(const char *where, struct serve **serve) {
    struct serve *s = calloc(1, sizeof *s);
    *serve = NULL;
    if (!s) {
        message("metrics: no memory");
        return COMMAND_FAILED;
    }
    s->fd = listen_at(where);
    if (s->fd < 0) {
        int status = s->fd == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED;
        message("metrics: --listen: '%s': %s", where,
                s->fd == -EINVAL ? "is not ADDRESS:PORT" : strerror(-s->fd));
        free(s);
        return status;
    }
    s->is_local = is_local(s->fd);
    *serve = s;
    return COMMAND_OK;
}

int serve_start(struct serve *s, serve_write *write, void *data) {
    s->write = write;
    s->data = data;
    s->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, handle, s,
        MHD_OPTION_LISTEN_SOCKET, s->fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_LIMIT,
        MHD_OPTION_NOTIFY_CONNECTION, notice, s, MHD_OPTION_NOTIFY_COMPLETED, completed, s,
        MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS, MHD_OPTION_END);
    if (!s->daemon) {
        message("metrics: the server could not be started");
        return COMMAND_FAILED;
    }
    tell(s->fd);
    return COMMAND_OK;
}

void serve_stop(struct serve *s) {
    if (!s)
        return;
    if (s->daemon)
        MHD_stop_daemon(s->daemon); /* closes the socket, too */
    else
        close(s->fd);
    free(s);
}
