/* steady: the producer of make demo, at full speed until it is killed, that tells fifty times a
 * second how far it is: "NANOSECONDS DELIVERED CPU-NANOSECONDS", for watched.py. */
#define main producer_main
#include "../demo/producer.c"
#undef main

#include <time.h>
#include <unistd.h>

static unsigned long long now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec;
}

static void *tell(void *nothing) {
    char line[128];
    for (;;) {
        int length =
            snprintf(line, sizeof line, "%llu %lu %llu\n", now(CLOCK_MONOTONIC),
                     __atomic_load_n(&delivered, __ATOMIC_RELAXED), now(CLOCK_PROCESS_CPUTIME_ID));
        if (write(1, line, (size_t)length) < 0)
            return nothing;
        usleep(20000);
    }
}

int main(void) {
    pthread_t thread;
    char name[] = "steady", many[] = "100000000000";
    char *arguments[] = {name, many, NULL};
    if (pthread_create(&thread, NULL, tell, NULL))
        return 1;
    return producer_main(2, arguments);
}
