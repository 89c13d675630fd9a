/* danger: RLIMIT_AS and RLIMIT_DATA from tight to wide, from the start and set by the program itself
 * allocators: glibc tcmalloc mimalloc (jemalloc crashes by itself where a thread finds no memory)
 * deadline: 60
 * lines: 100
 *
 * Whatever fails, fails as malloc does: NULL and ENOMEM; what was freed can be had again. */
#include <sys/resource.h>

#include "danger.h"

enum { MAX = 4000 };
static void *blocks[MAX];

/* Takes all there is, by blocks of `size`; gives it back; twice the same. */
static void exhaust(size_t size) {
    for (int round = 0; round < 2; round++) {
        int n = 0;
        errno = 0;
        while (n < MAX && (blocks[n] = malloc(size))) {
            memset(blocks[n], n, 16);
            n++;
        }
        CHECK(n < MAX && errno == ENOMEM);
        CHECK(!calloc(1, size) || errno == ENOMEM);
        while (n--) {
            CHECK(*(unsigned char *)blocks[n] == (unsigned char)n);
            free(blocks[n]);
        }
    }
}

static void *thread(void *unused) {
    for (int i = 0; i < 100; i++)
        free(malloc(100));
    return unused;
}

static int limited(void) {
    pthread_t t;
    pthread_attr_t small;
    exhaust(1 << 20);
    exhaust(300000);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    if (pthread_create(&t, &small, thread, NULL) == 0)
        pthread_join(t, NULL);
    pid_t pid = fork();
    if (!pid) {
        exhaust(1 << 20);
        exit(3);
    }
    CHECK(pid < 0 || danger_wait(pid) == 3);
    return 0;
}

static int run(const char *what, int resource, unsigned long mib) {
    struct rlimit l = {mib << 20, mib << 20};
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        CHECK(setrlimit(resource, &l) == 0);
        if (*what == 'i')
            exit(limited());
        execl("/proc/self/exe", "limited", "now", (char *)NULL);
        _exit(127);
    }
    return danger_wait(pid);
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1)
        return limited();
    danger_churn(20, 1);
    static const unsigned long sizes[] = {24, 32, 48, 64, 100, 200, 500, 1000};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        printf("RLIMIT_AS %lu: %d\n", sizes[i], run("exec", RLIMIT_AS, sizes[i]));
        printf("RLIMIT_DATA %lu: %d\n", sizes[i], run("exec", RLIMIT_DATA, sizes[i]));
        if (i % 3 == 0 && sizes[i] <= 500) {
            printf("RLIMIT_AS %lu, later: %d\n", sizes[i], run("itself", RLIMIT_AS, sizes[i]));
            printf("RLIMIT_DATA %lu, later: %d\n", sizes[i], run("itself", RLIMIT_DATA, sizes[i]));
        }
        fflush(stdout);
    }
}
