/* Names of every kind that a process can choose, as unpleasant as they can be: its own file, threads, a
 * library, functions, marks. What they must not do is shown by what they would leave behind. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <squall/squall.h>

/* No assembler takes the names that are meant: hostile_name.py writes them over these. */
#define NAMED(name) \
    void *name(size_t size) __asm__(#name "_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz")
NAMED(hostile_escape);
NAMED(hostile_html);
NAMED(hostile_lines);
NAMED(hostile_bytes);
NAMED(hostile_turn);

#define BODY \
    { \
        char *block = malloc(size); \
        if (block) \
            memset(block, 1, 64); \
        return block; \
    }
void *hostile_escape(size_t size) BODY
void *hostile_html(size_t size) BODY
void *hostile_lines(size_t size) BODY
void *hostile_bytes(size_t size) BODY
void *hostile_turn(size_t size) BODY

static void *(*from_library)(size_t size);

static void *work(void *name) {
    struct squall_call call;
    char mark[64];
    prctl(PR_SET_NAME, name);
    snprintf(mark, sizeof mark, "mark\x1b[5m\n<b>\xff%s", (const char *)name);
    for (int i = 0; i < 40; i++) {
        free(hostile_escape(100000));
        free(hostile_html(110000));
        free(hostile_lines(120000));
        free(hostile_bytes(130000));
        free(hostile_turn(140000));
        if (from_library)
            free(from_library(150000));
        squall_begin(&call, mark, SQUALL_COMPRESS, mark, 64, NULL, 0);
        free(malloc(160000));
        squall_end(&call, 10);
    }
    return NULL;
}

int main(int argc, char **argv) {
    static char names[][16] = {"a\x1b[2Jb\x07", "</script><b>", "two\nlines,\"", "\xff\xe2\x80\xae\x9bz"};
    pthread_t threads[4];
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    char byte;
    if (library)
        from_library = (void *(*)(size_t))dlsym(library, "grab");
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, work, names[i]))
            return 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    if (argc > 2) {
        puts("ready");
        fflush(stdout);
        while (read(0, &byte, 1) > 0) {
        }
    }
    return library ? 0 : 3;
}
