/* Static programs among the children of the program that runs: the library cannot be preloaded into
 * them. Nothing tells when one begins without tracing everything that runs, which a program may
 * notice (it could not be debugged, each of its signals would take a way round through us); so we
 * look, now and then, and hook the heap of those that are Go as `squall attach` does. What they did
 * before is not recorded, and who does not live until we look is not seen. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "go.h"
#include "run.h"

#define PROCESSES_MAX 4096u
#define SOON_NS 10000000ull   /* between two looks, while something changes */
#define LATER_NS 100000000ull /* and when nothing does */
#define SHARE 200u            /* of a processor at most one part in so many goes into looking */
#define TRIES 4u              /* it may still be setting itself up */
#define NAMED_MAX 3u

struct process {
    pid_t pid;
    uint64_t start_ticks;
    dev_t device; /* and inode: of what it executes */
    ino_t inode;
    uint32_t tries; /* left */
    bool is_alive;
};

struct follow {
    const char *folder;
    struct region_configuration conf;
    uint64_t run_id, due, pause;
    struct process *processes;
    uint32_t count;
    bool is_met; /* the program itself was hooked at its exec, or is no Go */
    bool is_new; /* something was, at this look */
    uint32_t attached, left;
    char names[NAMED_MAX][64]; /* of those left alone */
    char why[64];              /* the last of them was */
};

/* ---- /proc ---- */

static uint64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static ssize_t read_of(pid_t pid, const char *name, char *to, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, to, size - 1);
    if (fd >= 0)
        close(fd);
    to[got > 0 ? got : 0] = 0;
    return got;
}

static bool read_stat(pid_t pid, pid_t *parent, uint64_t *start_ticks) {
    char text[1024];
    read_of(pid, "stat", text, sizeof text);
    char *after = strrchr(text, ')');
    return after && sscanf(after,
                           ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                           "%*d %*d %*d %" SCNu64,
                           parent, start_ticks) == 2;
}

/* Between fork and exec it is still its parent: vfork even shares the memory, which the parent may
 * be using. A program that was executed has its own random numbers and places. */
static bool is_its_parent(pid_t pid, pid_t parent) {
    char own[2048], others[2048];
    ssize_t n = read_of(pid, "auxv", own, sizeof own);
    return n <= 0 ||
           (read_of(parent, "auxv", others, sizeof others) == n && memcmp(own, others, n) == 0);
}

/* ---- one of them ---- */

static void name_left(struct follow *f, const char *exe, const char *why) {
    const char *slash = strrchr(exe, '/');
    snprintf(f->why, sizeof f->why, "%.63s", why);
    if (f->left < NAMED_MAX)
        snprintf(f->names[f->left], sizeof f->names[0], "%.63s", slash ? slash + 1 : exe);
    f->left++;
}

/* Puts the hook in, or gives a reason. Returns whether that is the end of it. */
static bool attach(struct follow *f, pid_t pid, bool is_last, struct child *child) {
    struct go_result result = {0};
    struct go_target t;
    char now[8];
    const char *why = NULL;
    int error = go_target_open(&t, pid);
    if (error)
        why = !is_last ? "" : error == -ENOENT ? "no Go program" : "its Go is not understood";
    else if (!f->conf.go)
        why = "go:off";
    else if (go_install(&t, f->folder, &f->conf, f->run_id, &result))
        why = is_last ? result.reason : "";
    else
        f->attached++;
    if (t.has_ended && pid == child->pid) {
        child->status = t.end_status;
        child->has_ended = true;
    }
    bool is_gone = t.has_ended || read_of(pid, "stat", now, sizeof now) <= 0 || !t.exe[0];
    if (why && *why && !is_gone)
        name_left(f, t.exe, why);
    go_target_close(&t);
    return is_gone || !why || *why;
}

static struct process *find(struct follow *f, pid_t pid, uint64_t start_ticks) {
    for (uint32_t i = 0; i < f->count; i++)
        if (f->processes[i].pid == pid && f->processes[i].start_ticks == start_ticks)
            return &f->processes[i];
    if (f->count == PROCESSES_MAX)
        return NULL;
    struct process *p = &f->processes[f->count++];
    *p = (struct process){.pid = pid, .start_ticks = start_ticks};
    return p;
}

static void judge(struct follow *f, pid_t pid, struct child *child) {
    char path[64];
    struct stat s;
    struct program program;
    uint64_t start_ticks;
    pid_t parent;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    struct process *p = read_stat(pid, &parent, &start_ticks) ? find(f, pid, start_ticks) : NULL;
    if (!p || stat(path, &s) != 0)
        return;
    p->is_alive = true;
    if (p->device != s.st_dev || p->inode != s.st_ino) {
        if (parent != getpid() && is_its_parent(pid, parent))
            return;
        p->device = s.st_dev;
        p->inode = s.st_ino;
        f->is_new = true;
        program_inspect(path, &program);
        p->tries = program.is_static && !(f->is_met && pid == child->pid) ? TRIES : 0;
        f->is_met = false; /* the first one that is looked at */
    }
    if (p->tries && attach(f, pid, p->tries == 1, child))
        p->tries = 0;
    else if (p->tries)
        p->tries--;
}

/* ---- all of them ---- */

/* Adds the children of a process to `found`. */
static uint32_t add_children(pid_t pid, pid_t *found, uint32_t count) {
    char path[64], name[300], text[8192], *at, *end;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "task/%s/children", entry->d_name);
        read_of(pid, name, text, sizeof text);
        for (at = text; count < PROCESSES_MAX; at = end) {
            long child = strtol(at, &end, 10);
            if (end == at || child <= 0)
                break;
            found[count++] = (pid_t)child;
        }
    }
    if (folder)
        closedir(folder);
    return count;
}

static void forget_dead(struct follow *f) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->processes[i].is_alive)
            f->processes[kept++] = f->processes[i];
    f->count = kept;
    for (uint32_t i = 0; i < kept; i++)
        f->processes[i].is_alive = false;
}

uint64_t follow_look(struct follow *f, struct child *child) {
    static pid_t found[PROCESSES_MAX];
    uint64_t now = now_ns(CLOCK_MONOTONIC), began;
    if (!f)
        return 0;
    if (now < f->due)
        return f->due - now;
    began = now_ns(CLOCK_THREAD_CPUTIME_ID);
    uint32_t count = 1;
    found[0] = child->pid;
    f->is_new = false;
    for (uint32_t i = 0; i < count && !child->has_ended; i++) {
        judge(f, found[i], child);
        count = add_children(found[i], found, count);
    }
    forget_dead(f);
    uint64_t took = now_ns(CLOCK_THREAD_CPUTIME_ID) - began;
    f->pause = f->is_new ? SOON_NS : f->pause + f->pause / 16;
    if (f->pause > LATER_NS)
        f->pause = LATER_NS;
    if (f->pause < took * SHARE)
        f->pause = took * SHARE;
    f->due = now_ns(CLOCK_MONOTONIC) + f->pause;
    return f->pause;
}

struct follow *follow_open(const char *folder, const char *conf, uint64_t run_id, bool is_met) {
    struct follow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    go_region_configure(&f->conf, conf);
    f->processes = calloc(PROCESSES_MAX, sizeof *f->processes);
    f->folder = folder;
    f->run_id = run_id;
    f->pause = SOON_NS;
    f->is_met = is_met;
    if (f->processes && f->conf.children)
        return f;
    follow_close(f);
    return NULL;
}

void follow_say(const struct follow *f, bool quiet) {
    if (!f)
        return;
    if (f->attached && !quiet)
        message("%u static Go program%s that it started %s hooked while running: what went before "
                "is not recorded",
                f->attached, f->attached == 1 ? "" : "s", f->attached == 1 ? "was" : "were");
    if (f->left)
        message("%u static program%s that it started %s not recorded: %s%s%s%s%s%s (%s%s)", f->left,
                f->left == 1 ? "" : "s", f->left == 1 ? "is" : "are", f->names[0],
                f->left > 1 ? ", " : "", f->names[1], f->left > 2 ? ", " : "", f->names[2],
                f->left > NAMED_MAX ? "…" : "", f->left > 1 ? "the last one: " : "", f->why);
}

void follow_close(struct follow *f) {
    if (f)
        free(f->processes);
    free(f);
}
