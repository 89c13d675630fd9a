/* The Go program that we are preloaded into. */
#include "go.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>

#include "base/syscall.h"
#include "clock.h"
#include "elf.h"
#include "go/go.h"
#include "module.h"
#include "near.h"
#include "shim.h"

#define NOTE_GO 4u
#define INFO_WITHIN 65536u /* of its segment, as Go's own tools look for it */

static struct go_state *state;

static long map(uint64_t size) {
    return base_syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* ---- is it Go? ---- */

static bool has_note(uint64_t at, uint64_t size) {
    while (size >= sizeof(Elf64_Nhdr)) {
        const Elf64_Nhdr *n = (const Elf64_Nhdr *)at;
        uint64_t length =
            sizeof *n + ((n->n_namesz + 3ull) & ~3ull) + ((n->n_descsz + 3ull) & ~3ull);
        if (n->n_type == NOTE_GO && n->n_namesz == 4 && base_equal((const char *)(n + 1), 2, "Go"))
            return true;
        if (length > size)
            return false;
        at += length;
        size -= length;
    }
    return false;
}

static bool has_info(uint64_t at, uint64_t size) {
    static const char magic[] = "\xff Go buildinf:";
    for (uint64_t i = 0; i + 16 <= size && i < INFO_WITHIN; i += 16)
        if (base_equal((const char *)at + i, sizeof magic - 1, magic))
            return true;
    return false;
}

/* By its headers: in a program without a C library the loader's list is not to be had. */
static uint64_t base_of(const Elf64_Phdr *p) {
    const struct link_map *executable = elf_first_map();
    if (p && p->p_type == PT_PHDR)
        return (uint64_t)p - p->p_vaddr;
    return executable ? executable->l_addr : 0;
}

/* False: not Go. Only few pages are touched to find that out. */
static bool find_segments(struct go_image *image, const Elf64_Phdr *p, uint64_t count) {
    uint64_t base = base_of(p);
    bool is_go = false;
    for (uint64_t i = 0; p && i < count; i++) {
        uint64_t at = base + p[i].p_vaddr;
        if (p[i].p_type == PT_NOTE)
            is_go |= has_note(at, p[i].p_filesz);
        if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_R) ||
            image->segment_count == GO_SEGMENTS_MAX)
            continue;
        if (p[i].p_flags & PF_W)
            is_go |= has_info(at, p[i].p_filesz);
        image->segments[image->segment_count++] =
            (struct go_segment){at, p[i].p_filesz, (const uint8_t *)at};
    }
    return is_go;
}

/* ---- memory ---- */

static uint64_t map_near(const struct go_image *image, uint64_t size) {
    uint64_t low = UINT64_MAX, high = 0;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct go_segment *s = &image->segments[i];
        low = s->start < low ? s->start : low;
        high = s->start + s->size > high ? s->start + s->size : high;
    }
    return near_map(low, high, size);
}

static int make_state(void) {
    uint64_t stacks_size = GO_STACKS * GO_STACK_SIZE;
    long at = map(sizeof *state + stacks_size);
    if (base_is_error(at))
        return -ENOMEM;
    base_syscall(SYS_madvise, at, sizeof *state + stacks_size, MADV_NOHUGEPAGE);
    base_syscall(SYS_madvise, at, sizeof *state + stacks_size, MADV_DONTDUMP);
    state = (struct go_state *)(at + (long)stacks_size);
    state->has_tsc = clock_state.tsc;
    state->mine = shim.mine;
    state->region = shim.region;
    state->tick_ticks = clock_ticks(shim.conf.tick_ns);
    go_state_init(state, (uint64_t)at);
    return 0;
}

static void forget_state(void) {
    if (state)
        base_syscall(SYS_munmap, (uint64_t)state - GO_STACKS * GO_STACK_SIZE,
                     sizeof *state + GO_STACKS * GO_STACK_SIZE);
    state = NULL;
}

/* ---- writing ---- */

static bool write_code(int fd, uint64_t at, const void *bytes, uint64_t size) {
    uint64_t page = at & ~0xfffull, length = ((at + size + 0xfff) & ~0xfffull) - page;
    if (fd >= 0 && base_syscall(SYS_pwrite64, fd, bytes, size, at) == (long)size)
        return true;
    if (base_syscall(SYS_mprotect, page, length, PROT_READ | PROT_WRITE | PROT_EXEC))
        return false;
    base_move((void *)at, bytes, size);
    base_syscall(SYS_mprotect, page, length, PROT_READ | PROT_EXEC);
    return true;
}

/* All patches or none. */
static int apply(const struct go_plan *plan) {
    base_move((void *)plan->near, plan->data, GO_NEAR_DATA);
    base_move((void *)(plan->near + GO_NEAR_DATA), plan->code, plan->used);
    if (base_syscall(SYS_mprotect, plan->near + GO_NEAR_DATA, GO_NEAR_CODE, PROT_READ | PROT_EXEC))
        return -EACCES;
    int fd = (int)base_syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
    uint32_t done = 0;
    while (
        done < plan->patch_count &&
        write_code(fd, plan->patches[done].at, plan->patches[done].new, plan->patches[done].size))
        done++;
    int error = done < plan->patch_count ? -EACCES : 0;
    while (error && done-- > 0)
        write_code(fd, plan->patches[done].at, plan->patches[done].old, plan->patches[done].size);
    if (fd >= 0)
        base_syscall(SYS_close, fd);
    return error;
}

/* ---- all of it ---- */

static void tell(uint32_t what, const char *reason) {
    struct region_header *h = shim.region.header;
    if (reason)
        h->go_reason = region_string(&shim.region, reason, base_length(reason));
    __atomic_store_n(&h->go_state, what, __ATOMIC_RELEASE);
}

static const char *install(struct go_plan *plan, const struct go_image *image) {
    struct region_header *h = shim.region.header;
    plan->entry = (uint64_t)&go_entry;
    plan->threshold = shim.large;
    plan->calls = shim.conf.args;
    if (go_plan_look(plan, image))
        return plan->refused;
    if (make_state() || go_state_open(&shim.region))
        return "no memory";
    plan->near = map_near(image, GO_NEAR_SIZE);
    plan->state = (uint64_t)state;
    if (!plan->near)
        return "no memory within reach of a jump";
    const char *refused = NULL;
    if (go_plan_make(plan, image)) {
        refused = plan->refused;
    } else {
        const struct module *m = module_find(image->text);
        state->threshold = plan->threshold;
        h->go_threshold = plan->threshold;
        go_codec_rows(plan, &shim.region, m ? m->row : 0);
        go_state_ranges(state, plan);
        state->goid_offset = go_goid_offset(image->minor);
        __atomic_store_n(&state->is_on, 1, __ATOMIC_RELEASE);
        if (apply(plan))
            refused = "its code cannot be written";
    }
    if (refused)
        base_syscall(SYS_munmap, plan->near, GO_NEAR_SIZE);
    return refused;
}

void go_start(uint64_t headers, uint64_t header_count, bool is_alone) {
    struct go_image *image;
    long at = map(sizeof *image + sizeof(struct go_plan));
    if (base_is_error(at))
        return;
    image = (struct go_image *)at;
    struct go_plan *plan = (struct go_plan *)(image + 1);
    if (find_segments(image, (const Elf64_Phdr *)headers, headers ? header_count : 0)) {
        int error = shim.conf.go ? go_image_find(image) : 0;
        shim.region.header->go_minor = image->minor;
        shim.region.header->go_version =
            region_string(&shim.region, image->version, base_length(image->version));
        const char *refused = error       ? "its tables are not understood"
                              : !is_alone ? "it has threads already"
                                          : NULL;
        if (shim.conf.go && !refused)
            refused = install(plan, image);
        if (refused)
            forget_state();
        tell(!shim.conf.go ? REGION_GO_OFF
             : refused     ? REGION_GO_DECLINED
                           : REGION_GO_HOOKED,
             refused);
    }
    base_syscall(SYS_munmap, at, sizeof *image + sizeof(struct go_plan));
}

void go_begin_child(void) {
    if (state)
        RELAXED_STORE(&state->is_on, 0);
}
