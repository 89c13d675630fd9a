/* Numbers by chance, and what libFuzzer asks of a harness that mutates by itself. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

uint64_t fuzz_random(uint64_t *state) {
    return base_mix(*state += 0x9e3779b97f4a7c15ull);
}

uint64_t fuzz_below(uint64_t *state, uint64_t bound) {
    return bound ? fuzz_random(state) % bound : 0;
}

uint64_t fuzz_number(uint64_t *state, uint64_t size) {
    uint64_t small = fuzz_below(state, 9) - 4;
    switch (fuzz_below(state, 6)) {
    case 0:
        return small;
    case 1:
        return (1ull << fuzz_below(state, 64)) + small;
    case 2:
        return size + small;
    case 3:
        return fuzz_below(state, size);
    case 4:
        return fuzz_below(state, 256);
    default:
        return fuzz_random(state);
    }
}

void fuzz_poke(uint8_t *data, size_t from, size_t to, uint64_t size, uint64_t *state) {
    size_t width = (size_t)1 << fuzz_below(state, 4);
    uint64_t number = fuzz_number(state, size);
    if (to <= from || to - from < width)
        return;
    size_t at = from + fuzz_below(state, (to - from) / width) * width;
    if (fuzz_below(state, 4) == 0) { /* a little more or less than it was */
        uint64_t was = 0;
        memcpy(&was, data + at, width);
        number = was + fuzz_below(state, 5) - 2;
    }
    memcpy(data + at, &number, width);
}

/* What there is without libFuzzer. */
static size_t change_bytes(uint8_t *data, size_t size, size_t room, uint64_t *state) {
    size_t at = fuzz_below(state, size + 1), n = 1 + fuzz_below(state, 16);
    switch (size ? fuzz_below(state, 5) : 3) {
    case 0:
        data[at % size] ^= (uint8_t)(1u << fuzz_below(state, 8));
        return size;
    case 1:
        fuzz_poke(data, 0, size, size, state);
        return size;
    case 2: /* out */
        n = n < size - at ? n : size - at;
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 3: /* in */
        n = n < room - size ? n : room - size;
        memmove(data + at + n, data + at, size - at);
        for (size_t i = 0; i < n; i++)
            data[at + i] = (uint8_t)fuzz_random(state);
        return size + n;
    default: /* from elsewhere */
        n = n < size - at ? n : size - at;
        memmove(data + at, data + fuzz_below(state, size - n + 1), n);
        return size;
    }
}

size_t fuzz_bytes(uint8_t *data, size_t size, size_t room, uint64_t *state) {
    return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, room)
                            : change_bytes(data, size, room, state);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed) {
    uint64_t state = seed;
    for (uint64_t n = 1 + fuzz_below(&state, 4); n; n--)
        size = fuzz_mutate(data, size, room, &state);
    return size;
}

/* libFuzzer has its own corpus. */
__attribute__((weak)) void fuzz_seed(const char *name, const void *bytes, size_t size) {
    (void)name, (void)bytes, (void)size;
}

void fuzz_fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

int fuzz_file(const void *bytes, size_t size, char *path, size_t room) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_MUST(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    snprintf(path, room, "/proc/self/fd/%d", fd);
    return fd;
}
