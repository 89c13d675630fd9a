/* Options of every command. An input is a command line, an argument a line; what the commands would
 * do then is not done. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/base.h"
#include "fuzz.h"
#include "tools/squall/go.h"
#include "tools/squall/run.h"

#define ARGUMENTS_MAX 64u

const size_t fuzz_longest = 4096;
const char fuzz_name[] = "options";

int tool_main(int argc, char **argv); /* main of tools/squall/main.c */

/* Whatever would read or do something fails instead. */
#define CANNOT(function)          \
    int __wrap_##function(void);  \
    int __wrap_##function(void) { \
        return -EIO;              \
    }
CANNOT(profile_load)
CANNOT(profile_newest)
CANNOT(profile_list)
CANNOT(profile_list_refused)
CANNOT(profile_remove)
CANNOT(profile_find)
CANNOT(watch_list_find)
CANNOT(top_screen_open)

/* These say why. */
#define CANNOT_SAY(function, ...)                                     \
    int __wrap_##function(__VA_ARGS__, struct profile_error *error);  \
    int __wrap_##function(__VA_ARGS__, struct profile_error *error) { \
        *error = (struct profile_error){.text = "cannot"};            \
        return -EIO;                                                  \
    }
#define ANY __attribute__((unused)) const void *
#define NUMBER __attribute__((unused)) uint32_t
CANNOT_SAY(profile_load_pid, NUMBER a, ANY b)
CANNOT_SAY(profile_find_pid, NUMBER a, ANY b)
CANNOT_SAY(watch_open, NUMBER a, ANY b)
CANNOT_SAY(profile_pack_found, ANY a, ANY b, ANY c, ANY d)
CANNOT_SAY(profile_merge, ANY a, NUMBER b, ANY c, ANY d, ANY e, ANY f)
CANNOT_SAY(profile_pack, ANY a, NUMBER b, ANY c, ANY d, NUMBER e, ANY f, ANY g, NUMBER h)

int __wrap_profile_pack_check(const char *path, struct profile_error *error);
int __wrap_profile_pack_check(const char *path, struct profile_error *error) {
    (void)path;
    *error = (struct profile_error){.text = ""};
    return 0;
}

void *__wrap_fleet_open(void);
void *__wrap_fleet_open(void) {
    return NULL;
}

void __wrap_program_inspect(const char *name, struct program *program);
void __wrap_program_inspect(const char *name, struct program *program) {
    FUZZ_MUST(strlen(name) < fuzz_longest);
    memset(program, 0, sizeof *program);
    program->error = ENOENT;
}

int __wrap_go_target_open(struct go_target *t, pid_t pid);
int __wrap_go_target_open(struct go_target *t, pid_t pid) {
    FUZZ_MUST(pid > 0);
    memset(t, 0, sizeof *t);
    return -EIO;
}

static bool is_inside;

/* What is said is a line, and fit for a terminal. */
ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size) {
    if (!is_inside || fd != STDERR_FILENO)
        return __real_write(fd, bytes, size);
    fuzz_check_text(bytes, size);
    return (ssize_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *nowhere;
    char name[] = "squall", *argv[ARGUMENTS_MAX + 2] = {name};
    int argc = 1;
    char *text = malloc(size + 1);
    if (!nowhere)
        nowhere = freopen("/dev/null", "w", stdout);
    memcpy(text, data, size);
    text[size] = 0;
    char *rest = text, *word;
    while ((word = strsep(&rest, "\n")) && (unsigned)argc < ARGUMENTS_MAX)
        argv[argc++] = word;
    is_inside = true;
    int status = tool_main(argc, argv);
    is_inside = false;
    FUZZ_MUST(status >= 0 && status < 256);
    free(text);
    return 0;
}

void fuzz_seeds(void) {
    static const char *const lines[] = {
        "report\n--json\n--top\n5\n--sort\ntime\n--min\n64k\nFILE",
        "report\n--thread\n12\n--stack\n3\n--color\nalways\n--dir\nD\n--no-lines",
        "export\n--format\nfolded\n--value\ntime\n-o\nOUT\nFILE",
        "diff\n--per\nmessage\n--json\n--top\n3\nA\nB",
        "check\n--max-bytes-per-message\n1m\n--max-peak\n2g\n--no-finding\nall\nFILE",
        "merge\n-o\nOUT\nA\nB",
        "pack\n--keep\n--quiet\nFILE",
        "clean\n--older\n2d\n--dumps\n--dry-run\nD",
        "run\n--mode\nexact\n--large\n64k\n--sample\n0\n-o\nOUT\n--\nprogram\n-x",
        "run\n--conf\nlarge:1m\n--no-children\n--quiet\nprogram",
        "ps\n--json\n--every\n1s",
        "top\n--every\n100ms\n12",
        "live\n--json\n--every\n1s\n--count\n3\n--top\n4\n12",
        "snapshot\n-o\nOUT\n12",
        "metrics\n--listen\n[::1]:9100\n--every\n5s\n--max-processes\n3",
        "metrics\n--once",
        "attach\n--large\n64k\n12",
        "go-profile\n--seconds\n2\n--rate\n64k\n--top\n3\n12",
        "help\nreport",
        "--version",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        char name[16];
        snprintf(name, sizeof name, "line%u", i);
        fuzz_seed(name, lines[i], strlen(lines[i]));
    }
}

/* Words of other lines, and numbers, put in between. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random) {
    static const char *const words[] = {
        "--json",      "--top",      "--sort",  "--min",   "--thread",   "--stack",
        "--color",     "--dir",      "--every", "--count", "--older",    "--dumps",
        "--listen",    "--format",   "--value", "--per",   "--once",     "--file",
        "--help",      "--",         "-",       "-o",      "-h",         "-qn",
        "0",           "-1",         "64k",     "1e9",     "4294967296", "18446744073709551616",
        "127.0.0.1:0", "[::]:65536", "[",       ":",       "1ns",        "99999999999999d",
        "all",         "=",          "--top=",
    };
    const char *word = words[fuzz_below(random, ARRAY_SIZE(words))];
    size_t length = strlen(word), at = fuzz_below(random, size + 1);
    if (fuzz_below(random, 3) == 0 || size + length + 2 > room)
        return fuzz_bytes(data, size, room, random);
    while (at && at < size && data[at] != '\n')
        at++;
    memmove(data + at + length + 2, data + at, size - at);
    data[at] = '\n';
    memcpy(data + at + 1, word, length);
    data[at + 1 + length] = '\n';
    return size + length + 2;
}
