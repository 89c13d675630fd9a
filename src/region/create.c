/* Maps a region and writes its header and directory. */
#include <errno.h>
#include <linux/mman.h>

#include "base/syscall.h"
#include "region.h"

static void lay_out(struct region *r, bool populated) {
    struct region_header *h = r->header;
    region_layout(r->bound, r->directory + 1);
    h->version = REGION_VERSION;
    h->byte_order = REGION_BYTE_ORDER;
    h->header_size = REGION_HEADER_SIZE;
    h->directory_count = REGION_TABLE_COUNT;
    h->directory_offset = REGION_DIRECTORY_OFFSET;
    h->bound = r->bound;
    for (unsigned t = 1; t <= REGION_TABLE_COUNT; t++) {
        r->rows[t] = r->base + r->directory[t].offset;
        if (populated)
            r->directory[t].committed = r->directory[t].capacity;
    }
}

int region_map(struct region *r, int fd, uint64_t bound) {
    int flags = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
    long at = base_syscall(SYS_mmap, 0, bound, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (base_is_error(at))
        return (int)at;
    /* A huge page would charge 2 MiB for one row; a core dump needs no copy of a file. */
    base_syscall(SYS_madvise, at, bound, MADV_NOHUGEPAGE);
    base_syscall(SYS_madvise, at, bound, MADV_DONTDUMP);
    /* On a disk the kernel would read ahead over the hole at each fault: megabytes of zeros. */
    base_syscall(SYS_madvise, at, bound, MADV_RANDOM);
    long error =
        r->populated ? 0 : base_syscall(SYS_madvise, at, REGION_HEADER_SIZE, MADV_POPULATE_WRITE);
    if (error) {
        base_syscall(SYS_munmap, at, bound);
        return (int)error;
    }
    r->base = (uint8_t *)at;
    r->header = (struct region_header *)at;
    r->directory = (struct region_directory *)(at + (long)REGION_DIRECTORY_OFFSET) - 1;
    r->bound = bound;
    base_zero(r->refused, sizeof r->refused);
    lay_out(r, r->populated);
    return 0;
}

void region_publish(struct region *r) {
    uint64_t magic;
    base_move(&magic, REGION_MAGIC, sizeof magic);
    __atomic_store_n((uint64_t *)r->header->magic, magic, __ATOMIC_RELEASE);
}
