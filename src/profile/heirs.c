/* Whose process went on as another image: it called exec, and what came then left a region of the
 * same process, begun later, beside its own. A folder is gone through once, however many ask. */
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "internal.h"

/* The last image of a process. */
struct heir {
    struct heir_key {
        uint64_t start_ticks, pid_namespace;
        uint8_t boot_id[16];
        int32_t pid;
        uint32_t padding;
    } key;
    uint64_t start_raw_ns, random;
    UT_hash_handle hh;
};

struct heirs { /* of one folder */
    struct heirs *next;
    struct heir *last;
    char folder[];
};

static struct heir_key key_of(const struct region_header *h) {
    struct heir_key key;
    memset(&key, 0, sizeof key);
    key.start_ticks = h->start_ticks;
    key.pid_namespace = h->pid_namespace;
    memcpy(key.boot_id, h->boot_id, sizeof key.boot_id);
    key.pid = h->pid;
    return key;
}

void heirs_free(struct heirs *heirs) {
    struct heir *heir, *next_heir;
    while (heirs) {
        struct heirs *next = heirs->next;
        HASH_ITER(hh, heirs->last, heir, next_heir) {
            HASH_DEL(heirs->last, heir);
            free(heir);
        }
        free(heirs);
        heirs = next;
    }
}

static bool is_called_after(const char *name, const struct region_header *h) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "squall.%d.%" PRIu64 ".", h->pid, h->start_ticks);
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static void add(struct heirs *heirs, int folder, const char *name) {
    struct region_header h;
    struct heir *heir;
    int fd = profile_open_file(folder, name, false);
    if (fd < 0)
        return;
    bool read = pread(fd, &h, sizeof h, 0) == (ssize_t)sizeof h;
    close(fd);
    if (!read || memcmp(h.magic, REGION_MAGIC, sizeof h.magic) != 0 || !is_called_after(name, &h))
        return;
    struct heir_key key = key_of(&h);
    HASH_FIND(hh, heirs->last, &key, sizeof key, heir);
    if (heir && heir->start_raw_ns >= h.start_raw_ns)
        return;
    if (!heir) {
        heir = calloc(1, sizeof *heir);
        if (!heir)
            return;
        heir->key = key;
        HASH_ADD(hh, heirs->last, key, sizeof heir->key, heir);
        if (!heir->hh.tbl) { /* no memory: not added */
            free(heir);
            return;
        }
    }
    heir->start_raw_ns = h.start_raw_ns;
    heir->random = h.random;
}

static int is_region(const struct dirent *entry) {
    size_t length = strlen(entry->d_name), end = strlen(".region");
    return strncmp(entry->d_name, "squall.", 7) == 0 && length > end &&
           strcmp(entry->d_name + length - end, ".region") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* "squall.PID.START.", which images of one process have in common. */
static bool have_same_process(const struct dirent *a, const struct dirent *b) {
    unsigned dots = 0;
    size_t i = 0;
    for (; dots < 3 && a->d_name[i] && a->d_name[i] == b->d_name[i]; i++)
        dots += a->d_name[i] == '.';
    return dots == 3;
}

/* Only of several there can be a later one: the others are not opened. */
static struct heirs *list(const char *path, size_t length) {
    struct heirs *heirs = calloc(1, sizeof *heirs + length + 1);
    struct dirent **names = NULL;
    if (!heirs)
        return NULL;
    memcpy(heirs->folder, path, length);
    int fd = held_folder(length ? heirs->folder : ".");
    int count = fd < 0 ? 0 : scandirat(fd, ".", &names, is_region, by_bytes);
    for (int i = 0; i < count; i++)
        if ((i > 0 && have_same_process(names[i], names[i - 1])) ||
            (i + 1 < count && have_same_process(names[i], names[i + 1])))
            add(heirs, fd, names[i]->d_name);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    if (fd >= 0)
        close(fd);
    return heirs;
}

bool has_heir(struct heirs **known, const struct region_header *h, const char *path) {
    struct heir_key key = key_of(h);
    struct heir *heir;
    size_t length = (size_t)(held_name(path) - path);
    struct heirs *heirs = known ? *known : NULL;
    if (h->start_ticks == 0)
        return false;
    while (heirs && (strncmp(heirs->folder, path, length) != 0 || heirs->folder[length] != 0))
        heirs = heirs->next;
    if (!heirs) {
        heirs = list(path, length);
        if (!heirs)
            return false;
        if (known) {
            heirs->next = *known;
            *known = heirs;
        }
    }
    HASH_FIND(hh, heirs->last, &key, sizeof key, heir);
    bool has = heir && heir->start_raw_ns > h->start_raw_ns && heir->random != h->random;
    if (!known)
        heirs_free(heirs);
    return has;
}
