/* A region made for a process that cannot make its own: as the shim would, see src/shim/lifecycle.c
 * and place.c.
 *
 * The file is the process's, and whoever owns it may write to it and cut it at any moment, while we
 * may be root. So rows are taken and filled in memory of our own; the file gets a copy, is given
 * away, and is never mapped here: what comes later is written at places that are known. */
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "go.h"

/* ---- clocks ---- */

bool go_region_has_tsc(void) {
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1u << 8;
}

static uint64_t ns_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void go_region_pair(struct region_header *h) {
    h->end_raw_ns = ns_of(CLOCK_MONOTONIC_RAW);
    h->end_clock = h->clock == REGION_CLOCK_TSC ? (uint64_t)__builtin_ia32_rdtsc() : h->end_raw_ns;
}

/* ---- configuration ---- */

static void set(struct region_configuration *c, const char *key, size_t k, const char *v,
                size_t n) {
    if (base_equal(key, k, "large"))
        base_parse_size(v, n, &c->large);
    else if (base_equal(key, k, "region"))
        base_parse_size(v, n, &c->region);
    else if (base_equal(key, k, "transient"))
        base_parse_duration(v, n, &c->transient_ns);
    else if (base_equal(key, k, "tick"))
        base_parse_duration(v, n, &c->tick_ns);
    else if (base_equal(key, k, "children"))
        c->children = !base_equal(v, n, "off");
    else if (base_equal(key, k, "go"))
        c->go = !base_equal(v, n, "off");
    else if (base_equal(key, k, "args"))
        c->args = !base_equal(v, n, "off");
    else if (base_equal(key, k, "mode"))
        c->mode = base_equal(v, n, "exact") ? REGION_MODE_EXACT : REGION_MODE_DEFAULT;
}

void go_region_configure(struct region_configuration *c, const char *text) {
    *c = (struct region_configuration){.children = 1,
                                       .go = 1,
                                       .args = 1,
                                       .perm = 0600,
                                       .large = 64u << 10,
                                       .transient_ns = 1000000000u,
                                       .region = 64u << 20,
                                       .tick_ns = 100000000u};
    while (text && *text) {
        size_t n = strcspn(text, ","), k = strcspn(text, ":");
        if (k < n)
            set(c, text, k, text + k + 1, n - k - 1);
        text += n + (text[n] == ',');
    }
    if (c->region < REGION_BOUND_MIN || c->region > REGION_BOUND_MAX)
        c->region = 64u << 20;
    if (c->tick_ns < 1000000)
        c->tick_ns = 100000000u;
}

/* ---- who ---- */

static size_t read_of(pid_t pid, const char *name, char *to, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, to, size - 1);
    if (fd >= 0)
        close(fd);
    to[got > 0 ? got : 0] = 0;
    return got > 0 ? (size_t)got : 0;
}

static void read_boot_id(uint8_t id[16]) {
    char text[64];
    unsigned nibbles = 0;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < got && nibbles < 32; i++) {
        uint64_t digit;
        if (base_parse_number(text + i, 1, 16, &digit))
            continue; /* a dash */
        id[nibbles / 2] |= (uint8_t)(digit << (nibbles % 2 ? 0 : 4));
        nibbles++;
    }
}

static void read_stat(pid_t pid, struct region_header *h) {
    char text[1024];
    read_of(pid, "stat", text, sizeof text);
    char *after = strrchr(text, ')');
    if (after)
        sscanf(after,
               ") %*c %" SCNd32 " %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
               "%*d %*d %" SCNu64,
               &h->parent, &h->start_ticks);
}

static void fill_header(struct go_file *file, const struct go_target *t,
                        const struct region_configuration *conf, uint64_t run_id) {
    struct region_header *h = file->region.header;
    char text[4096], path[64];
    struct stat s;
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)t->pid);
    h->run_id = run_id;
    h->random = file->random;
    read_boot_id(h->boot_id);
    h->pid_namespace = stat(path, &s) == 0 ? s.st_ino : 0;
    h->pid = t->pid;
    snprintf(path, sizeof path, "/proc/%d", (int)t->pid);
    h->uid = stat(path, &s) == 0 ? s.st_uid : 0;
    read_stat(t->pid, h);
    h->clock = go_region_has_tsc() ? REGION_CLOCK_TSC : REGION_CLOCK_MONOTONIC_RAW;
    h->place = REGION_PLACE_DIR;
    h->filesystem = file->filesystem;
    h->exe = region_string(&file->region, t->exe, strlen(t->exe));
    h->arguments_size = read_of(t->pid, "cmdline", text, sizeof text);
    h->arguments = region_string(&file->region, text, h->arguments_size);
    h->configuration = *conf;
    h->start_realtime_ns = ns_of(CLOCK_REALTIME);
    go_region_pair(h);
    h->start_clock = h->end_clock;
    h->start_raw_ns = h->end_raw_ns;
}

/* ---- the program's module ---- */

static void find_build_id(const struct go_target *t, struct region_module *m) {
    static const char gnu[] = "GNU";
    for (uint32_t i = 0; i < t->image.segment_count; i++) {
        const struct go_segment *s = &t->image.segments[i];
        for (uint64_t at = 0; at + 16 < s->size && at < 65536; at += 4) {
            const Elf64_Nhdr *n = (const void *)(s->bytes + at);
            if (n->n_namesz != 4 || n->n_type != NT_GNU_BUILD_ID || !n->n_descsz ||
                n->n_descsz > sizeof m->build_id || memcmp(n + 1, gnu, 4) != 0 ||
                at + 16 + n->n_descsz > s->size)
                continue;
            memcpy(m->build_id, s->bytes + at + 16, n->n_descsz);
            m->build_id_size = n->n_descsz;
            return;
        }
    }
}

static void add_module(struct go_file *file, const struct go_target *t) {
    const uint8_t *header = go_image_at(&t->image, t->low, sizeof(Elf64_Ehdr));
    uint32_t row = region_take(&file->region, REGION_MODULES, 1);
    if (!row)
        return;
    struct region_module *m = REGION_ROW(&file->region, REGION_MODULES, struct region_module, row);
    /* A program that may lie anywhere counts its addresses from 0. */
    bool is_fixed = header && ((const Elf64_Ehdr *)(const void *)header)->e_type == ET_EXEC;
    m->base = is_fixed ? 0 : t->low;
    m->start = t->low;
    m->end = t->high;
    m->path = file->region.header->exe;
    m->flags = REGION_MODULE_EXECUTABLE;
    find_build_id(t, m);
}

/* ---- the file ---- */

static int choose_folder(const char *folder, char *path, size_t size) {
    char chosen[PATH_MAX];
    if (folder)
        snprintf(chosen, sizeof chosen, "%s", folder);
    else if (command_default_folder("go", chosen, sizeof chosen) != COMMAND_OK)
        return COMMAND_FAILED;
    if (mkdir(chosen, 0700) != 0 && errno != EEXIST) {
        message("%s: cannot be made: %s", chosen, strerror(errno));
        return COMMAND_FAILED;
    }
    if (!realpath(chosen, path) || strlen(path) + 96 > size) {
        message("%s: %s", chosen, strerror(errno));
        return COMMAND_FAILED;
    }
    return COMMAND_OK;
}

static int make_file(struct go_file *file, const struct go_target *t, uint64_t start_ticks,
                     uint64_t bound) {
    size_t at = strlen(file->path);
    if (getrandom(&file->random, sizeof file->random, 0) != (ssize_t)sizeof file->random)
        file->random = base_mix((uint64_t)__builtin_ia32_rdtsc());
    snprintf(file->path + at, sizeof file->path - at,
             "/squall.%d.%" PRIu64 ".%016" PRIx64 ".region", (int)t->pid, start_ticks,
             file->random);
    file->fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file->fd < 0)
        return -errno;
    struct statfs fs;
    int error = 0;
    file->filesystem = fstatfs(file->fd, &fs) == 0 ? (uint64_t)fs.f_type : 0;
    if (region_is_refused_on(file->filesystem))
        error = -EMEDIUMTYPE;
    else if (ftruncate(file->fd, (off_t)bound))
        error = -errno;
    if (!error)
        error = region_map(&file->region, -1, bound);
    if (error)
        go_region_close(file, true);
    return error;
}

/* The two cells of site 0, see src/shim/site.c. */
static int open_tables(struct region *r) {
    int error = go_state_open(r);
    if (error || region_take(r, REGION_CELLS, 1) != 1)
        return error ? error : -ENOSPC;
    for (uint32_t i = 0; i < 2; i++) {
        struct region_cell *c = REGION_ROW(r, REGION_CELLS, struct region_cell, i);
        c->kind = i ? REGION_CELL_EXACT : REGION_CELL_SAMPLED;
        c->size_min = c->life_min = UINT64_MAX;
        c->flags = REGION_CELL_PEAK_IS_BOUND;
    }
    REGION_ROW(r, REGION_SITES, struct region_site, 0)->shared_cell = 1;
    REGION_ROW(r, REGION_STACKS, struct region_stack, 0)->end = REGION_END_NOT_WALKED;
    return region_open(r, REGION_TIMELINE);
}

int go_region_make(struct go_file *file, const struct go_target *t, const char *folder,
                   const struct region_configuration *conf, uint64_t run_id) {
    struct region_header stat_only = {0};
    *file = (struct go_file){.fd = -1};
    int status = choose_folder(folder, file->path, sizeof file->path);
    if (status)
        return status;
    read_stat(t->pid, &stat_only);
    int error = make_file(file, t, stat_only.start_ticks, conf->region);
    if (!error) {
        error = open_tables(&file->region);
        if (error)
            go_region_close(file, true);
    }
    if (error) {
        message("%s: %s", file->path,
                error == -EMEDIUMTYPE ? "a file system that copies on write: a full disk would end "
                                        "the program there; choose another (--dir)"
                                      : strerror(-error));
        return COMMAND_FAILED;
    }
    fill_header(file, t, conf, run_id);
    add_module(file, t);
    return COMMAND_OK;
}

/* ---- what the process has of it ---- */

static int write_at(const struct go_file *file, const void *from, uint64_t size, uint64_t at) {
    for (uint64_t done = 0; done < size;) {
        ssize_t put = pwrite(file->fd, (const char *)from + done, size - done, (off_t)(at + done));
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        done += (uint64_t)put;
    }
    return 0;
}

/* Rows that are committed are written whether they are used or not: the process takes them for
 * backed by memory or disk. */
static int write_tables(const struct go_file *file) {
    const struct region *r = &file->region;
    int error = write_at(file, r->base, REGION_HEADER_SIZE, 0);
    for (unsigned i = 1; i <= REGION_TABLE_COUNT && !error; i++) {
        const struct region_directory *d = &r->directory[i];
        uint64_t size = (d->committed * d->row_size + 4095) & ~4095ull;
        error = write_at(file, r->rows[i], size, d->offset);
    }
    return error;
}

int go_region_give(const struct go_file *file, pid_t pid) {
    char path[64];
    struct stat s;
    int error = write_tables(file);
    /* The process opens it itself, as whoever it runs as. */
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (!error && stat(path, &s) == 0 && s.st_uid != geteuid() &&
        fchown(file->fd, s.st_uid, s.st_gid))
        error = -errno;
    return error;
}

int go_region_publish(const struct go_file *file) {
    return write_at(file, REGION_MAGIC, sizeof file->region.header->magic, 0);
}

void go_region_stopped(const struct go_file *file, uint64_t ns) {
    write_at(file, &ns, sizeof ns, offsetof(struct region_header, go_stop_ns));
}

void go_region_close(struct go_file *file, bool remove) {
    if (file->region.base)
        munmap(file->region.base, file->region.bound);
    file->region.base = NULL;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    if (remove && file->path[0])
        unlink(file->path);
}
