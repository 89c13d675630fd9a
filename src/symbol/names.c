/* Names: every string once, and demangled once, when it is first shown.
 *
 * A symbol table may be hostile, and a short mangled name can stand for one of many gigabytes.
 * So the demanglers are used through their callbacks, which keep what they build on the stack,
 * and are left by longjmp when the result grows beyond all use.
 *
 * That of C++ can also take for ever without a result: it asks at each level of a type, twice, for
 * a pack to expand, and reads twice what follows a conversion to a template's parameter. So it has
 * a time, at the end of which it is left the same way; it holds nothing then. That of Rust, which
 * takes memory, writes something wherever it goes two ways. */
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#undef ARRAY_SIZE /* libiberty has the same */
#include <libiberty/demangle.h>

#define MANGLED_MAX 65536u /* a longer one is shown as it is */
#define SHOWN_MAX 65536u   /* a longer one is given up */
/* A shorter one has no room for many levels; real ones take some microseconds. */
#define TIMED_FROM 48u
#define TICK_NS 15000000       /* of a processor: a name has one to two */
#define GIVEN_UP_MAX 16u       /* in all: after that long ones are shown as they are */
#ifndef sigev_notify_thread_id /* an older C library has no name for it */
#define sigev_notify_thread_id _sigev_un._tid
#endif
#define OPTIONS (DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI)

static struct name *find(struct name **names, const char *text) {
    size_t length = strlen(text);
    struct name *name;
    HASH_FIND(hh, *names, text, length, name);
    if (name)
        return name;
    name = calloc(1, sizeof(*name) + length + 1);
    if (!name)
        return NULL;
    memcpy(name->text, text, length);
    HASH_ADD_KEYPTR(hh, *names, name->text, length, name);
    if (!name->hh.tbl) {
        free(name);
        return NULL;
    }
    return name;
}

const char *symbol_names_keep(struct name **names, const char *text) {
    struct name *name = text && *text ? find(names, text) : NULL;
    return name ? name->text : NULL;
}

struct output {
    jmp_buf too_long;
    size_t length;
    char text[SHOWN_MAX];
};

/* An identifier of no length ("_RNvCs_0") comes as NULL. */
static void collect(const char *text, size_t length, void *opaque) {
    struct output *output = opaque;
    if (!length)
        return;
    if (length >= sizeof(output->text) - output->length)
        longjmp(output->too_long, 1);
    memcpy(output->text + output->length, text, length);
    output->length += length;
}

/* What a thread demangles against time. Its timer is not set for each name, which would take as
 * long as the name, but goes on until it finds none. */
static _Thread_local struct watchdog {
    timer_t timer;
    bool made;
    volatile bool runs;
    volatile unsigned ticks;        /* since the name was begun */
    struct output *volatile output; /* NULL = none is */
} watchdog;
static atomic_uint given_up;

static void tick(int number) {
    static const struct itimerspec never;
    (void)number;
    if (!watchdog.output) {
        watchdog.runs = timer_settime(watchdog.timer, 0, &never, NULL) != 0;
    } else if (++watchdog.ticks == 2) {
        longjmp(watchdog.output->too_long, 1);
    }
}

/* A timer that comes to this thread and no other, whatever signals were blocked. */
static bool make_watchdog(void) {
    /* Not held back while it is handled, as the handler may not return. */
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_NODEFER | SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    sigset_t set;
    event.sigev_notify_thread_id = gettid();
    sigemptyset(&set);
    sigaddset(&set, SIGPROF);
    return sigaction(SIGPROF, &action, NULL) == 0 &&
           pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 &&
           timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &watchdog.timer) == 0;
}

static bool begin_watch(struct output *output) {
    static const struct itimerspec each = {.it_value = {.tv_nsec = TICK_NS},
                                           .it_interval = {.tv_nsec = TICK_NS}};
    if (!watchdog.made)
        watchdog.made = make_watchdog();
    if (!watchdog.made)
        return false;
    watchdog.ticks = 0;
    watchdog.output = output;
    if (!watchdog.runs)
        watchdog.runs = timer_settime(watchdog.timer, 0, &each, NULL) == 0;
    return watchdog.runs;
}

/* Against time. Left by longjmp: by `collect` or the timer. */
static bool demangle_cplus(const char *mangled, struct output *output) {
    volatile bool done = false;
    if (strlen(mangled) < TIMED_FROM)
        return cplus_demangle_v3_callback(mangled, OPTIONS, collect, output);
    if (given_up >= GIVEN_UP_MAX)
        return false;
    if (setjmp(output->too_long) == 0)
        done = begin_watch(output) && cplus_demangle_v3_callback(mangled, OPTIONS, collect, output);
    else if (watchdog.ticks > 1)
        given_up++;
    watchdog.output = NULL;
    return done;
}

/* Returns a copy on the heap, or NULL: not mangled, or nothing that one would want to read. */
static char *demangle(const char *mangled) {
    char *volatile shown = NULL;
    if (mangled[0] != '_' || strlen(mangled) > MANGLED_MAX)
        return NULL;
    struct output *volatile output = malloc(sizeof(*output));
    if (!output)
        return NULL;
    output->length = 0;
    if (setjmp(output->too_long))
        goto cleanup;
    /* Rust first: its older names are C++ names with a hash. */
    if (!rust_demangle_callback(mangled, OPTIONS, collect, output)) {
        output->length = 0;
        if (!demangle_cplus(mangled, output))
            goto cleanup;
    }
    if (output->length)
        shown = strndup(output->text, output->length);
cleanup:
    free(output);
    return shown;
}

/* "memcpy@@GLIBC_2.14" is memcpy. */
static char *without_version(const char *text) {
    const char *at = strchr(text + 1, '@');
    return at ? strndup(text, (size_t)(at - text)) : NULL;
}

const char *symbol_names_demangle(struct name **names, const char *mangled) {
    struct name *name = mangled && *mangled ? find(names, mangled) : NULL;
    if (!name)
        return NULL;
    if (!name->shown) {
        char *bare = without_version(name->text);
        char *plain = demangle(bare ? bare : name->text);
        name->shown = plain ? plain : bare ? bare : name->text;
        if (plain)
            free(bare);
    }
    return name->shown;
}

void symbol_names_free(struct name **names) {
    struct name *name, *next;
    HASH_ITER(hh, *names, name, next) {
        HASH_DEL(*names, name);
        if (name->shown != name->text)
            free((char *)name->shown);
        free(name);
    }
}
