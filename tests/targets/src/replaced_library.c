/* SIZE tells the two libraries apart; their code is of the same length. */
#include <stdlib.h>

static void *block(void) {
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
