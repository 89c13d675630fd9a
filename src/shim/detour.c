/* Thunks near the code, and the writing of code. */
#include "detour.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/syscall.h"
#include "module_elf.h"
#include "move.h"
#include "near.h"

#define SLOT 96u
#define JUMP 5u      /* e9 and 32 bits */
#define MOVED_AT 32u /* behind the thunk */
_Static_assert(MOVED_AT + MOVE_OUT_MOST + JUMP <= SLOT && MOVED_AT >= 8 + 19, "all have room");

/* ---- memory within reach ---- */

/* Right under the place that was found last, where that is within reach, too: each search asks the
 * kernel dozens of times. */
static uint64_t map_near(uint64_t low, uint64_t high, uint64_t size) {
    static uint64_t last;
    uint64_t at = last > NEAR_LOWEST + size ? (last - size) & ~0xfffull : 0;
    bool is_near = at && at < low && high - at < NEAR_REACH;
    if (!is_near || !near_map_at(at, size))
        at = near_map(low, high, size);
    if (at)
        last = at;
    return at;
}

/* ---- writing code ---- */

static bool is_alone;

void detour_alone(bool alone) {
    is_alone = alone;
}

/* The process's memory, where it certainly has one thread, or -1. A child that another thread forks
 * in between would have the descriptor, and with it the parent's memory at its mercy, whoever it
 * becomes. */
static int open_memory(void) {
    if (!is_alone)
        return -1;
    return (int)base_syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
}

static void close_memory(int fd) {
    if (fd >= 0)
        base_syscall(SYS_close, fd);
}

static bool write_by_file(int fd, uint64_t at, const void *bytes, size_t size) {
    return fd >= 0 && base_syscall(SYS_pwrite64, fd, bytes, size, at) == (long)size;
}

/* Pages [low, high) stay executable and become writable. Where that fails, some may be. */
static bool open_pages(uint64_t low, uint64_t high) {
    return !base_syscall(SYS_mprotect, low, high - low, PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* Needs no mapping more than there are, so there is nothing that it can fail for. */
static void close_pages(uint64_t low, uint64_t high, int protection) {
    base_syscall(SYS_mprotect, low, high - low, protection);
}

/* ---- thunks ---- */

static void put32(uint8_t *at, uint32_t v) {
    base_move(at, &v, sizeof v);
}

static void put64(uint8_t *at, uint64_t v) {
    base_move(at, &v, sizeof v);
}

static void put_jump(uint8_t *at, uint64_t from, uint64_t to) {
    at[0] = 0xe9;
    put32(at + 1, (uint32_t)(to - from - JUMP));
}

/* lea undo(%rsp),%rsp, where the function's first instruction took something; push number;
 * jmp *(%rip): no register is touched, for a compiler that knows all callers of a function knows
 * which ones it leaves alone. */
static void put_thunk(uint8_t *at, uint32_t undo, uint32_t number, uint64_t target) {
    static const uint8_t give_back[4] = {0x48, 0x8d, 0xa4, 0x24};
    if (undo) {
        base_move(at, give_back, sizeof give_back);
        put32(at + sizeof give_back, undo);
        at += sizeof give_back + 4;
    }
    at[0] = 0x68;
    put32(at + 1, number);
    at[5] = 0xff;
    at[6] = 0x25;
    put32(at + 7, 0);
    put64(at + 11, target);
}

static uint16_t refusal(enum move_refusal why) {
    switch (why) {
    case MOVE_OK:
        return REGION_REFUSED_NOT;
    case MOVE_JUMP:
        return REGION_REFUSED_JUMP;
    case MOVE_SHORT:
        return REGION_REFUSED_SHORT;
    case MOVE_BREAKPOINT:
        return REGION_REFUSED_BREAKPOINT;
    case MOVE_ROOM:
        return REGION_REFUSED_ROOM;
    default:
        return REGION_REFUSED_DECODE;
    }
}

/* A symbol table may say anything: whether there is code of the module's that can be read. `code` is the
 * segment that was found last, its end 0 = none. */
static bool is_code(const struct module *m, const struct codec_function *f,
                    struct module_code *code) {
    bool is_in = f->start >= code->start && f->start < code->end;
    if (!is_in && !module_elf_code(m, f->start, code))
        code->start = code->end = 0;
    return f->start < f->end && f->end <= code->end && code->protection & PROT_READ;
}

/* Fills a slot; *jump_at is where the jump to it goes. `limit` is where the next of ours begins,
 * whose own jump would be in the midst of this one's. */
static uint16_t make_slot(uint8_t *slot, const struct codec_function *f, uint64_t limit,
                          uint32_t number, void (*stub)(void), uint64_t *jump_at) {
    struct move m;
    uint64_t moved_at = (uint64_t)slot + MOVED_AT;
    enum move_refusal why = move_prologue((const uint8_t *)f->start, f->start, f->end - f->start,
                                          slot + MOVED_AT, SLOT - MOVED_AT - JUMP, moved_at, &m);
    if (why != MOVE_OK)
        return refusal(why);
    if (f->start < limit && limit - f->start < (uint64_t)m.skip + m.taken)
        return REGION_REFUSED_SHORT;
    if (f->entered && f->entered != m.mark && f->entered < m.skip + m.taken)
        return REGION_REFUSED_JUMP; /* in the midst of what would be moved */
    put_thunk(slot, m.undo, number, (uint64_t)stub);
    *jump_at = f->start + m.skip;
    if (!m.ends)
        put_jump(slot + MOVED_AT + m.size, moved_at + m.size, *jump_at + m.taken);
    return REGION_REFUSED_NOT;
}

static uint64_t room_size(const struct codec_function *f, uint32_t count) {
    uint64_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += f[i].refused ? 0 : SLOT;
    return (size + 0xfff) & ~0xfffull;
}

static void refuse_all(struct codec_function *f, uint32_t count, uint16_t why) {
    for (uint32_t i = 0; i < count; i++)
        if (!f[i].refused)
            f[i].refused = why;
}

static void make_jump(uint8_t *jump, const struct codec_function *f) {
    put_jump(jump, f->jump_at, f->original - MOVED_AT);
}

static bool is_pending(const struct codec_function *f) {
    return !f->refused && !detour_is_there(f);
}

static void put_by_file(struct codec_function *f, uint32_t count) {
    uint8_t jump[JUMP];
    int fd = open_memory();
    for (uint32_t i = 0; fd >= 0 && i < count; i++) {
        if (!is_pending(&f[i]))
            continue;
        make_jump(jump, &f[i]);
        write_by_file(fd, f[i].jump_at, jump, sizeof jump);
    }
    close_memory(fd);
}

static bool is_pending_in(const struct module_code *code, const struct codec_function *f) {
    return is_pending(f) && f->jump_at >= code->start && f->jump_at + JUMP <= code->end;
}

/* From the first page to the last at once: pages that were writable do not merge with their
 * neighbours again (the kernel accounts for them), so this is two mappings more at most, however
 * many pages change, and two calls. */
static void put_in_segment(const struct module_code *code, struct codec_function *f,
                           uint32_t count) {
    uint64_t low = UINT64_MAX, high = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = f[i].jump_at;
        if (!is_pending_in(code, &f[i]))
            continue;
        low = at < low ? at : low;
        high = at + JUMP > high ? at + JUMP : high;
    }
    if (low > high)
        return; /* the one that it was looked up for reaches beyond it */
    low &= ~0xfffull;
    high = (high + 0xfff) & ~0xfffull;
    bool is_open = open_pages(low, high);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_pending_in(code, &f[i]))
            continue;
        if (is_open)
            make_jump((uint8_t *)f[i].jump_at, &f[i]);
        else
            f[i].refused = REGION_REFUSED_WRITE;
    }
    close_pages(low, high, code->protection);
}

/* The thunks are complete and executable before the first jump leads to one. */
static void put_jumps(const struct module *m, struct codec_function *f, uint32_t count) {
    struct module_code code;
    put_by_file(f, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_pending(&f[i]))
            continue;
        if (module_elf_code(m, f[i].jump_at, &code) && !code.is_shared)
            put_in_segment(&code, &f[i], count - i);
        if (is_pending(&f[i]))
            f[i].refused = REGION_REFUSED_WRITE;
    }
}

void detour_put(const struct module *m, struct codec_function *f, uint32_t count,
                uint32_t first_number, void (*stub)(void), struct detour_room *room) {
    /* A sandbox that lets malloc protect memory may kill for code that is made or changed. */
    if (UNLIKELY(BASE_SANDBOXED))
        refuse_all(f, count, REGION_REFUSED_WRITE);
    uint64_t size = room_size(f, count);
    uint64_t at = size ? map_near(m->start, m->end, size) : 0;
    *room = (struct detour_room){.at = at, .size = at ? size : 0};
    if (!at) {
        refuse_all(f, count, REGION_REFUSED_ROOM);
        return;
    }
    uint8_t *slot = (uint8_t *)at;
    struct module_code code = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (f[i].refused)
            continue;
        f[i].refused = is_code(m, &f[i], &code)
                           ? make_slot(slot, &f[i], i + 1 < count ? f[i + 1].start : 0,
                                       first_number + i, stub, &f[i].jump_at)
                           : REGION_REFUSED_DECODE;
        f[i].original = (uint64_t)slot + MOVED_AT;
        slot += f[i].refused ? 0 : SLOT;
    }
    if (base_syscall(SYS_mprotect, at, size, PROT_READ | PROT_EXEC)) {
        refuse_all(f, count, REGION_REFUSED_WRITE);
        detour_forget(room);
        return;
    }
    put_jumps(m, f, count);
}

bool detour_is_there(const struct codec_function *f) {
    uint8_t jump[JUMP];
    bool same = true;
    make_jump(jump, f);
    for (unsigned i = 0; i < JUMP; i++)
        same &= ((const uint8_t *)f->jump_at)[i] == jump[i];
    return same;
}

void detour_forget(struct detour_room *room) {
    if (room->size)
        base_syscall(SYS_munmap, room->at, room->size);
    room->at = room->size = 0;
}

/* ---- an empty function ---- */

/* A return, behind an endbr64 perhaps, and padding that nothing jumps to. */
static bool is_empty(const uint8_t *code, uint32_t *skip) {
    static const uint8_t endbr64[4] = {0xf3, 0x0f, 0x1e, 0xfa};
    uint32_t at = 0;
    for (; at < sizeof endbr64 && code[at] == endbr64[at]; at++)
        ;
    if (at && at != sizeof endbr64)
        return false;
    *skip = at;
    /* Functions begin on 16 bytes; what is left of these is nobody's, and begins like a nop. */
    uint8_t next = code[at + 1];
    bool is_padded = next == 0x66 || next == 0x0f || next == 0x90 || next == 0x2e || next == 0xcc;
    return code[at] == 0xc3 && (uint64_t)code % 16 == 0 && at + JUMP <= 16 && is_padded;
}

/* Of the loader, whose code is readable and executable. */
static bool write_code(uint64_t at, const void *bytes, size_t size) {
    uint64_t low = at & ~0xfffull, high = (at + size + 0xfff) & ~0xfffull;
    int fd = open_memory();
    bool is_done = write_by_file(fd, at, bytes, size);
    close_memory(fd);
    if (is_done)
        return true;
    is_done = open_pages(low, high);
    if (is_done)
        base_move((void *)at, bytes, size);
    close_pages(low, high, PROT_READ | PROT_EXEC);
    return is_done;
}

int detour_hook_empty(uint64_t address, void (*target)(void)) {
    uint8_t jump[JUMP];
    uint32_t skip;
    if (!is_empty((const uint8_t *)address, &skip))
        return -ENOTSUP;
    uint64_t thunk = map_near(address, address + 16, 4096);
    if (!thunk)
        return -ENOMEM;
    static const uint8_t indirect[6] = {0xff, 0x25, 0, 0, 0, 0}; /* jmp *(%rip) */
    base_move((void *)thunk, indirect, sizeof indirect);
    put64((uint8_t *)thunk + sizeof indirect, (uint64_t)target);
    int error = (int)base_syscall(SYS_mprotect, thunk, 4096, PROT_READ | PROT_EXEC);
    put_jump(jump, address + skip, thunk);
    if (!error && !write_code(address + skip, jump, sizeof jump))
        error = -EACCES;
    if (error)
        base_syscall(SYS_munmap, thunk, 4096);
    return error;
}
