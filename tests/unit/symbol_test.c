/* The symbol room beside what binutils and the compiler say, on programs built here and on
 * libraries that nobody here wrote; and with files that are gone, replaced, cut or hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "base/codec_table.h"
#include "symbol/internal.h"

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"

static char folder[] = "/tmp/squall-symbol-XXXXXX";

static const char source_cc[] =
    "#include <cstdlib>\n"
    "#include <map>\n"
    "#include <string>\n"
    "#include <vector>\n"
    "namespace deep {\n"
    "template <class T> struct Box {\n"
    "    std::vector<T> v;\n"
    "    __attribute__((always_inline)) inline void put(T x) {\n"
    "        v.push_back(x);\n"
    "        if (v.size() == 7) v.reserve(v.capacity() * 2);\n"
    "    }\n"
    "};\n"
    "inline __attribute__((always_inline)) void *grab(size_t n) {\n"
    "    void *p = malloc(n);\n"
    "    asm volatile(\"\" ::\"r\"(p) : \"memory\");\n"
    "    return p;\n"
    "}\n"
    "inline __attribute__((always_inline)) void *nested(size_t n) { return grab(n + 1); }\n"
    "static __attribute__((noinline, noclone)) void *hidden_local(size_t n) {\n"
    "    void *p = nested(n);\n"
    "    asm volatile(\"\" ::\"r\"(p) : \"memory\");\n"
    "    return p;\n"
    "}\n"
    "__attribute__((noinline)) int work(int n) {\n"
    "    Box<std::string> b;\n"
    "    std::map<int, std::string> m;\n"
    "    for (int i = 0; i < n; i++) {\n"
    "        b.put(std::to_string(i));\n"
    "        m[i] = \"x\";\n"
    "        free(hidden_local(10));\n"
    "    }\n"
    "    return (int)(b.v.size() + m.size());\n"
    "}\n"
    "}\n"
    "int main(int c, char **) { return deep::work(c * 100) & 1; }\n";

/* A function without a size, one with, a gap behind it, a label inside it; and mangled names of
 * Rust (both kinds) and one that stands for gigabytes. */
static const char source_s[] =
    ".text\n.globl unsized, sized, after\n"
    "unsized: .skip 32, 0x90\n"
    ".type sized,@function\nsized: .skip 16, 0x90\nlabel_inside: .skip 16, 0x90\n"
    ".size sized, .-sized\n"
    ".skip 64, 0x90\n"
    ".type after,@function\nafter: .skip 16, 0x90\n.size after, .-after\n"
    ".globl _RNvCs1234_7mycrate3foo\n.type _RNvCs1234_7mycrate3foo,@function\n"
    "_RNvCs1234_7mycrate3foo: .skip 16, 0x90\n"
    ".size _RNvCs1234_7mycrate3foo, .-_RNvCs1234_7mycrate3foo\n"
    ".globl _ZN4core3fmt5write17h0123456789abcdefE\n"
    ".type _ZN4core3fmt5write17h0123456789abcdefE,@function\n"
    "_ZN4core3fmt5write17h0123456789abcdefE: .skip 16, 0x90\n"
    ".size _ZN4core3fmt5write17h0123456789abcdefE, .-_ZN4core3fmt5write17h0123456789abcdefE\n"
    ".section .note.GNU-stack,\"\",@progbits\n";

/* ---- help ---- */

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...) {
    char *command = NULL, *whole = NULL;
    va_list list;
    va_start(list, format);
    assert_true(vasprintf(&command, format, list) > 0);
    va_end(list);
    assert_true(asprintf(&whole, "cd %s && { %s; }", folder, command) > 0);
    if (system(whole) != 0)
        fail_msg("failed: %s", command);
    free(whole);
    free(command);
}

static char *in_folder(const char *name) {
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *data, size_t size) {
    FILE *f = fopen(in_folder(name), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static char *read_file(const char *name, size_t *size) {
    FILE *f = fopen(in_folder(name), "r");
    assert_non_null(f);
    char *data = NULL;
    size_t room = 0;
    *size = 0;
    do {
        data = realloc(data, (room += 65536) + 1);
        assert_non_null(data);
        *size += fread(data + *size, 1, room - *size, f);
    } while (*size == room);
    data[*size] = 0;
    fclose(f);
    return data;
}

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    write_file("a.cc", source_cc, sizeof(source_cc) - 1);
    write_file("b.s", source_s, sizeof(source_s) - 1);
    run("g++ -g -O2 -Wl,--build-id=sha1 a.cc -o a");
    run("gcc -shared -nostdlib b.s -o b.so");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    run("rm -rf %s", folder);
    return 0;
}

static uint32_t module(struct symbols *s, const char *path) {
    return symbol_module(s, &(struct symbol_module){.path = path});
}

/* Addresses just behind a call, minus 1: what the frames of stacks are looked up at. */
static uint32_t call_sites(const char *path, uint64_t *out, uint32_t max) {
    char command[512];
    uint32_t count = 0;
    unsigned long long address;
    snprintf(command, sizeof(command),
             "objdump -d --no-show-raw-insn '%s' | awk '/>:$/{c=0} c{print $1} {c=/\\tcall/}' | "
             "tr -d : | head -n %u",
             path, max);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    while (count < max && fscanf(f, "%llx", &address) == 1)
        out[count++] = address - 1;
    pclose(f);
    assert_true(count > 10);
    return count;
}

/* Frames as addr2line -a -i -f prints them. */
static char *frames_as_text(struct symbols *s, uint32_t m, const uint64_t *addresses,
                            uint32_t count) {
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    for (uint32_t i = 0; i < count; i++) {
        struct symbol_frame frames[64];
        uint32_t n = symbol_frames(s, m, addresses[i], frames, 64);
        assert_true(n >= 1 && n <= 64);
        fprintf(f, "0x%016llx\n", (unsigned long long)addresses[i]);
        for (uint32_t k = 0; k < n; k++) {
            assert_int_equal(frames[k].inlined, k + 1 < n);
            fprintf(f, "%s\n%s:%u\n", frames[k].function ? frames[k].function : "??",
                    frames[k].file ? frames[k].file : "??", frames[k].line);
        }
    }
    fclose(f);
    return text;
}

static char *frames_of(const struct symbol_options *options, const struct symbol_module *m,
                       const uint64_t *addresses, uint32_t count, const char **trouble) {
    struct symbols *s = symbol_open(options);
    assert_non_null(s);
    uint32_t number = symbol_module(s, m);
    char *text = frames_as_text(s, number, addresses, count);
    if (trouble)
        *trouble = symbol_trouble(s, number);
    symbol_close(s);
    return text;
}

static uint32_t build_id_of(const char *path, uint8_t *id) {
    char command[512];
    uint32_t size = 0;
    unsigned byte;
    snprintf(command, sizeof(command), "readelf -n '%s' | sed -n 's/.*Build ID: //p'", path);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    while (size < 20 && fscanf(f, "%2x", &byte) == 1)
        id[size++] = (uint8_t)byte;
    pclose(f);
    assert_int_equal(size, 20);
    return size;
}

/* ---- tests ---- */

static void test_the_innermost_span_is_found(void **state) {
    (void)state;
    struct spans spans = {0};
    static const struct {
        uint64_t address;
        int what;
    } expected[] = {{9, -1},  {10, 0},  {19, 0},   {20, 2},         {24, 2},   {25, 1},
                    {29, 1},  {30, 0},  {50, 0},   {99, 0},         {100, -1}, {150, -1},
                    {200, 3}, {209, 3}, {210, -1}, {UINT64_MAX, -1}};
    assert_int_equal(symbol_spans_add(&spans, 200, 210, 3), 0);
    assert_int_equal(symbol_spans_add(&spans, 20, 25, 2), 0);
    assert_int_equal(symbol_spans_add(&spans, 20, 30, 1), 0);
    assert_int_equal(symbol_spans_add(&spans, 10, 100, 0), 0);
    assert_int_equal(symbol_spans_add(&spans, 60, 60, 4), 0); /* holds nothing */
    symbol_spans_sort(&spans);
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        const struct span *span = symbol_spans_find(&spans, expected[i].address);
        assert_int_equal(span ? (int)span->what : -1, expected[i].what);
    }
    symbol_spans_free(&spans);
    assert_null(symbol_spans_find(&spans, 10));
}

/* Against all of them looked at one by one, and where one reaches over all others. */
static void test_spans_however_they_lie(void **state) {
    enum { MOST = 40, MANY = 1 << 19 };
    (void)state;
    srand(7);
    for (int round = 0; round < 300; round++) {
        struct spans spans = {0};
        uint32_t count = (uint32_t)rand() % MOST;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t low = (uint64_t)rand() % 50;
            assert_int_equal(symbol_spans_add(&spans, low, low + (uint64_t)rand() % 30, i), 0);
        }
        symbol_spans_sort(&spans);
        for (uint64_t address = 0; address < 90; address++) {
            const struct span *expected = NULL;
            for (uint32_t i = 0; i < spans.count; i++)
                if (spans.items[i].low <= address && address < spans.items[i].high)
                    expected = &spans.items[i];
            assert_ptr_equal(symbol_spans_find(&spans, address), expected);
        }
        symbol_spans_free(&spans);
    }
    /* Walking back over all would take an hour. */
    struct spans spans = {0};
    assert_int_equal(symbol_spans_add(&spans, 0, 4 * MANY, 0), 0);
    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(symbol_spans_add(&spans, 2 * i, 2 * i + 1, i), 0);
    symbol_spans_sort(&spans);
    for (uint64_t address = 2 * MANY + 2; address < 4 * MANY; address++)
        assert_int_equal(symbol_spans_find(&spans, address)->what, 0);
    assert_int_equal(symbol_spans_find(&spans, 2 * MANY)->what, MANY);
    assert_null(symbol_spans_find(&spans, 4 * MANY));
    symbol_spans_free(&spans);
}

/* A file of a megabyte can name billions: they are charged as what is read is. */
static void test_spans_are_charged(void **state) {
    (void)state;
    static const uint64_t limit = 1ull << 30;
    struct finder finder = {.held = limit - 64 * 1024};
    struct finder *before = symbol_guard(&finder);
    struct spans spans = {0};
    int status = 0;
    for (uint32_t i = 0; i < 100000 && status == 0; i++)
        status = symbol_spans_add(&spans, i, i + 1, i);
    assert_int_equal(status, -ENOMEM);
    assert_in_range(spans.count, 1, 64 * 1024 / sizeof(*spans.items));
    assert_true(finder.held <= limit);
    symbol_spans_sort(&spans);
    assert_int_equal(symbol_spans_find(&spans, 7)->what, 7);
    symbol_spans_free(&spans);
    finder.held -= limit - 64 * 1024;
    symbol_forget_files(&finder);
    symbol_guard(before);
}

static void test_inlined_frames_agree_with_addr2line(void **state) {
    (void)state;
    static uint64_t addresses[2000];
    const char *path = in_folder("a");
    uint32_t count = call_sites(path, addresses, 2000);
    struct symbol_module m = {.path = path};
    char *ours = frames_of(NULL, &m, addresses, count, NULL);
    write_file("ours", ours, strlen(ours));
    FILE *f = fopen(in_folder("addresses"), "w");
    for (uint32_t i = 0; i < count; i++)
        fprintf(f, "0x%llx\n", (unsigned long long)addresses[i]);
    fclose(f);
    /* What differs in how it is written: discriminators, unknown lines, parts of functions. */
    run("addr2line -a -i -f -C -e a < addresses | sed -E 's/ \\(discriminator.*//; s/:\\?$/:0/; "
        "s/^crtstuff.c:0/??:0/; s/ \\[clone [^]]*\\]//g; "
        "s/^hidden_local$/deep::hidden_local(unsigned long)/' > theirs");
    run("sed -E 's/ \\[clone [^]]*\\]//g' ours > ours2; diff ours2 theirs | cut -c1-100 | "
        "head -n 20 >&2; cmp ours2 theirs");
    assert_non_null(strstr(ours, "deep::work(int)\n"));
    assert_non_null(strstr(ours, "deep::grab(unsigned long)\n"));
    assert_non_null(strstr(ours, "deep::nested(unsigned long)\n"));
    free(ours);
}

/* The names that `nm` gives an address by size; "" when none covers it. */
struct expected {
    uint64_t start, size;
    char name[128];
};

static void check_against_nm(const char *path, const char *option) {
    static struct expected all[100000];
    char command[512];
    uint32_t count = 0, checked = 0, named = 0;
    unsigned long long start, size;
    snprintf(command, sizeof(command),
             "nm %s -S --defined-only '%s' | awk 'NF==4 && "
             "$3 ~ /[tTwWi]/ {sub(/@.*/, \"\", $4); print $1, $2, substr($4, 1, 127)}'",
             option, path);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    while (count < 100000 && fscanf(f, "%llx %llx %127s", &start, &size, all[count].name) == 3) {
        all[count].start = start;
        all[count++].size = size;
    }
    pclose(f);
    assert_true(count > 5);
    struct symbols *s = symbol_open(NULL);
    uint32_t m = module(s, path);
    for (uint32_t i = 0; i < count; i += 1 + count / 3000) {
        uint64_t probes[] = {all[i].start, all[i].start + all[i].size - 1,
                             all[i].start + all[i].size, all[i].start + all[i].size + 7};
        for (unsigned k = 0; k < 4; k++) {
            const char *name = symbol_function(s, m, probes[k]);
            bool covered = false, found = false;
            for (uint32_t e = 0; e < count; e++)
                if (probes[k] >= all[e].start && probes[k] < all[e].start + all[e].size) {
                    covered = true;
                    found |= name && (strcmp(name, all[e].name) == 0 || all[e].name[0] == '_');
                }
            if (covered != (name != NULL) || (covered && !found))
                fail_msg("%s: 0x%llx is %s", path, (unsigned long long)probes[k],
                         name ? name : "(nothing)");
            checked++;
            named += name != NULL;
        }
    }
    symbol_close(s);
    assert_true(named > 0 && checked > named / 2);
}

static void test_names_of_real_libraries_hold_as_far_as_their_size(void **state) {
    (void)state;
    static const char *const stripped[] = {
        "/usr/lib/x86_64-linux-gnu/librdkafka.so.1",
        "/usr/lib/x86_64-linux-gnu/libzstd.so.1",
        "/usr/bin/python3",
        "/usr/lib/x86_64-linux-gnu/libz.so.1",
    };
    unsigned seen = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(stripped); i++) {
        if (access(stripped[i], R_OK) != 0)
            continue;
        check_against_nm(stripped[i], "-D");
        seen++;
    }
    assert_true(seen > 0);
}

static void test_libc_has_malloc(void **state) {
    (void)state;
    struct symbols *s = symbol_open(NULL);
    FILE *f = popen("nm -D --defined-only " LIBC " | awk '$3 ~ /^malloc@/ {print $1}'", "r");
    unsigned long long address = 0;
    assert_int_equal(fscanf(f, "%llx", &address), 1);
    pclose(f);
    const char *name = symbol_function(s, module(s, LIBC), address + 3);
    assert_non_null(name);
    assert_non_null(strstr(name, "malloc"));
    symbol_close(s);
}

static uint64_t address_of(const char *file, const char *name) {
    char command[512];
    unsigned long long address = 0;
    snprintf(command, sizeof(command), "nm '%s' | awk '$3 == \"%s\" {print $1}'", file, name);
    FILE *f = popen(command, "r");
    assert_int_equal(fscanf(f, "%llx", &address), 1);
    pclose(f);
    return address;
}

static void expect(struct symbols *s, uint32_t m, uint64_t offset, const char *name) {
    const char *found = symbol_function(s, m, offset);
    if (name)
        assert_string_equal(found ? found : "(nothing)", name);
    else if (found)
        fail_msg("0x%llx is %s", (unsigned long long)offset, found);
}

static void test_sizes_bound_names(void **state) {
    (void)state;
    const char *path = in_folder("b.so");
    uint64_t unsized = address_of(path, "unsized"), sized = address_of(path, "sized");
    uint64_t after = address_of(path, "after");
    struct symbols *s = symbol_open(NULL);
    uint32_t m = module(s, path);
    expect(s, m, unsized, "unsized");
    expect(s, m, sized - 1, "unsized"); /* up to the next symbol */
    expect(s, m, sized, "sized");
    expect(s, m, sized + 20, "sized"); /* not label_inside */
    expect(s, m, sized + 32, NULL);    /* the gap is nobody's */
    expect(s, m, after - 1, NULL);
    expect(s, m, after, "after");
    expect(s, m, 0, NULL);
    expect(s, m, UINT64_MAX, NULL);
    assert_null(symbol_trouble(s, m));
    run("cp b.so b-stripped.so && strip b-stripped.so");
    m = module(s, in_folder("b-stripped.so"));
    expect(s, m, unsized + 4, NULL); /* what follows an exported label can be anything */
    expect(s, m, sized, "sized");
    expect(s, m, sized + 32, NULL);
    assert_non_null(strstr(symbol_trouble(s, m), "stripped"));
    symbol_close(s);
}

/* Makes `to` of l.so with `count` bytes more in its program of lines, each of which is `opcode`. */
static void pad_lines(const char *to, uint8_t opcode, size_t count) {
    enum { TAIL = 3 /* the end of a sequence */ };
    size_t size;
    uint32_t length;
    char *lines = read_file("lines", &size), *more = malloc(size + count);
    assert_non_null(more);
    memcpy(&length, lines, sizeof(length));
    assert_int_equal(length + sizeof(length), size);
    length += (uint32_t)count;
    memcpy(more, lines, size - TAIL);
    memcpy(more, &length, sizeof(length));
    memset(more + size - TAIL, opcode, count);
    memcpy(more + size - TAIL + count, lines + size - TAIL, TAIL);
    write_file("more", more, size + count);
    free(lines);
    free(more);
    run("objcopy --update-section .debug_line=more l.so %s", to);
}

static void make_lines(void) {
    static const char source[] = "int lines_of(int x) { return x + 1; }\n";
    write_file("l.c", source, sizeof(source) - 1);
    run("gcc -g -gdwarf-4 -shared -fPIC l.c -o l.so && "
        "objcopy --dump-section .debug_line=lines l.so /dev/null");
}

static void expect_line(struct symbols *s, const char *path, bool has) {
    struct symbol_frame frames[4];
    uint32_t m = module(s, path);
    assert_int_equal(symbol_frames(s, m, address_of(path, "lines_of"), frames, 4), 1);
    assert_string_equal(frames[0].function, "lines_of");
    assert_int_equal(frames[0].line, has ? 1 : 0);
    assert_int_equal(symbol_trouble(s, m) == NULL, has);
}

/* A row of a table of lines is a byte of the file, which may be packed, and a hundred of memory. */
static void test_lines_that_take_too_much_memory_are_left_out(void **state) {
    (void)state;
    make_lines();
    pad_lines("long.so", DW_LNS_copy, 12 << 20);
    run("objcopy --compress-debug-sections=zlib long.so packed.so");
    const struct {
        const char *path;
        bool fits;
    } files[] = {{"l.so", true}, {"long.so", false}, {"packed.so", false}};
    for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
        struct symbols *s = symbol_open(NULL);
        expect_line(s, in_folder(files[i].path), files[i].fits);
        symbol_close(s);
    }
}

/* A program may be long, and its table short: nothing of that is left to pay. */
static void test_lines_are_charged_by_what_they_come_to(void **state) {
    (void)state;
    char name[16];
    make_lines();
    struct symbols *s = symbol_open(NULL);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "long%d.so", i);
        pad_lines(name, DW_LNS_negate_stmt, 5 << 20);
        expect_line(s, in_folder(name), true);
    }
    symbol_close(s);
}

/* And so is a unit. The one that says where the function is comes behind them. */
static void test_units_that_no_program_has_are_left_out(void **state) {
    (void)state;
    enum { UNITS = 300 << 10 };
    static const unsigned char kind[] = {1, DW_TAG_compile_unit, DW_CHILDREN_no, 0, 0, 0};
    struct {
        uint32_t length;
        uint16_t version;
        uint8_t kinds[4], address_size, kind;
    } * units;
    struct symbol_frame frames[4];
    size_t size, own;
    _Static_assert(sizeof(*units) == 12, "a unit");
    write_file("u.c", "int unit_of(int x) { return x + 1; }\n", 37);
    run("gcc -g -gdwarf-4 -shared -fPIC u.c -o u.so && objcopy --dump-section .debug_info=info "
        "--dump-section .debug_abbrev=kinds u.so /dev/null");
    char *kinds = read_file("kinds", &size), *more = malloc(size + sizeof(kind));
    memcpy(more, kinds, size);
    memcpy(more + size, kind, sizeof(kind));
    write_file("kinds", more, size + sizeof(kind));
    char *info = read_file("info", &own), *all = calloc(1, UNITS * sizeof(*units) + own);
    units = (void *)all;
    for (unsigned i = 0; i < UNITS; i++) {
        units[i].length = 8;
        units[i].version = 4;
        memcpy(units[i].kinds, &size, sizeof(units[i].kinds));
        units[i].address_size = 8;
        units[i].kind = 1;
    }
    memcpy(all + UNITS * sizeof(*units), info, own);
    write_file("info", all, UNITS * sizeof(*units) + own);
    free(kinds);
    free(more);
    free(info);
    free(all);
    run("objcopy --update-section .debug_info=info --update-section .debug_abbrev=kinds u.so "
        "many.so");
    for (unsigned i = 0; i < 2; i++) {
        const char *path = in_folder(i ? "many.so" : "u.so");
        struct symbols *s = symbol_open(NULL);
        uint32_t m = module(s, path);
        assert_int_equal(symbol_frames(s, m, address_of(path, "unit_of"), frames, 4), 1);
        assert_string_equal(frames[0].function, "unit_of");
        assert_int_equal(frames[0].line, i ? 0 : 1);
        symbol_close(s);
    }
}

static void test_rust_names(void **state) {
    (void)state;
    const char *path = in_folder("b.so");
    struct symbols *s = symbol_open(NULL);
    uint32_t m = module(s, path);
    expect(s, m, address_of(path, "_RNvCs1234_7mycrate3foo"), "mycrate::foo");
    expect(s, m, address_of(path, "_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
    symbol_close(s);
}

/* A function of this name has no other. */
static void expect_as_it_is(const char *name) {
    char text[8192];
    int size = snprintf(text, sizeof(text),
                        ".text\n.globl %s\n.type %s,@function\n%s: .skip 16, 0x90\n"
                        ".size %s, .-%s\n.section .note.GNU-stack,\"\",@progbits\n",
                        name, name, name, name, name);
    write_file("c.s", text, (size_t)size);
    run("gcc -shared -nostdlib c.s -o c.so");
    struct symbols *s = symbol_open(NULL);
    uint64_t address = address_of(in_folder("c.so"), name);
    expect(s, module(s, in_folder("c.so")), address, name);
    symbol_close(s);
}

/* f(A<int, int>, A<A<int, int>, A<int, int>>, ...): each argument names the one before it twice, so
 * that the whole would take 2^40 times its own length. */
static void test_a_name_that_explodes_is_shown_as_it_is(void **state) {
    (void)state;
    char name[1024];
    size_t at = (size_t)sprintf(name, "_Z1f1AIiiE");
    for (int i = 0; i < 40; i++) {
        char s[4] = {"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i % 36]};
        if (i >= 36)
            sprintf(s, "1%d", i - 36);
        at += (size_t)sprintf(name + at, "S_IS%s_S%s_E", s, s);
    }
    expect_as_it_is(name);
}

/* Nothing is written while these take their time: whether there is a pack in a type whose every
 * argument names the one before it twice; and what follows a conversion to a template's parameter,
 * which is read twice at each level. */
static void test_names_that_take_for_ever_are_shown_as_they_are(void **state) {
    (void)state;
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char name[1024];
    size_t at = (size_t)sprintf(name, "_Z1fIiEvDp1aI");
    for (int i = 0; i < 40; i++)
        at += (size_t)sprintf(name + at, "S0_I");
    at += (size_t)sprintf(name + at, "iiE");
    for (int i = 1; i <= 40; i++)
        at += (size_t)sprintf(name + at, i < 36 ? "S%.1s_E" : "S1%.1s_E", digits + i % 36);
    expect_as_it_is(name);
    at = (size_t)sprintf(name, "_ZN1acv");
    for (int i = 0; i < 40; i++)
        at += (size_t)sprintf(name + at, "T_I");
    at += (size_t)sprintf(name + at, "i");
    for (int i = 0; i < 40; i++)
        at += (size_t)sprintf(name + at, "E");
    sprintf(name + at, "Ev");
    expect_as_it_is(name);
}

static void test_separate_debug_files(void **state) {
    (void)state;
    static uint64_t addresses[500];
    const char *trouble;
    char debug[300];
    uint8_t id[20];
    uint32_t count = call_sites(in_folder("a"), addresses, 500);
    struct symbol_module m = {.path = in_folder("a"), .build_id = id};
    m.build_id_size = build_id_of(m.path, id);
    char *whole = frames_of(NULL, &m, addresses, count, NULL);

    run("objcopy --only-keep-debug a a.debug && cp a s && strip s && "
        "d=debug/.build-id/%02x && mkdir -p $d && cp a.debug $d/$(readelf -n a | "
        "sed -n 's/.*Build ID: ..//p').debug",
        id[0]);
    snprintf(debug, sizeof(debug), "%s/debug", folder);
    struct symbol_options options = {.debug_path = debug};

    m.path = in_folder("s");
    char *split = frames_of(&options, &m, addresses, count, &trouble);
    assert_string_equal(split, whole);
    assert_null(trouble);
    free(split);

    /* The program is gone, its debug file is not. */
    m.path = in_folder("gone");
    split = frames_of(&options, &m, addresses, count, &trouble);
    assert_string_equal(split, whole);
    assert_null(trouble);
    free(split);

    /* By debug link, beside the file. */
    run("mkdir -p link/.debug && cp s link/s && cp a.debug link/.debug/s.debug && cd link && "
        "objcopy --add-gnu-debuglink=.debug/s.debug s");
    m.path = in_folder("link/s");
    split = frames_of(NULL, &m, addresses, count, &trouble);
    assert_string_equal(split, whole);
    free(split);
    free(whole);
}

static void test_mini_debug_info(void **state) {
    (void)state;
    if (system("xz --version >/dev/null 2>&1") != 0)
        skip();
    run("cp a m && nm a --format=posix --defined-only | awk '$2 ~ /[tT]/ {print $1}' | sort > k && "
        "objcopy -S --remove-section .comment --keep-symbols=k m mini && strip m && "
        "rm -f mini.xz && xz mini && objcopy --add-section .gnu_debugdata=mini.xz m");
    uint64_t local = address_of(in_folder("a"), "_ZN4deepL12hidden_localEm");
    struct symbols *s = symbol_open(NULL);
    uint32_t m = module(s, in_folder("m"));
    expect(s, m, local + 2, "deep::hidden_local(unsigned long)");
    assert_null(symbol_trouble(s, m));
    symbol_close(s);
}

static void test_a_replaced_file_names_nothing(void **state) {
    (void)state;
    uint8_t id[20];
    build_id_of(in_folder("a"), id);
    uint64_t main_address = address_of(in_folder("a"), "main");
    struct symbols *s = symbol_open(NULL);
    struct symbol_module what = {.path = in_folder("a"), .build_id = id, .build_id_size = 20};
    uint32_t m = symbol_module(s, &what);
    expect(s, m, main_address, "main");
    assert_int_equal(symbol_module(s, &what), m); /* the same for an equal one */
    id[3] ^= 1;
    uint32_t other = symbol_module(s, &what);
    assert_int_not_equal(other, m);
    expect(s, other, main_address, NULL);
    struct symbol_frame frame;
    assert_int_equal(symbol_frames(s, other, main_address, &frame, 1), 1);
    assert_null(frame.function);
    assert_null(frame.file);
    assert_non_null(strstr(symbol_trouble(s, other), "build-id differs"));
    symbol_close(s);
}

static void test_what_is_no_file_names_nothing(void **state) {
    (void)state;
    static const char *const paths[] = {"[vdso]",    "linux-vdso.so.1", "",  "/nonexistent/x",
                                        "/dev/zero", "/dev/null",       "/", "/etc/passwd"};
    struct symbols *s = symbol_open(NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
        uint32_t m = module(s, paths[i]);
        expect(s, m, 0x1000, NULL);
        assert_true((symbol_trouble(s, m) != NULL) == (paths[i][0] == '/'));
    }
    expect(s, 12345, 0, NULL); /* never given out */
    assert_null(symbol_trouble(s, UINT32_MAX));
    symbol_close(s);
}

static void look_everywhere(const char *path, const uint64_t *addresses, uint32_t count) {
    struct symbols *s = symbol_open(NULL);
    uint32_t m = module(s, path);
    struct symbol_frame frames[8];
    for (uint32_t i = 0; i < count; i++) {
        symbol_function(s, m, addresses[i]);
        assert_true(symbol_frames(s, m, addresses[i], frames, 8) <= 8);
    }
    symbol_trouble(s, m);
    symbol_contains(s, m);
    symbol_close(s);
}

static void test_codecs_by_their_data(void **state) {
    (void)state;
    static const struct {
        const char *path;
        uint32_t codec;
    } libraries[] = {
        {"libz.so.1", CODEC_ZLIB},      {"libzstd.so.1", CODEC_ZSTD},
        {"liblz4.so.1", CODEC_LZ4},     {"liblzma.so.5", CODEC_LZMA},
        {"libbz2.so.1.0", CODEC_BZ2},   {"libbrotlicommon.so.1", CODEC_BROTLI},
        {"libcmocka.so.0", CODEC_NONE},
    };
    struct symbols *s = symbol_open(NULL);
    char path[256];
    for (unsigned i = 0; i < ARRAY_SIZE(libraries); i++) {
        snprintf(path, sizeof(path), "/usr/lib/x86_64-linux-gnu/%s", libraries[i].path);
        if (access(path, R_OK))
            continue;
        uint32_t codec = libraries[i].codec, wanted = codec ? 1u << codec : 0;
        for (int twice = 0; twice < 2; twice++)
            assert_int_equal(symbol_contains(s, module(s, path)), wanted);
        assert_true((symbol_contains_by(codec) != NULL) == (codec != CODEC_NONE));
    }
    assert_int_equal(symbol_contains(s, UINT32_MAX), 0);
    assert_int_equal(symbol_contains(s, module(s, "/nonexistent/x")), 0);
    assert_null(symbol_contains_by(UINT32_MAX));
    symbol_close(s);
}

/* Wherever it lies: at each distance from the section's start, and at its very end. */
static void test_codecs_at_any_place(void **state) {
    (void)state;
    char name[32], source[256], command[1024];
    struct symbols *s = symbol_open(NULL);
    for (int at = 0; at < 12; at++) {
        snprintf(source, sizeof(source),
                 ".section .rodata\n.skip %d\n.ascii \"bzip2/libbzip2: internal error number%s\"\n",
                 at, at == 11 ? "\\0 deflate 1.2.13 Copyright 1995-" : "");
        snprintf(name, sizeof(name), "data%d.s", at);
        write_file(name, source, strlen(source));
        snprintf(command, sizeof(command),
                 "cd %s && as %s -o data%d.o && ld -shared data%d.o -o data%d", folder, name, at,
                 at, at);
        assert_int_equal(system(command), 0);
        snprintf(name, sizeof(name), "data%d", at);
        assert_int_equal(symbol_contains(s, module(s, in_folder(name))),
                         1u << CODEC_BZ2 | (at == 11 ? 1u << CODEC_ZLIB : 0));
    }
    symbol_close(s);
}

/* Cut and bit-flipped files: no crash, whatever names come out. */
static void test_broken_files_do_not_crash(void **state) {
    (void)state;
    static uint64_t addresses[64];
    uint32_t count = call_sites(in_folder("a"), addresses, 64);
    size_t size;
    char *whole = read_file("a", &size), *broken = malloc(size);
    uint64_t random = 1;
    assert_non_null(broken);
    for (int i = 0; i < 60; i++) {
        write_file("broken", whole, size * (size_t)i / 60);
        look_everywhere(in_folder("broken"), addresses, count);
    }
    for (int i = 0; i < 300; i++) {
        memcpy(broken, whole, size);
        for (int k = 0; k < 1 + i / 10; k++) {
            random = base_mix(random + 0x9e3779b97f4a7c15ull);
            /* Half of them in the headers, where they hurt most. */
            size_t at = k & 1        ? random % size
                        : random % 2 ? random % 1024
                                     : size - 1 - random % 2600;
            broken[at] = (char)(random >> 40);
        }
        memcpy(broken, "\177ELF\2\1\1", 7);
        write_file("broken", broken, size);
        look_everywhere(in_folder("broken"), addresses, count);
    }
    free(broken);
    free(whole);
}

/* Cut while it is open: between its symbol table and its DWARF, and before either. */
static void test_files_cut_under_our_hands(void **state) {
    (void)state;
    static uint64_t addresses[64];
    static const off_t lengths[] = {0, 4096, 8192};
    uint32_t count = call_sites(in_folder("a"), addresses, 64);
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(lengths); i++) {
        struct symbol_frame frames[16];
        struct symbols *s = symbol_open(NULL);
        run("cp a cut");
        uint32_t m = module(s, in_folder("cut"));
        if (i % 2)
            symbol_function(s, m, addresses[0]);
        else
            symbol_contains(s, m); /* opens it */
        assert_int_equal(truncate(in_folder("cut"), lengths[i / 2]), 0);
        symbol_trouble(s, m);
        for (uint32_t k = 0; k < count; k++)
            assert_true(symbol_frames(s, m, addresses[k], frames, 16) >= 1);
        symbol_close(s);
    }
}

/* Names of files that the module chose lead to what waits for ever, or would act when it is opened.
 */
static void test_named_files_that_are_none(void **state) {
    (void)state;
    static const char *const makes[] = {
        "cp a.debug fifo.debug; objcopy --strip-debug --add-gnu-debuglink=fifo.debug a named",
        "g++ -g -O2 -gsplit-dwarf -c a.cc -o s.o && g++ s.o -o named && mv s.dwo fifo.debug",
        "g++ -g -O2 -gdwarf-4 -gsplit-dwarf -c a.cc -o s.o && g++ s.o -o named && mv s.dwo "
        "fifo.debug",
    };
    static uint64_t addresses[64];
    run("objcopy --only-keep-debug a a.debug");
    alarm(60); /* an open that waits fails */
    for (unsigned i = 0; i < ARRAY_SIZE(makes); i++) {
        struct symbol_frame frames[16];
        run("rm -f *.dwo fifo.debug; %s; rm fifo.debug; mkfifo %s", makes[i],
            i ? "s.dwo" : "fifo.debug");
        struct symbols *s = symbol_open(NULL);
        uint32_t m = module(s, in_folder("named")),
                 count = call_sites(in_folder("named"), addresses, 64);
        for (uint32_t k = 0; k < count; k++)
            assert_true(symbol_frames(s, m, addresses[k], frames, 16) >= 1);
        assert_non_null(symbol_function(s, m, addresses[0]));
        symbol_close(s);
    }
    alarm(0);
}

/* A debug link without a build-id has its file summed up: one of holes would take half an hour. */
static void test_files_of_holes_are_not_read(void **state) {
    (void)state;
    struct symbols *s = symbol_open(NULL);
    run("g++ -g -O2 -Wl,--build-id=none a.cc -o h && strip h && echo > holes.debug && "
        "objcopy --add-gnu-debuglink=holes.debug h && truncate -s 1T holes.debug && "
        "cp a large && truncate -s 1T large && cp a padded && truncate -s 10M padded");
    alarm(60);
    symbol_trouble(s, module(s, in_folder("h")));
    assert_non_null(strstr(symbol_trouble(s, module(s, in_folder("large"))), "holes"));
    expect(s, module(s, in_folder("padded")), address_of(in_folder("a"), "main"), "main");
    alarm(0);
    symbol_close(s);
}

/* Three functions whose names libdw looks for in a file that it opens by itself: the shared part
 * that .gnu_debugaltlink names; the .dwo of another unit than its own, that of a skeleton. */
static const char source_named[] =
    ".text\n.globl f\n.type f, @function\nf: nop\nnop\n.Lend: .size f, .-f\n"
    ".section .gnu_debugaltlink,\"\",@progbits\n.asciz \"%1$s/fifo\"\n.fill 20, 1, 0xab\n"
    ".section .debug_abbrev,\"\",@progbits\n"
    ".uleb128 1, 0x11; .byte 1; .uleb128 0x11, 1, 0x12, 7, 0, 0\n"             /* low, high */
    ".uleb128 2, 0x2e; .byte 0; .uleb128 3, 0x1f21, 0x11, 1, 0x12, 7, 0, 0\n"  /* name: alt */
    ".uleb128 3, 0x2e; .byte 0; .uleb128 0x31, 0x10, 0x11, 1, 0x12, 7, 0, 0\n" /* origin */
    ".uleb128 4, 0x4a; .byte 0; .uleb128 0x76, 8, 0x1b, 8, 0, 0\n"             /* dwo */
    ".byte 0\n"
    ".section .debug_info,\"\",@progbits\n"
    "0: .long 2f-1f\n1: .short 5; .byte 1, 8; .long .debug_abbrev\n"
    ".uleb128 1; .quad f, .Lend-f\n"
    ".if %2$d\n.uleb128 2; .long 0; .quad f, .Lend-f\n"
    ".else\n.uleb128 3; .long 5f-0b; .quad f, .Lend-f\n.endif\n"
    ".byte 0\n2: .long 4f-3f\n3: .short 5; .byte 4, 8; .long .debug_abbrev\n"
    ".quad 0x1122334455667788\n5: .uleb128 4; .asciz \"%1$s/fifo\"; .asciz \"/\"\n4:\n"
    ".section .note.GNU-stack,\"\",@progbits\n";

static void test_files_that_libdw_opens_by_itself(void **state) {
    (void)state;
    char source[4096];
    run("rm -f fifo; mkfifo fifo");
    alarm(60);
    for (int i = 0; i < 2; i++) {
        struct symbol_frame frame;
        snprintf(source, sizeof source, source_named, folder, i);
        write_file("itself.s", source, strlen(source));
        run("gcc -shared -nostdlib itself.s -o itself.so");
        struct symbols *s = symbol_open(NULL);
        uint32_t m = module(s, in_folder("itself.so"));
        assert_int_equal(symbol_frames(s, m, address_of(in_folder("itself.so"), "f"), &frame, 1),
                         1);
        assert_string_equal(frame.function, "f");
        symbol_close(s);
    }
    alarm(0);
}

static volatile bool swaps;

static void *swap(void *data) {
    const char *const *paths = data;
    while (swaps)
        renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE);
    return NULL;
}

/* A .dwo file that is a fifo now and then: whatever it was a moment ago, no look waits. */
static void test_a_split_file_is_swapped(void **state) {
    (void)state;
    char file[256], fifo[256];
    const char *const paths[] = {file, fifo};
    struct symbol_frame frames[16];
    uint64_t addresses[64];
    pthread_t thread;
    uint32_t lines = 0;
    snprintf(file, sizeof file, "%s/w.dwo", folder);
    snprintf(fifo, sizeof fifo, "%s/w.fifo", folder);
    run("g++ -g -O2 -gsplit-dwarf -c a.cc -o w.o && g++ w.o -o swapped && mkfifo w.fifo");
    call_sites(in_folder("swapped"), addresses, 64);
    swaps = true;
    assert_int_equal(pthread_create(&thread, NULL, swap, (void *)paths), 0);
    alarm(100);
    for (int i = 0; i < 500 || lines == 0; i++) {
        struct symbols *s = symbol_open(NULL);
        lines += symbol_frames(s, module(s, in_folder("swapped")), addresses[12], frames, 16) > 1;
        symbol_close(s);
    }
    alarm(0);
    swaps = false;
    pthread_join(thread, NULL);
}

/* Written over while it is open, and named afterwards. `owner`: of root's files only names are
 * copied, of those of others all. */
static void check_written_over(const char *owner, bool all) {
    static uint64_t addresses[200];
    uint32_t count = call_sites(in_folder("a"), addresses, 200);
    struct symbols *s = symbol_open(NULL);
    run("cp a over && { [ $(id -u) != 0 ] || chown %s over; }", owner);
    uint32_t m = module(s, in_folder("over"));
    uint64_t hidden = address_of(in_folder("a"), "_ZN4deepL12hidden_localEm");
    expect(s, m, address_of(in_folder("a"), "main"), "main");
    run("tr '[:print:]\\0' 'x[x*]' < a > x && dd if=x of=over bs=1M conv=notrunc status=none");
    expect(s, m, hidden, "deep::hidden_local(unsigned long)");
    if (all) {
        char *ours = frames_as_text(s, m, addresses, count);
        char *whole = frames_of(NULL, &(struct symbol_module){.path = in_folder("a")}, addresses,
                                count, NULL);
        assert_string_equal(ours, whole);
        free(ours);
        free(whole);
    }
    symbol_close(s);
}

static void test_files_written_over_while_they_are_read(void **state) {
    (void)state;
    check_written_over("0", false);
    check_written_over("65534", true);
}

/* Makes the DWARF of `named` (.debug_info; with `older`, .zdebug_info) out of 1 GiB of zeros. */
static void pack_zeros(const char *from, const char *named, bool older) {
    static const uint64_t size = 1ull << 30;
    static uint8_t zeros[1 << 20], out[2 << 20];
    z_stream stream = {.next_out = out + 24, .avail_out = sizeof(out) - 24};
    size_t at = 24;
    assert_int_equal(deflateInit(&stream, 9), Z_OK);
    for (uint64_t done = 0; done < size; done += sizeof zeros) {
        stream.next_in = zeros;
        stream.avail_in = sizeof zeros;
        deflate(&stream, done + sizeof zeros < size ? Z_NO_FLUSH : Z_FINISH);
    }
    at += stream.total_out;
    deflateEnd(&stream);
    if (older) {
        uint64_t big = htobe64(size);
        memcpy(out + 12, "ZLIB", 4);
        memcpy(out + 16, &big, 8);
        write_file("info", out + 12, at - 12);
    } else {
        memcpy(out, &(Elf64_Chdr){.ch_type = ELFCOMPRESS_ZLIB, .ch_size = size, .ch_addralign = 1},
               24);
        write_file("info", out, at);
    }
    run("objcopy -g %s %s && objcopy --add-section .%sdebug_info=info "
        "--add-section .debug_abbrev=/dev/null %s",
        from, named, older ? "z" : "", named);
    if (older)
        return;
    /* No option of objcopy's says that it is compressed already. */
    int fd = open(in_folder(named), O_RDWR);
    Elf *elf = elf_begin(fd, ELF_C_RDWR, NULL);
    Elf_Scn *section = NULL;
    size_t names;
    assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
    elf_flagelf(elf, ELF_C_SET, ELF_F_LAYOUT);
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        gelf_getshdr(section, &header);
        if (strcmp(elf_strptr(elf, names, header.sh_name), ".debug_info") == 0) {
            header.sh_flags |= SHF_COMPRESSED;
            gelf_update_shdr(section, &header);
        }
    }
    assert_true(elf_update(elf, ELF_C_WRITE) > 0);
    elf_end(elf);
    close(fd);
}

/* Small files that become large ones when elfutils reads them. */
static void test_what_unpacks_to_too_much(void **state) {
    (void)state;
    static const char *const files[] = {"packed", "zpacked", "mini-zeros", "mini-packed"};
    if (system("xz --version >/dev/null 2>&1") != 0)
        skip();
    pack_zeros("a", "packed", false);
    pack_zeros("a", "zpacked", true);
    run("strip a -o mini-zeros && cp mini-zeros mini-packed && "
        "head -c 1G /dev/zero | xz -1 > z.xz && "
        "objcopy --add-section .gnu_debugdata=z.xz mini-zeros && xz -k packed && "
        "objcopy --add-section .gnu_debugdata=packed.xz mini-packed");
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
        struct symbols *s = symbol_open(NULL);
        uint32_t m = module(s, in_folder(files[i]));
        struct symbol_frame frame;
        assert_int_equal(symbol_frames(s, m, address_of(in_folder("a"), "main"), &frame, 1), 1);
        assert_null(frame.function);
        assert_non_null(strstr(symbol_trouble(s, m), "unpack to too much"));
        symbol_close(s);
    }
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 300 << 10);
    /* What compilers do is no such thing. */
    run("objcopy --compress-debug-sections=zlib a small");
    struct symbols *s = symbol_open(NULL);
    struct symbol_frame frame;
    symbol_frames(s, module(s, in_folder("small")), address_of(in_folder("a"), "main"), &frame, 1);
    assert_non_null(strstr(frame.file, "a.cc"));
    symbol_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_innermost_span_is_found),
        cmocka_unit_test(test_spans_however_they_lie),
        cmocka_unit_test(test_spans_are_charged),
        cmocka_unit_test(test_inlined_frames_agree_with_addr2line),
        cmocka_unit_test(test_names_of_real_libraries_hold_as_far_as_their_size),
        cmocka_unit_test(test_libc_has_malloc),
        cmocka_unit_test(test_sizes_bound_names),
        cmocka_unit_test(test_lines_that_take_too_much_memory_are_left_out),
        cmocka_unit_test(test_lines_are_charged_by_what_they_come_to),
        cmocka_unit_test(test_units_that_no_program_has_are_left_out),
        cmocka_unit_test(test_rust_names),
        cmocka_unit_test(test_a_name_that_explodes_is_shown_as_it_is),
        cmocka_unit_test(test_names_that_take_for_ever_are_shown_as_they_are),
        cmocka_unit_test(test_separate_debug_files),
        cmocka_unit_test(test_mini_debug_info),
        cmocka_unit_test(test_a_replaced_file_names_nothing),
        cmocka_unit_test(test_what_is_no_file_names_nothing),
        cmocka_unit_test(test_codecs_by_their_data),
        cmocka_unit_test(test_codecs_at_any_place),
        cmocka_unit_test(test_broken_files_do_not_crash),
        cmocka_unit_test(test_files_cut_under_our_hands),
        cmocka_unit_test(test_named_files_that_are_none),
        cmocka_unit_test(test_files_of_holes_are_not_read),
        cmocka_unit_test(test_files_that_libdw_opens_by_itself),
        cmocka_unit_test(test_a_split_file_is_swapped),
        cmocka_unit_test(test_files_written_over_while_they_are_read),
        cmocka_unit_test(test_what_unpacks_to_too_much),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
