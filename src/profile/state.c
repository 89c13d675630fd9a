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

/* Once by its number and once by the last part of its path: on overlay and btrfs the device may
 * differ. What is not in the key is zero. */
struct mapped_file {
    struct key {
        uint64_t device, inode;
        char name[96];
    } key;
    bool crowded; /* only by processes that have too many */
    UT_hash_handle hh;
};

struct maps {
    bool scanned;
    bool incomplete; /* some process does not let us look */
    struct mapped_file *files;
};

enum look { LOOK_ABSENT, LOOK_MAPPED, LOOK_NOT_MAPPED, LOOK_FORBIDDEN };

struct maps *maps_open(void) {
    return calloc(1, sizeof(struct maps));
}

void maps_close(struct maps *maps) {
    struct mapped_file *file, *next;
    if (!maps)
        return;
    HASH_ITER(hh, maps->files, file, next) {
        HASH_DEL(maps->files, file);
        free(file);
    }
    free(maps);
}

/* One line of /proc/PID/maps that maps a file; false for others. */
static bool parse_line(char *line, struct key *key) {
    unsigned major_number, minor_number;
    uint64_t inode;
    int path_at = 0;
    memset(key, 0, sizeof *key);
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
    const char *name = slash ? slash + 1 : path;
    key->device = makedev(major_number, minor_number);
    key->inode = inode;
    /* Names that are not a region's are kept out: only they can be compared. */
    if (strncmp(name, "squall.", 7) == 0 && strlen(name) < sizeof key->name)
        memcpy(key->name, name, strlen(name));
    return true;
}

static bool same(const struct key *mapped, const struct stat *file, const char *name) {
    return (mapped->device == file->st_dev && mapped->inode == file->st_ino) ||
           (mapped->name[0] && strcmp(mapped->name, name) == 0);
}

static struct key by_number(uint64_t device, uint64_t inode) {
    struct key key;
    memset(&key, 0, sizeof key);
    key.device = device;
    key.inode = inode;
    return key;
}

static struct key by_name(const char *name) {
    struct key key;
    memset(&key, 0, sizeof key);
    base_copy(key.name, sizeof key.name, name);
    return key;
}

static struct mapped_file *find(const struct maps *maps, struct key key) {
    struct mapped_file *found;
    HASH_FIND(hh, maps->files, &key, sizeof key, found);
    return found;
}

static void remember(struct maps *maps, const struct key *key, bool crowded) {
    struct mapped_file *found = find(maps, *key), *fresh;
    if (found) {
        found->crowded &= crowded;
        return;
    }
    fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        maps->incomplete = true;
        return;
    }
    fresh->key = *key;
    fresh->crowded = crowded;
    HASH_ADD(hh, maps->files, key, sizeof fresh->key, fresh);
    if (!fresh->hh.tbl) { /* no memory: not added */
        maps->incomplete = true;
        free(fresh);
    }
}

/* Goes through the maps of one process: looks for a file, or (file NULL) remembers what could be
 * a region: a file with our name, or one in memory. */
static enum look look_at(const char *pid, const struct stat *file, const char *name,
                         struct maps *maps) {
    char path[64], *line = NULL;
    size_t room = 0;
    struct key last = {0};
    unsigned mapped = 0;
    enum look result = LOOK_NOT_MAPPED;
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT || errno == ESRCH ? LOOK_ABSENT : LOOK_FORBIDDEN;
    errno = 0;
    while (result == LOOK_NOT_MAPPED && getline(&line, &room, f) > 0) {
        struct key key;
        bool memory_file = strstr(line, "/memfd:squall") != NULL;
        if (!parse_line(line, &key))
            continue;
        if (file && same(&key, file, name))
            result = LOOK_MAPPED;
        if (file || !(key.name[0] || memory_file))
            continue;
        mapped += key.device != last.device || key.inode != last.inode; /* of one several pieces */
        last = key;
        struct key number = by_number(key.device, key.inode), named = by_name(key.name);
        remember(maps, &number, mapped > MAPPED_MOST);
        if (key.name[0])
            remember(maps, &named, mapped > MAPPED_MOST);
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
            look_at(entry->d_name, NULL, NULL, maps) == LOOK_FORBIDDEN)
            maps->incomplete = true;
    closedir(proc);
}

static enum look look_everywhere(struct maps *maps, const struct stat *file, const char *name,
                                 bool *crowded) {
    if (!maps)
        return LOOK_FORBIDDEN;
    if (!maps->scanned)
        scan_all(maps);
    const struct mapped_file *number = find(maps, by_number(file->st_dev, file->st_ino));
    const struct mapped_file *named = find(maps, by_name(name));
    *crowded = (number || named) && !(number && !number->crowded) && !(named && !named->crowded);
    if (number || named)
        return LOOK_MAPPED;
    return maps->incomplete ? LOOK_FORBIDDEN : LOOK_ABSENT;
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

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* True if the same process image's successor left a region beside this one: it called exec. */
static bool has_successor(const struct region_header *h, const char *path) {
    char folder[4096], prefix[64];
    bool found = false;
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + (slash == path) : 1;
    if (length >= sizeof folder || h->start_ticks == 0)
        return false;
    memcpy(folder, slash ? path : ".", length);
    folder[length] = 0;
    DIR *d = opendir(folder);
    struct dirent *entry;
    if (!d)
        return false;
    snprintf(prefix, sizeof prefix, "squall.%d.%" PRIu64 ".", h->pid, h->start_ticks);
    while (!found && (entry = readdir(d))) {
        struct region_header other;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            !ends_with(entry->d_name, ".region"))
            continue;
        int fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            continue;
        found = pread(fd, &other, sizeof other, 0) == (ssize_t)sizeof other &&
                memcmp(other.magic, REGION_MAGIC, 8) == 0 && other.pid == h->pid &&
                other.start_ticks == h->start_ticks && other.random != h->random &&
                other.pid_namespace == h->pid_namespace && other.start_raw_ns > h->start_raw_ns &&
                memcmp(other.boot_id, h->boot_id, sizeof other.boot_id) == 0;
        close(fd);
    }
    closedir(d);
    return found;
}

/* The process of our own namespace, by number. */
static enum look look_by_pid(const struct region_header *h, const struct stat *file,
                             const char *name, bool *alive) {
    char pid[16], letter = 0;
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
    snprintf(pid, sizeof pid, "%d", h->pid);
    enum look look = look_at(pid, file, name, NULL);
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
            look = look_by_pid(h, file, name, &alive);
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
    else if (path && has_successor(h, path))
        s.state = PROFILE_REPLACED;
    else if (look == LOOK_FORBIDDEN)
        s.state = PROFILE_UNKNOWN;
    else
        s.state = PROFILE_DIED;
    return s;
}
