/* A producer whose region changes under its readers' feet: it maps a copy of a region as its own, never
 * looks at it, and until its input ends cuts it, writes over it, lengthens it and puts others in its place.
 *
 *   spoiler REGION FOLDER */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <squall/region.h>

static uint64_t state = 1;

static uint64_t below(uint64_t bound) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 24) % bound;
}

static char path[4096];
static uint8_t *image;
static size_t size;

/* Data alone: the rest stays a hole. */
static void restore(int fd) {
    for (size_t at = 0; at < size; at += 4096) {
        static const uint8_t zeros[4096];
        if (memcmp(image + at, zeros, 4096) && pwrite(fd, image + at, 4096, (off_t)at) < 0)
            _exit(4);
    }
    if (ftruncate(fd, (off_t)size))
        _exit(4);
}

static void replace(void) {
    char other[4200];
    snprintf(other, sizeof other, "%s.new", path);
    int fd = open(other, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        _exit(4);
    restore(fd);
    close(fd);
    rename(other, path);
}

static void spoil(int fd) {
    uint64_t word = below(UINT64_MAX);
    switch (below(6)) {
    case 0:
        if (ftruncate(fd, (off_t)below(size)))
            _exit(4);
        break;
    case 1:
        if (ftruncate(fd, (off_t)(size + below(1u << 20))))
            _exit(4);
        break;
    case 2: /* the directory */
        pwrite(fd, &word, 8, (off_t)(REGION_DIRECTORY_OFFSET + below(REGION_TABLE_COUNT * 6) * 8));
        break;
    case 3: /* rows */
        for (int i = 0; i < 64; i++)
            pwrite(fd, &word, 8, (off_t)(below(size / 64) * 8));
        break;
    case 4:
        replace();
        break;
    default: /* the header */
        pwrite(fd, &word, 8, (off_t)(below(32) * 8));
    }
}

int main(int argc, char **argv) {
    struct stat s;
    int from = argc == 3 ? open(argv[1], O_RDONLY) : -1;
    if (from < 0 || fstat(from, &s))
        return 2;
    size = (size_t)s.st_size;
    image = malloc(size);
    if (!image || read(from, image, size) != (ssize_t)size)
        return 2;
    struct region_header *h = (void *)image;
    h->pid = getpid();
    h->ended = 0;
    h->random ^= 1;
    snprintf(path, sizeof path, "%s/squall.%d.%llu.%016llx.region", argv[2], getpid(),
             (unsigned long long)h->start_ticks, (unsigned long long)h->random);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return 3;
    restore(fd);
    if (mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED || fcntl(0, F_SETFL, O_NONBLOCK))
        return 3;
    printf("%s\n", path);
    fflush(stdout);
    for (char byte; read(0, &byte, 1) != 0;) {
        struct timespec moment = {0, (long)below(3000000)};
        spoil(fd);
        nanosleep(&moment, NULL);
        restore(fd);
        nanosleep(&moment, NULL);
    }
    return 0;
}
