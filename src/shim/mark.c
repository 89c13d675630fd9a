/* Marks by name and direction; begin and end. */
#include "mark.h"

#include <squall/squall.h>
#include <sys/uio.h>

#include "base/syscall.h"
#include "call_internal.h"
#include "clock.h"
#include "peek.h"

#define MARKS 64u
#define NAME_SIZE 64u

struct mark {
    struct codec_function function;
    char name[NAME_SIZE];
    uint32_t epoch_plus_one; /* of the region that holds its row; 0 = not complete */
};
static struct mark marks[MARKS];
static uint32_t mark_count;

_Static_assert((int)SQUALL_COMPRESS == (int)REGION_COMPRESS &&
                   (int)SQUALL_DECOMPRESS == (int)REGION_DECOMPRESS,
               "the same numbers");
_Static_assert(sizeof(struct call_frame) <= sizeof(((struct squall_call *)0)->room),
               "a call's frame is in the program's struct");

/* ---- the table ---- */

static void write_row(struct mark *m, uint64_t caller) {
    uint32_t row = region_take(&shim.region, REGION_CODEC_FUNCTIONS, 1);
    const struct module *module = module_find(caller);
    m->function.rows[0] = row;
    if (row) {
        struct region_codec_function *to =
            REGION_ROW(&shim.region, REGION_CODEC_FUNCTIONS, struct region_codec_function, row);
        to->name = region_string(&shim.region, m->name, base_length(m->name));
        to->module = module ? module->row : 0;
        to->codec = CODEC_USER;
        to->direction = m->function.direction;
        to->kind = CODEC_ONE_SHOT;
        to->patched = 1;
        to->found = REGION_FOUND_MARK;
    }
    __atomic_store_n(&m->epoch_plus_one, shim.epoch + 1u, __ATOMIC_RELEASE);
}

static bool is_called(const struct mark *m, const char *name, int direction) {
    return __atomic_load_n(&m->epoch_plus_one, __ATOMIC_ACQUIRE) &&
           m->function.direction == direction && base_equal(name, base_length(name), m->name);
}

static struct mark *find(const char *name, int direction, uint64_t caller) {
    uint32_t count = RELAXED_LOAD(&mark_count);
    for (uint32_t i = 0; i < count && i < MARKS; i++) {
        if (!is_called(&marks[i], name, direction))
            continue;
        if (marks[i].epoch_plus_one != shim.epoch + 1u)
            write_row(&marks[i], caller);
        return &marks[i];
    }
    uint32_t number = count < MARKS ? RELAXED_ADD(&mark_count, 1) : MARKS;
    if (number >= MARKS)
        return NULL;
    struct mark *m = &marks[number];
    base_copy(m->name, sizeof m->name, name);
    m->function.shape = codec_table_shape(NULL);
    m->function.codec = CODEC_USER;
    m->function.kind = CODEC_ONE_SHOT;
    m->function.direction = (uint8_t)direction;
    m->function.is_mark = true;
    write_row(m, caller);
    return m;
}

/* ---- a call ---- */

static bool begin(struct shim_self *self, struct call_frame *f, const char *name, int direction,
                  const struct unwind_start *at) {
    char copy[NAME_SIZE];
    base_copy(copy, sizeof copy, name ? name : "");
    bool is_sound = (direction == SQUALL_COMPRESS || direction == SQUALL_DECOMPRESS) && *copy;
    struct mark *m = is_sound ? find(copy, direction, at->pc) : NULL;
    if (!m || !m->function.rows[0]) {
        region_lose(&shim.region, REGION_LOST_CODEC, 1);
        return false;
    }
    f->function = &m->function;
    return call_begin(self, f, at, call_find_outer(self->private, (uint64_t)f));
}

static NOINLINE void mark_begin(struct squall_call *call, const char *name, int direction,
                                const void *source, size_t source_size, const void *destination,
                                size_t capacity) {
    struct unwind_start at;
    struct shim_self *self = &shim_self;
    struct call_frame *f = (struct call_frame *)call->room;
    UNWIND_START(&at);
    if (!call_may_record(self))
        return;
    self->busy = 1;
    ORDER();
    call_clear(f);
    f->source = (uint64_t)source;
    f->source_size = source_size;
    f->destination = (uint64_t)destination;
    f->capacity = capacity;
    call->is_begun = begin(self, f, name, direction, &at);
    ORDER();
    self->busy = 0;
}

static void mark_end(struct squall_call *call, size_t produced) {
    struct shim_self *self = &shim_self;
    struct call_frame *f = (struct call_frame *)call->room;
    uint64_t now = clock_now();
    call->is_begun = 0;
    if (!call_may_end(self, f))
        return;
    bool failed = produced == SQUALL_FAILED;
    const struct call_result result = {
        .consumed = f->source_size, .produced = failed ? 0 : produced, .failed = failed};
    self->busy = 1;
    ORDER();
    call_end(self, f, now, 0, &result);
    ORDER();
    self->busy = 0;
}

/* ---- the program's hooks ---- */

void mark_offer(uint64_t at) {
    struct squall_hooks hooks;
    if (peek_read(&hooks, at, sizeof hooks) != sizeof hooks || hooks.version != 1 ||
        hooks.size != sizeof hooks)
        return;
    hooks.begin = mark_begin;
    hooks.end = mark_end;
    /* Through the kernel: it may be no memory that can be written. */
    struct iovec from = {&hooks, sizeof hooks}, to = {(void *)at, sizeof hooks};
    base_syscall(SYS_process_vm_writev, base_syscall(SYS_getpid), &from, 1, &to, 1, 0);
}
