/* Codec calls, those with most source bytes first. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/* Then the slower, then the row, so that it is the same every time. */
static int by_source(const void *a, const void *b) {
    const struct profile_codec_call *x = *(const struct profile_codec_call *const *)a;
    const struct profile_codec_call *y = *(const struct profile_codec_call *const *)b;
    if (x->source_bytes != y->source_bytes)
        return x->source_bytes > y->source_bytes ? -1 : 1;
    if (x->ns != y->ns)
        return x->ns > y->ns ? -1 : 1;
    return x < y ? -1 : x > y;
}

int analyse_calls_sort(struct analysis *a) {
    const struct profile_process *p = a->process;
    a->codec_calls = calloc((size_t)p->codec_call_count + 1, sizeof(*a->codec_calls));
    if (!a->codec_calls)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->codec_call_count; i++)
        if (p->codec_calls[i].calls || p->codec_calls[i].left)
            a->codec_calls[a->codec_call_count++] = &p->codec_calls[i];
    qsort(a->codec_calls, a->codec_call_count, sizeof(*a->codec_calls), by_source);
    return 0;
}
