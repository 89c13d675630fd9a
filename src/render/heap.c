/* The text that gperftools writes of a heap, with its symbols before it, for google-pprof and
 * jeprof, which know no profile.proto. A line a thread at a site: live blocks and bytes, all blocks
 * and bytes, and an address for each frame, the innermost first.
 *
 * The addresses are ours, one a name: those of several processes would get in each other's way, and
 * the reader needs no binary for names that are known already. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"

#define ADDRESS(number) (((uint64_t)(number) + 1) << 4)

struct state {
    struct export_frames *frames;
    struct buffer samples; /* names are known last and are to stand first */
    struct buffer exe;     /* of the first process */
    uint64_t live_blocks, live_bytes, allocs, bytes;
};

static bool begin(struct render_export *x) {
    struct state *s = calloc(1, sizeof(*s));
    if (s && !(s->frames = export_frames_open())) {
        free(s);
        return false;
    }
    x->state = s;
    return s != NULL;
}

static void process(struct render_export *x, const struct analysis *a) {
    struct state *s = x->state;
    if (x->processes == 0)
        buffer_add_name(&s->exe, a->process->exe, true);
}

static void add(struct buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct buffer *text, const char *format, ...) {
    char part[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(part, sizeof(part), format, arguments);
    va_end(arguments);
    buffer_add(text, part, (size_t)length);
}

static void sample(struct render_export *x, const struct export_sample *sample) {
    static const struct analyse_frame none = {.function = "[no stack]"};
    const struct analyse_stack *stack = sample->stack;
    const struct analyse_sums *sums = &sample->row->sums;
    struct state *s = x->state;
    add(&s->samples, "%" PRIu64 ": %" PRIu64 " [%" PRIu64 ": %" PRIu64 "] @", sums->live_blocks,
        sums->live_bytes, sums->allocs, sums->bytes);
    for (uint32_t i = 0; i < (stack->count ? stack->count : 1); i++) {
        uint32_t number = export_frames_number(s->frames, stack->count ? &stack->frames[i] : &none);
        if (number == UINT32_MAX)
            export_fail(x, -ENOMEM);
        add(&s->samples, " 0x%" PRIx64, ADDRESS(number));
    }
    buffer_add(&s->samples, "\n", 1);
    if (s->samples.failed)
        export_fail(x, -ENOMEM);
    s->live_blocks += sums->live_blocks;
    s->live_bytes += sums->live_bytes;
    s->allocs += sums->allocs;
    s->bytes += sums->bytes;
}

/* "--" would part inlined functions: C++ has operator--. */
static void write_name(FILE *out, const char *name) {
    for (; *name; name++) {
        putc(*name, out);
        if (name[0] == '-' && name[1] == '-')
            putc(' ', out);
    }
}

static void end(struct render_export *x, bool broken) {
    struct state *s = x->state;
    if (!broken) {
        fprintf(x->out, "--- symbol\nbinary=%s\n", buffer_text(&s->exe));
        for (uint32_t i = 0; i < export_frames_count(s->frames); i++) {
            fprintf(x->out, "0x%" PRIx64 " ", ADDRESS(i));
            write_name(x->out, export_frames_at(s->frames, i).name);
            putc('\n', x->out);
        }
        fprintf(x->out,
                "---\nheap profile: %" PRIu64 ": %" PRIu64 " [%" PRIu64 ": %" PRIu64
                "] @ heapprofile\n",
                s->live_blocks, s->live_bytes, s->allocs, s->bytes);
        fputs(buffer_text(&s->samples), x->out);
    }
    export_frames_close(s->frames);
    buffer_free(&s->samples);
    buffer_free(&s->exe);
    free(s);
}

const struct export_kind export_heap = {
    .name = "heap", .begin = begin, .process = process, .sample = sample, .end = end};
