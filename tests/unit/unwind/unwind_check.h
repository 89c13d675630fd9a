/* unwind_check: compares one walk of ours with libunwind's full unw_step loop, frame by frame.
 *
 * Used by unwind_test.c and the programs around it; counters are written by any thread. */
#ifndef UNWIND_CHECK_H
#define UNWIND_CHECK_H

#ifdef __cplusplus
extern "C" {
#endif

/* The samples that follow count for `name`; prints the counts of the one before. `end` is the
 * enum region_stack_end that every stack is expected to have, -1 = any. */
void check_group(const char *name, int end);

/* One sample here. Every value of `depth` is a different path to it. */
void check_sample(void);

/* A sample every so many calls: for torture. */
void check_sometimes(unsigned every);

#ifdef __cplusplus
}
#endif

/* An obstacle to tail calls and inlining. */
#define CHECK_KEEP() __asm__ volatile("" ::: "memory")
#define CHECK_NOINLINE __attribute__((noinline, noclone))

#endif
