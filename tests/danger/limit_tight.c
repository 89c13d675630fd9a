/* danger: RLIMIT_AS and RLIMIT_DATA of some MiB from the start: where that is too little to record, it stays the program's
 * allocators: glibc (others take more than that for themselves)
 * lines: 20 */
#include <sys/resource.h>

#include "danger.h"

/* All but 5 MiB under a small limit, half of a larger one; once in one block, once in small ones. */
static int limited(size_t mib) {
    static char *blocks[2000];
    size_t size = (mib < 30 ? mib - 5 : mib / 2) << 20, count = size / 50000;
    char *p = malloc(size);
    CHECK(p);
    memset(p, 1, size);
    free(p);
    CHECK(count <= sizeof blocks / sizeof *blocks);
    for (size_t i = 0; i < count; i++) {
        CHECK((blocks[i] = malloc(50000)));
        memset(blocks[i], (int)i, 50000);
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(blocks[i][49999] == (char)i);
        free(blocks[i]);
    }
    return 3;
}

static int run(int resource, const char *mib) {
    struct rlimit l = {strtoul(mib, NULL, 10) << 20, strtoul(mib, NULL, 10) << 20};
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        CHECK(setrlimit(resource, &l) == 0);
        execl("/proc/self/exe", "limited", mib, (char *)NULL);
        _exit(127);
    }
    return danger_wait(pid);
}

int main(int argc, char **argv) {
    static const char *const sizes[] = {"6", "8", "12", "16", "24", "32", "48", "64", "100"};
    if (argc > 1)
        return limited(strtoul(argv[1], NULL, 10));
    danger_churn(20, 1);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        printf("RLIMIT_AS %s: %d\n", sizes[i], run(RLIMIT_AS, sizes[i]));
        printf("RLIMIT_DATA %s: %d\n", sizes[i], run(RLIMIT_DATA, sizes[i]));
        fflush(stdout);
    }
}
