/* Sums of codec calls by codec and direction. */
#include <stdlib.h>
#include <string.h>

#include "base/codec_table.h"
#include "watch.h"

static int by_source(const void *a, const void *b) {
    const struct watch_codec *x = a, *y = b;
    if (x->source_bytes != y->source_bytes)
        return x->source_bytes > y->source_bytes ? -1 : 1;
    if (x->calls != y->calls)
        return x->calls > y->calls ? -1 : 1;
    return x->direction < y->direction ? -1 : x->direction > y->direction;
}

uint32_t watch_codecs(const struct profile_counters *counters, struct watch_codec *out) {
    struct watch_codec all[CODEC_COUNT][REGION_DECOMPRESS + 1];
    uint32_t count = 0;
    _Static_assert(CODEC_COUNT * (REGION_DECOMPRESS + 1) <= WATCH_CODECS, "all of them fit");
    memset(all, 0, sizeof all);
    for (uint32_t i = 0; i < counters->function_count; i++) {
        const struct profile_count_function *f = &counters->functions[i];
        struct watch_codec *c = &all[f->codec < CODEC_COUNT ? f->codec : CODEC_NONE][f->direction];
        c->calls += f->calls;
        c->failures += f->failures;
        c->source_bytes += f->source_bytes;
        c->produced_bytes += f->produced_bytes;
        c->ticks += f->ticks;
    }
    for (uint32_t codec = 0; codec < CODEC_COUNT; codec++)
        for (uint32_t direction = 0; direction <= REGION_DECOMPRESS; direction++) {
            struct watch_codec *c = &all[codec][direction];
            if (c->calls == 0 && c->source_bytes == 0)
                continue;
            c->codec = codec_table_codec_name(codec);
            c->direction = direction;
            out[count++] = *c;
        }
    qsort(out, count, sizeof *out, by_source);
    return count;
}
