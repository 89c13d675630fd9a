/* A known pattern of small and large blocks from four places. */
#include <stdlib.h>

static void *volatile sink;
static void small(void) {
    free(sink = malloc(40));
}
static void middle(void) {
    free(sink = malloc(3000));
}
static void wide(void) {
    free(sink = malloc(60000));
}
static void large(void) {
    free(sink = malloc(70000));
}
static void kept(void) {
    sink = malloc(500);
}

int main(void) {
    for (int i = 0; i < 400; i++) {
        for (int k = 0; k < 20; k++)
            small();
        middle();
        if (i % 8 == 0)
            wide();
        if (i % 16 == 0)
            large();
        if (i % 2)
            kept();
    }
    return 0;
}
