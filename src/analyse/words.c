/* Words of enumerations, the same in every format. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

const char *analyse_lost_name(enum region_lost reason) {
    static const char *const names[REGION_LOST_COUNT] = {
        [REGION_LOST_THREADS] = "threads",   [REGION_LOST_MODULES] = "modules",
        [REGION_LOST_STRINGS] = "strings",   [REGION_LOST_STACKS] = "stacks",
        [REGION_LOST_SITES] = "sites",       [REGION_LOST_CELLS] = "cells",
        [REGION_LOST_LARGE] = "large",       [REGION_LOST_HISTOGRAMS] = "histograms",
        [REGION_LOST_LIVE] = "live",         [REGION_LOST_COMMITS] = "commits",
        [REGION_LOST_BUSY] = "busy",         [REGION_LOST_UNWIND] = "unwind",
        [REGION_LOST_TICKS] = "ticks",       [REGION_LOST_CODEC] = "codec",
        [REGION_LOST_CONTEXTS] = "contexts", [REGION_LOST_PRIVATE] = "private",
        [REGION_LOST_MAPPINGS] = "mappings", [REGION_LOST_GO] = "go",
    };
    return (unsigned)reason < REGION_LOST_COUNT && names[reason] ? names[reason] : "other";
}

const char *analyse_stack_end_name(uint32_t end) {
    static const char *const names[REGION_END_COUNT] = {
        [REGION_END_UNKNOWN] = "unknown",
        [REGION_END_OUTERMOST] = "outermost",
        [REGION_END_NO_RULE] = "no_unwind_rule",
        [REGION_END_JIT] = "jit",
        [REGION_END_BOUND] = "bound",
        [REGION_END_OTHER_STACK] = "other_stack",
        [REGION_END_BAD_MEMORY] = "bad_memory",
        [REGION_END_TOO_HARD] = "too_hard",
        [REGION_END_NOT_WALKED] = "not_walked",
        [REGION_END_CYCLE] = "cycle",
    };
    return end < REGION_END_COUNT && names[end] ? names[end] : "unknown";
}

const char *analyse_state_name(enum profile_state state) {
    switch (state) {
    case PROFILE_RUNNING:
        return "running";
    case PROFILE_ENDED:
        return "ended";
    case PROFILE_DIED:
        return "died";
    case PROFILE_REPLACED:
        return "replaced";
    case PROFILE_UNKNOWN:
        break;
    }
    return "unknown";
}

static bool exited(const struct profile_process *p, int *status) {
    return p->ended_by && sscanf(p->ended_by, "exit %d", status) == 1;
}

const char *analyse_state_of(const struct profile_process *p) {
    int status;
    return analyse_state_name(p->state == PROFILE_DIED && exited(p, &status) ? PROFILE_ENDED
                                                                             : p->state);
}

/* "killed by SIGSEGV", or NULL: by no signal. */
static const char *format_kill(char *out, size_t size, const struct profile_process *p) {
    int number;
    if (p->ended_by && strcmp(p->ended_by, "oom") == 0) {
        snprintf(out, size, "killed by the OOM killer");
        return out;
    }
    if (!p->ended_by || sscanf(p->ended_by, "signal %d", &number) != 1)
        return NULL;
    const char *name = sigabbrev_np(number);
    if (name)
        snprintf(out, size, "killed by SIG%s", name);
    else
        snprintf(out, size, "killed by signal %d", number);
    return out;
}

const char *analyse_format_end(char *out, size_t size, const struct profile_process *p) {
    char by[48] = "";
    int status;
    if (exited(p, &status))
        snprintf(by, sizeof(by), "exit %d", status);
    if (p->state == PROFILE_DIED && format_kill(out, size, p))
        return out;
    const char *state =
        p->state == PROFILE_DIED ? "ended without its exit handlers" : analyse_state_name(p->state);
    if (*by || format_kill(by, sizeof(by), p))
        snprintf(out, size, "%s (%s)", state, by);
    else
        snprintf(out, size, "%s", state);
    return out;
}

const char *analyse_allocator_name(uint32_t allocator) {
    switch (allocator) {
    case REGION_ALLOCATOR_NONE:
        return NULL;
    case REGION_ALLOCATOR_GLIBC:
        return "glibc";
    case REGION_ALLOCATOR_JEMALLOC:
        return "jemalloc";
    case REGION_ALLOCATOR_TCMALLOC:
        return "tcmalloc";
    case REGION_ALLOCATOR_MIMALLOC:
        return "mimalloc";
    default:
        return "other";
    }
}

const char *analyse_role_name(enum analyse_role role) {
    switch (role) {
    case ANALYSE_WORKSPACE:
        return "workspace";
    case ANALYSE_OUTPUT:
        return "output";
    case ANALYSE_INPUT:
        return "input";
    case ANALYSE_ROLE_NONE:
        break;
    }
    return NULL;
}

const char *analyse_refused_name(uint32_t refused) {
    static const char *const names[] = {
        [REGION_REFUSED_KIND] = "kind",
        [REGION_REFUSED_OFF] = "off",
        [REGION_REFUSED_RUNNING] = "running",
        [REGION_REFUSED_DECODE] = "decode",
        [REGION_REFUSED_JUMP] = "jump",
        [REGION_REFUSED_SHORT] = "short",
        [REGION_REFUSED_BREAKPOINT] = "breakpoint",
        [REGION_REFUSED_WRITE] = "write",
        [REGION_REFUSED_ROOM] = "room",
        [REGION_REFUSED_VARIANT] = "variant",
    };
    if (refused == REGION_REFUSED_NOT)
        return NULL;
    return refused < ARRAY_SIZE(names) ? names[refused] : "other";
}

const char *analyse_found_name(uint32_t found) {
    switch (found) {
    case REGION_FOUND_NAME:
        return "name";
    case REGION_FOUND_FRAMES:
        return "frames";
    case REGION_FOUND_MARK:
        return "mark";
    default:
        return NULL;
    }
}

const char *analyse_direction_name(uint32_t direction) {
    return direction == REGION_COMPRESS     ? "compress"
           : direction == REGION_DECOMPRESS ? "decompress"
                                            : NULL;
}
