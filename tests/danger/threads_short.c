/* danger: 20,000 short threads, joined and detached
 * deadline: 60 */
#include "danger.h"

static _Atomic unsigned ended;

static void *short_one(void *number) {
    unsigned i = (unsigned)(uintptr_t)number;
    char *p = malloc(danger_size(i)), *q = i % 16 ? NULL : malloc(100000);
    p[0] = 1;
    free(p);
    free(q);
    ended++;
    return NULL;
}

int main(void) {
    enum { AT_ONCE = 8, ALL = 20000 };
    pthread_attr_t small;
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 64 << 10) == 0);
    for (unsigned i = 0; i < ALL; i += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        for (unsigned j = 0; j < AT_ONCE; j++)
            CHECK(pthread_create(&threads[j], &small, short_one, (void *)(uintptr_t)(i + j)) == 0);
        for (unsigned j = 0; j < AT_ONCE; j++)
            CHECK((j % 2 ? pthread_detach : danger_join_one)(threads[j]) == 0);
    }
    while (ended < ALL)
        sched_yield();
    printf("%u threads\n", ended);
}
