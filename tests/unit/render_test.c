/* The formats, read back: JSON by a parser that is not ours, text by what must and must not stand
 * in it; with names that are hostile, and streams that cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_process.h"
#include "render/internal.h"

static const struct analyse_options everything;

static char *json_of(struct fake *f) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct analyse_names *names = analyse_names_open(NULL);
    struct analysis a;
    assert_int_equal(analyse_process(&a, &f->process, &everything, names), 0);
    struct render_json *json = render_json_begin(out);
    assert_non_null(json);
    assert_int_equal(render_json_process(json, &a, names, true), 0);
    assert_int_equal(render_json_process(json, &a, names, false), 0);
    assert_int_equal(render_json_end(json, false), 0);
    fclose(out);
    analyse_free(&a);
    analyse_names_close(names);
    return text;
}

static char *text_of(struct fake *f, struct render_text text, bool summary) {
    char *result = NULL;
    size_t size;
    text.out = open_memstream(&result, &size);
    struct analyse_names *names = analyse_names_open(NULL);
    struct analysis a;
    assert_int_equal(analyse_process(&a, &f->process, &everything, names), 0);
    if (summary)
        assert_int_equal(render_text_summary(&text, &a, names), 0);
    else
        assert_int_equal(render_text_process(&text, &a, names), 0);
    fclose(text.out);
    analyse_free(&a);
    analyse_names_close(names);
    return result;
}

/* Runs a Python script over a document; it must end with status 0. */
static void python(const char *script, const char *document) {
    char name[] = "/tmp/squall-render-XXXXXX", command[128];
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs(script, f);
    assert_int_equal(fclose(f), 0);
    snprintf(command, sizeof(command), "python3 %s", name);
    FILE *pipe = popen(command, "w");
    assert_non_null(pipe);
    fputs(document, pipe);
    int status = pclose(pipe);
    unlink(name);
    assert_int_equal(status, 0);
}

/* Every field of the report in JSON, as the design page has it. */
static const char check_fields[] =
    "import json, sys\n"
    "d = json.loads(sys.stdin.buffer.read().decode('utf-8', 'strict'))\n"
    "assert d['format'] == 1 and len(d['processes']) == 2\n"
    "def has(o, names):\n"
    "    missing = [n for n in names.split() if n not in o]\n"
    "    assert not missing, missing\n"
    "p = d['processes'][0]\n"
    "has(p, 'pid parent exe argv start mode configuration seconds state ended_by totals threads'\n"
    "       ' modules sites codec_calls timeline findings visibility')\n"
    "assert p['pid'] == 4711 and p['argv'] == ['producer', '-z', 'zstd']\n"
    "assert p['mode'] == 'default' and p['state'] == 'ended' and p['ended_by'] == 'exit 0'\n"
    "assert p['seconds'] == 2 and abs(p['start'] - 1700000000.123456789) < 1e-6\n"
    "assert p['configuration']['large'] == 65536 and p['configuration']['perm'] == '0600'\n"
    "has(p['totals'], 'allocs frees bytes freed_bytes live_bytes peak_live_bytes allocator_ns'\n"
    "                 ' inherited_frees lost codec_bytes')\n"
    "assert p['totals']['bytes'] == 490490000 and p['totals']['lost']['sites'] == 0\n"
    "has(p['threads'][1], 'row tid name start allocs frees bytes')\n"
    "assert [t['tid'] for t in p['threads']] == [0, 4711, 4712]\n"
    "assert p['threads'][2]['start'] == 1.5\n"
    "has(p['modules'][0], 'path build_id base unloaded allocator')\n"
    "m = {m['path']: m for m in p['modules']}\n"
    "assert m['/usr/lib/libzstd.so.1']['build_id'] == 'abcd' + '00' * 18\n"
    "assert m['/opt/addon.so']['unloaded'] and m['/opt/addon.so']['allocator'] == 'mimalloc'\n"
    "assert m['/usr/bin/producer']['build_id'] is None\n"
    "assert m['/usr/lib/libzstd.so.1']['base'] == 0x7f0000000000\n"
    "for s in p['sites']:\n"
    "    has(s, 'id runtime codec codec_function direction role flagged reused allocs frees "
    "bytes'\n"
    "           ' freed_bytes live_bytes peak_live_bytes estimated samples large roles size'\n"
    "           ' lifetime_ns transient mmapped remote_frees allocator_ns bytes_per_second'\n"
    "           ' allocs_per_second source_ratio produced_ratio threads stack stack_end'\n"
    "           ' served_by grown')\n"
    "    has(s['large'], 'allocs frees bytes min max')\n"
    "    for r in 'workspace', 'output', 'input': has(s['roles'][r], 'allocs bytes')\n"
    "    for k in 'size', 'lifetime_ns': has(s[k], 'min max mean p50 p99')\n"
    "    for t in s['threads']:\n"
    "        has(t, 'row tid name allocs frees bytes freed_bytes live_bytes peak_live_bytes'\n"
    "               ' remote_frees')\n"
    "    for f in s['stack']: has(f, 'function file line module offset inlined')\n"
    "s = p['sites'][0]\n"
    "assert s['id'] == 11 and s['bytes'] == 123 * 3658041 and s['codec'] == 'zstd'\n"
    "assert s['direction'] == 'compress' and s['runtime'] == 'c' and s['role'] == 'workspace'\n"
    "assert s['flagged'] is False and s['reused'] is False and s['source_ratio'] is None\n"
    "assert s['size'] == {'min': 3658041, 'max': 3658041, 'mean': 3658041, 'p50': 3658041,\n"
    "                     'p99': 3658041}\n"
    "assert s['bytes_per_second'] == 123 * 3658041 / 2\n"
    "assert s['stack_end'] == 'jit' and s['peak_live_bytes'] == 3 * 3658041\n"
    "assert s['threads'][0]['name'] == 'rdk:broker1' and s['threads'][1]['remote_frees'] == 4\n"
    "f = s['stack']\n"
    "assert f[0] == {'function': 'inner', 'file': 'zstd.h', 'line': 7, 'inlined': True,\n"
    "                'module': '/usr/lib/libzstd.so.1', 'offset': 0x100}, f[0]\n"
    "assert f[2]['function'] is None and f[2]['line'] is None and f[2]['offset'] == 0x200\n"
    "assert f[4]['module'] is None and f[4]['offset'] == 0x1234\n"
    "assert p['sites'][1]['estimated'] and not s['estimated']\n"
    "single = [s for s in p['sites'] if s['id'] == 13][0]\n"
    "assert single['lifetime_ns']['mean'] is None and single['lifetime_ns']['p50'] is None\n"
    "assert p['timeline'] == [\n"
    "    {'t': .1, 'live_bytes': 1, 'allocated_bytes': 2, 'codec_bytes': 4, 'in_allocator': 5},\n"
    "    {'t': .2, 'live_bytes': 6, 'allocated_bytes': 7, 'codec_bytes': 9, 'in_allocator': 10}]\n"
    "assert p['findings'] == []\n"
    "for v in p['visibility']: has(v, 'subject statement')\n";

static void test_json_has_every_field(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    char *json = json_of(&f);
    python(check_fields, json);
    free(json);
}

static const char check_codec[] =
    "import json, sys\n"
    "p = json.load(sys.stdin)['processes'][0]\n"
    "assert p['totals']['codec_bytes'] == 123732968\n"
    "assert [c['source_bytes'] for c in p['codec_calls']] == [123731968, 5000, 1000]\n"
    "c, nested, last = p['codec_calls']\n"
    "stack = c.pop('stack')\n"
    "assert [f['function'] for f in stack] == ['send_batch'] and stack[0]['line'] == 42\n"
    "sizes = c.pop('size_histogram')\n"
    "assert c == {'codec': 'zstd', 'function': 'ZSTD_compressStream2', 'direction': 'compress',\n"
    "    'calls': 1204, 'nested': 3, 'failures': 5, 'left': 6, 'timed': 120, 'messages': 600,\n"
    "    'source_bytes': 123731968, 'produced_bytes': 32715571, 'output_capacity': 200000000,\n"
    "    'seconds': 2.1, 'cpu_seconds': 1.9, 'page_faults': 77, 'context_switches': 8,\n"
    "    'threads': 3, 'stack_end': 'outermost', 'concurrency': [\n"
    "        {'level': 1, 'calls': 1000, 'source_bytes': 100000000, 'seconds': 1.5,\n"
    "         'cpu_seconds': 1.4},\n"
    "        {'level': 33, 'calls': 204, 'source_bytes': 23731968, 'seconds': .6,\n"
    "         'cpu_seconds': .5}]}, c\n"
    "assert [(s['from'], s['to']) for s in sizes] == [(0, 1), (1024, 2048), (131072, 262144)]\n"
    "assert sizes[1] == {'from': 1024, 'to': 2048, 'calls': 500, 'source_bytes': 750000,\n"
    "    'produced_bytes': 300000, 'seconds': .005, 'cpu_seconds': .004, 'page_faults': 60}\n"
    "assert nested['calls'] == nested['nested'] == 4 and nested['size_histogram'] == []\n"
    "assert last['codec'] == 'zlib' and last['direction'] == 'decompress'\n"
    "assert last['stack'] == [] and last['stack_end'] == 'not_walked'\n"
    "assert p['concurrency'] == [{'level': 2, 'calls': 30, 'source_bytes': 31,\n"
    "    'seconds': .032, 'cpu_seconds': .033}]\n"
    "x, = p['contexts']\n"
    "assert x.pop('stack') == stack\n"
    "assert x == {'codec': 'zstd', 'function': 'ZSTD_compressStream2', 'direction': 'compress',\n"
    "    'created': 20, 'ended': 19, 'single': 18, 'messages': 600, 'calls': 1204,\n"
    "    'source_bytes': 123731968, 'stack_end': 'outermost'}\n"
    "assert p['codec_functions'] == [\n"
    "    {'name': 'ZSTD_compressStream2', 'codec': 'zstd', 'direction': 'compress',\n"
    "     'kind': 'stream', 'module': '/usr/lib/libzstd.so.1', 'found': 'name',\n"
    "     'arguments': True, 'refused': None},\n"
    "    {'name': 'inflate', 'codec': 'zlib', 'direction': 'decompress', 'kind': 'stream',\n"
    "     'module': '/usr/lib/libzstd.so.1', 'found': 'mark', 'arguments': False,\n"
    "     'refused': 'short'}]\n"
    "m, = p['anonymous_mappings']\n"
    "assert m.pop('stack') == stack and m == {'maps': 9, 'unmaps': 8, 'bytes': 90000000,\n"
    "    'unmapped_bytes': 80000000, 'stack_end': 'outermost'}\n";

static void test_json_has_codec_calls(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    char *json = json_of(&f);
    python(check_codec, json);
    free(json);
}

/* Of equal bytes the slower comes first; what has no name is null. */
static void test_json_of_unknown_codec_functions(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    f.codec_calls[FAKE_NO_CALL] = (struct profile_codec_call){.calls = 1, .source_bytes = 1000};
    f.codec_calls[FAKE_INFLATE].function = 999;
    f.codec_calls[FAKE_INFLATE].stack = 999;
    f.codec_functions[2].codec = 0;
    f.codec_functions[2].kind = f.codec_functions[2].found = f.codec_functions[2].refused = 999;
    f.codec_functions[2].module = 999;
    char *json = json_of(&f);
    python("import json, sys\n"
           "p = json.load(sys.stdin)['processes'][0]\n"
           "a, b = [c for c in p['codec_calls'] if c['source_bytes'] == 1000]\n"
           "assert a['calls'] == 2 and b['calls'] == 1\n"
           "for c in a, b:\n"
           "    assert c['codec'] is c['function'] is c['direction'] is None\n"
           "    assert c['stack'] == [] and c['stack_end'] == 'unknown'\n"
           "f = p['codec_functions'][1]\n"
           "assert f['codec'] == 'zlib' and f['refused'] == 'other'\n"
           "assert f['kind'] is f['found'] is f['module'] is None\n",
           json);
    free(json);
}

/* A buffer made by the program has its codec from the call that it served; of two parts of a site
 * the one with more bytes says which. */
static void test_json_of_a_buffer_that_served_a_call(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct profile_large *one = &f.cells[FAKE_SINGLE].large;
    one->output_allocs = 1;
    one->output_bytes = 300000;
    one->served_call = FAKE_COMPRESS;
    one->grown = 2;
    f.sites[1].codec_function = f.sites[1].direction = 0;
    f.process.symbol_count = 0; /* nobody else names a codec */
    f.cells[FAKE_WORKSPACE_1].large.served_call = FAKE_COMPRESS;
    f.cells[FAKE_WORKSPACE_1].large.output_bytes = 1000;
    f.cells[FAKE_WORKSPACE_1].large.grown = 3;
    f.cells[FAKE_WORKSPACE_2].large.served_call = FAKE_INFLATE;
    f.cells[FAKE_WORKSPACE_2].large.output_bytes = 900;
    f.cells[FAKE_WORKSPACE_2].large.input_bytes = 901;
    f.cells[FAKE_WORKSPACE_2].large.grown = 4;
    f.cells[FAKE_SHARED].large.served_call = 999;
    f.cells[FAKE_SHARED].large.output_bytes = 1;
    char *json = json_of(&f), *text = text_of(&f, (struct render_text){.width = 120}, false);
    python("import json, sys\n"
           "s = {s['id']: s for s in json.load(sys.stdin)['processes'][0]['sites']}\n"
           "def of(i): return s[i]['served_by'], s[i]['codec'], s[i]['role'], s[i]['grown']\n"
           "assert of(13) == ('ZSTD_compressStream2', 'zstd', 'output', 2), of(13)\n"
           "assert s[13]['codec_function'] is None\n"
           "assert of(11) == ('inflate', 'zlib', 'output', 7), of(11)\n"
           "assert of(12) == (None, None, None, 0), of(12)\n"
           "assert of(14) == (None, None, 'output', 0), of(14)\n",
           json);
    assert_non_null(strstr(text, "  zstd output"));
    free(text);
    free(json);
}

/* Workspaces of site 11 as a storm: a finding, in both formats. */
static void make_storm(struct fake *f) {
    fake_init(f);
    for (int i = FAKE_WORKSPACE_1; i <= FAKE_WORKSPACE_2; i++) {
        f->cells[i].large.workspace_allocs = f->cells[i].allocs;
        f->cells[i].large.workspace_bytes = f->cells[i].bytes;
    }
    f->contexts[1].messages = f->contexts[1].created;
}

static void test_findings_in_json(void **state) {
    (void)state;
    struct fake f;
    make_storm(&f);
    char *json = json_of(&f);
    python("import json, sys\n"
           "p = json.load(sys.stdin)['processes'][0]\n"
           "f = p['findings'][0]\n"
           "assert f['rule'] == 'context-per-call' and f['site'] == 11 and f['rank'] > 0, f\n"
           "assert 'send_batch' in f['summary'] and 'ZSTD_CCtx' in f['fix'], f\n"
           "assert f['evidence']['allocs'] == 123 and f['evidence']['threads'] == 2, f\n"
           "assert f['caution']\n"
           "r = {r['remedy']: r for r in f['remedies']}\n"
           "assert set(r) == {'keep_context', 'low_memory', 'cap_concurrency', 'sizes'}, r\n"
           "assert r['keep_context']['saves']['allocs'] == f['evidence']['saved_allocs'] > 80\n"
           "assert r['low_memory']['saves'] is None\n"
           "assert [s for s in p['sites'] if s['flagged']] == [p['sites'][0]]\n",
           json);
    free(json);
}

static void test_findings_in_text(void **state) {
    (void)state;
    struct fake f;
    make_storm(&f);
    char *text = text_of(&f, (struct render_text){.width = 80}, false);
    char *summary = text_of(&f, (struct render_text){.width = 80, .sites = 3}, true);
    const char *finding = strstr(text, "context-per-call"), *sites = strstr(text, "Sites");
    assert_non_null(finding);
    assert_true(finding < sites);
    for (const char *const *label =
             (const char *const[]){"    evidence  ", "    fix       ", "    way 1     ",
                                   "    way 4     ", "keep the context", "    caution   ", NULL};
         *label; label++)
        assert_non_null(strstr(text, *label));
    assert_non_null(strstr(summary, "! context-per-call: send_batch"));
    free(text);
    free(summary);
}

/* Two findings with a way out of the same words: people read it once, programs get both. */
static void test_remedies_are_told_once(void **state) {
    (void)state;
    static const char *const same = "low-memory mode: the same for both";
    struct fake f;
    fake_init(&f);
    struct analyse_remedy first[] = {{.name = "keep_context", .text = (char[]){"keep this"}},
                                     {.name = "low_memory", .text = (char *)(uintptr_t)same}};
    struct analyse_remedy second[] = {{.name = "keep_context", .text = (char[]){"keep that"}},
                                      {.name = "low_memory", .text = (char *)(uintptr_t)same},
                                      {.name = "sizes", .text = (char[]){"other sizes"}}};
    struct analyse_finding findings[] = {
        {.rule = "one",
         .summary = (char[]){"s"},
         .fix = (char[]){"f"},
         .remedies = first,
         .remedy_count = 2},
        {.rule = "two",
         .summary = (char[]){"s"},
         .fix = (char[]){"f"},
         .remedies = second,
         .remedy_count = 3},
    };
    char *text = NULL, *json = NULL;
    size_t size;
    struct analyse_names *names = analyse_names_open(NULL);
    struct analysis a;
    assert_int_equal(analyse_process(&a, &f.process, &everything, names), 0);
    struct analysis with = a;
    with.findings = findings;
    with.finding_count = 2;
    struct render_text to = {.width = 80, .out = open_memstream(&text, &size)};
    assert_int_equal(render_text_process(&to, &with, names), 0);
    fclose(to.out);
    FILE *out = open_memstream(&json, &size);
    struct render_json *document = render_json_begin(out);
    assert_int_equal(render_json_process(document, &with, names, true), 0);
    assert_int_equal(render_json_end(document, false), 0);
    fclose(out);
    const char *told = strstr(text, same);
    assert_non_null(told);
    assert_null(strstr(told + 1, same));
    assert_non_null(strstr(text, "way 1     keep that"));
    assert_non_null(strstr(text, "way 2     other sizes"));
    told = strstr(json, same);
    assert_non_null(told);
    assert_non_null(strstr(told + 1, same));
    free(text);
    free(json);
    analyse_free(&a);
    analyse_names_close(names);
}

static void test_json_of_an_empty_process_and_of_none(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct profile_process *p = &f.process;
    p->thread_count = p->module_count = p->site_count = p->cell_count = p->stack_count = 0;
    p->symbol_count = p->tick_count = p->codec_function_count = p->argument_count = 0;
    p->codec_call_count = p->context_count = p->anon_count = p->level_count = 0;
    p->seconds_ns = 0;
    p->ended_by = NULL;
    char *json = json_of(&f), *text = text_of(&f, (struct render_text){.width = 80}, false);
    python("import json, sys\np = json.load(sys.stdin)['processes'][0]\n"
           "assert p['sites'] == [] and p['ended_by'] is None and p['seconds'] == 0\n"
           "assert p['codec_calls'] == p['concurrency'] == p['contexts'] == []\n"
           "assert p['codec_functions'] == p['anonymous_mappings'] == []\n",
           json);
    free(json);
    assert_non_null(strstr(text, "no site was recorded"));
    assert_null(strstr(text, "Codec calls"));
    free(text);
    json = NULL;
    size_t size;
    FILE *out = open_memstream(&json, &size);
    assert_int_equal(render_json_end(render_json_begin(out), false), 0);
    fclose(out);
    python("import json, sys\nassert json.load(sys.stdin) == {'format': 1, 'processes': []}\n",
           json);
    free(json);
}

static void test_json_numbers_keep_64_bits(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    f.cells[FAKE_SINGLE].bytes = UINT64_MAX;
    f.process.seconds_ns = 1;
    char *json = json_of(&f);
    python("import json, sys\nd = json.load(sys.stdin)\n"
           "s = [s for s in d['processes'][0]['sites'] if s['id'] == 13][0]\n"
           "assert s['bytes'] == 2**64 - 1, s['bytes']\n",
           json);
    free(json);
}

/* Control characters, escapes, quotes, newlines, every kind of broken UTF-8, and 64 KiB. */
static char hostile[65536 + 1];

static void make_hostile(struct fake *f) {
    static const char start[] = "\x1b[2J\x1b]0;owned\x07\r\n\t\"\\/\x7f\xc2\x9b"
                                "31m\x80\xc0\xaf\xe0\x80\xaf\xed\xa0\x80\xf4\x90\x80\x80\xff"
                                "\xf0\x9f\x98\x80\xe2\x80\xae\xe2\x82\xac\xe2\x82";
    fake_init(f);
    memset(hostile, 'A', sizeof(hostile) - 1);
    memcpy(hostile, start, sizeof(start) - 1);
    hostile[sizeof(hostile) - 2] = '\xe2'; /* cut in the middle of a character */
    f->threads[1].name = hostile;
    f->modules[2].path = hostile;
    f->symbols[1].function = hostile;
    f->symbols[2].file = hostile;
    f->arguments[1] = hostile;
    f->process.exe = f->process.file = hostile;
    f->process.ended_by = hostile;
    f->process.codec_patterns = hostile;
    f->codec_functions[1].name = hostile;
    f->modules[3].path = hostile;
}

static void test_hostile_names_in_json(void **state) {
    (void)state;
    struct fake f;
    make_hostile(&f);
    char *json = json_of(&f);
    python("import json, sys\n"
           "raw = sys.stdin.buffer.read()\n"
           "d = json.loads(raw.decode('utf-8', 'strict'))\n"
           "assert not [b for b in raw if b < 32 and b != 10]\n"
           "n = d['processes'][0]['exe']\n"
           "assert n == d['processes'][0]['sites'][0]['stack'][0]['function']\n"
           "R = '\\ufffd'\n"
           "w = '\\x1b[2J\\x1b]0;owned\\x07\\r\\n\\t\"\\\\/\\x7f\\x9b31m' + R + R * 2 + R * 3"
           " + R * 3 + R * 4 + R + '\\U0001f600\\u202e\\u20ac' + R * 2 + 'A'\n"
           "assert n.startswith(w), ascii(n[:80])\n"
           "assert n.endswith('AA\u2026') and len(n.encode()) == 4096\n",
           json);
    free(json);
}

/* At the limit as it is, behind it cut, never in the middle of a character. */
static void test_long_names_are_cut(void **state) {
    static char name[3 * NAME_BYTES_MAX];
    struct buffer out = {0};
    (void)state;
    for (unsigned width = 1; width <= 2; width++)
        for (size_t length = NAME_BYTES_MAX - 8; length < NAME_BYTES_MAX + 8; length++) {
            for (size_t i = 0; i < length; i++)
                name[i] = width == 1 ? 'x' : (i & 1) ? '\xa4' : '\xc3';
            name[length / width * width] = 0;
            buffer_clear(&out);
            buffer_add(&out, "before:", 7);
            buffer_add_name(&out, name, true);
            assert_memory_equal(out.text, "before:", 7);
            const char *shown = out.text + 7;
            if (strlen(name) <= NAME_BYTES_MAX) {
                assert_string_equal(shown, name);
                continue;
            }
            size_t kept = strlen(shown) - strlen("…");
            assert_true(strlen(shown) <= NAME_BYTES_MAX && strlen(shown) > NAME_BYTES_MAX - 4);
            assert_string_equal(shown + kept, "…");
            assert_memory_equal(shown, name, kept);
            assert_int_equal(kept % width, 0);
            buffer_clear(&out); /* cut twice is cut once */
            buffer_add_name(&out, shown, true);
            assert_int_equal(out.length, kept + strlen("…"));
        }
    memset(name, '\x01', NAME_BYTES_MAX - 1); /* each becomes three bytes */
    name[NAME_BYTES_MAX - 1] = 0;
    buffer_clear(&out);
    buffer_add_name(&out, name, true);
    assert_int_equal(out.length, NAME_BYTES_MAX / 3 * 3);
    buffer_free(&out);
}

static void expect_harmless(const char *text) {
    struct buffer again = {0};
    for (const char *c = text; *c; c++)
        if (((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7f)
            fail_msg("control character 0x%02x", (unsigned char)*c);
        else if (strncmp(c, "\xc2\x9b", 2) == 0 || strncmp(c, "\xe2\x80\xae", 3) == 0)
            fail_msg("a control character of two bytes, or one that turns the writing");
    /* What is valid and printable stays as it is when cleaned again, line by line. */
    char *copy = strdup(text), *rest = copy;
    for (char *one; (one = strsep(&rest, "\n"));) {
        buffer_clear(&again);
        buffer_add_utf8(&again, one, true);
        assert_string_equal(buffer_text(&again), one);
    }
    free(copy);
    buffer_free(&again);
}

static void test_hostile_names_in_text(void **state) {
    (void)state;
    static const unsigned widths[] = {0, 20, 80, 200};
    struct fake f;
    make_hostile(&f);
    for (unsigned i = 0; i < ARRAY_SIZE(widths) * 2; i++) {
        struct render_text text = {.width = widths[i / 2], .lines = true, .sites = 5};
        char *result = text_of(&f, text, i & 1);
        expect_harmless(result);
        free(result);
    }
}

/* The only escapes with colour are ours: none is left when those are taken away. */
static void test_color(void **state) {
    (void)state;
    struct fake f;
    make_hostile(&f);
    struct render_text text = {.width = 100, .color = true, .lines = true};
    char *colored = text_of(&f, text, false);
    text.color = false;
    char *plain = text_of(&f, text, false);
    char *to = colored;
    unsigned escapes = 0;
    for (const char *from = colored; *from;) {
        if (from[0] == '\033' && from[1] == '[') {
            from += strspn(from + 2, "0123456789;") + 3;
            escapes++;
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
    assert_true(escapes > 20);
    assert_string_equal(colored, plain);
    free(colored);
    free(plain);
}

static void test_text_says_what_matters(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    char *text = text_of(&f, (struct render_text){.width = 120, .lines = true}, false);
    static const char *const parts[] = {
        "producer  pid 4711 · default mode · 2.00 s · ended (exit 0)\n",
        "producer -z zstd\n",
        "123 × 3.49 MiB (3,658,041 B)",
        "live 3.49 MiB in 1 · peak 10.5 MiB",
        "122 transient",
        "by rdk:broker1, rdk:broker2 · 4 freed by other threads\n",
        "zstd.h:7",
        "inlined\n",
        "libzstd.so.1+0x200\n",
        "send_batch",
        "outside every module 0x1234\n",
        "called from outside every module (JIT)\n",
        "~5,010 × 100 B…97.7 KiB",
        "peak ≤ ",
        "threads without a row",
        "torn",
        "     4711  rdk:broker1",
        "+3 before",
        "Visibility\n",
        "not visible",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
        if (!strstr(text, parts[i]))
            fail_msg("missing: %s in:\n%s", parts[i], text);
    free(text);
    text = text_of(&f, (struct render_text){.width = 120, .sites = 3}, true);
    assert_non_null(strstr(text, "123 × 3.49 MiB"));
    assert_non_null(strstr(text, "inner ← ZSTD_createCStream ← "));
    unsigned lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    assert_true(lines <= 12);
    free(text);
}

static void test_text_of_codec_calls(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    char *text = text_of(&f, (struct render_text){.width = 200, .lines = true}, false);
    char *part = strstr(text, "\nCodec calls\n");
    assert_non_null(part);
    assert_true(strstr(text, "\nThreads") < part && part < strstr(text, "\nVisibility\n"));
    assert_non_null(strstr(
        part, "\nCodec calls\n"
              "    zstd ZSTD_compressStream2  compress  1,204 calls  118 MiB → 31.2 MiB (3.78 : 1)"
              "  2.10 s CPU ~1.90 s  by 3 threads  5 failed  6 left without returning\n"
              "      send_batch\n"
              "    zlib inflate  decompress  2 calls  1000 B → 3.91 KiB (1 : 4.00)"
              "  3.00 µs CPU 2.50 µs  by 1 thread\n"
              "      no stack\n"
              "\n"
              "    messages of ZSTD_compressStream2 by size\n"
              "      source                    messages           ratio        MB/s    µs/message\n"
              "      empty                            1               -           -           0.0\n"
              "      1.00 KiB…2.00 KiB              500        2.50 : 1       150.0          10.0\n"
              "      128 KiB…256 KiB                 99        4.00 : 1       160.0        1010.1\n"
              "\n"));
    free(text);
    text = text_of(&f, (struct render_text){.width = 120, .whole_stacks = true}, false);
    assert_null(strstr(text, "Codec calls")); /* --stack N is about one site */
    free(text);
}

static void test_text_of_few_and_many_codec_calls(void **state) {
    (void)state;
    struct fake f;
    struct profile_codec_call many[13];
    fake_init(&f);
    f.codec_calls[FAKE_COMPRESS].size_count = 1; /* one size says nothing */
    char *text = text_of(&f, (struct render_text){.width = 120}, false);
    assert_null(strstr(text, "by size"));
    free(text);
    for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
        many[i] = f.codec_calls[FAKE_INFLATE];
        many[i].source_bytes = 1000 + i;
    }
    many[12] = f.codec_calls[FAKE_NESTED_ONLY];
    f.process.codec_calls = many;
    f.process.codec_call_count = ARRAY_SIZE(many);
    text = text_of(&f, (struct render_text){.width = 120}, false);
    assert_non_null(strstr(text, "1011 B → "));
    assert_non_null(strstr(text, "1002 B → "));
    assert_null(strstr(text, "1001 B → "));
    assert_non_null(strstr(text, "\n    and 2 more\n"));
    assert_null(strstr(text, "ZSTD_compressStream2  compress"));
    many[12].calls++;
    f.process.codec_call_count = ARRAY_SIZE(many);
    free(text);
    text = text_of(&f, (struct render_text){.width = 120}, false);
    assert_non_null(strstr(text, "ZSTD_compressStream2  compress  5 calls"));
    free(text);
}

static unsigned columns_without_escapes(char *line) {
    char *to = line;
    for (char *from = line; *from; from++)
        if (*from == '\033')
            from += strcspn(from, "m");
        else
            *to++ = *from;
    *to = 0;
    return utf8_columns(line);
}

static void test_width_is_kept(void **state) {
    static const unsigned widths[] = {20, 40, 80, 100, 120};
    (void)state;
    struct fake f;
    make_hostile(&f);
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(widths); i++) {
        struct render_text how = {.width = widths[i / 2], .lines = true, .color = i % 2};
        char *text = text_of(&f, how, false), *rest = text;
        for (char *one; (one = strsep(&rest, "\n"));) {
            bool has_space = strchr(one + strspn(one, " "), ' '); /* a long word stays */
            if (columns_without_escapes(one) > how.width && has_space)
                fail_msg("%u columns of %u: %s", utf8_columns(one), how.width, one);
        }
        free(text);
    }
}

static void test_a_full_disk_is_an_error(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct analyse_names *names = analyse_names_open(NULL);
    struct analysis a;
    assert_int_equal(analyse_process(&a, &f.process, &everything, names), 0);
    FILE *out = fopen("/dev/full", "w");
    assert_non_null(out);
    struct render_json *json = render_json_begin(out);
    render_json_process(json, &a, names, true);
    assert_int_equal(render_json_end(json, false), -ENOSPC);
    fclose(out);
    out = fopen("/dev/full", "w");
    struct render_text text = {.out = out, .width = 80};
    assert_int_equal(render_text_process(&text, &a, names), -ENOSPC);
    fclose(out);
    analyse_free(&a);
    analyse_names_close(names);
}

/* After an error in the middle the document stays open: nobody takes it for whole. */
static void test_a_broken_document_does_not_look_whole(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct analyse_names *names = analyse_names_open(NULL);
    struct analysis a;
    char *text = NULL;
    size_t size;
    assert_int_equal(analyse_process(&a, &f.process, &everything, names), 0);
    FILE *out = open_memstream(&text, &size);
    struct render_json *json = render_json_begin(out);
    assert_int_equal(render_json_process(json, &a, names, true), 0);
    assert_int_equal(render_json_end(json, true), 0);
    fclose(out);
    python("import json, sys\n"
           "try: json.load(sys.stdin)\n"
           "except ValueError: sys.exit(0)\n"
           "sys.exit(1)\n",
           text);
    free(text);
    analyse_free(&a);
    analyse_names_close(names);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_has_every_field),
        cmocka_unit_test(test_findings_in_json),
        cmocka_unit_test(test_findings_in_text),
        cmocka_unit_test(test_remedies_are_told_once),
        cmocka_unit_test(test_json_has_codec_calls),
        cmocka_unit_test(test_json_of_unknown_codec_functions),
        cmocka_unit_test(test_json_of_a_buffer_that_served_a_call),
        cmocka_unit_test(test_json_of_an_empty_process_and_of_none),
        cmocka_unit_test(test_json_numbers_keep_64_bits),
        cmocka_unit_test(test_hostile_names_in_json),
        cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_hostile_names_in_text),
        cmocka_unit_test(test_color),
        cmocka_unit_test(test_text_says_what_matters),
        cmocka_unit_test(test_text_of_codec_calls),
        cmocka_unit_test(test_text_of_few_and_many_codec_calls),
        cmocka_unit_test(test_width_is_kept),
        cmocka_unit_test(test_a_full_disk_is_an_error),
        cmocka_unit_test(test_a_broken_document_does_not_look_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
