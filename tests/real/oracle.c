/* oracle: a second opinion on large blocks, preloaded behind libsquall.so so that both see the same
 * run. It shares no code with squall and takes the slow way everywhere: one lock, libgcc's
 * unwinder, glibc's own entry points. check_oracle.py reads what it leaves.
 *
 * The result is a file mapped shared, ORACLE_DIR/oracle.PID, that is right at every moment: there
 * is nothing to do at exit, so nothing that is freed by the last destructor is missed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

enum {
    LARGE = 64 * 1024, /* squall's default for large */
    FRAMES = 120,
    SITES = 4096,
    MODULES = 512,
    PATH_SIZE = 240,
    SLOTS = 1 << 17, /* of the table of live blocks, a power of two */
};

struct frame {
    uint64_t module; /* row + 1; 0: in no module, offset is the address */
    uint64_t offset; /* from the load bias, of the return address */
};

struct site {
    uint64_t hash, frame_count;
    uint64_t allocs, frees, bytes, freed_bytes, size_min, size_max;
    uint64_t life_min, life_max, life_sum; /* nanoseconds, of those freed */
    struct frame frames[FRAMES];
};

struct module {
    uint64_t base;
    char path[PATH_SIZE];
};

/* The file. check_oracle.py has these numbers too. */
struct result {
    char magic[8];
    uint64_t frames, sites, modules; /* capacities */
    uint64_t site_count, module_count;
    uint64_t lost; /* blocks for which there was no room anywhere */
    uint64_t reserved;
    struct module module[MODULES];
    struct site site[SITES];
};

struct block {
    void *address; /* NULL: never used; GONE: was used */
    uint64_t size, born;
    struct site *site;
};
#define GONE ((void *)1)
#define HOOK __attribute__((visibility("default")))

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
extern void *__libc_memalign(size_t, size_t);
extern void *__libc_valloc(size_t);
extern void *__libc_pvalloc(size_t);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int started;
static char folder[400];
static struct result *result; /* NULL: nothing is recorded */
static struct block *blocks;
static __thread int busy __attribute__((tls_model("initial-exec")));

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- under the lock ---- */

/* _dl_find_object takes no lock: the caller may be inside dlopen. */
static struct frame find_frame(void *address) {
    struct dl_find_object object;
    if (_dl_find_object(address, &object) != 0)
        return (struct frame){0, (uint64_t)address};
    uint64_t base = object.dlfo_link_map->l_addr;
    const char *path = object.dlfo_link_map->l_name;
    uint64_t i = 0;
    while (i < result->module_count &&
           (result->module[i].base != base || strcmp(result->module[i].path, path) != 0))
        i++;
    if (i == MODULES)
        return (struct frame){0, (uint64_t)address};
    if (i == result->module_count) {
        result->module[i].base = base;
        strncpy(result->module[i].path, path, PATH_SIZE - 1);
        result->module_count++;
    }
    return (struct frame){i + 1, (uint64_t)address - base};
}

static struct site *find_site(void **addresses, int count) {
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < count; i++)
        hash = (hash ^ (uint64_t)addresses[i]) * 1099511628211u;
    for (uint64_t i = 0; i < result->site_count; i++)
        if (result->site[i].hash == hash)
            return &result->site[i];
    if (result->site_count == SITES)
        return NULL;
    struct site *site = &result->site[result->site_count];
    site->hash = hash;
    for (int i = 0; i < count; i++)
        site->frames[i] = find_frame(addresses[i]);
    site->frame_count = (uint64_t)count;
    result->site_count++;
    return site;
}

/* The slot of a live block, or where a new one may go, or NULL when the table is full. */
static struct block *find_block(void *address, int is_new) {
    uint64_t at = ((uint64_t)address >> 4) * 0x9e3779b97f4a7c15u >> 40;
    for (int i = 0; i < SLOTS; i++) {
        struct block *b = &blocks[(at + (uint64_t)i) % SLOTS];
        if (b->address == address || (is_new && b->address == GONE))
            return b;
        if (!b->address)
            return is_new ? b : NULL;
    }
    return NULL;
}

static void record(void *address, size_t size, void **stack, int depth) {
    struct site *site = find_site(stack, depth);
    struct block *b = find_block(address, 1);
    if (!site || !b) {
        result->lost++;
        return;
    }
    *b = (struct block){address, size, now(), site};
    if (!site->allocs || size < site->size_min)
        site->size_min = size;
    if (size > site->size_max)
        site->size_max = size;
    site->bytes += size;
    site->allocs++;
}

static void forget(struct block *b) {
    struct site *site = b->site;
    uint64_t life = now() - b->born;
    if (!site->frees || life < site->life_min)
        site->life_min = life;
    if (life > site->life_max)
        site->life_max = life;
    site->life_sum += life;
    site->freed_bytes += b->size;
    site->frees++;
    b->address = GONE;
}

/* ---- the file, and fork ---- */

static void *map(size_t size, int fd) {
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

static struct result *open_result(void) {
    char path[512];
    snprintf(path, sizeof path, "%s/oracle.%d", folder, (int)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    struct result *r = NULL;
    if (fd >= 0 && ftruncate(fd, sizeof *r) == 0)
        r = map(sizeof *r, fd);
    if (fd >= 0)
        close(fd);
    if (r) {
        r->frames = FRAMES;
        r->sites = SITES;
        r->modules = MODULES;
        memcpy(r->magic, "ORACLE01", sizeof r->magic);
    }
    return r;
}

/* Kept from early on: servers clear their environment. */
static void find_folder(void) {
    const char *wanted = getenv("ORACLE_DIR");
    if (!folder[0])
        snprintf(folder, sizeof folder, "%s", wanted ? wanted : "/tmp");
}

/* At the first large block: libraries allocate before the constructors of what is preloaded. */
static void start(void) {
    find_folder();
    started = 1;
    blocks = map(SLOTS * sizeof *blocks, -1);
    if (blocks)
        result = open_result();
}

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&lock);
}

/* The child begins anew: what it inherited is its parent's. */
static void in_child(void) {
    if (result) {
        munmap(result, sizeof *result);
        munmap(blocks, SLOTS * sizeof *blocks);
    }
    result = NULL;
    started = 0;
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void prepare(void) {
    find_folder();
    pthread_atfork(before_fork, after_fork, in_child);
}

/* ---- between the hooks and the lock ---- */

struct walk {
    void *address[FRAMES];
    int count;
};

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *argument) {
    struct walk *walk = argument;
    if (walk->count == FRAMES)
        return _URC_END_OF_STACK;
    walk->address[walk->count++] = (void *)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

static void born(void *address, size_t size) {
    if (size < LARGE || !address || busy)
        return;
    int error = errno;
    struct walk walk = {.count = 0};
    busy = 1;
    _Unwind_Backtrace(take_frame, &walk);
    pthread_mutex_lock(&lock);
    if (!started)
        start();
    if (result)
        record(address, size, walk.address, walk.count);
    pthread_mutex_unlock(&lock);
    busy = 0;
    errno = error;
}

/* Before the block really goes: once it has, another thread may be given its address. */
static struct block died(void *address) {
    struct block copy = {0};
    if (!address || !result || busy)
        return copy;
    busy = 1;
    pthread_mutex_lock(&lock);
    struct block *b = find_block(address, 0);
    if (b) {
        copy = *b;
        forget(b);
    }
    pthread_mutex_unlock(&lock);
    busy = 0;
    return copy;
}

/* A realloc that failed freed nothing. */
static void undo_died(const struct block *old) {
    pthread_mutex_lock(&lock);
    struct block *b = find_block(old->address, 1);
    if (b) {
        *b = *old;
        old->site->frees--;
        old->site->freed_bytes -= old->size;
    }
    pthread_mutex_unlock(&lock);
}

/* ---- the hooks: none calls another, for that call would pass through squall again ---- */

static void *allocate_aligned(size_t alignment, size_t size) {
    void *p = __libc_memalign(alignment, size);
    born(p, size);
    return p;
}

static void *reallocate(void *old, size_t size) {
    struct block was = died(old);
    void *p = __libc_realloc(old, size);
    if (!p && size && was.address)
        undo_died(&was);
    born(p, size);
    return p;
}

HOOK void *malloc(size_t size) {
    void *p = __libc_malloc(size);
    born(p, size);
    return p;
}

HOOK void *calloc(size_t count, size_t size) {
    void *p = __libc_calloc(count, size);
    born(p, count * size);
    return p;
}

HOOK void free(void *p) {
    died(p);
    __libc_free(p);
}

HOOK void *realloc(void *old, size_t size) {
    return reallocate(old, size);
}

HOOK void *reallocarray(void *old, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return reallocate(old, bytes);
}

HOOK void *memalign(size_t alignment, size_t size) {
    return allocate_aligned(alignment, size);
}

HOOK void *aligned_alloc(size_t alignment, size_t size) {
    return allocate_aligned(alignment, size);
}

HOOK int posix_memalign(void **out, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) || !alignment || alignment & (alignment - 1))
        return EINVAL;
    void *p = allocate_aligned(alignment, size);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

/* glibc's own: a program may be linked with another allocator, whose answer would be of its own
 * blocks. */
HOOK size_t malloc_usable_size(void *p) {
    static size_t (*glibc)(void *);
    if (!glibc) {
        void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
        *(void **)&glibc = dlsym(libc, "malloc_usable_size");
    }
    return glibc(p);
}

HOOK void *valloc(size_t size) {
    void *p = __libc_valloc(size);
    born(p, size);
    return p;
}

HOOK void *pvalloc(size_t size) {
    void *p = __libc_pvalloc(size);
    born(p, size);
    return p;
}
