/* Ranges of codec functions: an array that only grows, a sorted block of it for each module. */
#include "codec.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/syscall.h"
#include "codec_scan.h"

_Static_assert((int)CODEC_COMPRESS == (int)REGION_COMPRESS &&
                   (int)CODEC_DECOMPRESS == (int)REGION_DECOMPRESS,
               "the table and the region count directions alike");

#define FUNCTIONS_MAX 16384u
#define BLOCKS_MAX 1024u
#define OF_A_MODULE 2048u
#define NAME_ROOM 120u

struct function {
    uint64_t start, end;
    const struct codec_entry *entry; /* NULL: the user's */
    uint64_t name;                   /* in names */
    uint32_t name_length;
    uint32_t row; /* 0 = no room */
    uint8_t direction, kind, codec;
    bool is_common;
};

/* The functions of one module, sorted by address. */
struct block {
    const struct module *module;
    uint64_t low, high;
    uint32_t first, count;
    struct function whole; /* for threads of the codec's own, see add_whole; end 0 = none */
};

/* Mapped at the first function; names in the table of codecs need no copy, others have one. */
struct ranges {
    struct function functions[FUNCTIONS_MAX];
    struct block blocks[BLOCKS_MAX];
    char names[1 << 18];
};
static struct ranges *ranges;
static uint32_t function_count, block_count; /* published with release */
static uint64_t names_used;
static const char *user_patterns = "";

void codec_init(const char *patterns) {
    user_patterns = patterns;
}

/* ---- finding ---- */

struct finding {
    struct region *region;
    const struct module *module;
    uint32_t first, count;
    bool is_short; /* of room */
};

static bool map_ranges(void) {
    if (RELAXED_LOAD(&ranges))
        return true;
    long at = base_syscall(SYS_mmap, 0, sizeof(struct ranges), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base_is_error(at))
        return false;
    base_syscall(SYS_madvise, at, sizeof(struct ranges), MADV_DONTDUMP);
    __atomic_store_n(&ranges, (struct ranges *)at, __ATOMIC_RELEASE);
    return true;
}

/* A name in a symbol table is gone when the table is unmapped. */
static void keep_name(struct function *f, const char *name, size_t length) {
    if (length > sizeof ranges->names - names_used)
        return;
    base_move(ranges->names + names_used, name, length);
    f->name = names_used;
    f->name_length = (uint32_t)length;
    names_used += length;
}

/* The name that people know; of a renamed or a user's function its own. */
static void set_name(struct function *f, const struct codec_symbol *symbol) {
    size_t length = symbol->name_length < NAME_ROOM ? symbol->name_length : NAME_ROOM;
    if (symbol->entry && (symbol->entry->mangled ||
                          base_equal(symbol->name, symbol->name_length, symbol->entry->name)))
        return;
    for (size_t i = 0; i < length && symbol->entry; i++)
        if (symbol->name[i] == '.')
            length = i;
    keep_name(f, symbol->name, length);
}

static void collect(void *data, const struct codec_symbol *symbol) {
    struct finding *finding = data;
    if (!map_ranges() || finding->first + finding->count == FUNCTIONS_MAX ||
        finding->count == OF_A_MODULE) {
        finding->is_short = true;
        return;
    }
    struct function *known = &ranges->functions[finding->first];
    for (uint32_t i = 0; i < finding->count; i++)
        if (known[i].start == symbol->start)
            return; /* another version or name of it, or the same in another table */
    const struct codec_entry *e = symbol->entry;
    struct function *f = &known[finding->count++];
    base_zero(f, sizeof *f);
    f->start = symbol->start;
    f->end = symbol->start + symbol->size;
    f->entry = e;
    f->codec = e ? e->codec : (uint8_t)CODEC_USER;
    f->direction = e ? e->direction : (uint8_t)CODEC_COMPRESS;
    f->kind = e ? e->kind : (uint8_t)CODEC_ONE_SHOT;
    f->is_common = e && e->is_common;
    set_name(f, symbol);
}

/* A program's own `compress` is no zlib: common names need company. */
static void drop_uncertain(struct finding *finding) {
    struct function *f = &ranges->functions[finding->first];
    uint32_t certain = 0, kept = 0;
    for (uint32_t i = 0; i < finding->count; i++)
        if (!f[i].is_common)
            certain |= 1u << f[i].codec;
    for (uint32_t i = 0; i < finding->count; i++)
        if (certain >> f[i].codec & 1)
            f[kept++] = f[i];
    finding->count = kept;
}

static void sort(struct function *f, uint32_t count) {
    for (uint32_t gap = count / 2; gap; gap /= 2)
        for (uint32_t i = gap; i < count; i++) {
            struct function one = f[i];
            uint32_t k = i;
            for (; k >= gap && f[k - gap].start > one.start; k -= gap)
                f[k] = f[k - gap];
            f[k] = one;
        }
}

/* ---- rows ---- */

static void write_row(struct region *r, const struct module *m, struct function *f,
                      enum region_codec_found found) {
    uint32_t row = region_take(r, REGION_CODEC_FUNCTIONS, 1);
    __atomic_store_n(&f->row, row, __ATOMIC_RELEASE);
    if (!row) {
        region_lose(r, REGION_LOST_CODEC, 1);
        return;
    }
    struct region_codec_function *to =
        REGION_ROW(r, REGION_CODEC_FUNCTIONS, struct region_codec_function, row);
    const char *name = f->name_length ? ranges->names + f->name : f->entry ? f->entry->name : "";
    to->name = region_string(r, name, f->name_length ? f->name_length : base_length(name));
    to->size = f->end - f->start;
    to->module = m->row;
    to->codec = f->codec;
    to->direction = f->direction;
    to->kind = f->kind;
    to->found = (uint8_t)found;
    __atomic_store_n(&to->address, f->start, __ATOMIC_RELEASE);
}

static void write_rows(struct region *r, struct block *b) {
    for (uint32_t i = 0; i < b->count; i++)
        write_row(r, b->module, &ranges->functions[b->first + i], REGION_FOUND_NAME);
    if (b->whole.end)
        write_row(r, b->module, &b->whole, REGION_FOUND_FRAMES);
}

/* ---- adding ---- */

/* libzstd and liblzma compress on threads of their own, whose functions a stripped library does
 * not name. A whole stack that ends in the library without any name of ours is such a thread's.
 * zstd's only compress; of lzma's nobody can tell. */
static void add_whole(struct block *b, const char *path) {
    static const struct {
        const char *file, *name;
        uint8_t codec, direction;
    } libraries[] = {{"libzstd.", "(thread of libzstd)", CODEC_ZSTD, CODEC_COMPRESS},
                     {"liblzma.", "(thread of liblzma)", CODEC_LZMA, CODEC_EITHER}};
    const char *file = path;
    for (const char *c = path; *c; c++)
        if (*c == '/')
            file = c + 1;
    for (unsigned i = 0; i < ARRAY_SIZE(libraries); i++) {
        if (!base_starts(file, libraries[i].file))
            continue;
        b->whole = (struct function){.start = b->module->start,
                                     .end = b->module->end,
                                     .codec = libraries[i].codec,
                                     .direction = libraries[i].direction,
                                     .kind = CODEC_WORKER};
        keep_name(&b->whole, libraries[i].name, base_length(libraries[i].name));
    }
}

static void publish(struct finding *finding, const char *path) {
    struct function *f = &ranges->functions[finding->first];
    sort(f, finding->count);
    struct block *b = &ranges->blocks[block_count];
    *b = (struct block){.module = finding->module,
                        .low = f[0].start,
                        .first = finding->first,
                        .count = finding->count};
    for (uint32_t i = 0; i < finding->count; i++)
        b->high = f[i].end > b->high ? f[i].end : b->high;
    add_whole(b, path);
    write_rows(finding->region, b);
    RELAXED_STORE(&function_count, finding->first + finding->count);
    __atomic_store_n(&block_count, block_count + 1, __ATOMIC_RELEASE);
}

void codec_add(struct region *r, const struct module *m, const char *path) {
    struct finding finding = {.region = r, .module = m, .first = function_count};
    const struct codec_scan scan = {
        .module = m, .path = path, .patterns = user_patterns, .each = collect, .data = &finding};
    if (!r || m->flags & (REGION_MODULE_SQUALL | REGION_MODULE_VDSO))
        return;
    int error = codec_scan(&scan);
    if (finding.count)
        drop_uncertain(&finding);
    if (finding.count && block_count == BLOCKS_MAX)
        finding.is_short = true;
    else if (finding.count)
        publish(&finding, path);
    if (error || finding.is_short)
        region_lose(r, REGION_LOST_CODEC, 1);
}

void codec_adopt(struct region *r) {
    for (uint32_t i = 0; i < block_count; i++)
        write_rows(r, &ranges->blocks[i]);
}

/* ---- asking ---- */

static const struct function *find_in(const struct block *b, uint64_t address) {
    const struct function *f = &ranges->functions[b->first];
    uint32_t low = 0, high = b->count;
    while (low < high) { /* the first that begins behind the address */
        uint32_t middle = low + (high - low) / 2;
        if (f[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && address < f[low - 1].end ? &f[low - 1] : NULL;
}

static const struct function *find(uint64_t address, uint32_t blocks) {
    for (uint32_t i = 0; i < blocks; i++) {
        const struct block *b = &ranges->blocks[i];
        if (address - b->low < b->high - b->low && !RELAXED_LOAD(&b->module->gone)) {
            const struct function *f = find_in(b, address);
            if (f)
                return f;
        }
    }
    return NULL;
}

static const struct function *find_whole(uint64_t address, uint32_t blocks) {
    for (uint32_t i = 0; i < blocks; i++) {
        const struct block *b = &ranges->blocks[i];
        if (address - b->whole.start < b->whole.end - b->whole.start &&
            !RELAXED_LOAD(&b->module->gone))
            return &b->whole;
    }
    return NULL;
}

/* The call is before the address that it returns to. */
INLINE uint64_t code_of(uint64_t frame) {
    return frame & REGION_FRAME_EXACT ? frame & ~REGION_FRAME_EXACT : frame - 1;
}

struct codec_context codec_classify(const struct unwind_result *stack) {
    struct codec_context in = {0};
    uint32_t blocks = __atomic_load_n(&block_count, __ATOMIC_ACQUIRE);
    const struct function *outer = NULL;
    for (uint32_t i = stack->count; blocks && i-- > 0 && !in.direction;) {
        const struct function *f = find(code_of(stack->frames[i]), blocks);
        if (!f || f->kind == CODEC_BOUND || (outer && f->codec != outer->codec))
            continue;
        if (!outer)
            outer = f;
        in.direction = f->direction;
    }
    /* A stack that is cut may have the call among the frames that are missing. */
    bool is_whole = stack->end == REGION_END_OUTERMOST;
    for (uint32_t i = stack->count; blocks && i-- > 0 && !outer && is_whole;) {
        outer = find_whole(code_of(stack->frames[i]), blocks);
        in.direction = outer ? outer->direction : (uint32_t)REGION_DIRECTION_NONE;
    }
    in.function = outer ? __atomic_load_n(&outer->row, __ATOMIC_ACQUIRE) : 0;
    return in;
}
