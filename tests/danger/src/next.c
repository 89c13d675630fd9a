/* The last definition of a function: there is none behind it, see codec_twice.c. */
#include <dlfcn.h>
#include <stddef.h>

int answer(void), next_answers(void);
int answer(void) {
    return 2;
}

int next_answers(void) {
    return dlsym(RTLD_NEXT, "answer") != NULL;
}
