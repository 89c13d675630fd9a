/* Ranges of codec functions: an array that only grows, a sorted block of it for each module. */
#include "codec.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/syscall.h"
#include "codec_scan.h"
#include "detour.h"
#include "module_elf.h"
#include "peek.h"

_Static_assert((int)CODEC_COMPRESS == (int)REGION_COMPRESS &&
                   (int)CODEC_DECOMPRESS == (int)REGION_DECOMPRESS,
               "the table and the region count directions alike");

#define FUNCTIONS_MAX 16384u
#define BLOCKS_MAX 1024u
#define OF_A_MODULE 2048u
#define NAME_ROOM 120u

/* The functions of one module, sorted by address. */
struct block {
    const struct module *module;
    uint64_t low, high;
    uint32_t first, count;
    struct codec_function whole; /* for threads of the codec's own, see add_whole; end 0 = none */
    struct detour_room room;
};

/* Mapped at the first function; names in the table of codecs need no copy, others have one. */
struct ranges {
    struct codec_function functions[FUNCTIONS_MAX];
    struct block blocks[BLOCKS_MAX];
    char names[1 << 18];
};
static struct ranges *ranges;
static uint32_t function_count, block_count; /* published with release */
static uint64_t names_used;
static const char *user_patterns = "";
static void (*call_stub)(void);
static struct region *own; /* of this process, NULL = none yet */

void codec_init(const char *patterns, void (*stub)(void)) {
    user_patterns = patterns;
    call_stub = stub;
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
static void keep_name(struct codec_function *f, const char *name, size_t length) {
    if (length > sizeof ranges->names - names_used)
        return;
    base_move(ranges->names + names_used, name, length);
    f->name = names_used;
    f->name_length = (uint32_t)length;
    names_used += length;
}

/* The name that people know; of a renamed or a user's function its own. */
static void set_name(struct codec_function *f, const struct codec_symbol *symbol) {
    size_t length = symbol->name_length < NAME_ROOM ? symbol->name_length : NAME_ROOM;
    if (symbol->entry && (symbol->entry->mangled ||
                          base_equal(symbol->name, symbol->name_length, symbol->entry->name)))
        return;
    for (size_t i = 0; i < length && symbol->entry; i++)
        if (symbol->name[i] == '.')
            length = i;
    keep_name(f, symbol->name, length);
}

static bool contains(const char *text, const char *part) {
    for (size_t n = base_length(part); *text; text++)
        if (base_length(text) >= n && base_equal(text, n, part))
            return true;
    return false;
}

static uint8_t finish_of(const char *name) {
    static const struct {
        const char *name;
        uint8_t finish;
    } known[] = {{"deflate", CODEC_FINISH_1},
                 {"inflate", CODEC_FINISH_1},
                 {"lzma_code", CODEC_FINISH_1},
                 {"BZ2_bzCompress", CODEC_FINISH_4},
                 {"BZ2_bzDecompress", CODEC_FINISH_4},
                 {"ZSTD_endStream", CODEC_FINISH_0},
                 {"ZSTD_decompressStream", CODEC_FINISH_0},
                 {"LZ4F_compressEnd", CODEC_FINISH_ALWAYS},
                 {"LZ4F_decompress", CODEC_FINISH_0},
                 {"ZSTD_compressStream2", CODEC_FINISH_0_IF_END},
                 {"BrotliEncoderCompressStream", CODEC_FINISH_BROTLI},
                 {"BrotliDecoderDecompressStream", CODEC_FINISH_1},
                 {"isal_deflate", CODEC_FINISH_ISAL}};
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        if (base_equal(name, base_length(name), known[i].name))
            return known[i].finish;
    return CODEC_FINISH_NOT;
}

/* Dictionaries and pools are made and given back, too. */
static bool is_no_context(const char *name) {
    return contains(name, "Dict") || contains(name, "Params") || contains(name, "Pool");
}

/* What a function does with its context goes by its name: libraries agree on the words. */
static void set_context_use(struct codec_function *f) {
    const char *name = f->entry->name;
    bool in_place = f->codec == CODEC_ZLIB || f->codec == CODEC_BZ2 || f->codec == CODEC_LZMA ||
                    f->codec == CODEC_ISAL; /* the program's own struct is the context */
    f->starts_message =
        (f->kind == CODEC_INIT && (contains(name, "nit") || contains(name, "eset"))) ||
        contains(name, "Begin");
    f->makes_context = (f->kind == CODEC_CREATE && !is_no_context(name)) ||
                       (f->kind == CODEC_INIT && in_place &&
                        (contains(name, "Init") || contains(name, "_init") ||
                         contains(name, "coder") || contains(name, "Copy")));
    f->starts_message |= f->makes_context;
    f->finish = finish_of(name);
}

/* Of the user's, for * matches more than was meant: what returns twice would come back into a frame of ours
 * that is gone, and what looks at its caller would find us. */
static bool is_no_call(const char *name, size_t length) {
    static const char names[][12] = {"setjmp", "sigsetjmp", "savectx", "getcontext", "vfork",
                                     "dlsym",  "dlvsym",    "dlopen",  "dlmopen"};
    for (; length && *name == '_'; length--)
        name++;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (base_equal(name, length, names[i]))
            return true;
    return false;
}

/* Why its calls are not looked at; RUNNING until somebody knows better. */
static uint16_t refused_before(const struct codec_function *f, const struct codec_symbol *symbol) {
    for (size_t i = 0; i < symbol->name_length; i++)
        if (symbol->name[i] == '.')
            return REGION_REFUSED_VARIANT;
    if (!call_stub)
        return REGION_REFUSED_OFF;
    if (!f->entry)
        return is_no_call(symbol->name, symbol->name_length) ? REGION_REFUSED_KIND
                                                             : REGION_REFUSED_RUNNING;
    bool moves_data = codec_moves_data(f);
    if (!moves_data && is_no_context(f->entry->name))
        return REGION_REFUSED_KIND;
    bool has_shape = f->shape != codec_table_shape(NULL);
    bool is_of_use = moves_data ? has_shape
                                : f->makes_context || f->starts_message || f->kind == CODEC_END ||
                                      f->kind == CODEC_FREE;
    return is_of_use && has_shape ? REGION_REFUSED_RUNNING : REGION_REFUSED_KIND;
}

static void collect(void *data, const struct codec_symbol *symbol) {
    struct finding *finding = data;
    if (!map_ranges() || finding->first + finding->count == FUNCTIONS_MAX ||
        finding->count == OF_A_MODULE) {
        finding->is_short = true;
        return;
    }
    struct codec_function *known = &ranges->functions[finding->first];
    for (uint32_t i = 0; i < finding->count; i++)
        if (known[i].start == symbol->start) {
            known[i].is_doubtful &= symbol->is_local;
            return; /* another version or name of it, or the same in another table */
        }
    const struct codec_entry *e = symbol->entry;
    struct codec_function *f = &known[finding->count++];
    base_zero(f, sizeof *f);
    f->start = symbol->start;
    f->end = symbol->start + symbol->size;
    f->entry = e;
    f->codec = e ? e->codec : (uint8_t)CODEC_USER;
    f->direction = e ? e->direction : (uint8_t)CODEC_COMPRESS;
    f->kind = e ? e->kind : (uint8_t)CODEC_ONE_SHOT;
    f->is_common = e && e->is_common;
    f->is_doubtful = symbol->is_local;
    f->shape = codec_table_shape(e);
    if (e)
        set_context_use(f);
    f->refused = refused_before(f, symbol);
    set_name(f, symbol);
}

static void note_entry(void *data, uint64_t start) {
    struct finding *finding = data;
    struct codec_function *f = &ranges->functions[finding->first];
    for (uint32_t i = 0; i < finding->count; i++) {
        uint64_t behind = start - f[i].start;
        if (behind && behind < CODEC_SCAN_BEGINNING && (!f[i].entered || behind < f[i].entered))
            f[i].entered = (uint8_t)behind;
    }
}

/* A program's own `compress` is no zlib: common names need company; one that is local to its file a
 * local one's, for beside the library's functions it is another. */
static void drop_uncertain(struct finding *finding) {
    struct codec_function *f = &ranges->functions[finding->first];
    uint32_t certain = 0, local = 0, kept = 0;
    for (uint32_t i = 0; i < finding->count; i++)
        if (!f[i].is_common)
            *(f[i].is_doubtful ? &local : &certain) |= 1u << f[i].codec;
    for (uint32_t i = 0; i < finding->count; i++)
        if (!f[i].is_common || (f[i].is_doubtful ? local : certain | local) >> f[i].codec & 1)
            f[kept++] = f[i];
    finding->count = kept;
}

static void sort(struct codec_function *f, uint32_t count) {
    for (uint32_t gap = count / 2; gap; gap /= 2)
        for (uint32_t i = gap; i < count; i++) {
            struct codec_function one = f[i];
            uint32_t k = i;
            for (; k >= gap && f[k - gap].start > one.start; k -= gap)
                f[k] = f[k - gap];
            f[k] = one;
        }
}

/* ---- rows ---- */

static uint32_t write_row(struct region *r, const struct module *m, const struct codec_function *f,
                          enum region_codec_found found, uint32_t direction) {
    uint32_t row = region_take(r, REGION_CODEC_FUNCTIONS, 1);
    if (!row) {
        region_lose(r, REGION_LOST_CODEC, 1);
        return 0;
    }
    struct region_codec_function *to =
        REGION_ROW(r, REGION_CODEC_FUNCTIONS, struct region_codec_function, row);
    const char *name = f->name_length ? ranges->names + f->name : f->entry ? f->entry->name : "";
    to->name = region_string(r, name, f->name_length ? f->name_length : base_length(name));
    to->size = f->end - f->start;
    to->module = m->row;
    to->codec = f->codec;
    to->direction = (uint8_t)direction;
    to->kind = f->kind;
    to->found = (uint8_t)found;
    to->patched = f->has_detour;
    /* Of one that was unloaded before a child was forked there is nothing to see in the child. */
    to->refused = RELAXED_LOAD(&m->gone) ? REGION_REFUSED_NOT : f->refused;
    __atomic_store_n(&to->address, f->start, __ATOMIC_RELEASE);
    return row;
}

static void write_main_row(struct region *r, const struct module *m, struct codec_function *f,
                           enum region_codec_found found) {
    f->rows[1] = f->rows[2] = 0;
    __atomic_store_n(&f->rows[0], write_row(r, m, f, found, f->direction), __ATOMIC_RELEASE);
}

static void write_rows(struct region *r, struct block *b) {
    for (uint32_t i = 0; i < b->count; i++)
        write_main_row(r, b->module, &ranges->functions[b->first + i], REGION_FOUND_NAME);
    if (b->whole.end)
        write_main_row(r, b->module, &b->whole, REGION_FOUND_FRAMES);
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
        b->whole = (struct codec_function){.start = b->module->start,
                                           .end = b->module->end,
                                           .codec = libraries[i].codec,
                                           .direction = libraries[i].direction,
                                           .kind = CODEC_WORKER,
                                           .refused = REGION_REFUSED_KIND};
        keep_name(&b->whole, libraries[i].name, base_length(libraries[i].name));
    }
}

static void publish(struct finding *finding, const char *path) {
    struct codec_function *f = &ranges->functions[finding->first];
    sort(f, finding->count);
    struct block *b = &ranges->blocks[block_count];
    *b = (struct block){.module = finding->module,
                        .low = f[0].start,
                        .first = finding->first,
                        .count = finding->count};
    for (uint32_t i = 0; i < finding->count; i++)
        b->high = f[i].end > b->high ? f[i].end : b->high;
    add_whole(b, path);
    if (finding->region)
        write_rows(finding->region, b);
    RELAXED_STORE(&function_count, finding->first + finding->count);
    __atomic_store_n(&block_count, block_count + 1, __ATOMIC_RELEASE);
}

void codec_add(struct region *r, const struct module *m, const char *path) {
    struct finding finding = {.region = r, .module = m, .first = function_count};
    const struct codec_scan scan = {.module = m,
                                    .path = path,
                                    .patterns = user_patterns,
                                    .each = collect,
                                    .beside = note_entry,
                                    .data = &finding};
    own = r;
    if (m->flags & (REGION_MODULE_SQUALL | REGION_MODULE_VDSO))
        return;
    int error = codec_scan(&scan);
    if (finding.count)
        drop_uncertain(&finding);
    if (finding.count && block_count == BLOCKS_MAX)
        finding.is_short = true;
    else if (finding.count)
        publish(&finding, path);
    if (r && (error || finding.is_short))
        region_lose(r, REGION_LOST_CODEC, 1);
}

void codec_adopt(struct region *r) {
    own = r;
    for (uint32_t i = 0; i < block_count; i++)
        write_rows(r, &ranges->blocks[i]);
}

/* ---- detours ---- */

static struct block *block_of(const struct module *m) {
    for (uint32_t i = 0; i < block_count; i++)
        if (ranges->blocks[i].module == m)
            return &ranges->blocks[i];
    return NULL;
}

static void tell_detours(struct region *r, const struct block *b) {
    for (uint32_t i = 0; r && i < b->count; i++) {
        struct codec_function *f = &ranges->functions[b->first + i];
        if (!f->rows[0])
            continue;
        struct region_codec_function *row =
            REGION_ROW(r, REGION_CODEC_FUNCTIONS, struct region_codec_function, f->rows[0]);
        row->patched = f->has_detour;
        row->refused = f->refused;
    }
}

void codec_detour(struct region *r, const struct module *m, uint16_t refused) {
    struct block *b = block_of(m);
    if (!b || b->room.size) /* with room: they are there */
        return;
    /* New modules are not relocated yet: what is moved would not be, and the jump would. */
    if (!refused && module_elf_moves_text(m))
        refused = REGION_REFUSED_DECODE;
    struct codec_function *f = &ranges->functions[b->first];
    for (uint32_t i = 0; i < b->count; i++)
        if (f[i].refused == REGION_REFUSED_RUNNING)
            f[i].refused = refused;
    if (!refused)
        detour_put(m, f, b->count, b->first, call_stub, &b->room);
    for (uint32_t i = 0; i < b->count; i++)
        f[i].has_detour = !f[i].refused;
    tell_detours(r, b);
}

/* The module is taken for gone, but its jumps are there: to take their room would crash it. The
 * caller has the loader's lock, so what can be read stays. */
static bool is_still_there(const struct block *b) {
    const struct codec_function *f = &ranges->functions[b->first];
    for (uint32_t i = 0; i < b->count; i++)
        if (f[i].has_detour)
            return peek_can_read(f[i].jump_at & ~7ull) &&
                   peek_can_read((f[i].jump_at + 4) & ~7ull) && detour_is_there(&f[i]);
    return false;
}

void codec_collect(void) {
    for (uint32_t i = 0; i < block_count; i++) {
        struct block *b = &ranges->blocks[i];
        if (!b->room.size || !RELAXED_LOAD(&b->module->gone) || is_still_there(b))
            continue;
        detour_forget(&b->room);
        for (uint32_t k = 0; k < b->count; k++) {
            struct codec_function *f = &ranges->functions[b->first + k];
            if (f->has_detour)
                f->refused = REGION_REFUSED_RUNNING;
            f->has_detour = false;
        }
    }
}

const struct codec_function *codec_function_at(uint32_t number) {
    return &ranges->functions[number];
}

static struct block *block_with(const struct codec_function *f) {
    uint32_t number = (uint32_t)(f - ranges->functions);
    for (uint32_t i = 0; i < block_count; i++)
        if (number - ranges->blocks[i].first < ranges->blocks[i].count)
            return &ranges->blocks[i];
    return NULL;
}

/* Made when a function that serves both directions is first called in this one. */
static COLD uint32_t make_direction_row(struct codec_function *f, uint32_t direction) {
    struct block *b = block_with(f);
    uint32_t none = 0;
    uint32_t row = b && own ? write_row(own, b->module, f, REGION_FOUND_NAME, direction) : 0;
    if (row && !__atomic_compare_exchange_n(&f->rows[direction], &none, row, false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return none; /* another thread's; the one made here has no calls */
    return row;
}

uint32_t codec_function_row(const struct codec_function *f, uint32_t direction) {
    if (LIKELY(f->direction || !direction))
        return __atomic_load_n(&f->rows[0], __ATOMIC_ACQUIRE);
    uint32_t row = __atomic_load_n(&f->rows[direction], __ATOMIC_ACQUIRE);
    return row ? row : make_direction_row((struct codec_function *)f, direction);
}

/* ---- asking ---- */

static const struct codec_function *find_in(const struct block *b, uint64_t address) {
    const struct codec_function *f = &ranges->functions[b->first];
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

static const struct codec_function *find(uint64_t address, uint32_t blocks) {
    for (uint32_t i = 0; i < blocks; i++) {
        const struct block *b = &ranges->blocks[i];
        if (address - b->low < b->high - b->low && !RELAXED_LOAD(&b->module->gone)) {
            const struct codec_function *f = find_in(b, address);
            if (f)
                return f;
        }
    }
    return NULL;
}

static const struct codec_function *find_whole(uint64_t address, uint32_t blocks) {
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
    const struct codec_function *outer = NULL;
    for (uint32_t i = stack->count; blocks && i-- > 0 && !in.direction;) {
        const struct codec_function *f = find(code_of(stack->frames[i]), blocks);
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
    in.function = outer ? __atomic_load_n(&outer->rows[0], __ATOMIC_ACQUIRE) : 0;
    return in;
}
