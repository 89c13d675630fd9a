/* Every process on the machine that runs under squall: first by what processes have mapped, which
 * finds them in other mount namespaces and without any folder; then by the folders, which finds
 * those whose maps are not ours to read, or that run out of sight (a shared volume). */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "internal.h"

/* Of files alone: regions that say that they are one process's (several where it called exec), and
 * those of one user of which nobody can tell whether their processes run. */
#define MOST_OF_PROCESS 16u
#define MOST_OUT_OF_SIGHT 1000u
#define KERNEL_THREAD 0x00200000u /* PF_KTHREAD of the flags in /proc/PID/stat */

struct tally { /* of a process, or of a user (the rest is zero) */
    struct tally_key {
        uint64_t pid_namespace;
        int64_t pid, user; /* user: plus one */
    } key;
    uint32_t count;
    UT_hash_handle hh;
};

struct search {
    int (*each)(void *data, const struct profile_found *found);
    void *data;
    struct profile_unseen *unseen;
    struct profile_found *found; /* one at a time */
    struct profile_region *told; /* those that were given already */
    size_t count, room;
    struct tally *tallies;
    uint64_t own_namespace;
};

struct profile_region profile_region_of(const struct profile_found *found) {
    return (struct profile_region){found->key, found->device, found->inode, found->uid};
}

bool profile_region_same(const struct profile_region *a, const struct profile_region *b) {
    return a->key == b->key &&
           (a->uid == b->uid || (a->device == b->device && a->inode == b->inode));
}

uint64_t profile_region_number(const struct profile_found *found) {
    return base_mix(found->key + base_mix(found->inode + base_mix(found->device)));
}

static bool is_known(const struct search *s, const struct profile_region *region) {
    for (size_t i = 0; i < s->count; i++)
        if (profile_region_same(&s->told[i], region))
            return true;
    return false;
}

/* From now on it is known; false where there is no memory for that. */
static bool remember(struct search *s, const struct profile_region *region) {
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 64;
        struct profile_region *told = reallocarray(s->told, room, sizeof *told);
        if (!told)
            return false;
        s->told = told;
        s->room = room;
    }
    s->told[s->count++] = *region;
    return true;
}

/* Kernel threads have no memory to look at: that they are closed says nothing. */
static bool is_kernel_thread(int pid) {
    char path[64], text[1024];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return true; /* gone */
    text[got] = 0;
    const char *after = strrchr(text, ')');
    if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
        return false;
    return flags & KERNEL_THREAD;
}

static int look_at_process(struct search *s, int pid) {
    struct profile_error why = {.text = ""};
    int status = profile_find_pid(pid, s->found, &why);
    struct profile_region region = profile_region_of(s->found);
    if (status == 0)
        return !is_known(s, &region) && remember(s, &region) ? s->each(s->data, s->found) : 0;
    if (status == -ENOMEM)
        return status;
    if (status == -EMFILE || status == -ENFILE) {
        s->unseen->no_descriptors = true;
    } else if (status == -EREMOTE) {
        if (s->unseen->out_of_reach++ == 0)
            base_copy(s->unseen->why, sizeof s->unseen->why, why.text);
    } else if (status != -ENOENT && status != -ESRCH && !is_kernel_thread(pid)) {
        s->unseen->closed++;
    }
    return 0;
}

static int look_at_processes(struct search *s) {
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int status = 0;
    if (!proc) {
        s->unseen->no_proc = true;
        return 0;
    }
    while (status == 0 && (entry = readdir(proc)))
        if (isdigit((unsigned char)entry->d_name[0]))
            status = look_at_process(s, atoi(entry->d_name));
    closedir(proc);
    return status;
}

/* One more of a kind; false where there are `most` already. */
static bool count_one(struct search *s, struct tally_key key, uint32_t most) {
    struct tally *tally;
    HASH_FIND(hh, s->tallies, &key, sizeof key, tally);
    if (!tally) {
        tally = calloc(1, sizeof *tally);
        if (!tally)
            return false;
        tally->key = key;
        HASH_ADD(hh, s->tallies, key, sizeof tally->key, tally);
        if (!tally->hh.tbl) {
            free(tally);
            return false;
        }
    }
    return tally->count++ < most;
}

/* Anybody can put files into a folder, and have them mapped, that say to be regions of processes.
 */
static bool is_one_too_many(struct search *s, const struct profile_file *file) {
    const struct tally_key process = {.pid_namespace = file->pid_namespace, .pid = file->pid};
    const struct tally_key user = {.user = (int64_t)file->uid + 1};
    return file->crowded || !count_one(s, process, MOST_OF_PROCESS) ||
           (!file->mapped && file->state == PROFILE_UNKNOWN &&
            !count_one(s, user, MOST_OUT_OF_SIGHT));
}

/* A header may name any process. Its file belongs to whom that process is, was or may become again,
 * or to root, as which it may have begun. */
static bool may_belong_to(uint32_t owner, int32_t pid) {
    char path[64], line[256];
    unsigned ids[4] = {0};
    bool may = false;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    while (f && !may && fgets(line, sizeof line, f))
        if (sscanf(line, "Uid: %u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4)
            for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
                may |= ids[i] == owner || owner == 0;
    if (f)
        fclose(f);
    return may;
}

static int consider_file(void *data, const struct profile_file *file) {
    struct search *s = data;
    struct source source;
    struct region_header h;
    struct profile_region region = {file->key, file->device, file->inode, file->uid};
    if (file->packed ||
        (!file->mapped && file->state != PROFILE_RUNNING && file->state != PROFILE_UNKNOWN) ||
        is_known(s, &region))
        return 0;
    if (is_one_too_many(s, file)) {
        s->unseen->left_out++;
        return 0;
    }
    if (!remember(s, &region))
        return 0;
    if (source_open(&source, AT_FDCWD, file->path, false, NULL) != 0)
        return 0;
    struct profile_found *found = s->found;
    memset(found, 0, sizeof *found);
    memcpy(found->path, file->path, sizeof found->path);
    memcpy(found->file, file->path, sizeof found->file);
    found_fill(found, &source);
    found->state = file->state;
    if (source_read(&source, 0, &h, sizeof h, NULL) == 0 && s->own_namespace &&
        h.pid_namespace == s->own_namespace && may_belong_to(found->uid, h.pid))
        found->pid = h.pid;
    source_close(&source);
    return s->each(s->data, found);
}

static int look_at_folder(void *data, const char *path) {
    int status = profile_list(path, consider_file, data);
    struct search *s = data;
    if (status == -EACCES || status == -EPERM) {
        if (s->unseen->folders++ == 0)
            base_copy(s->unseen->folder, sizeof s->unseen->folder, path);
        return 0;
    }
    return status < 0 && status != -ENOMEM ? 0 : status; /* a folder that went away has nothing */
}

int profile_find(int (*each)(void *data, const struct profile_found *found), void *data,
                 struct profile_unseen *unseen) {
    struct profile_unseen ignored;
    struct stat own;
    struct tally *tally, *next;
    struct search s = {.each = each, .data = data, .unseen = unseen ? unseen : &ignored};
    memset(s.unseen, 0, sizeof *s.unseen);
    s.own_namespace = stat("/proc/self/ns/pid", &own) == 0 ? own.st_ino : 0;
    s.found = malloc(sizeof *s.found);
    int status = s.found ? look_at_processes(&s) : -ENOMEM;
    if (status == 0)
        status = profile_places(NULL, look_at_folder, &s);
    HASH_ITER(hh, s.tallies, tally, next) {
        HASH_DEL(s.tallies, tally);
        free(tally);
    }
    free(s.found);
    free(s.told);
    return status;
}
