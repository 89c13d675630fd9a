#include "conf.h"

#include <errno.h>

#include "say.h"

void conf_defaults(struct region_configuration *conf) {
    *conf = (struct region_configuration){
        .mode = REGION_MODE_DEFAULT,
        .children = 1,
        .args = 1,
        .go = 1,
        .perm = 0600,
        .large = 64u << 10,
        .sample = 512u << 10,
        .transient_ns = 1000000000u,
        .region = 64u << 20,
        .tick_ns = 100000000u,
    };
}

/* ---- one function a kind of value ---- */

static int choose(const char *v, size_t n, const char *first, const char *second, uint32_t *out) {
    if (base_equal(v, n, first))
        *out = 0;
    else if (base_equal(v, n, second))
        *out = 1;
    else
        return -EINVAL;
    return 0;
}

static int size_within(const char *v, size_t n, uint64_t min, uint64_t max, uint64_t *out) {
    uint64_t x;
    int error = base_parse_size(v, n, &x);
    if (!error && (x < min || x > max))
        error = -ERANGE;
    if (!error)
        *out = x;
    return error;
}

static int duration_within(const char *v, size_t n, uint64_t min, uint64_t max, uint64_t *out) {
    uint64_t x;
    int error = base_parse_duration(v, n, &x);
    if (!error && (x < min || x > max))
        error = -ERANGE;
    if (!error)
        *out = x;
    return error;
}

static int file_mode(const char *v, size_t n, uint32_t *out) {
    uint64_t x;
    int error = base_parse_number(v, n, 8, &x);
    if (!error && (x & ~0666ull || (x & 0600) != 0600))
        error = -ERANGE;
    if (!error)
        *out = (uint32_t)x;
    return error;
}

static int set(struct region_configuration *c, const char *key, size_t k, const char *v, size_t n) {
    if (base_equal(key, k, "mode"))
        return choose(v, n, "default", "exact", &c->mode);
    if (base_equal(key, k, "large"))
        return size_within(v, n, 1024, 1ull << 40, &c->large);
    if (base_equal(key, k, "sample"))
        return base_equal(v, n, "0") ? (c->sample = 0, 0)
                                     : size_within(v, n, 1024, 1ull << 40, &c->sample);
    if (base_equal(key, k, "transient"))
        return duration_within(v, n, 1, 86400ull * 1000000000, &c->transient_ns);
    if (base_equal(key, k, "children"))
        return choose(v, n, "off", "on", &c->children);
    if (base_equal(key, k, "args"))
        return choose(v, n, "off", "on", &c->args);
    if (base_equal(key, k, "go"))
        return choose(v, n, "off", "on", &c->go);
    if (base_equal(key, k, "unwind"))
        return choose(v, n, "own", "libunwind", &c->unwind);
    if (base_equal(key, k, "region"))
        return size_within(v, n, REGION_BOUND_MIN, REGION_BOUND_MAX, &c->region);
    if (base_equal(key, k, "tick"))
        return duration_within(v, n, 1000000, 3600ull * 1000000000, &c->tick_ns);
    if (base_equal(key, k, "perm"))
        return file_mode(v, n, &c->perm);
    if (base_equal(key, k, "seed"))
        return base_parse_number(v, n, 10, &c->seed);
    return -ENOENT;
}

static void refuse(const char *item, size_t n, int error) {
    char word[64];
    size_t k = n < sizeof word - 1 ? n : sizeof word - 1;
    base_move(word, item, k);
    word[k] = 0;
    say("SQUALL_CONF: ", word,
        error == -ENOENT   ? ": unknown key, ignored"
        : error == -ERANGE ? ": value out of range, the default is used"
                           : ": bad value, the default is used",
        NULL);
}

static size_t span(const char *s, char stop) {
    size_t n = 0;
    while (s[n] && s[n] != stop)
        n++;
    return n;
}

unsigned conf_parse(const char *text, struct region_configuration *conf, char *codec,
                    size_t codec_size) {
    unsigned refused = 0;
    size_t at = 0;
    while (*text) {
        size_t n = span(text, ','), k = span(text, ':');
        if (n && k < n && base_equal(text, k, "codec") && n - k - 1 + at + 2 < codec_size) {
            base_move(codec + at, text + k + 1, n - k - 1);
            at += n - k - 1;
            codec[at++] = '\n';
            codec[at] = 0;
        } else if (n) {
            int error = k < n ? set(conf, text, k, text + k + 1, n - k - 1) : -EINVAL;
            if (error) {
                refuse(text, n, error);
                refused++;
            }
        }
        text += n + (text[n] == ',');
    }
    return refused;
}

const char *conf_get(char *const *environment, const char *name) {
    size_t n = base_length(name);
    for (; environment && *environment; environment++)
        if (base_starts(*environment, name) && (*environment)[n] == '=')
            return *environment + n + 1;
    return NULL;
}
