/* GET /metrics by libmicrohttpd. The socket is opened here, so that every way to name an address is
 * ours to check and to say, and port 0 tells which one it became. */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "metrics.h"

#define CONNECTIONS 32u
#define TIMEOUT_SECONDS 10u

static const char openmetrics_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
static const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";

struct serve {
    struct MHD_Daemon *daemon;
    int fd;
    serve_write *write;
    void *data;
};

/* ---- what the client wants ---- */

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
    *serve = s;
    return COMMAND_OK;
}

int serve_start(struct serve *s, serve_write *write, void *data) {
    s->write = write;
    s->data = data;
    s->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, handle, s,
                         MHD_OPTION_LISTEN_SOCKET, s->fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
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
