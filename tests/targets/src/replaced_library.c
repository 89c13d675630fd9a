/* SIZE tells the two libraries apart; their code is of the same length, and their
 * frames are not of the same size. */
#include <stdlib.h>

static void *block(void) {
    char room[SIZE == 101 ? 16 : 64];
    __asm__("" : : "r"(room) : "memory");
    void *p = malloc(SIZE);
    __asm__("" : "+r"(p)); /* no tail call */
    return p;
}

void *make(void);
void *make(void) {
    void *p = block();
    __asm__("" : "+r"(p));
    return p;
}
