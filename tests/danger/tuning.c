/* danger: mallopt, malloc_trim, mallinfo2, M_PERTURB: the heap holds what it holds without squall */
#include <malloc.h>

#include "danger.h"

static void say(const char *when) {
    struct mallinfo2 m = mallinfo2();
    printf("%s: %zu bytes in use, %zu mapped in %zu blocks\n", when, m.uordblks, m.hblkhd, m.hblks);
}

int main(void) {
    static char out[4096];
    setvbuf(stdout, out, _IOFBF, sizeof out);
    say("at first");
    danger_churn(200, 1);
    say("after some blocks");
    printf("mallopt: %d\n", mallopt(M_MMAP_THRESHOLD, 40000) + 2 * mallopt(M_ARENA_MAX, 2) +
                                4 * mallopt(M_TOP_PAD, 1 << 16) + 8 * mallopt(M_TRIM_THRESHOLD, 1 << 17));
    void *kept[10];
    for (int i = 0; i < 10; i++)
        kept[i] = malloc(45000);
    say("with ten mapped ones");
    for (int i = 0; i < 10; i++)
        free(kept[i]);
    danger_churn(200, 2);
    malloc_trim(0);
    say("trimmed");
    unsigned char *p;
    mallopt(M_PERTURB, 0x5a);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        p = malloc(100 + (size_t)i);
        same += p[99] == 0xa5 && p[0] == 0xa5;
        free(p);
        p = calloc(100, 1);
        same += p[99] == 0 && p[0] == 0;
        free(p);
    }
    printf("filled: %d\n", same);
    danger_churn(300, 3);
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    CHECK(f && malloc_info(0, f) == 0 && fclose(f) == 0 && size > 100);
    free(text);
    say("at last");
}
