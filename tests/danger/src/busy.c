/* Threads that allocate until a line comes on standard input. */
#include "danger.h"

int main(void) {
    pthread_t t[3];
    char c;
    danger_start(t, 3, danger_churner);
    danger_churn(100, 4);
    puts("going");
    fflush(stdout);
    while (read(0, &c, 1) < 0 && errno == EINTR)
        ;
    danger_ending = 1;
    danger_join(t, 3);
    puts("was never wrong");
    return 6;
}
