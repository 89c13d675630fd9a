/* danger: pthread_cancel of threads that allocate, compress and hold blocks to clean up
 * build: -lz */
#include <zlib.h>

#include "danger.h"

static _Atomic unsigned cleaned, begun;

static void clean(void *p) {
    free(p);
    danger_churn(5, 1);
    cleaned++;
}

static void *victim(void *number) {
    static unsigned char text[30000];
    char *p = malloc(100000);
    pthread_cleanup_push(clean, p);
    begun++;
    for (unsigned i = 0;; i++) {
        uLongf size = compressBound(sizeof text);
        danger_churn(10, (unsigned)(uintptr_t)number + i);
        unsigned char *out = malloc(size);
        pthread_cleanup_push(free, out);
        CHECK(compress2(out, &size, text, sizeof text, 1) == Z_OK);
        pthread_testcancel();
        pthread_cleanup_pop(1);
    }
    pthread_cleanup_pop(1);
    return NULL;
}

int main(void) {
    for (int round = 0; round < 25; round++) {
        pthread_t threads[4];
        begun = 0;
        danger_start(threads, 4, victim);
        while (begun < 4)
            sched_yield();
        danger_churn(10, 2);
        for (int i = 0; i < 4; i++)
            CHECK(pthread_cancel(threads[i]) == 0);
        for (int i = 0; i < 4; i++) {
            void *result;
            CHECK(pthread_join(threads[i], &result) == 0 && result == PTHREAD_CANCELED);
        }
    }
    printf("%u cleaned up\n", cleaned);
}
