/* Finds Go's tables in the segments of a program. Every number that is read is checked against the
 * bytes that are there: the file or the memory may be anybody's. */
#include <errno.h>

#include "go.h"
#include "internal.h"

#define MAGIC_118 0xfffffff0u
#define MAGIC_120 0xfffffff1u
#define FUNCTIONS_MAX 10000000u
#define HEADER 72u /* bytes of the table's header that are read */
/* What looks like the table: for each, all is searched for what knows it. A program that has others
 * in it as data (embedded ones) has some; one that has nothing else would have us search for days.
 */
#define TABLES_MAX 64u

const uint8_t *go_image_at(const struct go_image *image, uint64_t address, uint64_t size) {
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct go_segment *s = &image->segments[i];
        if (address >= s->start && address - s->start <= s->size &&
            size <= s->size - (address - s->start))
            return s->bytes + (address - s->start);
    }
    return NULL;
}

static bool read_word(const struct go_image *image, uint64_t address, uint64_t *value) {
    const uint8_t *at = go_image_at(image, address, 8);
    if (at)
        *value = go_load64(at);
    return at != NULL;
}

/* ---- moduledata: what holds the table's address, and knows where the code is ---- */

enum { MINPC = 160, TEXT = 176, MODULEDATA = 352 };

static uint64_t gofunc_at(uint32_t minor) {
    return minor < 20 ? 304 : minor < 27 ? 320 : 344;
}

static bool is_moduledata(const struct go_image *image, const uint8_t *at, uint64_t *text) {
    uint64_t first = go_load32(image->tab + image->functions_at);
    *text = go_load64(at + TEXT);
    return go_load64(at) == image->pclntab &&
           go_load64(at + 8) == image->pclntab + image->names_at && *text &&
           *text + first == go_load64(at + MINPC);
}

static bool find_moduledata(struct go_image *image) {
    for (uint32_t i = image->segment_count; i-- > 0;) {
        const struct go_segment *s = &image->segments[i];
        uint64_t from = (8 - s->start % 8) % 8, text, gofunc;
        for (; from + MODULEDATA <= s->size; from += 8) {
            /* Most words are not the address. */
            if (LIKELY(go_load64(s->bytes + from) != image->pclntab) ||
                !is_moduledata(image, s->bytes + from, &text))
                continue;
            image->text = text;
            if (read_word(image, s->start + from + gofunc_at(image->minor), &gofunc) &&
                go_image_at(image, gofunc, 1))
                image->gofunc = gofunc;
            return true;
        }
    }
    return false;
}

/* ---- pclntab ---- */

static bool take_header(struct go_image *image, const struct go_segment *s, uint64_t from) {
    const uint8_t *h = s->bytes + from;
    uint64_t size = s->size - from;
    image->functions = go_load64(h + 8);
    image->names_at = go_load64(h + 32);
    image->units_at = go_load64(h + 40);
    image->files_at = go_load64(h + 48);
    image->pcs_at = go_load64(h + 56);
    image->functions_at = go_load64(h + 64);
    if (image->functions < 1 || image->functions > FUNCTIONS_MAX || image->names_at >= size ||
        image->units_at >= size || image->files_at >= size || image->pcs_at >= size ||
        image->functions_at >= size || (image->functions * 2 + 1) * 4 > size - image->functions_at)
        return false;
    image->is_118 = go_load32(h) == MAGIC_118;
    image->tab = h;
    image->tab_size = size;
    image->pclntab = s->start + from;
    return true;
}

/* Returns 1 if there is one, 0 if not, -1 if there is one that nothing can be made of. */
static int find_pclntab(struct go_image *image) {
    int found = 0;
    uint32_t tried = 0;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct go_segment *s = &image->segments[i];
        uint64_t from = (8 - s->start % 8) % 8;
        for (; from + HEADER <= s->size; from += 8) {
            uint64_t word = go_load64(s->bytes + from);
            /* magic, two zeros, 1 byte an instruction, 8 a pointer */
            if (LIKELY(word >> 32 != 0x08010000u) ||
                ((uint32_t)word != MAGIC_118 && (uint32_t)word != MAGIC_120))
                continue;
            found = -1;
            if (!take_header(image, s, from))
                continue;
            if (find_moduledata(image))
                return 1;
            if (++tried == TABLES_MAX)
                return found;
        }
    }
    return found;
}

/* ---- .go.buildinfo: the version ---- */

static bool is_buildinfo(const uint8_t *at) {
    static const char magic[] = "\xff Go buildinf:";
    for (uint32_t i = 0; i < sizeof magic - 1; i++)
        if (at[i] != (uint8_t)magic[i])
            return false;
    return at[14] == 8;
}

static void take_version(struct go_image *image, const uint8_t *text, uint64_t length) {
    uint64_t n = length < sizeof image->version - 1 ? length : sizeof image->version - 1;
    uint32_t minor = 0, at = 4;
    base_move(image->version, text, n);
    image->version[n] = 0;
    if (!base_starts(image->version, "go1."))
        return; /* "devel ...": nobody knows what is in it */
    for (; image->version[at] >= '0' && image->version[at] <= '9' && minor < 1000; at++)
        minor = minor * 10 + (uint32_t)(image->version[at] - '0');
    image->minor = minor;
}

static void find_version(struct go_image *image) {
    for (uint32_t i = image->segment_count; i-- > 0;) { /* it is data, and that comes last */
        const struct go_segment *s = &image->segments[i];
        uint64_t from = (16 - s->start % 16) % 16;
        for (; from + 64 <= s->size; from += 16) {
            const uint8_t *at = s->bytes + from;
            if (LIKELY(at[0] != 0xff) || !is_buildinfo(at))
                continue;
            if (!(at[15] & 2)) { /* pointers to strings; from 1.18 on these follow */
                base_move(image->version, "go1.17 or older", sizeof "go1.17 or older");
                return;
            }
            if (at[32] < 32 && (uint64_t)at[32] + 33 + from <= s->size) {
                take_version(image, at + 33, at[32]);
                return;
            }
        }
    }
}

int go_image_find(struct go_image *image) {
    image->version[0] = 0;
    image->minor = 0;
    image->gofunc = image->text = 0;
    find_version(image);
    int found = find_pclntab(image);
    if (found > 0)
        return 0;
    return found < 0 || image->version[0] ? -ENOTSUP : -ENOENT;
}
