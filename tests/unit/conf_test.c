/* SQUALL_CONF: every key, what is refused, and that nothing stops at nonsense. */
#include "shim/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs the above first. */
#include <cmocka.h>

static struct region_configuration conf;
static char codec[64];

static unsigned parse(const char *text) {
    conf_defaults(&conf);
    codec[0] = 0;
    return conf_parse(text, &conf, codec, sizeof codec);
}

static void every_key(void **state) {
    (void)state;
    assert_int_equal(parse("mode:exact,large:128k,sample:1m,transient:250ms,children:off,args:off,"
                           "codec:my_*,codec:other,unwind:libunwind,region:512m,tick:1s,perm:0640,"
                           "go:off,seed:7"),
                     0);
    assert_int_equal(conf.mode, REGION_MODE_EXACT);
    assert_int_equal(conf.large, 131072);
    assert_int_equal(conf.sample, 1048576);
    assert_int_equal(conf.transient_ns, 250000000);
    assert_int_equal(conf.children, 0);
    assert_int_equal(conf.args, 0);
    assert_int_equal(conf.go, 0);
    assert_int_equal(conf.unwind, 1);
    assert_int_equal(conf.region, 512u << 20);
    assert_int_equal(conf.tick_ns, 1000000000);
    assert_int_equal(conf.perm, 0640);
    assert_int_equal(conf.seed, 7);
    assert_string_equal(codec, "my_*\nother\n");
}

static void defaults(void **state) {
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(parse(",,"), 0);
    assert_int_equal(conf.large, 65536);
    assert_int_equal(conf.sample, 524288);
    assert_int_equal(conf.transient_ns, 1000000000);
    assert_int_equal(conf.region, 64u << 20);
    assert_int_equal(conf.tick_ns, 100000000);
    assert_int_equal(conf.perm, 0600);
    assert_int_equal(parse("sample:0"), 0);
    assert_int_equal(conf.sample, 0);
}

static void refused(void **state) {
    static const char *const bad[] = {
        "mode",
        "mode:",
        "mode:exactly",
        "large:0",
        "large:-1",
        "large:64q",
        "large:99999999999999999999",
        "sample:1",
        "transient:0",
        "transient:1y",
        "region:1m",
        "region:2t",
        "tick:0",
        "perm:0200",
        "perm:0777",
        "perm:9",
        "seed:x",
        "colour:red",
        ":",
        "large",
        "children:yes",
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(parse(bad[i]), 1);
        assert_int_equal(conf.large, 65536);
        assert_int_equal(conf.mode, REGION_MODE_DEFAULT);
    }
    assert_int_equal(parse("nonsense,mode:exact,large:x"), 2);
    assert_int_equal(conf.mode, REGION_MODE_EXACT);
}

static void names_are_cut_not_overrun(void **state) {
    char text[512] = "codec:";
    (void)state;
    memset(text + 6, 'a', 400);
    parse(text);
    assert_true(strlen(codec) < sizeof codec);
}

static void environment(void **state) {
    char *const e[] = {"SQUALL_CONFX=1", "SQUALL_CONF=mode:exact", NULL};
    (void)state;
    assert_string_equal(conf_get(e, "SQUALL_CONF"), "mode:exact");
    assert_null(conf_get(e, "SQUALL_DIR"));
    assert_null(conf_get(NULL, "SQUALL_DIR"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key),   cmocka_unit_test(defaults),
        cmocka_unit_test(refused),     cmocka_unit_test(names_are_cut_not_overrun),
        cmocka_unit_test(environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
