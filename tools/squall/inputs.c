/* What a command reads: regions, dumps, folders of them and running processes, as one list of
 * processes; and the bar that tells how far a long load has come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

#define BAR_WIDTH 40
#define BAR_AFTER_NS 300000000u /* a shorter load needs no bar */
#define BAR_EVERY_NS 50000000u

struct bar {
    uint64_t started, drawn;
    bool shown;
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool bar_is_wanted(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

static void draw(void *data, uint64_t done, uint64_t total) {
    struct bar *bar = data;
    uint64_t time = now();
    if (total == 0 || time - bar->started < BAR_AFTER_NS || time - bar->drawn < BAR_EVERY_NS)
        return;
    int full = (int)((double)done / (double)total * BAR_WIDTH);
    full = full > BAR_WIDTH ? BAR_WIDTH : full;
    fprintf(stderr, "\rloading [%.*s%*s] %3.0f %%", full,
            "########################################", BAR_WIDTH - full, "",
            100.0 * (double)done / (double)total);
    bar->drawn = time;
    bar->shown = true;
}

static void warn(const char *text) {
    message("%s", text);
}

static bool is_pid(const char *text, int *pid) {
    struct stat status;
    uint64_t value;
    if (stat(text, &status) == 0 || base_parse_number(text, strlen(text), 10, &value) ||
        value == 0 || value > INT32_MAX)
        return false;
    *pid = (int)value;
    return true;
}

static int load(struct inputs *in, const char *path) {
    struct profile *profiles =
        reallocarray(in->profiles, in->profile_count + 1u, sizeof(*profiles));
    struct profile_error failure = {0};
    struct bar bar = {.started = now()};
    int pid, error;
    if (!profiles) {
        warn("out of memory");
        return COMMAND_FAILED;
    }
    in->profiles = profiles;
    struct profile *profile = &profiles[in->profile_count];
    *profile = (struct profile){0};
    if (is_pid(path, &pid))
        error = profile_load_pid(pid, profile, &failure);
    else
        error = profile_load(path, profile, bar_is_wanted() ? draw : NULL, &bar, warn, &failure);
    if (bar.shown)
        fprintf(stderr, "\r\033[K");
    if (error) {
        warn(failure.text[0] ? failure.text : strerror(-error));
        return error == -ENOMEM ? COMMAND_FAILED : COMMAND_USAGE;
    }
    in->profile_count++;
    return 0;
}

static int load_newest(struct inputs *in, const char *folder) {
    char path[4096], place[4096];
    int error;
    if (!folder && command_default_folder(in->command, place, sizeof(place)))
        return COMMAND_USAGE;
    folder = folder ? folder : place;
    error = profile_newest(folder, path, sizeof(path));
    if (error == -ENOENT)
        message("%s: nothing recorded here", folder);
    else if (error)
        message("%s: %s", folder, strerror(-error));
    return error ? COMMAND_USAGE : load(in, path);
}

static int by_start(const void *a, const void *b) {
    const struct profile_process *x = *(const struct profile_process *const *)a;
    const struct profile_process *y = *(const struct profile_process *const *)b;
    if (x->start_realtime_ns != y->start_realtime_ns)
        return x->start_realtime_ns < y->start_realtime_ns ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* One list of all processes; the same region given twice (a file and its folder) counts once. */
static int merge(struct inputs *in) {
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; i < in->profile_count; i++)
        count += in->profiles[i].count;
    in->processes = calloc(count + 1u, sizeof(*in->processes));
    if (!in->processes) {
        warn("out of memory");
        return COMMAND_FAILED;
    }
    for (uint32_t i = 0; i < in->profile_count; i++)
        for (uint32_t k = 0; k < in->profiles[i].count; k++)
            in->processes[in->process_count++] = &in->profiles[i].processes[k];
    if (count)
        qsort(in->processes, count, sizeof(*in->processes), by_start);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || by_start(&in->processes[kept - 1], &in->processes[i]) != 0)
            in->processes[kept++] = in->processes[i];
    in->process_count = kept;
    return 0;
}

int inputs_load(struct inputs *in, const char *command, const char *folder, char **paths) {
    int status = 0;
    *in = (struct inputs){.command = command};
    if (!*paths)
        status = load_newest(in, folder);
    for (; *paths && !status; paths++)
        status = load(in, *paths);
    return status ? status : merge(in);
}

void inputs_free(struct inputs *in) {
    for (uint32_t i = 0; i < in->profile_count; i++)
        profile_free(&in->profiles[i]);
    free(in->profiles);
    free(in->processes);
    *in = (struct inputs){0};
}
