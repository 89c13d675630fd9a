/* Folders, files, and memory where neither works. */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/syscall.h"
#include "identity.h"
#include "say.h"

/* A bound for systems without MADV_POPULATE_WRITE (before Linux 5.14): all of it is taken at the
 * start, so it is small. */
#define POPULATED_BOUND (8u << 20)

/* ---- limits ---- */

static bool can_populate(void) {
    long p =
        base_syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_is_error(p))
        return false;
    long error = base_syscall(SYS_madvise, p, 4096, MADV_POPULATE_WRITE);
    base_syscall(SYS_munmap, p, 4096);
    return error == 0;
}

/* The region takes at most a sixteenth of limited memory: of RLIMIT_DATA, too, for private tables are
 * as large as its own. UINT64_MAX = no limit. */
static uint64_t largest(void) {
    uint64_t space = identity_space_limit();
    return space == UINT64_MAX ? space : space / 16;
}

/* A file over RLIMIT_FSIZE would be a SIGXFSZ. */
static uint64_t lower(uint64_t bound, uint64_t file_limit, uint32_t *notes) {
    uint64_t most = largest(), wanted = bound & ~4095ull;
    if (bound > most)
        bound = most;
    if (bound > file_limit)
        bound = file_limit;
    bound &= ~4095ull;
    if (bound != wanted)
        *notes |= REGION_NOTE_BOUND_LOWERED;
    return bound;
}

/* ---- folders ---- */

static int open_folder(const char *path) {
    return (int)base_syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

/* SQUALL_DIR: any owner and mode, but where everybody may write, nobody else may remove. */
static int check_shared(int folder) {
    struct stat st;
    long error = base_syscall(SYS_fstat, folder, &st);
    if (!error && st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX))
        error = -EXDEV;
    return (int)error;
}

/* The other places: ours alone. */
static int check_private(int folder) {
    struct stat st;
    long error = base_syscall(SYS_fstat, folder, &st);
    if (!error && (st.st_uid != (uint32_t)base_syscall(SYS_geteuid) || st.st_mode & 077))
        error = -EXDEV;
    return (int)error;
}

static int enter_folder(const char *path, bool make, int (*check)(int)) {
    struct stat st;
    if (make)
        base_syscall(SYS_mkdir, path, 0700);
    if (check == check_private && base_syscall(SYS_lstat, path, &st) == 0 && S_ISLNK(st.st_mode))
        return -ELOOP;
    int folder = open_folder(path);
    if (folder < 0)
        return folder;
    int error = check(folder);
    if (error)
        base_syscall(SYS_close, folder);
    return error ? error : folder;
}

/* ---- files ---- */

static int give_length(int fd, struct region *r, uint64_t bound) {
    long error = base_syscall(SYS_ftruncate, fd, bound);
    if (!error && r->populated)
        error = base_syscall(SYS_fallocate, fd, 0, 0, bound);
    return (int)error;
}

static int map_and_start(struct region *r, int fd, uint64_t bound, int (*start)(struct region *)) {
    int error = region_map(r, fd, bound);
    if (error)
        return error;
    error = start(r);
    if (error) {
        base_syscall(SYS_munmap, r->base, r->bound);
        r->base = NULL;
    }
    return error;
}

static int look_at_filesystem(int fd, struct place_found *found) {
    struct statfs fs;
    if (base_syscall(SYS_fstatfs, fd, &fs))
        return 0;
    if (region_is_refused_on((uint64_t)fs.f_type))
        return -EMEDIUMTYPE;
    found->filesystem = (uint64_t)fs.f_type;
    if (fs.f_type != TMPFS_MAGIC)
        found->notes |= REGION_NOTE_NOT_TMPFS;
    return 0;
}

static int try_file(int folder, const struct place_wish *wish, uint64_t bound, struct region *r,
                    struct place_found *found, int (*start)(struct region *)) {
    int fd = (int)base_syscall(SYS_openat, folder, wish->name,
                               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fd;
    int error = look_at_filesystem(fd, found);
    if (!error)
        error = (int)base_syscall(SYS_fchmod, fd, wish->perm);
    if (!error)
        error = give_length(fd, r, bound);
    if (!error)
        error = map_and_start(r, fd, bound, start);
    base_syscall(SYS_close, fd);
    if (error) {
        found->notes &= ~(uint32_t)REGION_NOTE_NOT_TMPFS;
        base_syscall(SYS_unlinkat, folder, wish->name, 0);
    }
    return error;
}

static int try_folder(const char *path, bool make, int (*check)(int), const struct place_wish *wish,
                      uint64_t bound, struct region *r, struct place_found *found,
                      int (*start)(struct region *)) {
    if (bound < REGION_BOUND_MIN)
        return -EFBIG;
    int folder = enter_folder(path, make, check);
    if (folder < 0)
        return folder;
    int error = try_file(folder, wish, bound, r, found, start);
    base_syscall(SYS_close, folder);
    return error;
}

static int try_memfd(uint64_t bound, struct region *r, int (*start)(struct region *)) {
    if (bound < REGION_BOUND_MIN)
        return -EFBIG;
    int fd = (int)base_syscall(SYS_memfd_create, "squall", 1 /* MFD_CLOEXEC */);
    if (fd < 0)
        return fd;
    int error = give_length(fd, r, bound);
    if (!error)
        error = map_and_start(r, fd, bound, start);
    base_syscall(SYS_close, fd);
    return error;
}

/* ---- the order of places ---- */

static void say_lowered(uint64_t bound, const char *by) {
    char size[32];
    size_t at = 0;
    base_append_number(size, sizeof size, &at, bound >> 10);
    say(by, " leaves ", size, " KiB for the region; what does not fit is counted in the report",
        NULL);
}

static void with_uid(char *path, size_t size, const char *prefix) {
    size_t at = 0;
    base_append(path, size, &at, prefix);
    base_append_number(path, size, &at, (uint64_t)base_syscall(SYS_geteuid));
}

static int try_memory(uint64_t bound, uint64_t file_bound, struct region *r,
                      struct place_found *found, int (*start)(struct region *)) {
    found->place = REGION_PLACE_MEMFD;
    int error = try_memfd(file_bound, r, start);
    if (error) {
        found->place = REGION_PLACE_ANONYMOUS;
        error = bound < REGION_BOUND_MIN ? -ENOMEM : map_and_start(r, -1, bound, start);
    }
    return error;
}

static int say_none(int error) {
    say("no memory for a region: nothing is recorded", NULL);
    return error;
}

int place_check(void) {
    return largest() < REGION_BOUND_MIN ? say_none(-ENOMEM) : 0;
}

static const char *memory_limit(void) {
    return identity_limit(RLIMIT_AS) <= identity_limit(RLIMIT_DATA) ? "RLIMIT_AS" : "RLIMIT_DATA";
}

int place_region(const struct place_wish *wish, struct region *r, struct place_found *found,
                 int (*start)(struct region *)) {
    char path[512]; /* a thread may have 16 KiB of stack in all */
    uint64_t memory = lower(wish->bound, UINT64_MAX, &found->notes);
    r->populated = !can_populate();
    if (r->populated) {
        found->notes |= REGION_NOTE_NO_POPULATE;
        memory = memory < POPULATED_BOUND ? memory : POPULATED_BOUND;
    }
    uint64_t bound = lower(memory, identity_limit(RLIMIT_FSIZE), &found->notes);
    if (found->notes & REGION_NOTE_BOUND_LOWERED && bound >= REGION_BOUND_MIN)
        say_lowered(bound, bound < memory ? "RLIMIT_FSIZE" : memory_limit());
    int error = -ENOENT, asked = 0;
    if (wish->dir && *wish->dir) {
        found->place = REGION_PLACE_DIR;
        error = asked = try_folder(wish->dir, true, check_shared, wish, bound, r, found, start);
        if (error)
            found->notes |= REGION_NOTE_DIR_REFUSED;
    }
    if (error && wish->runtime && *wish->runtime == '/' &&
        base_length(wish->runtime) < sizeof path - 16) {
        size_t at = 0;
        found->place = REGION_PLACE_RUNTIME;
        base_append(path, sizeof path, &at, wish->runtime);
        base_append(path, sizeof path, &at, "/squall");
        error = try_folder(path, true, check_private, wish, bound, r, found, start);
    }
    for (unsigned i = 0; error && i < 2; i++) {
        found->place = i ? REGION_PLACE_TMP : REGION_PLACE_SHM;
        with_uid(path, sizeof path, i ? "/tmp/squall-" : "/dev/shm/squall-");
        error = try_folder(path, true, check_private, wish, bound, r, found, start);
    }
    if (!error) {
        if (asked)
            say("SQUALL_DIR=", wish->dir, ": ", say_error(asked), "; recording into ", path, NULL);
        return 0;
    }
    int last = asked ? asked : error;
    error = try_memory(memory, bound, r, found, start);
    if (error)
        return say_none(error);
    say(asked ? wish->dir : path, ": ", say_error(last),
        "; recording into memory only: read it while the program runs, it is lost at the end", NULL);
    return 0;
}
