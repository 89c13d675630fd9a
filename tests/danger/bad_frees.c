/* danger: double free and wild pointers: the allocator's own message and signal, nothing worse
 * allocators: glibc jemalloc tcmalloc (what mimalloc does with a wild pointer depends on where memory happens to be)
 *
 * Each is done by a child, so that all are seen. */
#include <sys/mman.h>

#include "danger.h"

static char *volatile p, *volatile q;
static char global[4096];

static void twice_small(void) {
    p = malloc(40);
    free(p);
    free(p);
}
static void twice_middle(void) {
    p = malloc(5000);
    q = malloc(100);
    free(p);
    free(p);
}
static void twice_large(void) {
    p = malloc(4 << 20);
    free(p);
    free(p);
}
static void on_stack(void) {
    char here[256] = {0};
    free(here + 16);
}
static void in_data(void) {
    free(global + 64);
}
static void unaligned(void) {
    p = malloc(100);
    free(p + 1);
}
static void within(void) {
    p = malloc(100000);
    memset(p, 0, 100000);
    free(p + 4096);
}
static void not_mapped(void) {
    free((void *)0x10000);
}
static void not_canonical(void) {
    free((void *)0x1234567890abcdefull);
}
static void mapped(void) {
    p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(p + 4096);
}
static void realloc_wild(void) {
    p = realloc(global + 1000, 50);
}
static void realloc_freed(void) {
    p = malloc(3000);
    q = malloc(100);
    free(p);
    p = realloc(p, 100000);
}
static void usable_null(void) {
    free(NULL);
    p = realloc(NULL, 0);
    free(p);
}

static const struct {
    const char *name;
    void (*run)(void);
} all[] = {
    {"twice, small", twice_small},
    {"twice, middle", twice_middle},
    {"twice, large", twice_large},
    {"on the stack", on_stack},
    {"in data", in_data},
    {"unaligned", unaligned},
    {"within a block", within},
    {"not mapped", not_mapped},
    {"not canonical", not_canonical},
    {"mapped by itself", mapped},
    {"realloc of data", realloc_wild},
    {"realloc of a freed block", realloc_freed},
    {"null", usable_null},
};

int main(void) {
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            danger_churn(20, 1);
            all[i].run();
            _exit(0);
        }
        int ended = danger_wait(pid);
        printf("%s: %s %d\n", all[i].name, ended < 1000 ? "exit" : "signal", ended % 1000);
        fflush(stdout);
    }
}
