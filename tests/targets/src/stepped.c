/* Takes a program under the library through its allocations one instruction at a time, and looks
 * into its region after each: what a kill at that moment would have left. The program's own counts
 * stand in memory that both see.
 *
 *   stepped LIBRARY CONFIGURATION STEPS */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <squall/region.h>

struct counts {
    volatile uint64_t allocs_begun, allocs_done, frees_begun, frees_done, bytes_begun, bytes_done;
};
static struct counts *own;
static const uint8_t *region;

/* ---- the program ---- */

static void *take(size_t size) {
    own->bytes_begun += size;
    own->allocs_begun++;
    void *p = malloc(size);
    own->allocs_done++;
    own->bytes_done += size;
    return p;
}

static void give(void *p) {
    own->frees_begun++;
    free(p);
    own->frees_done++;
}

static void *grow(void *p, size_t size) {
    own->bytes_begun += size;
    own->allocs_begun++;
    own->frees_begun++;
    p = realloc(p, size);
    own->frees_done++;
    own->allocs_done++;
    own->bytes_done += size;
    return p;
}

static void work(void) {
    static const size_t sizes[] = {16, 100, 3000, 70, 90000, 24, 500};
    void *kept[7] = {0};
    for (unsigned i = 0;; i++) {
        if (i == 500) { /* what is met for the first time takes long, and is over */
            memset(own, 0, sizeof *own);
            raise(SIGSTOP);
        }
        void **slot = &kept[i % 7];
        if (*slot)
            give(*slot);
        *slot = take(sizes[(i / 3) % 7]);
        if (i % 5 == 0)
            *slot = grow(*slot, sizes[(i / 3 + 1) % 7]);
    }
}

/* ---- looking at it ---- */

static const struct region_directory *table(uint32_t type) {
    const struct region_header *h = (const void *)region;
    const struct region_directory *d = (const void *)(region + h->directory_offset);
    for (uint32_t i = 0; i < h->directory_count; i++)
        if (d[i].type == type)
            return &d[i];
    abort();
}

#define ROWS(type) ((const void *)(region + table(type)->offset))

static int between(const char *what, uint64_t low, uint64_t value, uint64_t high) {
    if (low <= value && value <= high)
        return 1;
    printf("%s: %lu, not from %lu to %lu; ", what, value, low, high);
    return 0;
}

static int cells_agree(void) {
    const struct region_cell *c = ROWS(REGION_CELLS);
    const struct region_remote *r = ROWS(REGION_REMOTE);
    int good = 1;
    for (uint64_t i = 0; i < table(REGION_CELLS)->used; i++)
        good &=
            between("frees", 0, c[i].frees + r[i].frees, c[i].allocs) &&
            between("freed bytes", 0, c[i].freed_bytes + r[i].freed_bytes, c[i].bytes) &&
            (c[i].sequence & 1 || between("peak", c[i].bytes - c[i].freed_bytes - r[i].freed_bytes,
                                          c[i].peak_bytes, c[i].bytes));
    return good;
}

/* The row of the thread, and what it held before the program counted. */
static const struct region_thread *row_of(int pid) {
    const struct region_thread *t = ROWS(REGION_THREADS);
    for (uint64_t i = 0; i < table(REGION_THREADS)->used; i++)
        if (t[i].tid == pid)
            return &t[i];
    abort();
}

static int agrees(const struct region_thread *t, const struct region_thread *first) {
    const struct region_header *h = (const void *)region;
    return between("allocs", own->allocs_done, t->allocs - first->allocs, own->allocs_begun) &
           between("frees", own->frees_done, t->frees - first->frees, own->frees_begun) &
           between("bytes", own->bytes_done,
                   t->byte_goal - t->byte_left - (first->byte_goal - first->byte_left),
                   own->bytes_begun) &
           between("live bytes of large blocks", 0, h->large_live, 10 * 90000) & cells_agree();
}

/* ---- stepping ---- */

static const uint8_t *map_region(const char *folder) {
    char path[4096] = "";
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (strstr(e->d_name, ".region"))
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    int fd = open(path, O_RDONLY);
    const uint8_t *at =
        fd < 0 ? MAP_FAILED
               : mmap(NULL, (size_t)lseek(fd, 0, SEEK_END), PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        abort();
    return at;
}

static int start(const char *self, const char *counts, const char *library, const char *conf) {
    int pid = fork();
    if (pid)
        return pid;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    setenv("LD_PRELOAD", library, 1);
    setenv("SQUALL_CONF", conf, 1);
    execl(self, self, counts, (char *)NULL);
    _exit(1);
}

int main(int count, char **argument) {
    int status, fd = open(count == 2 ? argument[1] : "counts", O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 4096))
        return 1;
    own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (count == 2)
        work();
    int pid = start("/proc/self/exe", "counts", argument[1], argument[2]);
    waitpid(pid, &status, 0); /* exec */
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL);
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
        return 1;
    region = map_region(getenv("SQUALL_DIR"));
    const struct region_thread *row = row_of(pid), first = *row;
    long steps = atol(argument[3]), bad = 0;
    for (long i = 0; i < steps && bad < 5; i++) {
        ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
        if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            return 1;
        if (!agrees(row, &first)) {
            printf("after %ld instructions\n", i + 1);
            bad++;
        }
    }
    printf("%lu allocations in %ld steps\n", own->allocs_done, steps);
    kill(pid, SIGKILL);
    return bad > 0 || own->allocs_done < 10;
}
