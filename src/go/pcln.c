/* Reads .gopclntab: functions, their lines, and what was inlined into them. Layout of Go 1.18 and
 * later (runtime/symtab.go, runtime2.go, symtabinl.go). */
#include "go.h"
#include "internal.h"

/* Of a _func. */
enum { NAME = 4, PCSP = 16, PCFILE = 20, PCLN = 24, NPCDATA = 28, UNIT = 32 };
enum { PCDATA_INLINED = 2, FUNCDATA_INLINED = 3 };

#define NAME_MAX 65536u /* bytes of a function's or file's name: generic ones are long */
#define STEPS_MAX (1u << 22)

static bool holds(const struct go_image *image, uint64_t at, uint64_t size) {
    return at <= image->tab_size && size <= image->tab_size - at;
}

/* A string that ends in the table. */
static const char *text_at(const struct go_image *image, uint64_t at) {
    if (at >= image->tab_size)
        return NULL;
    uint64_t room = image->tab_size - at, n = 0;
    const char *text = (const char *)image->tab + at;
    while (n < room && n < NAME_MAX && text[n])
        n++;
    return n < room && n < NAME_MAX ? text : NULL;
}

bool go_function_at(const struct go_image *image, uint64_t i, struct go_function *f) {
    if (i >= image->functions)
        return false;
    const uint8_t *entry = image->tab + image->functions_at + i * 8;
    uint64_t info = image->functions_at + go_load32(entry + 4);
    if (!holds(image, info, 48))
        return false;
    f->start = image->text + go_load32(entry);
    f->end = image->text + go_load32(entry + 8);
    f->info = info;
    f->name = text_at(image, image->names_at + go_load32(image->tab + info + NAME));
    return f->name && f->end > f->start;
}

bool go_function_find(const struct go_image *image, uint64_t address, struct go_function *f) {
    uint64_t low = 0, high = image->functions;
    if (address < image->text)
        return false;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint32_t start = go_load32(image->tab + image->functions_at + middle * 8);
        if (image->text + start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && go_function_at(image, low - 1, f) && address >= f->start && address < f->end;
}

/* ---- tables of values by address ---- */

static bool read_varint(const struct go_image *image, uint64_t *at, uint32_t *value) {
    uint32_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (*at >= image->tab_size)
            return false;
        uint8_t byte = image->tab[(*at)++];
        v |= shift < 32 ? (uint32_t)(byte & 127) << shift : 0;
        if (byte < 128) {
            *value = v;
            return true;
        }
    }
    return false;
}

static bool walk(const struct go_image *image, const struct go_function *f, uint32_t table,
                 bool (*each)(void *, uint64_t, uint64_t, int32_t), void *data) {
    uint64_t at = image->pcs_at + table, pc = f->start;
    uint32_t value = UINT32_MAX, step, length; /* unsigned: what is hostile wraps around */
    if (table == 0)
        return false;
    for (uint32_t i = 0; i < STEPS_MAX && pc < f->end; i++) {
        if (!read_varint(image, &at, &step))
            return false;
        if (step == 0 && i) /* the table ends: what is left is padding */
            return true;
        if (!read_varint(image, &at, &length) || length == 0)
            return false;
        value += step >> 1 ^ (0 - (step & 1));
        uint64_t to = pc + length < f->end ? pc + length : f->end;
        if (!each(data, pc, to, (int32_t)value))
            return true;
        pc = to;
    }
    return true;
}

static uint32_t table_of(const struct go_image *image, const struct go_function *f,
                         enum go_table table) {
    static const uint8_t places[] = {
        [GO_TABLE_STACK] = PCSP, [GO_TABLE_FILE] = PCFILE, [GO_TABLE_LINE] = PCLN};
    return go_load32(image->tab + f->info + places[table]);
}

bool go_function_walk(const struct go_image *image, const struct go_function *f,
                      enum go_table table,
                      bool (*each)(void *data, uint64_t from, uint64_t to, int32_t value),
                      void *data) {
    return walk(image, f, table_of(image, f, table), each, data);
}

struct lookup {
    uint64_t address;
    int32_t value;
    bool found;
};

static bool look(void *data, uint64_t from, uint64_t to, int32_t value) {
    struct lookup *l = data;
    if (l->address < from || l->address >= to)
        return true;
    l->value = value;
    l->found = true;
    return false;
}

static bool value_at(const struct go_image *image, const struct go_function *f, uint32_t table,
                     uint64_t address, int32_t *value) {
    struct lookup l = {.address = address};
    if (!walk(image, f, table, look, &l) || !l.found)
        return false;
    *value = l.value;
    return true;
}

bool go_function_value(const struct go_image *image, const struct go_function *f,
                       enum go_table table, uint64_t address, int32_t *value) {
    return value_at(image, f, table_of(image, f, table), address, value);
}

/* ---- frames ---- */

static const char *file_of(const struct go_image *image, const struct go_function *f,
                           uint64_t address) {
    int32_t number;
    if (!go_function_value(image, f, GO_TABLE_FILE, address, &number) || number < 0)
        return NULL;
    uint64_t unit = go_load32(image->tab + f->info + UNIT);
    uint64_t at = image->units_at + (unit + (uint32_t)number) * 4;
    if (!holds(image, at, 4))
        return NULL;
    uint32_t offset = go_load32(image->tab + at);
    return offset == UINT32_MAX ? NULL : text_at(image, image->files_at + offset);
}

/* The table of what was inlined: its address, 0 = nothing was. */
static uint64_t inlined_table(const struct go_image *image, const struct go_function *f) {
    uint64_t count_at = image->is_118 ? 39 : 43, fixed = count_at + 1;
    uint32_t pcdata = go_load32(image->tab + f->info + NPCDATA);
    uint8_t count = image->tab[f->info + count_at];
    uint64_t at = f->info + fixed + 4ull * pcdata + 4 * FUNCDATA_INLINED;
    if (!image->gofunc || count <= FUNCDATA_INLINED || pcdata <= PCDATA_INLINED || pcdata > 4096 ||
        !holds(image, at, 4))
        return 0;
    uint32_t offset = go_load32(image->tab + at);
    return offset == UINT32_MAX ? 0 : image->gofunc + offset;
}

/* Which inlined call an address is in, -1 = none. */
static int32_t inlined_at(const struct go_image *image, const struct go_function *f,
                          uint64_t address) {
    uint64_t fixed = image->is_118 ? 40 : 44;
    uint64_t at = f->info + fixed + 4 * PCDATA_INLINED;
    int32_t value;
    if (!holds(image, at, 4) || !value_at(image, f, go_load32(image->tab + at), address, &value))
        return -1;
    return value;
}

/* Fills the name of an inlined call and gives the address of its caller's instruction. */
static bool read_inlined(const struct go_image *image, const struct go_function *f, uint64_t table,
                         int32_t index, struct go_frame *frame, uint64_t *parent) {
    uint32_t size = image->is_118 ? 20 : 16, name = image->is_118 ? 12 : 4;
    uint32_t pc = image->is_118 ? 16 : 8;
    const uint8_t *row = go_image_at(image, table + (uint64_t)(uint32_t)index * size, size);
    if (!row)
        return false;
    frame->function = text_at(image, image->names_at + go_load32(row + name));
    frame->inlined = true;
    *parent = f->start + go_load32(row + pc);
    return frame->function && *parent < f->end;
}

uint32_t go_frames(const struct go_image *image, uint64_t address, struct go_frame *out,
                   uint32_t max) {
    struct go_function f;
    uint32_t count = 0;
    if (!max || !go_function_find(image, address, &f))
        return 0;
    uint64_t table = inlined_table(image, &f), next;
    for (;;) {
        struct go_frame *frame = &out[count++];
        int32_t line, index = table ? inlined_at(image, &f, address) : -1;
        *frame = (struct go_frame){.function = f.name, .file = file_of(image, &f, address)};
        if (go_function_value(image, &f, GO_TABLE_LINE, address, &line) && line > 0)
            frame->line = (uint32_t)line;
        if (index < 0 || count == max || !read_inlined(image, &f, table, index, frame, &next)) {
            frame->inlined = false;
            frame->function = f.name; /* where the inner ones end, or cannot be read */
            return count;
        }
        address = next;
    }
}
