/* Everything that a process can name is chosen to break out of a page: arguments, threads, functions,
 * and (by who runs it) its file. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

void *hostile(size_t size) __asm__("\"</script><script>window.broken=1</script><!--\"");

void *hostile(size_t size) {
    char *block = malloc(size);
    if (block)
        memset(block, 1, 64);
    return block;
}

static void *work(void *unused) {
    (void)unused;
    prctl(PR_SET_NAME, "</script>\x1b[2J\xff&");
    for (int i = 0; i < 100; i++)
        free(hostile(100000));
    return NULL;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL))
        return 1;
    pthread_join(thread, NULL);
    return 0;
}
