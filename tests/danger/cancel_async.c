/* danger: asynchronous pthread_cancel inside malloc and free, as far as the C library allows it
 * allocators: glibc (its thread cache takes no lock for these sizes; the others may be left with one held)
 * allow: sums
 *
 * Who is stopped between the count of a block and its site leaves a difference of one a thread. Each thread fills its cache first, so that what is interrupted is the hooks, or a cache that goes
 * away with the thread. */
#include "danger.h"

static _Atomic unsigned begun;

static void *victim(void *number) {
    void *blocks[7];
    for (int i = 0; i < 7; i++)
        blocks[i] = malloc(100);
    for (int i = 0; i < 3; i++)
        free(blocks[i]);
    begun++;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;)
        free(malloc(100));
    return number;
}

int main(void) {
    unsigned canceled = 0;
    for (int round = 0; round < 60; round++) {
        pthread_t threads[2];
        begun = 0;
        danger_start(threads, 2, victim);
        while (begun < 2)
            sched_yield();
        danger_churn(1, (unsigned)round);
        for (volatile int i = 0; i < round * 120; i++)
            ;
        for (int i = 0; i < 2; i++)
            CHECK(pthread_cancel(threads[i]) == 0);
        for (int i = 0; i < 2; i++) {
            void *result;
            CHECK(pthread_join(threads[i], &result) == 0);
            canceled += result == PTHREAD_CANCELED;
        }
    }
    printf("%u canceled\n", canceled);
}
