/* Outputs that no malloc made: taken from the system by a call of the program's own for each message
 * (raw), or from malloc all the same (malloc). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zstd.h>

#define SIZE 300000
#define MESSAGES 40

static char text[SIZE];

int main(int argc, char **argv) {
    int is_raw = argc > 1 && strcmp(argv[1], "raw") == 0;
    size_t room = ZSTD_compressBound(SIZE), made = 0;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    for (int i = 0; i < MESSAGES; i++) {
        char *output = is_raw ? (char *)syscall(SYS_mmap, NULL, room, PROT_READ | PROT_WRITE,
                                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                              : malloc(room);
        made += ZSTD_compressCCtx(context, output, room, text, SIZE, 1);
        if (is_raw)
            munmap(output, room);
        else
            free(output);
    }
    ZSTD_freeCCtx(context);
    printf("%zu bytes\n", made);
    return 0;
}
