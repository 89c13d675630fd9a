/* The same small call from more places in turn than a thread remembers. */
#include <lz4.h>
#include <stdio.h>
#include <string.h>

#define PLACES 20
#define CALLS 500 /* a place */

static char text[1024], packed[2048];

static __attribute__((noinline)) int from_depth(int depth) {
    volatile char here[16];
    int made;
    here[0] = 0;
    made = depth ? from_depth(depth - 1)
                 : LZ4_compress_default(text, packed, sizeof text, sizeof packed);
    return made + here[0];
}

int main(void) {
    long made = 0;
    memset(text, 'a', sizeof text);
    for (int i = 0; i < PLACES * CALLS; i++)
        made += from_depth(i % PLACES);
    printf("%ld bytes\n", made);
    return 0;
}
