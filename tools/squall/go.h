/* What the commands for Go programs share: go_target.c (a process from outside), go_region.c (a
 * region for it), go_install.c (the hook in and out), attach.c, go_profile.c. */
#ifndef SQUALL_TOOL_GO_H
#define SQUALL_TOOL_GO_H

#include <signal.h>
#include <sys/types.h>
#include <sys/user.h>

#include "command.h"
#include "go/go.h"

/* ---- go_target.c ---- */

struct go_thread {
    pid_t tid;
    int signal; /* that it was about to get, 0 = none */
};

struct go_target {
    pid_t pid;
    int memory;                /* of /proc/PID/mem */
    bool is_traced;            /* at the stop of its exec: one thread, ours already */
    bool has_ended;            /* and we took its end away from who may wait for it: us */
    int end_status;            /* as waitpid gives it */
    struct go_thread *threads; /* stopped ones */
    uint32_t thread_count, thread_room;
    bool holds; /* our signals, while threads are stopped; `before` is our mask else */
    sigset_t before;
    uint64_t syscall_at; /* the instruction, somewhere in its code */
    uint64_t low, high;  /* of the program's segments */
    struct go_image image;
    uint8_t *copies[GO_SEGMENTS_MAX];
    char exe[4096];
};

/* Opens a process and reads its program's segments; nothing is stopped. Returns 0, a negative
 * errno, -ENOENT: no Go program, or -EFBIG: its headers claim more than can be. */
int go_target_open(struct go_target *t, pid_t pid);
/* What an error of it means, where it is none of Go's. */
const char *go_target_words(int error);
void go_target_close(struct go_target *t);
int go_target_read(const struct go_target *t, uint64_t at, void *to, uint64_t size);
int go_target_write(const struct go_target *t, uint64_t at, const void *from, uint64_t size);
/* Stops one thread that can make system calls, or all. -ESRCH: it is gone. */
int go_target_stop(struct go_target *t, bool all);
void go_target_resume(struct go_target *t);
/* By the first stopped thread. Returns what the call does. */
long go_target_call(struct go_target *t, long number, const uint64_t arguments[6]);
/* Whether a stopped thread is, or will come back to, inside a place but not at its begin. */
bool go_target_is_inside(const struct go_target *t, const struct go_patch *patches, uint32_t count);
/* Whether one is, or will come back to, anywhere in [from, to). */
bool go_target_is_within(const struct go_target *t, uint64_t from, uint64_t to);
/* A free range within reach of all of the program; 0 = none. */
uint64_t go_target_gap(const struct go_target *t, uint64_t size);

/* ---- go_region.c ---- */

struct go_file {
    char path[4096];
    int fd;               /* of the file, which the process may write to; -1 = none */
    struct region region; /* what goes into it, in memory of our own */
    uint64_t random;
    uint64_t filesystem; /* the magic number of its kind, see statfs(2); 0 = not known */
};

/* Makes a region for the process, in `folder` (NULL = where the shim would), filled but for what is
 * Go's; `conf` is in force. The file is still empty, and nobody else's. Says why not; returns an
 * exit status. */
int go_region_make(struct go_file *file, const struct go_target *t, const char *folder,
                   const struct region_configuration *conf, uint64_t run_id);
/* Writes it all but for the magic to the file, and makes that the process's. Returns 0 or -errno.
 * What is changed in file->region afterwards stays ours. */
int go_region_give(const struct go_file *file, pid_t pid);
/* Writes the magic. Returns 0 or -errno. */
int go_region_publish(const struct go_file *file);
/* And for how long the program stood still. */
void go_region_stopped(const struct go_file *file, uint64_t ns);
void go_region_close(struct go_file *file, bool remove);
/* The keys of SQUALL_CONF that matter here. */
void go_region_configure(struct region_configuration *conf, const char *text);
/* The clocks of the region now. */
void go_region_pair(struct region_header *h);
bool go_region_has_tsc(void);

/* ---- go_install.c ---- */

struct go_result {
    char reason[256]; /* why it was left alone, "" = it was not */
    bool is_no_go;    /* for this reason: there is no Go in it */
    bool has_ended;   /* meanwhile, with: */
    int end_status;
    uint32_t patches, threads;
    uint32_t stops;   /* how often all of it stood still */
    uint64_t stop_ns; /* and how long, the longest time */
    uint64_t one_ns;  /* and, before that, one thread alone */
    char path[4096];  /* of the region */
};

/* All of it stood still from then on until now. */
void go_result_stopped(struct go_result *result, uint64_t from_ns, uint64_t now_ns);
/* Puts the hook in. Returns 0, or -1 with result->reason: the program is as it was. */
int go_install(struct go_target *t, const char *folder, const struct region_configuration *conf,
               uint64_t run_id, struct go_result *result);
/* Whether it is in already, by whomever. */
bool go_is_installed(const struct go_target *t);
/* Takes it out again. */
int go_uninstall(struct go_target *t, struct go_result *result);
/* For squall run: at the stop of a static program's exec. */
void go_install_at_exec(pid_t pid, const char *folder, const char *conf, uint64_t run_id,
                        struct go_result *result);

#endif
