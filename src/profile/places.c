/* Which folders the shim writes to: the same order as in the shim, seen from outside. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/* What snprintf returned: did it fit? */
static int fits(int length, size_t size) {
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static bool is_own_folder(const char *path) {
    struct stat s;
    return lstat(path, &s) == 0 && S_ISDIR(s.st_mode) && s.st_uid == geteuid();
}

/* Somebody else was there first, in a folder that everybody may write to: what is in it is not what
 * the shim, which refuses it, wrote. */
static bool is_taken(const char *path) {
    struct stat s;
    return lstat(path, &s) == 0 && !is_own_folder(path);
}

int profile_default_folder(char *path, size_t size) {
    const char *folder = getenv("SQUALL_DIR"), *runtime = getenv("XDG_RUNTIME_DIR");
    unsigned uid = geteuid();
    char shm[64];
    snprintf(shm, sizeof shm, "/dev/shm/squall-%u", uid);
    if (folder && *folder)
        return fits(snprintf(path, size, "%s", folder), size);
    if (runtime && *runtime) {
        int status = fits(snprintf(path, size, "%s/squall", runtime), size);
        if (status == 0 && is_own_folder(path))
            return 0;
    }
    int status = fits(snprintf(path, size, "/tmp/squall-%u", uid), size);
    /* The last resort, if it is the one that was made; else where the shim would begin. */
    if (status == 0 && is_own_folder(path) && !is_own_folder(shm))
        return 0;
    if (is_own_folder(shm) || (access("/dev/shm", W_OK) == 0 && !is_taken(shm)))
        return fits(snprintf(path, size, "%s", shm), size);
    return status == 0 && is_taken(path) ? -EPERM : status;
}

static const char *const shared[] = {"/dev/shm/squall-", "/tmp/squall-"};

bool places_is_shared(const char *path) {
    for (unsigned i = 0; i < ARRAY_SIZE(shared); i++)
        if (strncmp(path, shared[i], strlen(shared[i])) == 0)
            return true;
    return false;
}

struct places {
    int (*each)(void *data, const char *path);
    void *data;
    struct {
        dev_t device;
        ino_t inode;
    } seen[256];
    unsigned count;
};

/* A folder as `s` has it. */
static int visit_folder(struct places *p, const char *path, const struct stat *found) {
    struct stat s = *found;
    if (!S_ISDIR(s.st_mode))
        return 0;
    for (unsigned i = 0; i < p->count; i++)
        if (p->seen[i].device == s.st_dev && p->seen[i].inode == s.st_ino)
            return 0;
    if (p->count < ARRAY_SIZE(p->seen)) {
        p->seen[p->count].device = s.st_dev;
        p->seen[p->count++].inode = s.st_ino;
    }
    return p->each(p->data, path);
}

/* The one that was asked for may be a link. */
static int visit(struct places *p, const char *path) {
    struct stat s;
    return stat(path, &s) == 0 ? visit_folder(p, path, &s) : 0;
}

/* PREFIX followed by the number of a user, whose it has to be, or root's: no other could have made
 * it for the library, and no link was. */
static bool is_of_its_user(const char *path, size_t prefix, const struct stat *s) {
    uint64_t uid;
    return base_parse_number(path + prefix, strlen(path + prefix), 10, &uid) == 0 &&
           S_ISDIR(s->st_mode) && (s->st_uid == uid || s->st_uid == 0);
}

static int visit_all(struct places *p, const char *prefix) {
    char pattern[64];
    struct stat s;
    glob_t found;
    int status = 0;
    snprintf(pattern, sizeof pattern, "%s[0-9]*", prefix);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc && status == 0; i++) {
        const char *path = found.gl_pathv[i];
        if (lstat(path, &s) == 0 && is_of_its_user(path, strlen(prefix), &s))
            status = visit_folder(p, path, &s);
    }
    globfree(&found);
    return status;
}

int profile_places(const char *folder, int (*each)(void *data, const char *path), void *data) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct places p = {.each = each, .data = data};
    char path[4096];
    int status = 0;
    if (!folder)
        folder = getenv("SQUALL_DIR");
    if (folder && *folder)
        status = visit(&p, folder);
    if (status == 0 && runtime && *runtime &&
        fits(snprintf(path, sizeof path, "%s/squall", runtime), sizeof path) == 0)
        status = visit(&p, path);
    for (unsigned i = 0; i < ARRAY_SIZE(shared) && status == 0; i++) {
        snprintf(path, sizeof path, "%s%u", shared[i], (unsigned)geteuid());
        if (is_own_folder(path))
            status = visit(&p, path);
        if (status == 0 && geteuid() == 0)
            status = visit_all(&p, shared[i]);
    }
    return status;
}
