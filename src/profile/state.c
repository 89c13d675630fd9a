/* What became of a process: whoever still has the file mapped is running; where that cannot be
 * seen we say so. A number of a process alone proves nothing: it is given again, and in another
 * namespace it is another process. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "internal.h"

#define INITIAL_PID_NAMESPACE 0xEFFFFFFCull /* the inode that the kernel gives to the first */

/* A process has its own region mapped, and for a while those of its forebears. One that has more
 * than these would have each counted as a process. */
#define MAPPED_MOST 64u

struct mapped_file {
    struct key {
        uint64_t device, inode;
    } key;
    bool crowded; /* only by processes that have too many */
    UT_hash_handle hh;
};

struct mapped_name { /* last part of the path; on overlay and btrfs the device may differ */
    char name[96];
    bool crowded;
    UT_hash_handle hh;
};

/* What one process has mapped, or all of them. */
struct mapped {
    struct mapped_file *files;
    struct mapped_name *names;
};

struct process {
    int32_t pid;
    enum look { LOOK_ABSENT, LOOK_MAPPED, LOOK_NOT_MAPPED, LOOK_FORBIDDEN } look;
    struct mapped mapped;
    UT_hash_handle hh;
};

struct maps {
    bool scanned;
    bool incomplete;           /* some process does not let us look */
    struct mapped all;         /* that could be regions */
    struct process *processes; /* that regions named */
    struct heirs *heirs;
};

struct maps *maps_open(void) {
    return calloc(1, sizeof(struct maps));
}

static void free_mapped(struct mapped *mapped) {
    struct mapped_file *file, *next_file;
    struct mapped_name *name, *next_name;
    HASH_ITER(hh, mapped->files, file, next_file) {
        HASH_DEL(mapped->files, file);
        free(file);
    }
    HASH_ITER(hh, mapped->names, name, next_name) {
        HASH_DEL(mapped->names, name);
        free(name);
    }
}

void maps_close(struct maps *maps) {
    struct process *process, *next;
    if (!maps)
        return;
    free_mapped(&maps->all);
    HASH_ITER(hh, maps->processes, process, next) {
        HASH_DEL(maps->processes, process);
        free_mapped(&process->mapped);
        free(process);
    }
    heirs_free(maps->heirs);
    free(maps);
}

/* One line of /proc/PID/maps that maps a file; false for others. Names that are not a region's are
 * left empty: only a region's can be compared. */
static bool parse_line(char *line, struct key *key, char name[96]) {
    unsigned major_number, minor_number;
    uint64_t inode;
    int path_at = 0;
    memset(key, 0, sizeof *key);
    memset(name, 0, 96);
    if (sscanf(line, "%*x-%*x %*s %*x %x:%x %" SCNu64 " %n", &major_number, &minor_number, &inode,
               &path_at) < 3 ||
        inode == 0 || path_at == 0)
        return false;
    char *path = line + path_at;
    path[strcspn(path, "\n")] = 0;
    char *deleted = strstr(path, " (deleted)");
    if (deleted)
        *deleted = 0;
    const char *slash = strrchr(path, '/');
    const char *last = slash ? slash + 1 : path;
    key->device = makedev(major_number, minor_number);
    key->inode = inode;
    if (strncmp(last, "squall.", 7) == 0 && strlen(last) < 96)
        memcpy(name, last, strlen(last));
    return true;
}

static struct mapped_file *find_file(const struct mapped *mapped, uint64_t device, uint64_t inode) {
    struct key key = {device, inode};
    struct mapped_file *found;
    HASH_FIND(hh, mapped->files, &key, sizeof key, found);
    return found;
}

static struct mapped_name *find_name(const struct mapped *mapped, const char *name) {
    struct mapped_name *found;
    HASH_FIND_STR(mapped->names, name, found);
    return found;
}

static bool has(const struct mapped *mapped, const struct stat *file, const char *name) {
    return find_file(mapped, file->st_dev, file->st_ino) || find_name(mapped, name);
}

static bool is_crowded(const struct mapped *mapped, const struct stat *file, const char *name) {
    const struct mapped_file *number = find_file(mapped, file->st_dev, file->st_ino);
    const struct mapped_name *named = find_name(mapped, name);
    return (number || named) && (!number || number->crowded) && (!named || named->crowded);
}

/* False: no memory. */
static bool remember_name(struct mapped *mapped, const char *name, bool crowded) {
    struct mapped_name *named = find_name(mapped, name);
    if (named)
        named->crowded &= crowded;
    if (named || !*name)
        return true;
    named = calloc(1, sizeof *named);
    if (!named)
        return false;
    base_copy(named->name, sizeof named->name, name);
    named->crowded = crowded;
    HASH_ADD_STR(mapped->names, name, named);
    if (named->hh.tbl)
        return true;
    free(named); /* not added */
    return false;
}

static bool remember(struct mapped *mapped, const struct key *key, const char *name, bool crowded) {
    struct mapped_file *file = find_file(mapped, key->device, key->inode);
    if (file)
        file->crowded &= crowded;
    if (!file) {
        file = calloc(1, sizeof *file);
        if (!file)
            return false;
        file->key = *key;
        file->crowded = crowded;
        HASH_ADD(hh, mapped->files, key, sizeof file->key, file);
        if (!file->hh.tbl) { /* not added */
            free(file);
            return false;
        }
    }
    return remember_name(mapped, name, crowded);
}

/* Remembers what a process has mapped: all files, or what could be a region (a file with our name,
 * or one in memory). */
static enum look look_at(const char *pid, bool all, struct mapped *mapped) {
    char path[64], *line = NULL;
    size_t room = 0;
    struct key last = {0};
    unsigned count = 0; /* of files that could be regions */
    enum look result = LOOK_NOT_MAPPED;
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT || errno == ESRCH ? LOOK_ABSENT : LOOK_FORBIDDEN;
    errno = 0;
    while (getline(&line, &room, f) > 0) {
        struct key key;
        char name[96];
        bool memory_file = strstr(line, "/memfd:squall") != NULL;
        if (!parse_line(line, &key, name) || !(all || name[0] || memory_file))
            continue;
        if (name[0] || memory_file) /* of one several pieces */
            count += key.device != last.device || key.inode != last.inode;
        last = key;
        if (!remember(mapped, &key, name, count > MAPPED_MOST))
            result = LOOK_FORBIDDEN;
    }
    if (ferror(f) && errno != ESRCH)
        result = LOOK_FORBIDDEN;
    free(line);
    fclose(f);
    return result;
}

static void scan_all(struct maps *maps) {
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    maps->scanned = true;
    if (!proc) {
        maps->incomplete = true;
        return;
    }
    while ((entry = readdir(proc)))
        if (isdigit((unsigned char)entry->d_name[0]) &&
            look_at(entry->d_name, false, &maps->all) == LOOK_FORBIDDEN)
            maps->incomplete = true;
    closedir(proc);
}

static enum look look_everywhere(struct maps *maps, const struct stat *file, const char *name,
                                 bool *crowded) {
    if (!maps)
        return LOOK_FORBIDDEN;
    if (!maps->scanned)
        scan_all(maps);
    *crowded = is_crowded(&maps->all, file, name);
    if (has(&maps->all, file, name))
        return LOOK_MAPPED;
    return maps->incomplete ? LOOK_FORBIDDEN : LOOK_ABSENT;
}

/* A process that a region names: its maps are read once, however many name it. */
static enum look look_at_process(struct maps *maps, int32_t pid, const struct stat *file,
                                 const char *name) {
    struct process own = {.pid = pid}, *process = NULL;
    char text[16];
    if (maps)
        HASH_FIND(hh, maps->processes, &pid, sizeof pid, process);
    if (!process) {
        process = maps ? calloc(1, sizeof *process) : &own;
        if (!process)
            return LOOK_FORBIDDEN;
        process->pid = pid;
        snprintf(text, sizeof text, "%d", pid);
        process->look = look_at(text, true, &process->mapped);
        if (maps)
            HASH_ADD(hh, maps->processes, pid, sizeof process->pid, process);
    }
    enum look look = has(&process->mapped, file, name) ? LOOK_MAPPED : process->look;
    if (!process->hh.tbl) { /* not kept: nowhere to, or no memory */
        free_mapped(&process->mapped);
        if (process != &own)
            free(process);
    }
    return look;
}

/* Letter of the state and field 22 of /proc/PID/stat. */
static bool read_stat(int32_t pid, char *letter, uint64_t *start_ticks) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = 0;
    const char *after = strrchr(text, ')'); /* the name may hold anything */
    return after && sscanf(after,
                           ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                           "%*d %*d %*d %*d %" SCNu64,
                           letter, start_ticks) == 2;
}

static uint64_t own_pid_namespace(void) {
    struct stat s;
    return stat("/proc/self/ns/pid", &s) == 0 ? s.st_ino : 0;
}

static bool own_boot_id(uint8_t id[16]) {
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    unsigned digits = 0;
    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < got && digits < 32; i++) {
        if (!isxdigit((unsigned char)text[i]))
            continue;
        uint64_t nibble = 0;
        base_parse_number(text + i, 1, 16, &nibble);
        id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | nibble);
        digits++;
    }
    return digits == 32;
}

/* -1 = not known. */
static int compare_boot(const struct region_header *h) {
    static const uint8_t zero[16];
    uint8_t ours[16] = {0};
    if (memcmp(h->boot_id, zero, 16) == 0 || !own_boot_id(ours))
        return -1;
    return memcmp(h->boot_id, ours, 16) == 0;
}

bool state_is_this_boot(const struct region_header *h) {
    return compare_boot(h) == 1;
}

/* The process of our own namespace, by number. */
static enum look look_by_pid(struct maps *maps, const struct region_header *h,
                             const struct stat *file, const char *name, bool *alive) {
    char letter = 0;
    uint64_t start_ticks = 0;
    *alive = false;
    if (h->pid <= 0)
        return LOOK_ABSENT;
    if (!read_stat(h->pid, &letter, &start_ticks)) {
        /* hidepid hides it, a missing /proc hides all */
        return kill(h->pid, 0) == 0 || errno == EPERM ? LOOK_FORBIDDEN : LOOK_ABSENT;
    }
    if (letter == 'Z' || letter == 'X')
        return LOOK_ABSENT;
    enum look look = look_at_process(maps, h->pid, file, name);
    /* The number was given again; but in a time namespace the start only looks different. */
    if (h->start_ticks && start_ticks != h->start_ticks && look != LOOK_MAPPED)
        return LOOK_ABSENT;
    *alive = true;
    return look;
}

struct state state_of(struct maps *maps, const struct region_header *h, const struct stat *file,
                      const char *path) {
    struct state s = {.state = PROFILE_UNKNOWN};
    char name[96];
    bool alive = false;
    enum look look = LOOK_ABSENT;
    uint64_t ours = own_pid_namespace();
    folder_region_name(h, name, sizeof name);
    if (compare_boot(h) != 0) { /* after another boot nothing of it runs */
        if (ours && h->pid_namespace == ours)
            look = look_by_pid(maps, h, file, name, &alive);
        else
            look = look_everywhere(maps, file, name, &s.crowded);
        /* A namespace beside or above ours is out of sight. */
        if (look == LOOK_ABSENT && h->pid_namespace != ours && ours != INITIAL_PID_NAMESPACE)
            look = LOOK_FORBIDDEN;
    }
    s.mapped = look == LOOK_MAPPED;
    if (h->ended)
        s.state = PROFILE_ENDED;
    else if (look == LOOK_MAPPED)
        s.state = PROFILE_RUNNING;
    else if (alive && look == LOOK_NOT_MAPPED)
        s.state = PROFILE_REPLACED;
    else if (path && has_heir(maps ? &maps->heirs : NULL, h, path))
        s.state = PROFILE_REPLACED;
    else if (look == LOOK_FORBIDDEN)
        s.state = PROFILE_UNKNOWN;
    else
        s.state = PROFILE_DIED;
    return s;
}
