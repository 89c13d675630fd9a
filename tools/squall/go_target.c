/* A process from outside: its memory, its threads stopped and set going again, system calls made by
 * one of them. Nothing is written into its code to that end: a call is made with an instruction
 * that the program has, by a single step. */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "go.h"

/* Of all segments together: more than its file, for a packed program unpacks itself. */
#define SEGMENTS_MAX (512ull << 20)
#define UNPACKED_MAX 8
#define REACH (7ull << 28)  /* as in the shim: a jump reaches 2 GiB */
#define STACK_LOOKED 32768u /* bytes above a thread's stack pointer: a signal's frame */
#define STEPS_MAX 1000
#define PATIENCE_NS 500000000ull
#define SPINS 2000u
#define MARGIN 0x10000ull /* between mappings, for the stack's guard and the like */

/* ---- memory ---- */

int go_target_read(const struct go_target *t, uint64_t at, void *to, uint64_t size) {
    for (uint64_t done = 0; done < size;) {
        ssize_t got = pread(t->memory, (char *)to + done, size - done, (off_t)(at + done));
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        done += (uint64_t)got;
    }
    return 0;
}

int go_target_write(const struct go_target *t, uint64_t at, const void *from, uint64_t size) {
    ssize_t put = pwrite(t->memory, from, size, (off_t)at);
    return put == (ssize_t)size ? 0 : put < 0 ? -errno : -EIO;
}

/* ---- the program ---- */

static int open_of(pid_t pid, const char *name, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int read_auxv(pid_t pid, uint64_t *headers, uint64_t *count) {
    uint64_t words[256];
    int fd = open_of(pid, "auxv", O_RDONLY);
    if (fd < 0)
        return fd;
    ssize_t got = read(fd, words, sizeof words);
    close(fd);
    for (ssize_t i = 0; i + 1 < got / 8 && words[i]; i += 2) {
        if (words[i] == AT_PHDR)
            *headers = words[i + 1];
        if (words[i] == AT_PHNUM)
            *count = words[i + 1];
    }
    return *headers && *count && *count < 256 ? 0 : -ENOENT;
}

/* The difference between where the program is and where its file says. */
static uint64_t base_of(const Elf64_Phdr *p, uint64_t count, uint64_t headers) {
    for (uint64_t i = 0; i < count; i++)
        if (p[i].p_type == PT_PHDR)
            return headers - p[i].p_vaddr;
    for (uint64_t i = 0; i < count; i++)
        if (p[i].p_type == PT_LOAD && p[i].p_offset == 0)
            return (headers & ~0xfffull) - p[i].p_vaddr;
    return 0;
}

/* The headers are in memory that the program may write to. */
static uint64_t most_of(pid_t pid) {
    char path[64];
    struct stat s;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    if (stat(path, &s) != 0 || (uint64_t)s.st_size > SEGMENTS_MAX / UNPACKED_MAX)
        return SEGMENTS_MAX;
    return (uint64_t)s.st_size * UNPACKED_MAX;
}

/* `left`: how much may still be read. */
static int read_segment(struct go_target *t, uint64_t at, const Elf64_Phdr *p, uint64_t *left) {
    uint32_t i = t->image.segment_count;
    if (i == GO_SEGMENTS_MAX || !p->p_filesz)
        return 0;
    if (p->p_filesz > *left)
        return -EFBIG;
    *left -= p->p_filesz;
    t->copies[i] = malloc(p->p_filesz);
    if (!t->copies[i])
        return -ENOMEM;
    int error = go_target_read(t, at, t->copies[i], p->p_filesz);
    if (error)
        return error;
    t->image.segments[i] = (struct go_segment){at, p->p_filesz, t->copies[i]};
    t->image.segment_count++;
    if (!t->low || at < t->low)
        t->low = at;
    if (at + p->p_memsz > t->high)
        t->high = at + p->p_memsz;
    for (uint64_t k = 0; p->p_flags & PF_X && k + 1 < p->p_filesz && !t->syscall_at; k++)
        if (t->copies[i][k] == 0x0f && t->copies[i][k + 1] == 0x05)
            t->syscall_at = at + k;
    return 0;
}

static uint8_t *copy_at(const struct go_target *t, uint64_t address, uint64_t size) {
    return (uint8_t *)(uintptr_t)go_image_at(&t->image, address, size); /* of the copies, ours */
}

static uint64_t dynamic_value(const struct go_target *t, uint64_t dynamic, int64_t tag) {
    const Elf64_Dyn *d;
    for (; (d = (const void *)go_image_at(&t->image, dynamic, sizeof *d)) != NULL;
         dynamic += sizeof *d)
        if (d->d_tag == tag || d->d_tag == DT_NULL)
            return d->d_tag == tag ? d->d_un.d_val : 0;
    return 0;
}

/* A static program that may lie anywhere writes its own addresses when it begins: at its exec they
 * are still missing in Go's tables. */
static void relocate(struct go_target *t, uint64_t base, uint64_t dynamic) {
    uint64_t at = base + dynamic_value(t, dynamic, DT_RELA);
    uint64_t end = at + dynamic_value(t, dynamic, DT_RELASZ);
    for (; at < end; at += sizeof(Elf64_Rela)) {
        const Elf64_Rela *r = (const void *)go_image_at(&t->image, at, sizeof *r);
        uint8_t *word = r ? copy_at(t, base + r->r_offset, sizeof base) : NULL;
        uint64_t now, value;
        if (!r)
            return;
        if (!word || ELF64_R_TYPE(r->r_info) != R_X86_64_RELATIVE)
            continue;
        memcpy(&now, word, sizeof now);
        value = base + (uint64_t)r->r_addend;
        if (now == 0 || now == (uint64_t)r->r_addend)
            memcpy(word, &value, sizeof value);
    }
}

static int read_program(struct go_target *t) {
    uint64_t headers = 0, count = 0, left = most_of(t->pid);
    Elf64_Phdr p[256];
    int error = read_auxv(t->pid, &headers, &count);
    if (!error)
        error = go_target_read(t, headers, p, count * sizeof *p);
    uint64_t base = error ? 0 : base_of(p, count, headers);
    for (uint64_t i = 0; i < count && !error; i++)
        if (p[i].p_type == PT_LOAD && p[i].p_flags & PF_R)
            error = read_segment(t, base + p[i].p_vaddr, &p[i], &left);
    for (uint64_t i = 0; i < count && !error && base; i++)
        if (p[i].p_type == PT_DYNAMIC)
            relocate(t, base, base + p[i].p_vaddr);
    return error;
}

const char *go_target_words(int error) {
    return error == -EFBIG ? "larger than its file can make it, or than 512 MiB" : strerror(-error);
}

int go_target_open(struct go_target *t, pid_t pid) {
    char path[64];
    *t = (struct go_target){.pid = pid};
    t->memory = open_of(pid, "mem", O_RDWR);
    if (t->memory < 0)
        return t->memory;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, t->exe, sizeof t->exe - 1);
    t->exe[length > 0 ? length : 0] = 0;
    int error = read_program(t);
    return error ? error : go_image_find(&t->image);
}

void go_target_close(struct go_target *t) {
    for (uint32_t i = 0; i < GO_SEGMENTS_MAX; i++)
        free(t->copies[i]);
    if (t->memory >= 0)
        close(t->memory);
    free(t->threads);
}

/* ---- stopping ---- */

static bool is_known(const struct go_target *t, pid_t tid) {
    for (uint32_t i = 0; i < t->thread_count; i++)
        if (t->threads[i].tid == tid)
            return true;
    return false;
}

static int add_thread(struct go_target *t, pid_t tid) {
    if (t->thread_count == t->thread_room) {
        uint32_t room = t->thread_room ? t->thread_room * 2 : 64;
        struct go_thread *threads = reallocarray(t->threads, room, sizeof *threads);
        if (!threads)
            return -ENOMEM;
        t->threads = threads;
        t->thread_room = room;
    }
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL))
        return -errno;
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL)) {
        int error = -errno;
        ptrace(PTRACE_DETACH, tid, NULL, NULL);
        return error;
    }
    t->threads[t->thread_count++] = (struct go_thread){.tid = tid};
    return 0;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* It may be our child, whose status is told once. */
static void note_end(struct go_target *t, pid_t tid, pid_t got, int status) {
    if (got != tid || tid != t->pid || WIFSTOPPED(status))
        return;
    t->has_ended = true;
    t->end_status = status;
}

/* Waits for a thread that was interrupted; false: it is gone, or hangs in the kernel (a file system
 * that does not answer): the others must not stand still for it. */
static bool wait_stopped(struct go_target *t, struct go_thread *thread, uint64_t until) {
    int status;
    pid_t got;
    for (uint32_t i = 0; (got = waitpid(thread->tid, &status, __WALL | WNOHANG)) == 0; i++) {
        if (now_ns() > until)
            return false;
        if (i < SPINS)
            sched_yield();
        else
            usleep(20);
    }
    if (got != thread->tid || !WIFSTOPPED(status)) {
        note_end(t, thread->tid, got, status);
        return false;
    }
    /* A signal came first: it is given back when the thread goes on. */
    thread->signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;
    return true;
}

/* Seizes the threads that are not yet, from entry `from` on waits for them. Returns how many are
 * new, or a negative errno. */
static int seize_new(struct go_target *t) {
    char path[64];
    uint32_t from = t->thread_count, gone = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
    DIR *folder = opendir(path);
    if (!folder)
        return -ESRCH;
    struct dirent *entry;
    int error = 0;
    while (!error && (entry = readdir(folder)) != NULL) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        if (tid <= 0 || is_known(t, tid))
            continue;
        error = add_thread(t, tid);
        if (error == -ESRCH) /* it ended meanwhile */
            error = 0;
    }
    closedir(folder);
    uint64_t until = now_ns() + PATIENCE_NS;
    for (uint32_t i = from; i < t->thread_count; i++) {
        if (wait_stopped(t, &t->threads[i], until))
            t->threads[i - gone] = t->threads[i];
        else
            gone++;
    }
    t->thread_count -= gone;
    if (gone && now_ns() > until)
        error = -ETIMEDOUT;
    return error ? error : (int)(t->thread_count - from);
}

static bool can_call(const struct go_thread *thread) {
    return thread->signal == 0;
}

static void let_go(struct go_target *t) {
    for (uint32_t i = 0; i < t->thread_count; i++)
        ptrace(PTRACE_DETACH, t->threads[i].tid, NULL, (void *)(uintptr_t)t->threads[i].signal);
    t->thread_count = 0;
}

static void put_caller_first(struct go_target *t) {
    for (uint32_t i = 1; i < t->thread_count && !can_call(&t->threads[0]); i++) {
        struct go_thread other = t->threads[i];
        t->threads[i] = t->threads[0];
        t->threads[0] = other;
    }
}

/* Nobody may end us while a thread of the program is somewhere else than it was. */
static void hold_signals(struct go_target *t, bool hold) {
    sigset_t all;
    sigfillset(&all);
    if (hold && !t->holds)
        sigprocmask(SIG_BLOCK, &all, &t->before);
    else if (!hold && t->holds)
        sigprocmask(SIG_SETMASK, &t->before, NULL);
    t->holds = hold;
}

static int stop(struct go_target *t, bool all) {
    int got;
    t->thread_count = 0;
    if (t->is_traced)
        return 0;
    if (all) {
        while ((got = seize_new(t)) > 0)
            ;
        if (got < 0 || !t->thread_count)
            return got < 0 ? got : -ESRCH;
        put_caller_first(t);
        return 0;
    }
    for (int i = 0; i < 100; i++) {
        got = add_thread(t, t->pid);
        if (got < 0)
            return got;
        if (!wait_stopped(t, &t->threads[0], now_ns() + PATIENCE_NS)) {
            t->thread_count = 0;
            return -ESRCH;
        }
        if (can_call(&t->threads[0]))
            return 0;
        let_go(t);
    }
    return -EAGAIN;
}

int go_target_stop(struct go_target *t, bool all) {
    hold_signals(t, true);
    int error = stop(t, all);
    if (error)
        go_target_resume(t);
    return error;
}

void go_target_resume(struct go_target *t) {
    let_go(t);
    hold_signals(t, false);
}

/* ---- calling ---- */

/* Signals wait meanwhile. One step is one instruction; what else stops the thread is passed over.
 */
static long step(struct go_target *t, pid_t tid, uint64_t at, struct user_regs_struct *r) {
    for (int i = 0; i < STEPS_MAX; i++) {
        int status;
        if (ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL))
            return -errno;
        pid_t got;
        do
            got = waitpid(tid, &status, __WALL);
        while (got < 0 && errno == EINTR);
        if (got != tid || !WIFSTOPPED(status)) {
            note_end(t, tid, got, status);
            return -ESRCH;
        }
        if (ptrace(PTRACE_GETREGS, tid, NULL, r))
            return -errno;
        if (r->rip == at + 2)
            return (long)r->rax;
    }
    return -EAGAIN;
}

long go_target_call(struct go_target *t, long number, const uint64_t arguments[6]) {
    pid_t tid = t->is_traced ? t->pid : t->threads[0].tid;
    struct user_regs_struct saved, r;
    uint64_t mask, all = UINT64_MAX;
    uint8_t code[2];
    /* After an exec the memory that we have open is nobody's. */
    if (!t->syscall_at || go_target_read(t, t->syscall_at, code, sizeof code) || code[0] != 0x0f ||
        code[1] != 0x05)
        return -ESRCH;
    if (ptrace(PTRACE_GETREGS, tid, NULL, &saved) ||
        ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof mask, &mask) ||
        ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof all, &all))
        return -EPERM;
    r = saved;
    r.rip = t->syscall_at;
    r.rax = (uint64_t)number;
    r.orig_rax = UINT64_MAX; /* no call that the kernel would begin again */
    r.rdi = arguments[0];
    r.rsi = arguments[1];
    r.rdx = arguments[2];
    r.r10 = arguments[3];
    r.r8 = arguments[4];
    r.r9 = arguments[5];
    long result = ptrace(PTRACE_SETREGS, tid, NULL, &r) ? -errno : step(t, tid, t->syscall_at, &r);
    /* With the call it was in, which the kernel begins again by itself. */
    ptrace(PTRACE_SETREGS, tid, NULL, &saved);
    ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof mask, &mask);
    return result;
}

/* ---- where threads are ---- */

struct places {
    const struct go_patch *patches; /* inside, but not at their begin; */
    uint32_t count;
    uint64_t from, to; /* or anywhere in here */
};

static bool is_inside(uint64_t word, const struct places *p) {
    if (LIKELY(word < p->from || word >= p->to))
        return false;
    for (uint32_t i = 0; i < p->count; i++)
        if (word > p->patches[i].at && word < p->patches[i].at + p->patches[i].size)
            return true;
    return !p->count;
}

/* A thread in a signal handler comes back to what it was doing: the address is in the signal's
 * frame above its stack pointer. What only looks like one costs another try. */
static bool is_inside_stack(const struct go_target *t, uint64_t sp, const struct places *p) {
    static uint64_t words[STACK_LOOKED / 8];
    ssize_t got = pread(t->memory, words, sizeof words, (off_t)(sp & ~7ull));
    for (ssize_t i = 0; i < got / 8; i++)
        if (is_inside(words[i], p))
            return true;
    return false;
}

static bool is_any_inside(const struct go_target *t, const struct places *p) {
    struct user_regs_struct r;
    for (uint32_t i = 0; i < t->thread_count; i++) {
        if (ptrace(PTRACE_GETREGS, t->threads[i].tid, NULL, &r))
            return true; /* not known: try again */
        if (is_inside(r.rip, p) || is_inside_stack(t, r.rsp, p))
            return true;
    }
    return false;
}

bool go_target_is_inside(const struct go_target *t, const struct go_patch *patches,
                         uint32_t count) {
    struct places p = {patches, count, UINT64_MAX, 0};
    for (uint32_t i = 0; i < count; i++) {
        p.from = patches[i].at < p.from ? patches[i].at : p.from;
        p.to = patches[i].at + patches[i].size > p.to ? patches[i].at + patches[i].size : p.to;
    }
    return is_any_inside(t, &p);
}

bool go_target_is_within(const struct go_target *t, uint64_t from, uint64_t to) {
    struct places p = {NULL, 0, from, to};
    return is_any_inside(t, &p);
}

/* ---- room ---- */

static bool is_within_reach(const struct go_target *t, uint64_t at, uint64_t size) {
    uint64_t low = at < t->low ? at : t->low, high = at + size > t->high ? at + size : t->high;
    return high - low < REACH;
}

/* In the gap [from, to) between two mappings; 0 = there is no room. Below the program as high as
 * possible, above it far enough to leave its heap room. */
static uint64_t place_in(const struct go_target *t, uint64_t from, uint64_t to, uint64_t size) {
    static const uint64_t away[] = {1ull << 30, 64ull << 20, MARGIN};
    if (to < from || to - from < size + 2 * MARGIN)
        return 0;
    if (to <= t->low) {
        uint64_t at = (to - size - MARGIN) & ~0xfffull;
        return is_within_reach(t, at, size) ? at : 0;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(away); i++) {
        uint64_t at = (from + away[i] + 0xfff) & ~0xfffull;
        if (at + size + MARGIN <= to && is_within_reach(t, at, size))
            return at;
    }
    return 0;
}

uint64_t go_target_gap(const struct go_target *t, uint64_t size) {
    char line[8192];
    uint64_t end = 0x10000, from, to, best = 0;
    int fd = open_of(t->pid, "maps", O_RDONLY);
    FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
    if (!maps)
        return 0;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) != 2)
            continue;
        uint64_t at = place_in(t, end, from, size);
        if (at && (!best || at < t->low)) /* the last one below the program, else the first above */
            best = at;
        end = to;
    }
    fclose(maps);
    return best;
}
