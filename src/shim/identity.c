#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "base/syscall.h"

static long read_file(const char *path, char *buf, size_t size) {
    long fd = base_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    long n = base_syscall(SYS_read, fd, buf, size - 1);
    base_syscall(SYS_close, fd);
    buf[n > 0 ? n : 0] = 0;
    return n;
}

static void read_boot_id(struct identity *id) {
    char text[64];
    unsigned nibbles = 0;
    if (read_file("/proc/sys/kernel/random/boot_id", text, sizeof text) <= 0)
        return;
    for (const char *c = text; *c && nibbles < 32; c++) {
        uint64_t digit;
        if (base_parse_number(c, 1, 16, &digit))
            continue; /* a dash */
        id->boot_id[nibbles / 2] |= (uint8_t)(digit << (nibbles % 2 ? 0 : 4));
        nibbles++;
    }
}

/* The number in a field of /proc/self/stat, which `at` points to the end of field 2 of: the name in
 * that may hold blanks and brackets. */
static uint64_t stat_field(const char *at, unsigned wanted) {
    for (unsigned field = 2; field < wanted && *at; at++)
        field += *at == ' ';
    size_t n = 0;
    uint64_t value = 0;
    while (at[n] >= '0' && at[n] <= '9')
        n++;
    base_parse_number(at, n, 10, &value);
    return value;
}

enum { STAT_THREADS = 20, STAT_START = 22 };
static void read_stat(struct identity *id) {
    char text[1024];
    id->threads = id->start_ticks = 0;
    if (read_file("/proc/self/stat", text, sizeof text) <= 0)
        return;
    const char *at = text;
    for (const char *c = text; *c; c++)
        if (*c == ')')
            at = c;
    id->threads = stat_field(at, STAT_THREADS);
    id->start_ticks = stat_field(at, STAT_START);
}

static uint64_t read_pid_namespace(void) {
    char text[64]; /* pid:[4026531836] */
    long n = base_syscall(SYS_readlink, "/proc/self/ns/pid", text, sizeof text - 1);
    uint64_t inode = 0;
    if (n > 6 && text[n - 1] == ']')
        base_parse_number(text + 5, (size_t)n - 6, 10, &inode);
    return inode;
}

static void read_arguments(struct identity *id, char *const *argv) {
    size_t at = 0;
    for (; argv && *argv; argv++) {
        size_t n = base_length(*argv) + 1;
        if (n > sizeof id->arguments - at)
            break;
        base_move(id->arguments + at, *argv, n);
        at += n;
    }
    id->arguments_size = at;
}

int identity_read(struct identity *id, char *const *argv) {
    read_arguments(id, argv);
    long n = base_syscall(SYS_readlink, "/proc/self/exe", id->exe, sizeof id->exe - 1);
    if (n < 0) {
        base_copy(id->exe, sizeof id->exe, argv && *argv ? *argv : "");
        read_stat(id);
        return (int)n;
    }
    id->exe[n] = 0;
    read_boot_id(id);
    identity_refresh(id);
    return 0;
}

void identity_refresh(struct identity *id) {
    id->pid_namespace = read_pid_namespace();
    read_stat(id);
}

uint64_t identity_limit(int resource) {
    struct rlimit l;
    if (base_syscall(SYS_getrlimit, resource, &l) || l.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return l.rlim_cur;
}

uint64_t identity_space_limit(void) {
    uint64_t all = identity_limit(RLIMIT_AS), data = identity_limit(RLIMIT_DATA);
    return all < data ? all : data;
}

bool identity_counts_commit(void) {
    char text[8];
    return read_file("/proc/sys/vm/overcommit_memory", text, sizeof text) > 0 && text[0] == '2';
}
