/* process_vm_readv on ourselves is always permitted by ptrace's rules (same thread group), copies
 * atomically with respect to unmapping and gives a short count at a hole. Where a sandbox refuses
 * it, each page is asked for before it is read; a page that vanishes between the two would still
 * crash, which needs another thread to unmap it in those nanoseconds. */
#include "peek.h"

#include <errno.h>

#include "base/syscall.h"

struct span {
    uint64_t address;
    uint64_t size;
};

static uint32_t refused; /* process_vm_readv is: written once, by any thread */

/* A signal set is copied in before `how` is looked at, and no `how` is ~0: nothing is changed. Any
 * other answer than that one is a sandbox's, which did not look. */
bool peek_can_read(uint64_t address) {
    return base_syscall(SYS_rt_sigprocmask, ~0l, address, 0, 8) == -EINVAL;
}

static size_t read_probing(uint8_t *dst, uint64_t address, size_t size) {
    size_t done = 0;
    while (done < size) {
        uint64_t at = address + done;
        size_t part = PEEK_PAGE - (at & (PEEK_PAGE - 1));
        if (part > size - done)
            part = size - done;
        if (!peek_can_read(at & ~7ull))
            break;
        base_move(dst + done, (const void *)at, part);
        done += part;
    }
    return done;
}

/* At most three pages: transfers are cut at the end of a piece, so a piece ends with its page. */
static size_t read_pages(uint8_t *dst, uint64_t address, size_t size) {
    struct span local = {(uint64_t)dst, size};
    struct span remote[4];
    unsigned count = 0;
    for (uint64_t at = address, left = size; left && count < ARRAY_SIZE(remote); count++) {
        uint64_t part = PEEK_PAGE - (at & (PEEK_PAGE - 1));
        part = part < left ? part : left;
        remote[count].address = at;
        remote[count].size = part;
        at += part;
        left -= part;
    }
    /* The process id is asked for each time: after a fork a remembered one would be the parent's,
     * and its memory would be read without any error. */
    long pid = base_syscall(SYS_getpid);
    long n = base_syscall(SYS_process_vm_readv, pid, &local, 1, remote, count, 0);
    /* A sandbox gives what error it likes, or 0. */
    if (n <= 0 && n != -EFAULT && n != -ENOMEM && size) {
        RELAXED_STORE(&refused, 1);
        return read_probing(dst, address, size);
    }
    return n < 0 ? 0 : (size_t)n;
}

size_t peek_read(void *dst, uint64_t address, size_t size) {
    uint8_t *to = dst;
    size_t done = 0;
    if (address >> 47 || (address + size) >> 47 || UNLIKELY(BASE_SANDBOXED))
        return 0;
    if (UNLIKELY(RELAXED_LOAD(&refused)))
        return read_probing(to, address, size);
    while (done < size) {
        size_t part = size - done < 3 * PEEK_PAGE ? size - done : 3 * PEEK_PAGE;
        size_t got = read_pages(to + done, address + done, part);
        done += got;
        if (got < part)
            break;
    }
    return done;
}
