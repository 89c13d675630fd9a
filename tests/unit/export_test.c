/* Exports of names that were made to break them, of nothing at all, and onto a full disk. What
 * other programs read of them is tests/targets/export.sh's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_process.h"
#include "render/export.h"

#define HOSTILE "a;b,\"c\"\n\033[31m\xff d 12\t=1+1"

static const struct analyse_options everything;

static int export(FILE *out, struct fake *f, enum render_format format, unsigned times) {
    struct analyse_names *names = analyse_names_open(NULL);
    struct render_export *x = render_export_begin(out, format, RENDER_BYTES, true);
    assert_non_null(x);
    for (unsigned i = 0; i < times; i++) {
        struct analysis a;
        assert_int_equal(analyse_process(&a, &f->process, &everything, names), 0);
        render_export_process(x, &a, names);
        analyse_free(&a);
    }
    int error = render_export_end(x, false);
    analyse_names_close(names);
    return error;
}

static char *text_of(struct fake *f, enum render_format format, unsigned times, size_t *size) {
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    assert_int_equal(export(out, f, format, times), 0);
    fclose(out);
    return text;
}

static void make_hostile(struct fake *f) {
    fake_init(f);
    for (unsigned i = 0; i < 3; i++) {
        f->threads[i].name = HOSTILE;
        f->symbols[i].function = f->symbols[i].file = HOSTILE;
    }
    for (unsigned i = 1; i < ARRAY_SIZE(f->modules); i++)
        f->modules[i].path = "/tmp/" HOSTILE;
    f->process.exe = HOSTILE;
    f->process.arguments[0] = HOSTILE;
}

/* A document, read by Python, which has to end with status 0. */
static void python(const char *script, const char *document, size_t size) {
    char name[] = "/tmp/squall-export-XXXXXX", command[128];
    FILE *f = fdopen(mkstemp(name), "w");
    assert_non_null(f);
    fputs(script, f);
    assert_int_equal(fclose(f), 0);
    snprintf(command, sizeof(command), "python3 %s", name);
    FILE *pipe = popen(command, "w");
    assert_non_null(pipe);
    fwrite(document, 1, size, pipe);
    int status = pclose(pipe);
    remove(name);
    assert_int_equal(status, 0);
}

/* Whatever a name holds, lines stay lines, fields fields and strings valid text. */
static const char *const readers[RENDER_FORMATS] = {
    [RENDER_PPROF] = "import gzip, sys\n"
                     "data = gzip.decompress(sys.stdin.buffer.read())\n"
                     "assert 'a;b,\"c\"'.encode() in data and b'\\x1b[31m' not in data\n"
                     "assert b'\\xff d' not in data\n",
    [RENDER_HEAP] = "import re, sys\n"
                    "text = sys.stdin.buffer.read().decode('utf-8')\n"
                    "lines = text.split('\\n')\n"
                    "assert '\\033' not in text and lines.pop() == ''\n"
                    "assert lines[0] == '--- symbol' and lines[1].startswith('binary=a;b,\"c\"')\n"
                    "end = lines.index('---')\n"
                    "assert end > 3 and lines[end + 1].startswith('heap profile: ')\n"
                    "assert all(re.match('0x[0-9a-f]+ .', l) for l in lines[2:end])\n"
                    "assert all('--' not in l for l in lines[2:end])\n"
                    "sample = r'\\d+: \\d+ \\[\\d+: \\d+\\] @( 0x[0-9a-f]+)+$'\n"
                    "assert all(re.match(sample, l) for l in lines[end + 2:])\n",
    [RENDER_FOLDED] = "import sys\n"
                      "lines = sys.stdin.buffer.read().decode('utf-8').split('\\n')\n"
                      "assert lines.pop() == '' and len(lines) > 2\n"
                      "for line in lines:\n"
                      "    stack, value = line.rsplit(' ', 1)\n"
                      "    assert int(value) > 0\n"
                      "    frames = stack.split(';')\n"
                      "    assert all(frames) and '\\033' not in line, line\n"
                      "assert any('a:b,\"c\"' in line for line in lines)\n",
    [RENDER_SPEEDSCOPE] = "import json, sys\n"
                          "d = json.load(sys.stdin)\n"
                          "assert any('a;b' in f['name'] for f in d['shared']['frames'])\n",
    [RENDER_DHAT] = "import json, sys\n"
                    "d = json.load(sys.stdin)\n"
                    "stacks = [tuple(p['fs']) for p in d['pps']]\n"
                    "assert len(stacks) == len(set(stacks)) and all(stacks)\n"
                    "assert 'a;b' in d['cmd']\n",
    [RENDER_CSV] = "import csv, io, sys\n"
                   "text = sys.stdin.buffer.read().decode('utf-8')\n"
                   "rows = list(csv.reader(io.StringIO(text, newline=''), strict=True))\n"
                   "assert {len(r) for r in rows} == {22}, rows\n"
                   "assert text.count('\\r\\n') == text.count('\\n') == len(rows)\n"
                   "assert 'a;b,\"c\"' in rows[1][1] and '\\033' not in text\n",
    [RENDER_JSONL] = "import json, sys\n"
                     "rows = [json.loads(l) for l in sys.stdin.read().splitlines() if l]\n"
                     "assert rows and all(r['exe'].startswith('a;b,\"c\"\\n') for r in rows)\n",
};

static void test_hostile_names(void **state) {
    (void)state;
    for (unsigned format = 0; format < RENDER_FORMATS; format++) {
        struct fake f;
        size_t size;
        make_hostile(&f);
        char *text = text_of(&f, format, 2, &size);
        print_message("%s\n", render_format_name(format));
        python(readers[format], text, size);
        free(text);
    }
}

/* A region may hold any number; where those of a format have a sign, none becomes a negative one.
 */
static void test_numbers_beyond_signed_ones(void **state) {
    (void)state;
    static const char *const largest[RENDER_FORMATS] = {
        [RENDER_PPROF] = "import gzip, sys\n"
                         "data = gzip.decompress(sys.stdin.buffer.read())\n"
                         "assert b'\\xff' * 8 + b'\\x7f' in data, 'not the largest'\n"
                         "assert b'\\x80' * 9 + b'\\x01' not in data, 'a negative one'\n",
        [RENDER_CSV] = "import csv, sys\n"
                       "rows = list(csv.DictReader(sys.stdin))\n"
                       "assert max(int(r['bytes']) for r in rows) == 2**63 - 1\n"
                       "assert min(int(r['bytes']) for r in rows) >= 0\n",
        [RENDER_JSONL] = "import json, sys\n"
                         "rows = [json.loads(l) for l in sys.stdin]\n"
                         "assert max(r['bytes'] for r in rows) == 2**63 - 1\n"
                         "assert min(r['bytes'] for r in rows) >= 0\n",
    };
    for (unsigned format = 0; format < RENDER_FORMATS; format++) {
        struct fake f;
        size_t size;
        if (!largest[format])
            continue;
        fake_init(&f);
        f.cells[0].bytes = f.cells[1].bytes = 1ull << 63;
        char *text = text_of(&f, format, 1, &size);
        print_message("%s\n", render_format_name(format));
        python(largest[format], text, size);
        free(text);
    }
}

static void test_nothing_is_a_document_too(void **state) {
    (void)state;
    static const char *const empty[RENDER_FORMATS] = {
        [RENDER_PPROF] = "import gzip, sys; assert gzip.decompress(sys.stdin.buffer.read())",
        [RENDER_HEAP] =
            "import sys; assert '---\\nheap profile: 0: 0 [0: 0] @' in sys.stdin.read()",
        [RENDER_FOLDED] = "import sys; assert sys.stdin.read() == ''",
        [RENDER_SPEEDSCOPE] = "import json, sys; assert json.load(sys.stdin)['profiles'] == []",
        [RENDER_DHAT] = "import json, sys; assert json.load(sys.stdin)['pps'] == []",
        [RENDER_CSV] = "import sys; assert sys.stdin.read().count('\\n') == 1",
        [RENDER_JSONL] = "import sys; assert sys.stdin.read() == ''",
    };
    for (unsigned format = 0; format < RENDER_FORMATS; format++) {
        struct fake f;
        size_t size;
        char *text = text_of(&f, format, 0, &size);
        print_message("%s\n", render_format_name(format));
        python(empty[format], text, size);
        free(text);
    }
}

static void test_a_full_disk_is_an_error(void **state) {
    (void)state;
    for (unsigned format = 0; format < RENDER_FORMATS; format++) {
        struct fake f;
        fake_init(&f);
        FILE *out = fopen("/dev/full", "w");
        assert_non_null(out);
        assert_int_equal(export(out, &f, format, 3), -ENOSPC);
        fclose(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_numbers_beyond_signed_ones),
        cmocka_unit_test(test_nothing_is_a_document_too),
        cmocka_unit_test(test_a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
