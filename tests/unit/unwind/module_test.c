/* The table of modules: what is loaded, loaded later, unloaded and loaded again elsewhere.
 * Built twice: as it is, and with -D_dl_find_object=absent_function over all of it, which is how
 * it finds a glibc before 2.35. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/module.h"
#include "shim/unwind.h"

static unsigned passed, failed;
#define CHECK(what)                                   \
    do {                                              \
        if (what)                                     \
            passed++;                                 \
        else {                                        \
            failed++;                                 \
            printf("line %d: %s\n", __LINE__, #what); \
        }                                             \
    } while (0)

static struct region region;

static const struct region_module *row_of(const struct module *m) {
    return REGION_ROW(&region, REGION_MODULES, struct region_module, m->row);
}

static const char *path_of(const struct module *m) {
    return (const char *)region.rows[REGION_STRINGS] + row_of(m)->path;
}

static unsigned rows(void) {
    return (unsigned)region.directory[REGION_MODULES].used;
}

/* What dl_iterate_phdr says, for every module: the oracle. */
static int compare(struct dl_phdr_info *info, size_t size, void *seen) {
    uint64_t hdr = 0, low = ~0ull, high = 0, code = 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_GNU_EH_FRAME)
            hdr = info->dlpi_addr + p->p_vaddr;
        if (p->p_type != PT_LOAD)
            continue;
        low = p->p_vaddr < low ? p->p_vaddr : low;
        high = p->p_vaddr + p->p_memsz > high ? p->p_vaddr + p->p_memsz : high;
        if (p->p_flags & PF_X)
            code = info->dlpi_addr + p->p_vaddr + 16;
    }
    const struct module *m = module_find(code);
    CHECK(m != NULL);
    if (!m)
        return 0;
    CHECK(m->base == info->dlpi_addr && m->eh_frame_hdr == hdr);
    CHECK(m->start == info->dlpi_addr + (low & ~4095ull));
    CHECK(m->end >= info->dlpi_addr + high - 4096 && m->end <= info->dlpi_addr + high + 4096);
    CHECK(m->row != 0 && row_of(m)->start == m->start && row_of(m)->end == m->end);
    CHECK(row_of(m)->build_id_size == 20 || m->flags & REGION_MODULE_EXECUTABLE);
    CHECK(path_of(m)[0] == '/' || m->flags & REGION_MODULE_VDSO);
    CHECK(!!(m->flags & REGION_MODULE_EXECUTABLE) == !info->dlpi_name[0]);
    CHECK(!strncmp(info->dlpi_name, "linux-vdso", 10) == !!(m->flags & REGION_MODULE_VDSO));
    CHECK(!strcmp(path_of(m), info->dlpi_name) || m->flags & REGION_MODULE_EXECUTABLE);
    ++*(unsigned *)seen;
    return 0;
}

static void check_loaded(void) {
    unsigned seen = 0, before = rows();
    char exe[4096] = {0};
    dl_iterate_phdr(compare, &seen);
    CHECK(seen > 3 && rows() == before);
    const struct module *libc = module_find((uint64_t)dlsym(RTLD_NEXT, "malloc"));
    const struct module *self = module_find((uint64_t)&check_loaded);
    CHECK(libc && row_of(libc)->allocator == REGION_ALLOCATOR_GLIBC);
    CHECK(self && self->flags == (REGION_MODULE_EXECUTABLE | REGION_MODULE_SQUALL));
    CHECK(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0 && !strcmp(exe, path_of(self)));
    CHECK(!module_find(0) && !module_find((uint64_t)&exe) && !module_find(~0ull));
    module_mark((uint64_t)dlsym(RTLD_NEXT, "malloc"), REGION_MODULE_NEXT);
    CHECK(libc->flags & REGION_MODULE_NEXT && row_of(libc)->flags & REGION_MODULE_NEXT);
}

static void check_unload(void) {
    void *handle = dlopen("libz.so.1", RTLD_NOW);
    uint64_t code = (uint64_t)dlsym(handle, "deflate");
    const struct module *m = module_find(code);
    CHECK(m && m->row && !m->gone && strstr(path_of(m), "libz.so"));
    module_check();
    CHECK(!m->gone);
    uint32_t event = region.header->module_event;
    CHECK(row_of(m)->born == event && row_of(m)->gone == 0);
    dlclose(handle);
    module_check();
    CHECK(m->gone && row_of(m)->gone == event + 1);
    CHECK(!module_find(code));
    CHECK(region.header->module_event == event + 1);

    /* Another takes its place, and then it comes back, there or elsewhere. */
    void *other = dlopen("libbz2.so.1.0", RTLD_NOW);
    uint64_t other_code = (uint64_t)dlsym(other, "BZ2_bzCompress");
    const struct module *n = module_find(other_code);
    CHECK(n && n != m && strstr(path_of(n), "libbz2"));
    handle = dlopen("libz.so.1", RTLD_NOW);
    code = (uint64_t)dlsym(handle, "deflate");
    const struct module *again = module_find(code);
    CHECK(again && again != m && again->row != m->row && row_of(again)->born > row_of(m)->gone);
    dlclose(handle);
    dlclose(other);

    /* Nobody called module_check: what is found where the old one was shows that it is gone. */
    other = dlopen("libbz2.so.1.0", RTLD_NOW);
    handle = dlopen("libz.so.1", RTLD_NOW);
    module_find((uint64_t)dlsym(other, "BZ2_bzCompress"));
    module_find((uint64_t)dlsym(handle, "deflate"));
    module_check();
    for (uint32_t i = 0; module_at(i); i++)
        for (uint32_t k = 0; k < i; k++)
            CHECK(module_at(i)->gone || module_at(k)->gone ||
                  module_at(i)->end <= module_at(k)->start ||
                  module_at(k)->end <= module_at(i)->start);
    dlclose(handle);
    dlclose(other);
    module_check();
}

/* ---- many threads ---- */

static volatile int stop;

static void *load_and_unload(void *name) {
    for (int i = 0; i < 60; i++) {
        void *handle = dlopen(name, RTLD_NOW);
        module_find((uint64_t)dlsym(handle, strstr(name, "libz") ? "deflate" : "BZ2_bzCompress"));
        dlclose(handle);
        if (i % 3 == 0)
            module_check();
    }
    return NULL;
}

static void *walk(void *unused) {
    struct unwind_thread *t = calloc(1, unwind_thread_size());
    unsigned long wrong = 0;
    (void)unused;
    while (!stop) {
        struct unwind_start start;
        struct unwind_result r;
        UNWIND_START(&start);
        unwind_walk(t, &start, &r);
        wrong += r.end != REGION_END_OUTERMOST;
        struct module copy;
        module_look((uint64_t)&walk, &copy);
        module_look(start.pc ^ (uint64_t)(uintptr_t)r.hash % 4096 * 65536, &copy);
    }
    free(t);
    return (void *)wrong;
}

static void check_threads(void) {
    pthread_t loaders[2], walkers[2];
    void *wrong;
    pthread_create(&walkers[0], NULL, walk, NULL);
    pthread_create(&walkers[1], NULL, walk, NULL);
    pthread_create(&loaders[0], NULL, load_and_unload, "libz.so.1");
    pthread_create(&loaders[1], NULL, load_and_unload, "libbz2.so.1.0");
    for (int i = 0; i < 2; i++)
        pthread_join(loaders[i], NULL);
    stop = 1;
    for (int i = 0; i < 2; i++) {
        pthread_join(walkers[i], &wrong);
        CHECK(wrong == NULL);
    }
    module_check();
    unsigned seen = 0;
    dl_iterate_phdr(compare, &seen);
}

static void check_fork(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        static struct region fresh;
        if (region_map(&fresh, -1, 1 << 24))
            _exit(3);
        passed = failed = 0;
        region = fresh;
        module_adopt(&region);
        unsigned seen = 0;
        dl_iterate_phdr(compare, &seen);
        CHECK(rows() == seen + 1); /* and the overflow row */
        fflush(stdout);
        _exit(failed != 0);
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(int argc, char **argv, char **environment) {
    (void)argc;
    (void)argv;
    while (*environment)
        environment++;
    if (unwind_init() || region_map(&region, -1, 1 << 24))
        return 2;
    module_init(&region, (const uint64_t *)(environment + 1), NULL);
    check_loaded();
    check_unload();
    check_threads();
    check_fork();
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
