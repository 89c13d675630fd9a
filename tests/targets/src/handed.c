/* Small blocks of exact mode that one thread makes and another frees: more than those whose life is
 * timed. */
#include <pthread.h>
#include <stdlib.h>

#define BLOCKS 20000
static void *blocks[BLOCKS];

static void *by_maker(void *unused) {
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(100);
    return unused;
}

int main(void) {
    pthread_t maker;
    if (pthread_create(&maker, NULL, by_maker, NULL) || pthread_join(maker, NULL))
        return 1;
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return 0;
}
