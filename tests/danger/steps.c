/* danger: a signal before each instruction of a hook, whose handler forks, frees, allocates
 * library: libstep.so step_malloc.c
 * build: -L$DANGER_BIN -l:libstep.so
 * allocators: glibc (the program's own is not stepped through; the others must not be interrupted)
 * allow: sums frees negative
 * conf: tick:1ms
 * deadline: 60
 *
 * The trap flag gives a SIGTRAP after each instruction, once, to know them all; then each has a
 * breakpoint in turn, at which the handler does it. Without squall there are none. STEPS=1 takes all,
 * STEPS=N each Nth. What a fork interrupts is done by both processes, so that a block may count
 * twice. */
#include <dirent.h>
#include <link.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "danger.h"

extern int step_is_on;
void step_begin(void), step_pause(void);

enum what { COUNT, ALLOCATE, FORK, FORK_AND_FREE, FORK_AND_ALLOCATE };
static const char *const names[] = {"count", "allocate", "fork", "fork and free", "fork and allocate"};
enum operation { SMALL, LARGE, GROW, OPERATIONS };

static uintptr_t code_from, code_to, code_base;
static unsigned char *is_known; /* by instruction */
static uintptr_t *known;
static long known_count;
static unsigned char *volatile broken, original; /* the breakpoint that is set */
static volatile enum what what;
static volatile pid_t child;
static volatile int is_child;
static void *volatile spare; /* the child's handler frees it */

static void allocate(void) {
    int before = step_is_on;
    step_is_on = 0;
    void *small = malloc(100), *large = malloc(100000);
    CHECK(small && large);
    small = realloc(small, 70000);
    free(large);
    free(small);
    step_is_on = before;
}

static void learn(uintptr_t at) {
    if (at < code_from || at >= code_to || is_known[at - code_from])
        return;
    is_known[at - code_from] = 1;
    known[known_count++] = at;
}

static void handler(int s, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    uintptr_t at = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
    (void)s;
    (void)info;
    if (what == COUNT) {
        learn(at);
        return;
    }
    CHECK((unsigned char *)at == broken + 1);
    *broken = original;
    broken = NULL;
    u->uc_mcontext.gregs[REG_RIP]--;
    if (what != ALLOCATE) {
        child = _Fork();
        CHECK(child >= 0);
        is_child = !child;
    }
    if (what == FORK_AND_FREE && is_child)
        free(spare);
    if (what == ALLOCATE || (what == FORK_AND_ALLOCATE && is_child))
        allocate();
}

static void operate(enum operation o) {
    size_t n = o == LARGE ? 100000 : 100;
    void *p = o == GROW ? malloc(90000) : NULL;
    step_begin();
    p = o == GROW ? realloc(p, 110000) : malloc(n);
    free(p);
    step_pause();
    CHECK(p);
}

/* Dumps of so many children would take long to read. */
static void remove_dumps(pid_t pid) {
    const char *folder = getenv("SQUALL_DIR");
    char start[40];
    DIR *d = folder ? opendir(folder) : NULL;
    snprintf(start, sizeof start, "squall.%d.", pid);
    for (struct dirent *e; d && (e = readdir(d));)
        if (!strncmp(e->d_name, start, strlen(start)))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

static void run(enum operation o, enum what w, uintptr_t at) {
    what = w;
    child = -1;
    spare = malloc(50);
    broken = (unsigned char *)at;
    original = *broken;
    *broken = 0xcc;
    operate(o);
    if (is_child) {
        allocate();
        _exit(9);
    }
    if (broken) { /* was not on the way this time */
        *broken = original;
        broken = NULL;
    }
    free(spare);
    if (child > 0) {
        int ended = danger_wait(child);
        if (ended != 9)
            printf("operation %d, %s, at %#lx: the child ended with %d\n", o, names[w],
                   at - code_base, ended);
        remove_dumps(child);
    }
}

/* All instructions of one operation, each with one thing done there. */
static void run_each(enum operation o) {
    long by = getenv("STEPS") ? atol(getenv("STEPS")) : 0;
    known_count = 0;
    memset(is_known, 0, code_to - code_from);
    what = COUNT;
    step_is_on = 1;
    operate(o);
    step_is_on = 0;
    if (!by)
        by = known_count / 20 + 1;
    for (enum what w = ALLOCATE; w <= FORK_AND_ALLOCATE; w++) {
        for (long i = (long)w % by; i < known_count; i += by)
            run(o, w, known[i]);
    }
}

static int find_code(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    (void)argument;
    if (!strstr(info->dlpi_name, "libsquall"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_flags & PF_X) {
            code_base = info->dlpi_addr;
            code_from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            code_to = code_from + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    dl_iterate_phdr(find_code, NULL);
    size_t size = code_to - code_from;
    uintptr_t page = code_from & ~4095ul;
    if (size)
        CHECK(mprotect((void *)page, code_to - page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    is_known = calloc(size + 1, 1);
    known = calloc(size + 1, sizeof *known);
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    for (int i = 0; i < 40; i++) /* what is done only at first is not what is meant */
        operate((enum operation)(i % OPERATIONS));
    for (enum operation o = 0; o < OPERATIONS; o++)
        run_each(o);
    printf("done\n");
}
