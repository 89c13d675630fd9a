/* danger: malloc_usable_size, and a program that uses all of it */
#include <malloc.h>

#include "danger.h"

int main(void) {
    size_t sum = 0;
    CHECK(malloc_usable_size(NULL) == 0);
    for (unsigned i = 0; i < 3000; i++) {
        size_t n = danger_size(i);
        unsigned char *p = i % 3 ? malloc(n) : i % 2 ? calloc(n, 1) : aligned_alloc(64, (n + 63) & ~63ul);
        size_t usable = malloc_usable_size(p);
        CHECK(usable >= n);
        memset(p, (int)i, usable);
        p = realloc(p, usable + 10000);
        CHECK(p && p[usable - 1] == (unsigned char)i);
        usable = malloc_usable_size(p);
        memset(p, 1, usable);
        CHECK((p = realloc(p, n)));
        CHECK(p[n - 1] == 1);
        free(p);
        sum += usable > 0;
    }
    /* Of what the C library itself made, and of a string. */
    char *line = NULL;
    size_t size = 0;
    FILE *f = tmpfile();
    CHECK(f && fprintf(f, "%0*d\n", 70000, 1) == 70001);
    rewind(f);
    CHECK(getline(&line, &size, f) == 70001 && malloc_usable_size(line) >= size);
    free(line);
    fclose(f);
    printf("%zu\n", sum);
}
