/* danger: 20,000 threads with odd names, some thousand at once, and a region too small for them
 * conf: region:2m
 * deadline: 100
 *
 * Each frees what one before it made. */
#include <sys/prctl.h>

#include "danger.h"

enum { AT_ONCE = 2000, ALL = 20000 };
static pthread_barrier_t together;
static void *_Atomic left[64];
static _Atomic unsigned ended;

static void name_oddly(unsigned i) {
    static const char odd[] = "\x1b[2J\n<\xff%s\t\"\\/\xe2\x80\xae'&,;=";
    char name[16];
    for (unsigned at = 0; at < 15; at++)
        name[at] = odd[(i + at * (i % 5 + 1)) % (sizeof odd - 1)];
    name[i % 16] = 0;
    CHECK(prctl(PR_SET_NAME, name) == 0);
}

static void *one(void *number) {
    unsigned i = (unsigned)(uintptr_t)number;
    name_oddly(i);
    char *p = malloc(danger_size(i));
    CHECK(p);
    p[0] = (char)i;
    free(atomic_exchange(&left[i % 64], p));
    pthread_barrier_wait(&together);
    danger_churn(i % 10, i);
    ended++;
    return NULL;
}

int main(void) {
    static pthread_t threads[AT_ONCE];
    pthread_attr_t small;
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 32 << 10) == 0);
    CHECK(pthread_barrier_init(&together, NULL, AT_ONCE) == 0);
    for (unsigned i = 0; i < ALL; i += AT_ONCE) {
        for (unsigned j = 0; j < AT_ONCE; j++)
            CHECK(pthread_create(&threads[j], &small, one, (void *)(uintptr_t)(i + j)) == 0);
        danger_join(threads, AT_ONCE);
    }
    for (unsigned i = 0; i < 64; i++)
        free(left[i]);
    printf("%u threads\n", ended);
}
