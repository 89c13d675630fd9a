/* roles_oracle: a second opinion on what large blocks are for, preloaded behind libsquall.so so
 * that both see the same run. It shares nothing with squall: one lock, libgcc's unwinder, glibc's
 * own entry points, a list that is searched from end to end, and codec calls seen by defining the
 * functions (roles_calls.c), where squall leads the codec's own code astray.
 *
 * Roles, each block has one at most, and its exact bytes count for it:
 *   workspace  made while a compressing call ran, or, on threads of the codec's own, with a codec
 *              library on the stack; or the program's, in which zlib was given its state
 *   output     a compressing call wrote to it, at any offset
 *   input      else, if one read from it
 *
 * Leaves ROLES_DIR/roles.PID, a line of JSON for the process and one for each stack of modules,
 * written at exit and at _exit. check_roles.py reads it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include "roles_oracle.h"

enum {
    LARGE = 64 * 1024, /* squall's default for large */
    FRAMES = 120,
    PLACE_SIZE = 400,
    PLACES = 4096,
    BLOCKS = 1 << 16,
};

enum role { NONE, INPUT, OUTPUT, WORKSPACE };

/* Where blocks are made: the modules on the stack, innermost first. */
struct place {
    char modules[PLACE_SIZE]; /* as JSON: "a","b" */
    unsigned long blocks, bytes;
    unsigned long role_blocks[4], role_bytes[4];
    unsigned long handed_over, refilled;
};

struct block {
    char *start; /* NULL: free */
    size_t size;
    struct place *place;
    enum role role;
    int is_refilled, is_handed_over;
    const char *reach; /* how far the last call that wrote to it came */
};

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
extern void *__libc_memalign(size_t, size_t);
extern void *__libc_valloc(size_t);
extern void *__libc_pvalloc(size_t);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct place *places;
static struct block *blocks;
static int place_count, block_count; /* of blocks: the highest that was used */
static unsigned long lost, calls;
static int process;
static char folder[400], executable[256] = "?";

static __thread int busy __attribute__((tls_model("initial-exec")));
static __thread int depth __attribute__((tls_model("initial-exec")));
static __thread int compresses __attribute__((tls_model("initial-exec"))); /* the outermost call */

/* ---- under the lock ---- */

/* Once for each process. What a child has of its parent's blocks is the parent's. */
static void start(void) {
    if (process)
        return;
    process = (int)getpid();
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    places = mmap(NULL, PLACES * sizeof *places, PROT_READ | PROT_WRITE, flags, -1, 0);
    blocks = mmap(NULL, BLOCKS * sizeof *blocks, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (places == MAP_FAILED || blocks == MAP_FAILED)
        abort();
}

static struct block *find_block(const char *address) {
    for (int i = 0; i < block_count; i++)
        if (blocks[i].start && address >= blocks[i].start &&
            address < blocks[i].start + blocks[i].size)
            return &blocks[i];
    return NULL;
}

static struct place *find_place(const char *modules) {
    int i = 0;
    while (i < place_count && strcmp(places[i].modules, modules) != 0)
        i++;
    if (i == PLACES)
        return NULL;
    if (i == place_count)
        strcpy(places[place_count++].modules, modules);
    return &places[i];
}

static void record(char *start, size_t size, const char *modules, int is_workspace) {
    int i = 0;
    while (i < block_count && blocks[i].start)
        i++;
    struct place *place = find_place(modules);
    if (i == BLOCKS || !place) {
        lost++;
        return;
    }
    if (i == block_count)
        block_count++;
    blocks[i] = (struct block){
        .start = start, .size = size, .place = place, .role = is_workspace ? WORKSPACE : NONE};
    place->blocks++;
    place->bytes += size;
}

static void sum_up(const struct block *b) {
    b->place->role_blocks[b->role]++;
    b->place->role_bytes[b->role] += b->size;
    b->place->handed_over += (unsigned)b->is_handed_over;
    b->place->refilled += (unsigned)b->is_refilled;
}

/* ---- blocks ---- */

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

static int is_codec(const char *module) {
    static const char *const libraries[] = {"libzstd.so",   "libz.so",         "liblz4.so",
                                            "libsnappy.so", "libbrotlienc.so", "libbrotlidec.so",
                                            "liblzma.so",   "libbz2.so"};
    for (unsigned i = 0; i < sizeof libraries / sizeof *libraries; i++)
        if (strncmp(module, libraries[i], strlen(libraries[i])) == 0)
            return 1;
    return 0;
}

/* The modules up to the first frame that lies in none, without repetition and without the two
 * preloads; whether one is a codec's. */
static int name_modules(const struct walk *walk, char *out) {
    const char *last = "";
    int found = 0;
    size_t length = 0;
    for (int i = 0; i < walk->count; i++) {
        struct dl_find_object object;
        if (_dl_find_object(walk->address[i], &object) != 0)
            break;
        const char *path = object.dlfo_link_map->l_name;
        const char *slash = strrchr(path, '/');
        const char *name = !*path ? executable : slash ? slash + 1 : path;
        if (strcmp(name, "roles_oracle.so") == 0 || strcmp(name, "libsquall.so") == 0 ||
            strcmp(name, last) == 0 || length + strlen(name) + 4 > PLACE_SIZE)
            continue;
        length += (size_t)sprintf(out + length, "%s\"%s\"", length ? "," : "", name);
        found |= is_codec(name);
        last = name;
    }
    return found;
}

static void born(void *p, size_t size) {
    if (!p || size < LARGE || busy)
        return;
    int error = errno;
    struct walk walk = {.count = 0};
    char modules[PLACE_SIZE] = "";
    busy = 1;
    _Unwind_Backtrace(take_frame, &walk);
    int in_library = name_modules(&walk, modules);
    pthread_mutex_lock(&lock);
    start();
    record(p, size, modules, depth ? compresses : in_library);
    pthread_mutex_unlock(&lock);
    busy = 0;
    errno = error;
}

/* Before it goes: once it has, another thread may be given its address. The word before a block of
 * glibc's is its size. */
static struct block died(char *p) {
    struct block was = {.start = NULL};
    if (!p || busy || (((size_t *)p)[-1] & ~(size_t)15) < LARGE || !process)
        return was;
    pthread_mutex_lock(&lock);
    struct block *b = blocks ? find_block(p) : NULL;
    if (b && b->start == p) {
        was = *b;
        sum_up(b);
        b->start = NULL;
    }
    pthread_mutex_unlock(&lock);
    return was;
}

/* ---- calls ---- */

/* What was found, by name and module of the caller; good as long as a module lies where it lay. */
struct found {
    const char *name;
    const void *caller, *module;
    void *function;
};

static const void *module_of(void *address) {
    struct dl_find_object object;
    return _dl_find_object(address, &object) == 0 ? object.dlfo_map_start : NULL;
}

/* The codec may be out of RTLD_NEXT's sight: then it is in that of whoever calls it. */
static void *search(const char *name, void *caller) {
    struct dl_find_object object;
    void *found = dlsym(RTLD_NEXT, name);
    if (found || _dl_find_object(caller, &object) != 0)
        return found;
    void *module = dlopen(object.dlfo_link_map->l_name, RTLD_LAZY | RTLD_NOLOAD);
    found = module ? dlsym(module, name) : NULL;
    if (module)
        dlclose(module);
    return found;
}

static int is_preload(void *address) {
    struct dl_find_object object;
    return module_of(address) == module_of((void *)is_preload) ||
           (_dl_find_object(address, &object) == 0 &&
            strstr(object.dlfo_link_map->l_name, "/libsquall.so"));
}

/* The loader allocates when it does not find: it is asked once, not within every call. A codec that
 * ends in a jump to another function of its own seems to be called by us, or by squall's detour. */
void *roles_find(const char *name, void *caller) {
    static struct found table[1024];
    static int count;
    static __thread void *latest __attribute__((tls_model("initial-exec")));
    if (latest && is_preload(caller))
        caller = latest;
    const void *from = module_of(caller);
    void *function = NULL;
    int error = errno;
    pthread_mutex_lock(&lock);
    for (int i = count; i-- > 0 && !function;)
        if (table[i].name == name && table[i].caller == from &&
            table[i].module == module_of(table[i].function))
            function = table[i].function;
    pthread_mutex_unlock(&lock);
    if (!function) {
        busy++;
        function = search(name, caller);
        busy--;
        if (!function) {
            fprintf(stderr, "roles_oracle: no %s\n", name);
            abort();
        }
        pthread_mutex_lock(&lock);
        if (count < 1024)
            table[count++] = (struct found){name, from, module_of(function), function};
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    latest = function;
    return function;
}

static struct block *serve(const void *address, enum role role) {
    struct block *b = address ? find_block(address) : NULL;
    if (b && b->role < role)
        b->role = role;
    return b;
}

void roles_enter(int is_compressing, const void *source, size_t source_size, void *destination) {
    if (depth++)
        return;
    compresses = is_compressing;
    if (!is_compressing)
        return;
    pthread_mutex_lock(&lock);
    start();
    calls++;
    serve(source_size ? source : NULL, INPUT);
    struct block *b = serve(destination, OUTPUT);
    if (b && b->role == OUTPUT && b->reach && (const char *)destination < b->reach)
        b->is_refilled = 1;
    pthread_mutex_unlock(&lock);
}

void roles_leave(int is_compressing, const char *destination, const char *end) {
    if (--depth || !is_compressing || !destination || end <= destination)
        return;
    pthread_mutex_lock(&lock);
    struct block *b = find_block(destination);
    if (b)
        b->reach = end;
    pthread_mutex_unlock(&lock);
}

void roles_hand_over(const void *state) {
    pthread_mutex_lock(&lock);
    start();
    struct block *b = state ? find_block(state) : NULL;
    if (b && b->role == NONE) {
        b->role = WORKSPACE;
        b->is_handed_over = 1;
    }
    pthread_mutex_unlock(&lock);
}

/* ---- start, fork, end ---- */

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&lock);
}

static void in_child(void) {
    if (process) {
        munmap(places, PLACES * sizeof *places);
        munmap(blocks, BLOCKS * sizeof *blocks);
    }
    places = NULL;
    blocks = NULL;
    place_count = block_count = process = 0;
    lost = calls = 0;
    pthread_mutex_unlock(&lock);
}

/* The environment is read now: servers clear it. */
__attribute__((constructor)) static void prepare(void) {
    char path[512];
    const char *wanted = getenv("ROLES_DIR");
    snprintf(folder, sizeof folder, "%s", wanted ? wanted : "/tmp");
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(executable, sizeof executable, "%s", slash + 1);
    pthread_atfork(before_fork, after_fork, in_child);
}

static void write_place(int fd, const struct place *p) {
    static const char *const names[] = {
        [INPUT] = "input", [OUTPUT] = "output", [WORKSPACE] = "workspace"};
    dprintf(fd, "{\"modules\":[%s],\"blocks\":%lu,\"bytes\":%lu", p->modules, p->blocks, p->bytes);
    for (int role = INPUT; role <= WORKSPACE; role++)
        dprintf(fd, ",\"%s\":{\"allocs\":%lu,\"bytes\":%lu}", names[role], p->role_blocks[role],
                p->role_bytes[role]);
    dprintf(fd, ",\"handed_over\":%lu,\"refilled\":%lu}\n", p->handed_over, p->refilled);
}

/* A vfork child is not this process, and has nothing to tell. */
__attribute__((destructor)) static void write_result(void) {
    char path[512];
    if (!process || process != (int)getpid())
        return;
    busy = 1;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < block_count; i++)
        if (blocks[i].start)
            sum_up(&blocks[i]);
    snprintf(path, sizeof path, "%s/roles.%d", folder, process);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    dprintf(fd, "{\"pid\":%d,\"exe\":\"%s\",\"calls\":%lu,\"lost\":%lu}\n", process, executable,
            calls, lost);
    for (int i = 0; i < place_count; i++)
        write_place(fd, &places[i]);
    close(fd);
    process = -1; /* it is told once */
    pthread_mutex_unlock(&lock);
    busy = 0;
}

HOOK void _exit(int status) {
    write_result();
    for (;;)
        syscall(SYS_exit_group, status);
}

HOOK void _Exit(int status) {
    _exit(status);
}

/* ---- the hooks: none calls another, for that call would pass through squall again ---- */

static void *reallocate(void *old, size_t size) {
    struct block was = died(old);
    void *p = __libc_realloc(old, size);
    if (!p && size && was.start) /* it failed: what is left of the old block's role is lost */
        lost++;
    born(p, size);
    return p;
}

static void *align(size_t alignment, size_t size) {
    void *p = __libc_memalign(alignment, size);
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
    if (!__builtin_mul_overflow(count, size, &bytes))
        return reallocate(old, bytes);
    errno = ENOMEM;
    return NULL;
}

HOOK void *memalign(size_t alignment, size_t size) {
    return align(alignment, size);
}

HOOK void *aligned_alloc(size_t alignment, size_t size) {
    return align(alignment, size);
}

HOOK int posix_memalign(void **out, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) || !alignment || alignment & (alignment - 1))
        return EINVAL;
    void *p = align(alignment, size);
    if (p)
        *out = p;
    return p ? 0 : ENOMEM;
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

/* Of glibc's blocks: the program may be linked with another allocator. Mapped blocks lose two words
 * of their pages, others overlap the next one's first. */
HOOK size_t malloc_usable_size(void *p) {
    size_t word = p ? ((size_t *)p)[-1] : 0;
    return p ? (word & ~(size_t)15) - (word & 2 ? 16 : 8) : 0;
}
