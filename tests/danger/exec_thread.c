/* danger: exec by a thread that is not the first, while others allocate and compress; by a descriptor; one that fails
 * build: -lz
 * processes: 8
 * allow: sums (what a thread has begun as the process is replaced)
 * deadline: 60 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <zlib.h>

#include "danger.h"

extern char **environ;
static _Atomic unsigned rounds;
static int left;

static void *busy(void *number) {
    static unsigned char text[50000];
    for (unsigned i = 0;; i++) {
        uLongf n = 60000;
        unsigned char *out = malloc(n);
        CHECK(out && compress2(out, &n, text, sizeof text, 1) == Z_OK);
        free(out);
        danger_churn(30, (unsigned)(uintptr_t)number + i);
        rounds++;
    }
    return NULL;
}

static void *successor(void *unused) {
    char next[16], *arguments[] = {"exec_thread", next, NULL};
    snprintf(next, sizeof next, "%d", left - 1);
    while (rounds < 10)
        danger_churn(10, 1);
    errno = 0;
    CHECK(execv("/nonesuch", arguments) == -1 && errno == ENOENT);
    CHECK(execv("/dev/null", arguments) == -1 && errno == EACCES);
    danger_churn(100, 2);
    free(malloc(300000));
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    switch (left % 3) {
    case 0:
        execv("/proc/self/exe", arguments);
        break;
    case 1:
        fexecve(fd, arguments, environ);
        break;
    default:
        syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
    }
    CHECK(!"not reached");
    return unused;
}

int main(int argc, char **argv) {
    pthread_t threads[4];
    left = argc > 1 ? atoi(argv[1]) : 9;
    printf("%d ", left);
    fflush(stdout);
    if (!left) {
        printf("the end\n");
        return 0;
    }
    danger_start(threads, 3, busy);
    danger_start(threads + 3, 1, successor);
    pause();
}
