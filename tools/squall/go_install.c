/* The hook into a Go program from outside, and out again. All that takes time is done while the
 * program runs: reading its tables, making the bytes, writing to memory that nothing uses yet. One
 * of its threads stands still to map that memory, and all of them for the moment of the patches. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mman.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "go.h"

#define TRIES 200
#define STACKS_SIZE ((uint64_t)GO_STACKS * GO_STACK_SIZE)

extern const uint8_t go_blob[] HIDDEN, go_blob_end[] HIDDEN;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static int fail(struct go_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int fail(struct go_result *result, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(result->reason, sizeof result->reason, format, list);
    va_end(list);
    return -1;
}

/* ---- memory in the program: near, blob, stacks, state, one after the other ---- */

struct memory {
    uint64_t at, blob, stacks, state, size;
};

static uint64_t page_up(uint64_t size) {
    return (size + 0xfff) & ~0xfffull;
}

static struct memory lay_out(uint64_t at) {
    uint64_t blob = at + GO_NEAR_SIZE;
    uint64_t stacks = blob + page_up((uint64_t)(go_blob_end - go_blob));
    uint64_t state = stacks + STACKS_SIZE;
    return (struct memory){at, blob, stacks, state, state + page_up(sizeof(struct go_state)) - at};
}

static bool is_error(long result) {
    return (unsigned long)result > -4096ul;
}

static long call(struct go_target *t, long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                 uint64_t e, uint64_t f) {
    return go_target_call(t, number, (const uint64_t[]){a, b, c, d, e, f});
}

static void unmap(struct go_target *t, uint64_t at, uint64_t size) {
    if (at)
        call(t, SYS_munmap, at, size, 0, 0, 0, 0);
}

/* Opens the region in the program. Returns its address or a negative errno. */
static long map_region(struct go_target *t, const struct memory *m, const struct go_file *file) {
    if (go_target_write(t, m->at, file->path, strlen(file->path) + 1))
        return -EIO;
    long fd = call(t, SYS_openat, (uint64_t)(int64_t)AT_FDCWD, m->at, O_RDWR | O_CLOEXEC, 0, 0, 0);
    if (is_error(fd))
        return fd;
    long at = call(t, SYS_mmap, 0, file->region.bound, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE, (uint64_t)fd, 0);
    call(t, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
    if (!is_error(at)) {
        call(t, SYS_madvise, (uint64_t)at, file->region.bound, MADV_NOHUGEPAGE, 0, 0, 0);
        call(t, SYS_madvise, (uint64_t)at, file->region.bound, MADV_DONTDUMP, 0, 0, 0);
    }
    return at;
}

/* With one thread stopped. Returns the region's address or a negative errno; nothing stays mapped
 * then. */
static long map_all(struct go_target *t, const struct memory *m, const struct go_file *file) {
    uint64_t code = m->at + GO_NEAR_DATA;
    long at =
        call(t, SYS_mmap, m->at, m->size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, UINT64_MAX, 0);
    if (is_error(at))
        return at;
    long region = (uint64_t)at == m->at ? map_region(t, m, file) : -EEXIST;
    long error = is_error(region) ? region
                                  : call(t, SYS_mprotect, code, m->stacks - code,
                                         PROT_READ | PROT_EXEC, 0, 0, 0);
    if (!error || !is_error(error)) {
        /* A child must not write to the region; and a core dump needs none of this. */
        call(t, SYS_madvise, m->stacks, m->at + m->size - m->stacks, MADV_WIPEONFORK, 0, 0, 0);
        call(t, SYS_madvise, m->stacks, m->at + m->size - m->stacks, MADV_NOHUGEPAGE, 0, 0, 0);
        call(t, SYS_madvise, m->stacks, m->at + m->size - m->stacks, MADV_DONTDUMP, 0, 0, 0);
        return region;
    }
    if (!is_error(region))
        unmap(t, (uint64_t)region, file->region.bound);
    unmap(t, (uint64_t)at, m->size);
    return error;
}

/* ---- what is written there ---- */

static uint64_t there(const struct go_file *file, const void *here, uint64_t region) {
    return region + (uint64_t)((const uint8_t *)here - file->region.base);
}

/* The region as the program has it mapped; ours is its copy. */
static void translate(struct region *r, const struct go_file *file, uint64_t region) {
    *r = file->region;
    r->base = (uint8_t *)region;
    r->header = (struct region_header *)region;
    r->directory = (struct region_directory *)there(file, file->region.directory, region);
    for (unsigned i = 0; i <= REGION_TABLE_COUNT; i++)
        r->rows[i] = (void *)there(file, file->region.rows[i], region);
    r->rows[0] = NULL;
    r->on_full = NULL;
}

static uint64_t ticks_of(const struct go_file *file, uint64_t ns) {
    struct region_header h = *file->region.header;
    struct timespec wait = {0, 2000000};
    nanosleep(&wait, NULL);
    go_region_pair(&h);
    uint64_t raw = h.end_raw_ns - h.start_raw_ns, ticks = h.end_clock - h.start_clock;
    return raw ? (uint64_t)((double)ns * ((double)ticks / (double)raw)) : ns;
}

/* The state up to its tables, which are zero already. */
static int write_state(const struct go_target *t, const struct memory *m,
                       const struct go_plan *plan, const struct go_file *file, uint64_t region) {
    struct go_state *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    state->has_tsc = file->region.header->clock == REGION_CLOCK_TSC;
    state->threshold = plan->threshold;
    state->tick_ticks = ticks_of(file, file->region.header->configuration.tick_ns);
    state->goid_offset = go_goid_offset(t->image.minor);
    translate(&state->region, file, region);
    go_state_init(state, m->stacks);
    go_state_ranges(state, plan);
    state->is_on = 1;
    int error = go_target_write(t, m->state, state, offsetof(struct go_state, sites));
    free(state);
    return error;
}

static int write_near(const struct go_target *t, const struct memory *m,
                      const struct go_plan *plan) {
    int error = go_target_write(t, m->at, plan->data, GO_NEAR_DATA);
    if (!error)
        error = go_target_write(t, m->at + GO_NEAR_DATA, plan->code, plan->used);
    return error ? error : go_target_write(t, m->blob, go_blob, (uint64_t)(go_blob_end - go_blob));
}

/* ---- patches ---- */

/* All or none; every thread is stopped, or there is only one. */
static int write_patches(const struct go_target *t, const struct go_plan *plan) {
    uint32_t done = 0;
    int error = 0;
    for (; done < plan->patch_count && !error; done++)
        error = go_target_write(t, plan->patches[done].at, plan->patches[done].new,
                                plan->patches[done].size);
    while (error && done-- > 0)
        go_target_write(t, plan->patches[done].at, plan->patches[done].old,
                        plan->patches[done].size);
    return error;
}

/* What is there now is what was verified. */
static bool is_unchanged(const struct go_target *t, const struct go_plan *plan) {
    for (uint32_t i = 0; i < plan->patch_count; i++) {
        uint8_t now[GO_PATCH_MAX];
        const struct go_patch *p = &plan->patches[i];
        if (go_target_read(t, p->at, now, p->size) || memcmp(now, p->old, p->size) != 0)
            return false;
    }
    return true;
}

void go_result_stopped(struct go_result *result, uint64_t from_ns, uint64_t now_ns) {
    result->stops++;
    if (now_ns - from_ns > result->stop_ns)
        result->stop_ns = now_ns - from_ns;
}

static int apply(struct go_target *t, const struct go_plan *plan, struct go_result *result) {
    struct timespec pause = {0, 500000};
    for (int i = 0; i < TRIES; i++) {
        uint64_t from = now_ns();
        int error = go_target_stop(t, true);
        if (error)
            return error;
        bool is_clear = t->is_traced || !go_target_is_inside(t, plan->patches, plan->patch_count);
        result->threads = t->thread_count;
        error = !is_clear ? -EAGAIN : is_unchanged(t, plan) ? write_patches(t, plan) : -ESTALE;
        go_target_resume(t);
        go_result_stopped(result, from, now_ns());
        if (error != -EAGAIN)
            return error;
        nanosleep(&pause, NULL);
    }
    return -EAGAIN;
}

/* ---- in ---- */

static const char *words_for(long error) {
    return error == -EAGAIN ? "its threads were in the code to be changed, time and again"
                            : strerror((int)-error);
}

static int prepare(struct go_plan *plan, const struct go_target *t, const struct memory *m,
                   const struct region_configuration *conf, struct go_result *result) {
    plan->near = m->at;
    plan->entry = m->blob + *(const uint64_t *)(const void *)go_blob;
    plan->state = m->state;
    plan->threshold = conf->large;
    plan->calls = conf->args && t->is_traced; /* no goroutine may be parked in what is changed */
    if (go_plan_look(plan, &t->image) || go_plan_make(plan, &t->image))
        return fail(result, "%s%s", plan->refused,
                    base_starts(plan->refused, "runtime.") ? " did not verify" : "");
    struct go_near *near = (struct go_near *)(void *)plan->data;
    near->is_ours = 1;
    near->size = m->size;
    return 0;
}

/* The last rows, and it is the program's. */
static int give(const struct go_target *t, struct go_plan *plan, struct go_file *file) {
    struct region_header *h = file->region.header;
    go_codec_rows(plan, &file->region, 1);
    h->go_minor = t->image.minor;
    h->go_version = region_string(&file->region, t->image.version, strlen(t->image.version));
    h->go_threshold = plan->threshold;
    h->go_state = REGION_GO_HOOKED;
    return go_region_give(file, t->pid);
}

static int put_in(struct go_target *t, struct go_plan *plan, const struct memory *m,
                  struct go_file *file, struct go_result *result) {
    int error = give(t, plan, file);
    if (error)
        return fail(result, "no file to record in: %s", strerror(-error));
    uint64_t from = now_ns();
    error = go_target_stop(t, false);
    long region = error ? error : map_all(t, m, file);
    go_target_resume(t);
    result->one_ns = now_ns() - from;
    if (is_error(region))
        return fail(result, "no memory or no file in it: %s", words_for(region));
    struct go_near *near = (struct go_near *)(void *)plan->data;
    near->region_size = file->region.bound;
    error = write_state(t, m, plan, file, (uint64_t)region);
    if (!error)
        error = write_near(t, m, plan);
    if (!error)
        error = go_region_publish(file);
    if (!error)
        error = apply(t, plan, result);
    go_region_stopped(file, result->one_ns + result->stop_ns);
    result->patches = plan->patch_count;
    if (!error)
        return 0;
    if (go_target_stop(t, false) == 0) {
        unmap(t, (uint64_t)region, file->region.bound);
        unmap(t, m->at, m->size);
        go_target_resume(t);
    }
    return fail(result, "%s", words_for(error));
}

int go_install(struct go_target *t, const char *folder, const struct region_configuration *conf,
               uint64_t run_id, struct go_result *result) {
    struct go_plan *plan = calloc(1, sizeof *plan);
    struct go_file file = {.fd = -1};
    struct memory m = lay_out(0);
    int status = -1;
    if (!plan) {
        fail(result, "no memory");
        goto cleanup;
    }
    if (go_is_installed(t)) {
        fail(result, "the hook is in it already");
        goto cleanup;
    }
    m = lay_out(go_target_gap(t, m.size));
    if (!m.at) {
        fail(result, "no room within reach of a jump");
        goto cleanup;
    }
    if (prepare(plan, t, &m, conf, result))
        goto cleanup;
    if (go_region_make(&file, t, folder, conf, run_id)) {
        fail(result, "no file to record in");
        goto cleanup;
    }
    snprintf(result->path, sizeof result->path, "%s", file.path);
    status = put_in(t, plan, &m, &file, result);
cleanup:
    go_region_close(&file, status != 0);
    free(plan);
    return status;
}

/* ---- at exec ---- */

void go_install_at_exec(pid_t pid, const char *folder, const char *conf, uint64_t run_id,
                        struct go_result *result) {
    struct region_configuration c;
    struct go_target t;
    *result = (struct go_result){0};
    go_region_configure(&c, conf);
    int error = go_target_open(&t, pid);
    t.is_traced = true;
    result->is_no_go = error == -ENOENT;
    if (error)
        fail(result, "%s",
             error == -ENOENT    ? "it is no Go program"
             : error == -ENOTSUP ? "its tables are not understood"
                                 : go_target_words(error));
    else if (!c.go)
        fail(result, "go:off");
    else
        go_install(&t, folder, &c, run_id, result);
    result->has_ended = t.has_ended;
    result->end_status = t.end_status;
    go_target_close(&t);
}
