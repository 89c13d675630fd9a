/* SQUALL_CONF, the numbers and sizes of all options, and names of codec functions. An input is
 * text.
 */
#include "shim/conf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec_table.h"
#include "fuzz.h"
#include "shim/say.h"

const size_t fuzz_longest = 4096;
const char fuzz_name[] = "conf";

static size_t said;

/* In place of say.c: a message is read to its end. */
void say(const char *first, ...) {
    va_list list;
    va_start(list, first);
    for (const char *s = first; s; s = va_arg(list, const char *))
        said += strlen(s);
    va_end(list);
}

static void check_conf(const char *text) {
    struct region_configuration conf;
    size_t room = 2 + strlen(text) % 200;
    char *codec = calloc(1, room);
    conf_defaults(&conf);
    unsigned refused = conf_parse(text, &conf, codec, room);
    FUZZ_MUST(refused <= strlen(text) && memchr(codec, 0, room));
    /* Whatever was asked for, these bounds hold. */
    FUZZ_MUST(conf.large >= 1024 && (!conf.sample || conf.sample >= 1024));
    FUZZ_MUST(conf.region >= REGION_BOUND_MIN && conf.region <= REGION_BOUND_MAX);
    FUZZ_MUST(conf.tick_ns && conf.transient_ns && (conf.perm & ~0666u) == 0);
    FUZZ_MUST(conf.mode <= 1 && conf.children <= 1 && conf.args <= 1 && conf.go <= 1);
    free(codec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    uint64_t value;
    memcpy(text, data, size);
    text[size] = 0;
    check_conf(text);
    base_parse_size(text, size, &value);
    base_parse_duration(text, size, &value);
    for (unsigned radix = 8; radix <= 16; radix++)
        base_parse_number(text, size, radix, &value);
    size_t half = size / 2;
    codec_table_find(text, size);
    codec_table_find_readable(text);
    codec_table_find_go(text);
    codec_table_is_go_codec(text);
    codec_table_matches(text, half, text + half, size - half);
    free(text);
    return 0;
}

void fuzz_seeds(void) {
    static const char *const texts[] = {
        "mode:exact,large:128k,sample:1m,transient:250ms,children:off,args:off,codec:my_*,unwind:"
        "own,"
        "region:512m,tick:1s,perm:0640,go:off,seed:7",
        "sample:0,large:1GiB,codec:*a*b*c,codec:,mode:default",
        "compress/gzip.(*Writer).Write",
        "*x*y*zxaybzaxbycz",
        "18446744073709551615",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        char name[16];
        snprintf(name, sizeof name, "text%u", i);
        fuzz_seed(name, texts[i], strlen(texts[i]));
    }
}

/* Words of it between other bytes. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random) {
    static const char *const words[] = {"mode:",   "exact",      "large:", "sample:", "codec:",
                                        ",",       ":",          "*",      "k",       "ms",
                                        "region:", "transient:", "tick:",  "perm:",   "99999999999",
                                        "GiB",     "seed:",      "go:",    "on",      "unwind:"};
    const char *word = words[fuzz_below(random, ARRAY_SIZE(words))];
    size_t length = strlen(word), at = fuzz_below(random, size + 1);
    if (fuzz_below(random, 2) || size + length > room)
        return fuzz_bytes(data, size, room, random);
    memmove(data + at + length, data + at, size - at);
    memcpy(data + at, word, length);
    return size + length;
}
