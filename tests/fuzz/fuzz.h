/* fuzz: what the harnesses of this folder share.
 *
 * Why two ways to run one harness: libFuzzer under sanitizers finds things (make fuzz), but takes
 * minutes to build. So each harness is also linked to drive.c with the ordinary compiler, which
 * replays its regressions and some seconds of mutations of a fixed seed in make check.
 *
 * Inputs are mutated by what they mean (fuzz_mutate), since random bytes would all be refused at
 * the first magic number. Seeds are made by the harness. What hours of libFuzzer added to
 * them is kept in part, corpus/HARNESS.corpus (keep.py), and a finding as what it changes in a seed,
 * regressions/HARNESS-WHAT.txt. */
#ifndef SQUALL_TESTS_FUZZ_H
#define SQUALL_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- what a harness has ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Gives each seed to fuzz_seed. */
void fuzz_seeds(void);
/* Changes something that means something; returns the new size, at most `room`. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random);
/* Of the largest inputs; also what it is called. */
extern const size_t fuzz_longest;
extern const char fuzz_name[];

/* ---- for them: fuzz.c ---- */

/* By the driver: keeps or writes it. */
void fuzz_seed(const char *name, const void *bytes, size_t size);

uint64_t fuzz_random(uint64_t *state);
uint64_t fuzz_below(uint64_t *state, uint64_t bound); /* 0 for a bound of 0 */
/* A number as they break things: near 0, near a power of two, near `size`, or anything. */
uint64_t fuzz_number(uint64_t *state, uint64_t size);
/* Overwrites 1, 2, 4 or 8 bytes, aligned to their number, in [from, to). */
void fuzz_poke(uint8_t *data, size_t from, size_t to, uint64_t size, uint64_t *state);
/* Bytes of any kind: what libFuzzer does, or a plain substitute. */
size_t fuzz_bytes(uint8_t *data, size_t size, size_t room, uint64_t *state);

/* Stops the run: a finding. */
#define FUZZ_MUST(what)                           \
    do {                                          \
        if (!(what))                              \
            fuzz_fail(__FILE__, __LINE__, #what); \
    } while (0)
void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));

/* A file in memory that holds the bytes: its path is written to `path`; returns a descriptor. */
int fuzz_file(const void *bytes, size_t size, char *path, size_t room);

/* ---- what an output must be: check.c ---- */

/* Valid UTF-8, and fit for a terminal: no control character but the newline. */
void fuzz_check_text(const char *text, size_t size);
/* One JSON value, or with `lines` one a line. */
void fuzz_check_json(const char *text, size_t size, bool lines);
/* Rows of equally many fields (RFC 4180), valid UTF-8. */
void fuzz_check_csv(const char *text, size_t size);
/* A gzip'ed profile of pprof's. */
void fuzz_check_pprof(const char *text, size_t size);

#endif
