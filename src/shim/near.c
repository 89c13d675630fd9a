/* Memory within reach of a jump. */
#include "near.h"

#include <sys/mman.h>

#include "base/syscall.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

uint64_t near_map_at(uint64_t at, uint64_t size) {
    long got = base_syscall(SYS_mmap, at, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (base_is_error(got))
        return 0;
    if ((uint64_t)got == at)
        return at;
    base_syscall(SYS_munmap, got, size); /* before Linux 4.17 the address is only a hint */
    return 0;
}

/* Below the module first: above a program lies its heap, which would find its way barred. Steps
 * grow by an eighth: neighbours are other modules, then come the wide gaps between mappings. */
uint64_t near_map(uint64_t low, uint64_t high, uint64_t size) {
    uint64_t at, off = size + 0x10000;
    for (; high - low + off < NEAR_REACH && low > NEAR_LOWEST + off; off += off / 8) {
        at = near_map_at((low - off) & ~0xfffull, size);
        if (at)
            return at;
    }
    for (off = 1ull << 30; high - low + off + size < NEAR_REACH; off += 16u << 20) {
        at = near_map_at((high + off) & ~0xfffull, size);
        if (at)
            return at;
    }
    return 0;
}
