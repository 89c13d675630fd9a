/* danger: libraries that were linked to high addresses, and lie below those: they were moved down
 * library: first.so high.c -DNAME=first -Wl,-Ttext-segment=0x7ffff0000000
 * library: second.so high.c -DNAME=second -Wl,-Ttext-segment=0x7ffff0000000
 * build: $DANGER_BIN/first.so $DANGER_BIN/second.so
 *
 * The loader asks for the place that a library was linked to (prelinked ones are), and two cannot have the same. */
#include "danger.h"

int first(size_t n), second(size_t n);

int main(void) {
    for (size_t n = 1; n < 200000; n *= 3)
        CHECK(first(n) == 0 && second(n) == 0);
    puts("done");
}
