/* Exports: the same walk over processes, sites and threads for every format. */
#include "export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct export_kind *const kinds[RENDER_FORMATS] = {
    [RENDER_PPROF] = &export_pprof,
    [RENDER_HEAP] = &export_heap,
    [RENDER_FOLDED] = &export_folded,
    [RENDER_SPEEDSCOPE] = &export_speedscope,
    [RENDER_DHAT] = &export_dhat,
    [RENDER_CSV] = &export_csv,
    [RENDER_JSONL] = &export_jsonl,
};

const char *render_format_name(enum render_format format) {
    return kinds[format]->name;
}

const char *render_value_name(enum render_value value) {
    static const char *const names[RENDER_VALUES] = {
        [RENDER_BYTES] = "bytes",
        [RENDER_ALLOCS] = "allocs",
        [RENDER_LIVE_BYTES] = "live-bytes",
        [RENDER_LIVE_BLOCKS] = "live-blocks",
        [RENDER_TIME] = "time",
    };
    return names[value];
}

void export_fail(struct render_export *x, int error) {
    if (!x->error)
        x->error = error;
}

int64_t export_signed(uint64_t value) {
    return value <= INT64_MAX ? (int64_t)value : INT64_MAX;
}

uint64_t export_value(const struct render_export *x, const struct analyse_sums *sums) {
    switch (x->value) {
    case RENDER_ALLOCS:
        return sums->allocs;
    case RENDER_LIVE_BYTES:
        return sums->live_bytes;
    case RENDER_LIVE_BLOCKS:
        return sums->live_blocks;
    case RENDER_TIME:
        return sums->allocator_ns;
    default:
        return sums->bytes;
    }
}

const char *export_thread_name(const struct export_sample *sample) {
    const struct profile_process *p = sample->a->process;
    if (sample->row->shared || sample->row->thread >= p->thread_count)
        return "(several)";
    return p->threads[sample->row->thread].name;
}

int32_t export_thread_id(const struct export_sample *sample) {
    const struct profile_process *p = sample->a->process;
    if (sample->row->shared || sample->row->thread >= p->thread_count)
        return 0;
    return p->threads[sample->row->thread].tid;
}

void export_frame_name(struct buffer *buffer, const struct analyse_frame *frame) {
    char offset[32];
    if (frame->function) {
        buffer_add_name(buffer, frame->function, true);
        return;
    }
    if (frame->module)
        buffer_add_name(buffer, render_base_name(frame->module), true);
    snprintf(offset, sizeof(offset), "%s0x%llx", frame->module ? "+" : "",
             (unsigned long long)frame->offset);
    buffer_add(buffer, offset, strlen(offset));
}

void export_command(struct buffer *buffer, const struct profile_process *p) {
    if (p->argument_count == 0)
        buffer_add_utf8(buffer, p->exe, true);
    for (uint32_t i = 0; i < p->argument_count; i++) {
        if (i)
            buffer_add(buffer, " ", 1);
        buffer_add_utf8(buffer, p->arguments[i], true);
    }
}

struct render_export *render_export_begin(FILE *out, enum render_format format,
                                          enum render_value value, bool lines) {
    struct render_export *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    *x = (struct render_export){.out = out, .value = value, .lines = lines, .kind = kinds[format]};
    if (x->kind->begin(x))
        return x;
    free(x);
    return NULL;
}

int render_export_process(struct render_export *x, const struct analysis *a,
                          struct analyse_names *names) {
    if (!x->error && x->kind->process)
        x->kind->process(x, a);
    x->processes++;
    for (uint32_t i = 0; i < a->site_count && !x->error; i++) {
        const struct analyse_site *site = &a->sites[i];
        struct analyse_stack stack =
            analyse_name_stack(names, a->process, site->site->stack, x->lines);
        for (uint32_t r = 0; r < site->row_count && !x->error; r++) {
            struct export_sample sample = {a, site, &site->rows[r], &stack};
            x->kind->sample(x, &sample);
        }
    }
    if (!x->error && x->kind->process_end)
        x->kind->process_end(x, a);
    return x->error;
}

int render_export_end(struct render_export *x, bool broken) {
    x->kind->end(x, broken || x->error);
    errno = 0;
    if ((fflush(x->out) || ferror(x->out)) && !x->error)
        x->error = errno ? -errno : -EIO;
    int error = x->error;
    free(x);
    return error;
}
