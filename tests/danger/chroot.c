/* danger: chroot into an empty folder while threads allocate; no /proc, no /dev, no libraries
 * needs: root
 * lines: 3
 *
 * The program's threads go on, new ones begin, children are forked, a library cannot be loaded. */
#include <dlfcn.h>
#include <sys/stat.h>

#include "danger.h"

static void *short_lived(void *seed) {
    danger_churn(20, (unsigned)(uintptr_t)seed);
    return NULL;
}

int main(void) {
    pthread_t threads[4], later[3];
    danger_start(threads, 4, danger_churner);
    danger_churn(20, 9);
    CHECK(mkdir("cage", 0700) == 0);
    CHECK(chroot("cage") == 0 && chdir("/") == 0);
    CHECK(access("/proc/self", F_OK) == -1);
    danger_churn(100, 1);
    danger_start(later, 3, short_lived);
    danger_join(later, 3);
    CHECK(!dlopen("libz.so.1", RTLD_NOW));
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            danger_start(later, 2, short_lived);
            danger_join(later, 2);
            danger_churn(100, 2);
            exit(3);
        }
        CHECK(danger_wait(pid) == 3);
    }
    danger_ending = 1;
    danger_join(threads, 4);
    printf("errno of a folder: %d\n", access("/tmp", F_OK) ? errno : 0);
}
