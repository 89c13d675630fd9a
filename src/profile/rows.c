/* Rows that are being written while we read them.
 *
 * A row's sequence word is odd while its owner writes. Owners that allocate all the time write
 * every 50 ns or so: two system calls around a row would see it change every time, so the second
 * look goes through a mapping. The file may be cut under that mapping (SIGBUS), therefore every
 * access stands between guards; copying itself has been done with pread. */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define TRIES_ROW 256u
/* A writer that lost its processor in the middle needs a moment; a dead one, or a file in which
 * all rows are odd, must not hold us up: these are for a whole table. */
#define TRIES_TABLE (1u << 20)
#define NAPS_TABLE 20u
#define NAP_NS 1000000

struct patience {
    uint32_t tries, naps;
};

static __thread sigjmp_buf guard_return;
static __thread const uint8_t *guard_start, *guard_end;

static void caught(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    const uint8_t *at = info->si_addr;
    if (at >= guard_start && at < guard_end)
        siglongjmp(guard_return, 1);
    /* Not ours: fault again, with the default outcome. */
    signal(signal_number, SIG_DFL);
}

/* Copies a row from live memory; false if it was being written all the time. */
static bool try_row(const uint8_t *live, uint8_t *copy, uint64_t size, struct patience *left) {
    const uint32_t *sequence = (const uint32_t *)(const void *)live;
    for (uint32_t i = 0; i < TRIES_ROW && left->tries > 0; i++) {
        left->tries--;
        uint32_t before = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
        if (!(before & 1)) {
            memcpy(copy, live, size);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            uint32_t after = RELAXED_LOAD(sequence);
            memcpy(copy, &before, sizeof before);
            if (before == after)
                return true;
        }
        __builtin_ia32_pause();
    }
    return false;
}

static bool read_row(const uint8_t *live, uint8_t *copy, uint64_t size, struct patience *left) {
    const struct timespec nap = {0, NAP_NS};
    while (!try_row(live, copy, size, left)) {
        if (left->tries == 0 || left->naps == 0)
            return false;
        left->naps--;
        nanosleep(&nap, NULL);
    }
    return true;
}

static void settle(const uint8_t *live, uint8_t *rows, uint64_t row_size, uint64_t count) {
    struct patience left = {TRIES_TABLE, NAPS_TABLE};
    for (uint64_t i = 0; i < count; i++, live += row_size, rows += row_size) {
        uint32_t sequence,
            now = __atomic_load_n((const uint32_t *)(const void *)live, __ATOMIC_ACQUIRE);
        memcpy(&sequence, rows, sizeof sequence);
        if (sequence == now && !(now & 1))
            continue;
        /* Whoever has changed once is odd in the copy until a clean one was had. */
        sequence |= 1;
        memcpy(rows, &sequence, sizeof sequence);
        if (!read_row(live, rows, row_size, &left)) {
            memcpy(rows, live, row_size);
            memcpy(&sequence, rows, sizeof sequence);
            sequence |= 1;
            memcpy(rows, &sequence, sizeof sequence);
        }
    }
}

void rows_settle(int fd, uint64_t offset, uint8_t *rows, uint64_t row_size, uint64_t count) {
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO}, before;
    uint64_t start = offset & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
    size_t length = (size_t)(offset - start + row_size * count);
    if (fd < 0 || count == 0)
        return;
    uint8_t *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)start);
    if (map == MAP_FAILED)
        return; /* odd rows are torn then, without another look */
    guard_start = map;
    guard_end = map + length;
    sigaction(SIGBUS, &action, &before);
    if (sigsetjmp(guard_return, 1) == 0)
        settle(map + (offset - start), rows, row_size, count);
    sigaction(SIGBUS, &before, NULL);
    guard_start = guard_end = NULL;
    munmap(map, length);
}
