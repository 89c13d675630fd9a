/* What the files of the command "run" share: run.c (options, order of things), program.c (can it
 * be preloaded?), child.c (runs it, passes signals), gather.c (what it left), follow.c (its static children), oom.c. */
#ifndef SQUALL_RUN_H
#define SQUALL_RUN_H

#include <sys/types.h>

#include "command.h"

/* ---- program.c ---- */

struct program {
    char path[4096];   /* what will be executed */
    int error;         /* why it cannot be executed: a positive errno, 0 = it can */
    char reason[256];  /* why its allocations are not visible, "" = they are */
    bool is_static;    /* the program itself is, and for this processor */
    bool keep_preload; /* its loader copes with LD_PRELOAD, which its children may want */
};

/* Finds `name` as execvp would and looks at what it is. */
void program_inspect(const char *name, struct program *program);

/* ---- child.c ---- */

struct child {
    pid_t pid;
    uint64_t start_ticks; /* 0 = not known */
    int exec_error;       /* a positive errno: it could not be executed */
    int status;           /* as waitpid gives it */
    bool has_ended;
    uint64_t end_raw_ns; /* CLOCK_MONOTONIC_RAW when it was gone */
};

/* Runs argv in our process group until it ends, passing on signals that were sent to us alone.
 * The environment is ours. `at_exec` (may be NULL) is called while it stands at its first
 * instruction, if that can be had. Returns 0 or a negative errno (no child). */
typedef void child_at_exec(void *data, struct child *child);
/* `while_running` (may be NULL) is called again and again, in as many nanoseconds as it returns or
 * earlier. Both may set has_ended and status: they took the child's end away from us. */
typedef uint64_t child_while_running(void *data, struct child *child);
int child_run(char **argv, struct child *child, child_at_exec *at_exec,
              child_while_running *while_running, void *data);
/* Ends this process as the child ended: with its status or by its signal. */
void child_imitate(const struct child *child) __attribute__((noreturn));

/* ---- gather.c ---- */

struct gathered {
    struct gathered_region {
        char *path;
        int32_t pid;
        uint64_t start_ticks;
        uint64_t realtime_ns;
        char *exe;
        bool is_ours; /* its folder is: ours, or the one that was given */
    } * ended, *alive;
    uint32_t ended_count, alive_count;
};

/* Finds the regions of a run, in `folder` (NULL = none was given) and wherever else the shim may
 * have put them. */
int gather_regions(const char *folder, uint64_t run_id, struct gathered *found);
void gather_free(struct gathered *found);

/* ---- follow.c ---- */

/* Static Go programs that our child starts, or becomes. `is_met`: it was static itself, and that
 * was seen to. NULL: nothing is to be followed; the others take that. */
struct follow;
struct follow *follow_open(const char *folder, const char *conf, uint64_t run_id, bool is_met);
void follow_close(struct follow *f);
/* Looks, if it is time; returns the nanoseconds to the next look. */
uint64_t follow_look(struct follow *f, struct child *child);
/* At the end: what came of it. */
void follow_say(const struct follow *f, bool quiet);

/* ---- oom.c ---- */

/* Where the kernel counts whom it kills for memory, and what it had counted when that was met. Zeroed
 * before its first use. */
struct oom_group {
    char path[4096 + 64];
    uint64_t before;
};
/* Looks which control group a process is in now; where none can be read, the machine's count does. */
void oom_look(pid_t pid, struct oom_group *group);
/* Has the kernel killed for memory since the group was met? */
bool oom_has_killed(const struct oom_group *group);

#endif
