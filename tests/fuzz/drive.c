/* Drives a harness without libFuzzer.
 *
 *   HARNESS FILE...             replays inputs: bytes, a regression (*.txt), a corpus (*.corpus)
 *   HARNESS --seeds DIR [FILE]  writes the seeds there, and the inputs of a corpus
 *   HARNESS --for SECONDS SEED  mutates the seeds; the same seed does the same
 *
 * An input that breaks something is left in the working directory as crash-HARNESS. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "fuzz.h"

#define HANG_SECONDS 60u

static struct input {
    char name[64];
    uint8_t *bytes;
    size_t size;
} pool[256];
static size_t pool_count;
static const char *folder; /* of --seeds */
static const uint8_t *now; /* what runs */
static size_t now_size;

static void write_input(const char *name, const void *bytes, size_t size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f)) {
        perror(path);
        exit(1);
    }
}

void fuzz_seed(const char *name, const void *bytes, size_t size) {
    if (size > fuzz_longest || pool_count == sizeof pool / sizeof *pool) {
        fprintf(stderr, "the seed %s has %zu bytes\n", name, size);
        exit(1);
    }
    if (folder) {
        write_input(name, bytes, size);
        return;
    }
    struct input *input = &pool[pool_count++];
    snprintf(input->name, sizeof input->name, "%s", name);
    input->bytes = malloc(size + 1);
    input->size = size;
    memcpy(input->bytes, bytes, size);
}

static const struct input *find_seed(const char *name) {
    for (size_t i = 0; i < pool_count; i++)
        if (strcmp(pool[i].name, name) == 0)
            return &pool[i];
    fprintf(stderr, "no seed is called %s\n", name);
    exit(1);
}

static void broken(int number) {
    char path[64];
    snprintf(path, sizeof path, "crash-%s", fuzz_name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, now, now_size) < 0)
        _exit(1);
    fprintf(stderr, "%s by the input in %s\n", strsignal(number), path);
    signal(number, SIG_DFL);
    raise(number);
}

static void run(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size + 1); /* exactly as long as it is, for sanitizers */
    memcpy(copy, bytes, size);
    now = copy;
    now_size = size;
    alarm(HANG_SECONDS);
    LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    free(copy);
}

/* A regression: "seed NAME", then "OFFSET BYTES..." to write over it, or behind it. */
static void replay_text(FILE *f) {
    uint8_t *bytes = calloc(1, fuzz_longest);
    size_t size = 0;
    char line[4096], name[64];
    while (fgets(line, sizeof line, f)) {
        char *at = line, *end;
        if (*line == '#' || *line == '\n')
            continue;
        if (sscanf(line, "seed %63s", name) == 1) {
            const struct input *input = find_seed(name);
            memcpy(bytes, input->bytes, size = input->size);
            continue;
        }
        for (size_t to = strtoul(at, &end, 0); end != at && to < fuzz_longest; to++) {
            unsigned long value = strtoul(at = end, &end, 16);
            if (end == at)
                break;
            bytes[to] = (uint8_t)value;
            size = to >= size ? to + 1 : size;
        }
    }
    run(bytes, size);
    free(bytes);
}

/* ---- a corpus: a line for each input, deflated and in base64 ---- */

#define LONGEST_KEPT 65536u /* fuzz.sh's -max_len */

static size_t from_base64(char *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0, count = 0;
    size_t size = 0;
    for (const char *at = text, *digit; *at && (digit = strchr(digits, *at)); at++) {
        bits = bits << 6 | (uint32_t)(digit - digits);
        if ((count += 6) >= 8)
            text[size++] = (char)(bits >> (count -= 8));
    }
    return size;
}

/* Returns how many inputs `each` was given, -1 where the file is none. */
static int read_corpus(const char *path, void (*each)(const uint8_t *bytes, size_t size)) {
    FILE *f = fopen(path, "r");
    uint8_t *bytes = malloc(LONGEST_KEPT);
    char *line = NULL;
    size_t room = 0;
    int count = 0;
    while (f && count >= 0 && getline(&line, &room, f) > 0) {
        uLongf size = LONGEST_KEPT;
        if (*line == '#')
            continue;
        if (uncompress(bytes, &size, (const Bytef *)line, from_base64(line)) == Z_OK) {
            each(bytes, size);
            count++;
        } else {
            fprintf(stderr, "%s: line %d is no input\n", path, count + 1);
            count = -1;
        }
    }
    if (!f)
        perror(path);
    else
        fclose(f);
    free(line);
    free(bytes);
    return f ? count : -1;
}

static void write_kept(const uint8_t *bytes, size_t size) {
    static unsigned number;
    char name[32];
    snprintf(name, sizeof name, "corpus-%u", number++);
    write_input(name, bytes, size);
}

static bool ends_in(const char *path, const char *end) {
    size_t length = strlen(path), n = strlen(end);
    return length > n && strcmp(path + length - n, end) == 0;
}

static int replay(const char *path) {
    FILE *f;
    if (ends_in(path, ".corpus")) {
        int count = read_corpus(path, run);
        fprintf(stderr, "%s: %d inputs kept\n", fuzz_name, count);
        return count < 0;
    }
    f = fopen(path, "r");
    if (!f) {
        perror(path);
        return 1;
    }
    if (ends_in(path, ".txt")) {
        if (!pool_count)
            fuzz_seeds();
        replay_text(f);
    } else {
        uint8_t *bytes = malloc(fuzz_longest);
        run(bytes, fread(bytes, 1, fuzz_longest, f));
        free(bytes);
    }
    fclose(f);
    return 0;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int mutate(double duration, uint64_t random) {
    uint8_t *bytes = malloc(fuzz_longest);
    uint64_t runs = 0;
    fuzz_seeds();
    for (size_t i = 0; i < pool_count; i++, runs++)
        run(pool[i].bytes, pool[i].size);
    while (pool_count && seconds() < duration) {
        const struct input *input = &pool[fuzz_below(&random, pool_count)];
        size_t size = input->size;
        memcpy(bytes, input->bytes, size);
        for (uint64_t n = 1 + fuzz_below(&random, 8); n; n--)
            size = fuzz_mutate(bytes, size, fuzz_longest, &random);
        run(bytes, size);
        runs++;
    }
    fprintf(stderr, "%s: %llu inputs\n", fuzz_name, (unsigned long long)runs);
    free(bytes);
    return pool_count ? 0 : 1;
}

int main(int argc, char **argv) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};
    int status = 0;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], broken);
    if (argc >= 3 && strcmp(argv[1], "--seeds") == 0) {
        folder = argv[2];
        fuzz_seeds();
        return argc > 3 && read_corpus(argv[3], write_kept) < 0;
    }
    if (argc == 4 && strcmp(argv[1], "--for") == 0)
        return mutate(atof(argv[2]), strtoull(argv[3], NULL, 10));
    for (int i = 1; i < argc && !status; i++)
        status = replay(argv[i]);
    return status;
}
