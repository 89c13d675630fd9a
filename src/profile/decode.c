/* From the rows of an image to the plain arrays of a profile. Every index that a row holds is
 * checked against the table it names; what leads nowhere becomes 0, the overflow row. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* No file has a longer path, and no symbol that is used a longer name. */
#define PATH_BYTES_MAX 4096u
#define FUNCTION_BYTES_MAX 65536u

static uint32_t rows_of(const struct region_view *view, enum region_table table) {
    return (uint32_t)view->used[table]; /* validate keeps it within 32 bits */
}

/* At least row 0, so that an index of 0 always leads somewhere. */
static uint32_t at_least_one(uint32_t rows) {
    return rows ? rows : 1;
}

const char *decode_bytes(const struct region_view *view, uint64_t offset, uint64_t *size) {
    uint64_t used = view->row_size[REGION_STRINGS] == 1 ? view->used[REGION_STRINGS] : 0;
    if (offset == 0 || offset >= used) {
        *size = 0;
        return "";
    }
    if (*size > used - offset)
        *size = used - offset;
    return (const char *)view->rows[REGION_STRINGS] + offset;
}

/* Arguments stand one after the other, each ended by a zero. */
static int decode_arguments(struct profile_process *p, const struct region_view *view,
                            struct arena *arena) {
    uint64_t size = view->header->arguments_size;
    const char *from = decode_bytes(view, view->header->arguments, &size);
    char *text = arena_copy(arena, from, size);
    uint32_t count = 0;
    if (!text)
        return -ENOMEM;
    for (uint64_t i = 0; i < size; i++)
        count += text[i] == 0 || i == size - 1;
    p->arguments = arena_take_array(arena, (size_t)count + 1, sizeof *p->arguments);
    if (!p->arguments)
        return -ENOMEM;
    for (uint64_t at = 0; at < size && p->argument_count < count; at += strlen(text + at) + 1)
        p->arguments[p->argument_count++] = text + at;
    return 0;
}

/* A text that is longer is none: all that look for a word in it, for each frame and site, would
 * look through it. */
static const char *text_of(const struct region_view *view, uint64_t string, size_t most) {
    const char *text = region_view_string(view, string);
    return strnlen(text, most + 1) <= most ? text : "";
}

static int decode_header(struct profile_process *p, const struct region_view *view,
                         struct arena *arena) {
    const struct region_header *h = view->header;
    p->key = h->random;
    p->pid = h->pid;
    p->parent = h->parent;
    p->uid = h->uid;
    p->epoch = h->epoch;
    p->exe = text_of(view, h->exe, PATH_BYTES_MAX);
    p->run_id = h->run_id;
    memcpy(p->boot_id, h->boot_id, sizeof p->boot_id);
    p->start_ticks = h->start_ticks;
    p->start_realtime_ns = h->start_realtime_ns;
    p->configuration = h->configuration;
    p->codec_patterns = region_view_string(view, h->configuration.codec);
    p->place = h->place;
    p->clock = h->clock;
    p->notes = h->notes;
    p->filesystem = h->filesystem;
    memcpy(p->lost, h->lost, sizeof p->lost);
    p->inherited_frees = h->inherited_frees;
    p->untracked_frees = h->untracked_frees;
    /* live is atomic adds and subtracts of several threads: never show less than nothing. */
    p->large_live = (int64_t)h->large_live < 0 ? 0 : h->large_live;
    p->large_peak = h->large_peak > p->large_live ? h->large_peak : p->large_live;
    p->large_allocs = h->large_allocs;
    p->large_bytes = h->large_bytes;
    p->codec_bytes = h->codec_bytes;
    return decode_arguments(p, view, arena);
}

static uint64_t since(const struct region_header *h, double ticks_per_ns, uint64_t clock) {
    return clock > h->start_clock ? clock_ns(ticks_per_ns, clock - h->start_clock) : 0;
}

static int decode_threads(struct profile_process *p, const struct region_view *view,
                          struct arena *arena) {
    uint32_t rows = rows_of(view, REGION_THREADS);
    p->thread_count = at_least_one(rows);
    p->threads = arena_take_array(arena, p->thread_count, sizeof *p->threads);
    if (!p->threads)
        return -ENOMEM;
    p->threads[0].name = "";
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_thread *row = region_view_row(view, REGION_THREADS, i);
        struct profile_thread *t = &p->threads[i];
        uint64_t bytes = row->byte_goal - row->byte_left;
        t->row = i;
        t->tid = row->tid;
        t->generations = row->generations;
        t->name = arena_copy(arena, row->name, strnlen(row->name, sizeof row->name));
        t->start_ns = since(view->header, p->ticks_per_ns, row->start_clock);
        t->allocs = row->allocs;
        t->frees = row->frees;
        /* Read between the two stores of a refill the difference can fall below zero. */
        t->bytes = (int64_t)bytes < 0 ? 0 : bytes;
        p->torn += row->sequence & 1;
        if (!t->name)
            return -ENOMEM;
    }
    return 0;
}

static int decode_modules(struct profile_process *p, const struct region_view *view,
                          struct arena *arena) {
    uint32_t rows = rows_of(view, REGION_MODULES);
    p->module_count = at_least_one(rows);
    p->modules = arena_take_array(arena, p->module_count, sizeof *p->modules);
    if (!p->modules)
        return -ENOMEM;
    p->modules[0].path = "";
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_module *row = region_view_row(view, REGION_MODULES, i);
        struct profile_module *m = &p->modules[i];
        m->path = text_of(view, row->path, PATH_BYTES_MAX);
        memcpy(m->build_id, row->build_id, sizeof m->build_id);
        m->build_id_size = row->build_id_size <= sizeof m->build_id ? row->build_id_size : 0;
        m->base = row->base;
        m->start = row->start;
        m->end = row->end;
        m->born = row->born;
        m->gone = row->gone;
        m->unloaded = row->gone != 0;
        m->allocator =
            row->allocator <= REGION_ALLOCATOR_OTHER ? row->allocator : REGION_ALLOCATOR_OTHER;
        m->flags = row->flags;
    }
    return modules_index(p, arena);
}

/* The addresses as one array, whatever the length of their rows. */
static const uint64_t *flat_frames(const struct region_view *view, struct arena *arena) {
    uint64_t rows = view->used[REGION_FRAMES];
    if (view->row_size[REGION_FRAMES] == sizeof(uint64_t))
        return (const uint64_t *)(const void *)view->rows[REGION_FRAMES];
    uint64_t *flat = arena_take_array(arena, rows, sizeof *flat);
    for (uint64_t i = 0; flat && i < rows; i++)
        flat[i] = *(const uint64_t *)region_view_row(view, REGION_FRAMES, i);
    return flat;
}

static int decode_stacks(struct profile_process *p, const struct region_view *view,
                         struct arena *arena) {
    static const uint64_t none[1];
    uint32_t rows = rows_of(view, REGION_STACKS);
    uint64_t frame_count = view->used[REGION_FRAMES];
    const uint64_t *frames = frame_count ? flat_frames(view, arena) : none;
    p->stack_count = at_least_one(rows);
    p->stacks = arena_take_array(arena, p->stack_count, sizeof *p->stacks);
    if (!p->stacks || !frames)
        return -ENOMEM;
    p->frames = frames;
    p->frame_count = frame_count;
    p->stacks[0].frames = none;
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_stack *row = region_view_row(view, REGION_STACKS, i);
        struct profile_stack *s = &p->stacks[i];
        s->end = row->end < REGION_END_COUNT ? row->end : REGION_END_UNKNOWN;
        s->module_event = row->module_event;
        s->frames = none;
        if (row->first >= frame_count || row->count == 0)
            continue;
        s->frames = frames + row->first;
        s->count = row->count;
        if (s->count > frame_count - row->first) { /* begun, not yet committed */
            s->count = (uint32_t)(frame_count - row->first);
            s->end = REGION_END_UNKNOWN;
        }
        if (s->count > REGION_FRAMES_MAX) { /* no shim writes so many */
            s->count = REGION_FRAMES_MAX;
            s->end = REGION_END_BOUND;
        }
    }
    return 0;
}

static int decode_codec_functions(struct profile_process *p, const struct region_view *view,
                                  struct arena *arena) {
    uint32_t rows = rows_of(view, REGION_CODEC_FUNCTIONS);
    p->codec_function_count = at_least_one(rows);
    p->codec_functions =
        arena_take_array(arena, p->codec_function_count, sizeof *p->codec_functions);
    if (!p->codec_functions)
        return -ENOMEM;
    p->codec_functions[0].name = "";
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_codec_function *row = region_view_row(view, REGION_CODEC_FUNCTIONS, i);
        struct profile_codec_function *f = &p->codec_functions[i];
        f->name = text_of(view, row->name, FUNCTION_BYTES_MAX);
        f->module = row->module < p->module_count ? row->module : 0;
        f->codec = row->codec;
        f->direction =
            row->direction <= REGION_DECOMPRESS ? row->direction : (uint32_t)REGION_DIRECTION_NONE;
        f->kind = row->kind;
        f->found = row->found;
        f->patched = row->patched;
        f->refused = row->refused;
    }
    return 0;
}

static int by_time(const void *a, const void *b) {
    const struct region_tick *const *x = a, *const *y = b;
    return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* The ring in order. A row that was being written has the number of its former tick and perhaps
 * the time of the new one: time going back throws it out. */
static int decode_ticks(struct profile_process *p, const struct region_view *view,
                        struct arena *arena) {
    uint32_t rows = rows_of(view, REGION_TIMELINE), count = 0;
    uint64_t start = view->header->start_raw_ns, last = 0;
    const struct region_tick **order = calloc((size_t)rows + 1, sizeof *order);
    p->ticks = arena_take_array(arena, (size_t)rows + 1, sizeof *p->ticks);
    if (!order || !p->ticks) {
        free(order);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_tick *row = region_view_row(view, REGION_TIMELINE, i);
        if (row->number != 0 && row->raw_ns >= start)
            order[count++] = row;
    }
    qsort(order, count, sizeof *order, by_time);
    for (uint32_t i = 0; i < count; i++) {
        const struct region_tick *row = order[i];
        if (row->raw_ns < last || (i + 1 < count && row->raw_ns > order[i + 1]->raw_ns))
            continue;
        last = row->raw_ns;
        p->ticks[p->tick_count++] = (struct profile_tick){
            .ns = row->raw_ns - start,
            .live_bytes = (int64_t)row->live_bytes < 0 ? 0 : row->live_bytes,
            .allocated_bytes = row->allocated_bytes,
            .allocs = row->allocs,
            .codec_bytes = row->codec_bytes,
            .in_allocator = row->in_allocator,
        };
    }
    free(order);
    return 0;
}

uint64_t decode_last_sign(const struct image *image, double ticks_per_ns) {
    const struct region_view *view = &image->view;
    const struct region_header *h = view->header;
    uint64_t last = h->end_raw_ns > h->start_raw_ns ? h->end_raw_ns - h->start_raw_ns : 0;
    for (uint64_t i = 0; i < view->used[REGION_TIMELINE]; i++) {
        const struct region_tick *tick = region_view_row(view, REGION_TIMELINE, i);
        if (tick->number && tick->raw_ns > h->start_raw_ns && tick->raw_ns - h->start_raw_ns > last)
            last = tick->raw_ns - h->start_raw_ns;
    }
    for (uint64_t i = 0; i < view->used[REGION_THREADS]; i++) {
        const struct region_thread *thread = region_view_row(view, REGION_THREADS, i);
        uint64_t age = since(h, ticks_per_ns, thread->last_clock);
        last = age > last ? age : last;
    }
    for (uint64_t i = 0; i < view->used[REGION_SITES]; i++) {
        const struct region_site *site = region_view_row(view, REGION_SITES, i);
        uint64_t age = since(h, ticks_per_ns, site->first_clock);
        last = age > last ? age : last;
    }
    return last;
}

int decode_process(struct profile_process *p, struct image *image, const char *file,
                   struct profile_error *error) {
    struct memory *memory = calloc(1, sizeof *memory);
    int status = -ENOMEM;
    if (!memory) {
        image_free(image);
        goto cleanup;
    }
    memory->image = *image;
    memset(image, 0, sizeof *image);
    p->memory = memory;
    const struct region_view *view = &memory->image.view;
    struct arena *arena = &memory->arena;
    p->file = arena_copy(arena, file, strlen(file));
    if (!p->file || decode_header(p, view, arena) || decode_threads(p, view, arena) ||
        decode_modules(p, view, arena) || decode_stacks(p, view, arena) ||
        decode_codec_functions(p, view, arena) || decode_codec(p, memory) ||
        decode_ticks(p, view, arena) || decode_cells(p, memory) || decode_go(p, memory))
        goto cleanup;
    status = 0;
cleanup:
    return status ? profile_fail(error, status, file, 0, "no memory") : 0;
}

/* Takes over the image, as decode_process does. */
static int decode_image(struct source *source, struct image *from, struct state state,
                        struct profile_process *p, struct profile_error *error) {
    struct image image = *from;
    const struct region_header *h = image.view.header;
    struct calibration clock;
    clock_calibrate(&image, &clock);
    p->state = state.state;
    p->mapped = state.mapped;
    p->ticks_per_ns = clock.ticks_per_ns;
    p->clock_guessed = clock.guessed;
    p->seconds_ns = decode_last_sign(&image, clock.ticks_per_ns);
    if (h->ended && h->end_raw_ns > h->start_raw_ns)
        p->seconds_ns = h->end_raw_ns - h->start_raw_ns;
    else if (state.state == PROFILE_RUNNING && clock.now_raw_ns > h->start_raw_ns)
        p->seconds_ns = clock.now_raw_ns - h->start_raw_ns;
    return decode_process(p, &image, source->name, error);
}

int decode_region(struct source *source, struct maps *maps, const char *path,
                  struct profile_process *p, struct profile_error *error) {
    struct image image;
    int status = image_copy(source, &image, error);
    if (status)
        return status;
    const struct region_header *h = image.view.header;
    /* Bytes in memory are nobody's region: there is no file to be mapped. */
    struct state state = {.state = h->ended ? PROFILE_ENDED : PROFILE_UNKNOWN};
    if (source->fd >= 0)
        state = state_of(maps, h, &source->stat, path);
    return decode_image(source, &image, state, p, error);
}

int decode_region_as(struct source *source, struct state state, struct profile_process *p,
                     struct profile_error *error) {
    struct image image;
    int status = image_copy(source, &image, error);
    return status ? status : decode_image(source, &image, state, p, error);
}

void profile_process_free(struct profile_process *p) {
    struct memory *memory = p->memory;
    if (memory) {
        arena_free(&memory->arena);
        image_free(&memory->image);
        free(memory);
    }
    memset(p, 0, sizeof *p);
}

uint64_t profile_class_start(uint32_t class) {
    if (class >= REGION_CLASSES)
        class = REGION_CLASSES - 1;
    return class == 0 ? 0 : (uint64_t)(2 + (class & 1)) << (class / 2) >> 1;
}
