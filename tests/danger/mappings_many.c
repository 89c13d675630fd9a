/* danger: a process with as many mappings as the kernel allows (vm.max_map_count)
 * deadline: 60
 * lines: 5
 *
 * mmap fails then, also for squall: what needs no mapping goes on, what does fails as it does alone. */
#include <sys/mman.h>

#include "danger.h"

enum { PAGE = 4096, RESERVE = 90000 };

static void *thread(void *seed) {
    danger_churn(20, (unsigned)(uintptr_t)seed);
    return NULL;
}

/* Every other page of a reservation gets another protection, until no mapping is left. */
static int fill(char *at) {
    for (int i = 1; i < RESERVE; i += 2)
        if (mprotect(at + (size_t)i * PAGE, PAGE, PROT_READ)) {
            CHECK(errno == ENOMEM);
            return i;
        }
    return -1;
}

int main(void) {
    static void *blocks[2000];
    pthread_t t[3];
    danger_churn(100, 1);
    danger_start(t, 3, danger_churner);
    char *at = mmap(NULL, (size_t)RESERVE * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    for (unsigned i = 0; i < 2000; i++)
        CHECK((blocks[i] = malloc(danger_size(i) % 4000)));
    danger_ending = 1;
    danger_join(t, 3);
    int last = fill(at);
    CHECK(last > 60000);
    for (int round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 2000; i += 2)
            free(blocks[i]);
        for (unsigned i = 0; i < 2000; i += 2)
            CHECK((blocks[i] = malloc(danger_size(i) % 4000)));
    }
    void *large = malloc(64u << 20);
    CHECK(!large || (memset(large, 1, 64u << 20), 1));
    free(large);
    pid_t pid = fork();
    if (!pid) {
        for (unsigned i = 0; i < 2000; i++)
            free(blocks[i]);
        free(malloc(100));
        exit(3);
    }
    CHECK(pid > 0 && danger_wait(pid) == 3);
    /* Two pages less, and there is room again. */
    munmap(at, (size_t)RESERVE * PAGE);
    danger_churn(100, 2);
    danger_start(t, 3, thread);
    danger_join(t, 3);
    for (unsigned i = 0; i < 2000; i++)
        free(blocks[i]);
    puts("gone through");
}
