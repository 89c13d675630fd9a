/* The inside of the exports: export.c is their door, one file a format does the writing.
 *
 * A sample is one thread at one site: the finest that the report has, so that sums of any kind are
 * those of the report. */
#ifndef SQUALL_RENDER_EXPORT_H
#define SQUALL_RENDER_EXPORT_H

#include "internal.h"

struct export_frames;

struct render_export {
    FILE *out;
    enum render_value value;
    bool lines; /* files, lines and inlined frames */
    const struct export_kind *kind;
    void *state;        /* the format's own */
    uint32_t processes; /* begun so far */
    int error;          /* the first one, a negative errno */
};

struct export_sample {
    const struct analysis *a;
    const struct analyse_site *site;
    const struct analyse_row *row;
    const struct analyse_stack *stack;
};

/* A format. Errors are kept in x->error; none of these is called after one but `end`. */
struct export_kind {
    const char *name;
    bool (*begin)(struct render_export *x);                             /* false: no memory */
    void (*process)(struct render_export *x, const struct analysis *a); /* may be NULL */
    void (*sample)(struct render_export *x, const struct export_sample *sample);
    void (*process_end)(struct render_export *x, const struct analysis *a); /* may be NULL */
    void (*end)(struct render_export *x, bool broken);                      /* frees x->state */
};

extern const struct export_kind export_pprof, export_heap, export_folded, export_speedscope,
    export_dhat, export_csv, export_jsonl;

void export_fail(struct render_export *x, int error);
/* For formats whose numbers have a sign: what does not fit is the largest that does. */
int64_t export_signed(uint64_t value);
uint64_t export_value(const struct render_export *x, const struct analyse_sums *sums);
const char *export_thread_name(const struct export_sample *sample); /* never NULL */
int32_t export_thread_id(const struct export_sample *sample); /* 0: threads that share a row */
/* "libfoo.so+0x12" where there is no name. */
void export_frame_name(struct buffer *buffer, const struct analyse_frame *frame);
/* The program and its arguments. */
void export_command(struct buffer *buffer, const struct profile_process *p);

/* ---- export_frames.c: frames by number, each (name, file, line) once ---- */

struct export_frame {
    const char *name, *file; /* valid UTF-8; file may be "" */
    uint32_t line;
};

struct export_frames *export_frames_open(void); /* NULL: no memory */
void export_frames_close(struct export_frames *frames);
/* From 0 on; UINT32_MAX: no memory. */
uint32_t export_frames_number(struct export_frames *frames, const struct analyse_frame *frame);
uint32_t export_frames_count(const struct export_frames *frames);
struct export_frame export_frames_at(const struct export_frames *frames, uint32_t number);

#endif
