/* Folded stacks: "program;outer;inner 123", a line for each thread at each site, for flamegraph.pl
 * and all that read its input. Equal lines may follow each other: their readers add them up. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "export.h"

static bool begin(struct render_export *x) {
    x->state = calloc(1, sizeof(struct buffer));
    return x->state != NULL;
}

/* ';' parts frames, and the last space the figure. */
static void add_part(struct buffer *line, size_t from) {
    for (size_t i = from; i < line->length; i++)
        if (line->text[i] == ';')
            line->text[i] = ':';
    buffer_add(line, ";", 1);
}

static void sample(struct render_export *x, const struct export_sample *sample) {
    struct buffer *line = x->state;
    uint64_t value = export_value(x, &sample->row->sums);
    if (value == 0)
        return;
    buffer_clear(line);
    buffer_add_name(line, render_base_name(sample->a->process->exe), true);
    add_part(line, 0);
    for (uint32_t i = sample->stack->count; i-- > 0;) {
        size_t from = line->length;
        export_frame_name(line, &sample->stack->frames[i]);
        add_part(line, from);
    }
    if (line->failed)
        export_fail(x, -ENOMEM);
    errno = 0;
    if (!x->error && (fwrite(line->text, 1, line->length - 1, x->out) != line->length - 1 ||
                      fprintf(x->out, " %" PRIu64 "\n", value) < 0))
        export_fail(x, errno ? -errno : -EIO);
}

static void end(struct render_export *x, bool broken) {
    (void)broken; /* each line stands for itself */
    buffer_free(x->state);
    free(x->state);
}

const struct export_kind export_folded = {
    .name = "folded", .begin = begin, .sample = sample, .end = end};
