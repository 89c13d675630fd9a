/* The inside of the room: gather.c adds up two sides, stacks.c makes one of equal stacks, judge.c
 * says what is a change. */
#ifndef SQUALL_COMPARE_INTERNAL_H
#define SQUALL_COMPARE_INTERNAL_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "compare.h"

/* ---- stacks.c ---- */

/* A frame by what stays the same from build to build: its file without a version, and its function
 * or, where there is none, its offset. */
struct frame {
    UT_hash_handle hh;
    uint32_t number;
    const char *function; /* NULL = not known; both point into key */
    const char *module;   /* NULL = none */
    uint64_t offset;
    char key[]; /* module, zero, function or offset, zero; then the module that is shown */
};

struct place {
    UT_hash_handle hh;
    struct compare_sums sides[2];
    const char *codec, *codec_function, *role; /* of codec_function the room's own copy */
    bool serves; /* its blocks are workspaces or outputs of a compressing call, or inputs */
    enum compare_verdict verdict;
    uint32_t count;
    uint32_t frames[]; /* numbers, innermost first */
};

struct known { /* a frame of the process that is being added */
    UT_hash_handle hh;
    struct known_key {
        const char *function, *module;
        uint64_t offset;
    } key;
    uint32_t number;
};

struct stacks {
    struct known *known;
    struct frame *frames;
    struct frame **numbers;
    uint32_t frame_count, frame_room;
    struct place *places;
    uint32_t *scratch;
    uint32_t scratch_room;
};

/* The place of a stack; NULL: no memory. */
struct place *stacks_find(struct stacks *stacks, const struct analyse_stack *stack);
/* After each process: its strings may go away. */
void stacks_forget(struct stacks *stacks);
void stacks_free(struct stacks *stacks);

/* ---- compare.c ---- */

struct finding {
    UT_hash_handle hh;
    bool seen[2];
    const struct place *places[2]; /* of its worst site; NULL = none */
    const char *rule;
    char *summaries[2], *fixes[2]; /* NULL = not there */
    char key[];                    /* rule, space, codec function */
};

struct memory {
    struct stacks stacks;
    struct finding *findings;
    struct analyse_frame *frames; /* of all sites in the answer */
};

/* ---- judge.c ---- */

int judge_sites(struct compare *c, const struct compare_options *options);
int judge_metrics(struct compare *c, const struct compare_options *options);

#endif
