/* The list of the calls that a thread is in; entering and leaving. */
#include "call_internal.h"

#include "account.h"
#include "base/syscall.h"
#include "clock.h"
#include "peek.h"
#include "unwind_thread.h"

static uint64_t secret;

/* How many outermost compress calls are under way, and since when: level << 48 | clock. */
static uint64_t running __attribute__((aligned(64)));
#define RUNNING_CLOCK ((1ull << 48) - 1) /* a day at 3 GHz */
#define AHEAD_MOST (1ull << 32)          /* of another processor: more than a second */

void call_init(void) {
    secret = base_mix(shim.seed ^ clock_now());
}

void call_begin_child(void) {
    RELAXED_STORE(&running, 0);
}

/* ---- the list ---- */

/* Changes the level and adds the time that it lasted; returns the upper of the two levels. Time
 * does not go back where another thread, or another processor's clock, was a little ahead. How long
 * nothing was under way does not matter, and may be days. */
static uint32_t change_level(int by, uint64_t clock) {
    uint64_t old = RELAXED_LOAD(&running), lasted, new;
    uint32_t level;
    do {
        level = (uint32_t)(old >> 48);
        if (by < 0 && !level)
            return 0;
        lasted = (clock - old) & RUNNING_CLOCK;
        if (level && lasted > RUNNING_CLOCK - AHEAD_MOST)
            lasted = 0;
        new = (uint64_t)(level + (uint32_t)by) << 48 | ((old + lasted) & RUNNING_CLOCK);
    } while (!__atomic_compare_exchange_n(&running, &old, new, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    if (level)
        call_rows_add_wall(level, lasted);
    return by > 0 ? level + 1 : level;
}

/* Returns the level that ends, 0 = it was not counted. */
static uint32_t stop_running(struct shim_call *call, uint64_t clock) {
    uint32_t level = call->is_running ? change_level(-1, clock) : 0;
    call->is_running = false;
    return level;
}

static void forget(struct shim_private *p, uint32_t i, bool is_left) {
    struct shim_call *call = &p->calls[i];
    if (call->is_running)
        stop_running(call, clock_now());
    if (is_left && call->row) {
        uint32_t *left =
            &REGION_ROW(&shim.region, REGION_CODEC_CALLS, struct region_codec_call, call->row)->left;
        *left += *left != UINT32_MAX;
    }
    p->call_depth--;
    for (; i < p->call_depth; i++)
        p->calls[i] = p->calls[i + 1];
}

void call_reap(struct shim_private *p) {
    while (p->call_depth)
        forget(p, p->call_depth - 1, true);
}

static bool is_intact(const struct shim_call *call, bool is_ours) {
    uint64_t cookie = 0, at = call->frame + offsetof(struct call_frame, cookie);
    if (is_ours)
        return RELAXED_LOAD((const uint64_t *)at) == call->cookie;
    return peek_read(&cookie, at, sizeof cookie) == sizeof cookie && cookie == call->cookie;
}

/* Whether a call that is on the list was left. On one stack, what lies below the newest frame, or
 * was written over, is gone. On another stack it may be suspended: its cookie is there. */
static bool is_stale(const struct shim_private *p, const struct shim_call *call, uint64_t frame) {
    bool ours = unwind_owns(p->unwind, call->frame), here = unwind_owns(p->unwind, frame);
    if (call->frame <= frame && (ours == here) && (ours || frame - call->frame < 65536))
        return true;
    return !is_intact(call, ours && here);
}

const struct shim_call *call_find_outer(struct shim_private *p, uint64_t frame) {
    while (p->call_depth && is_stale(p, &p->calls[p->call_depth - 1], frame))
        forget(p, p->call_depth - 1, true);
    if (!p->call_depth)
        return NULL;
    const struct shim_call *top = &p->calls[p->call_depth - 1];
    bool is_around =
        top->frame > frame && unwind_owns(p->unwind, top->frame) == unwind_owns(p->unwind, frame);
    return is_around ? top : NULL;
}

bool call_is_known_nested(struct shim_self *self, uint64_t frame,
                          const struct codec_function *function) {
    struct shim_private *p = self->private;
    if (self->busy || !self->row || !*shim_slot(self) || !p || !p->call_depth)
        return false;
    const struct shim_call *top = &p->calls[p->call_depth - 1];
    const struct unwind_thread *t = p->unwind;
    return top->codec == function->codec && top->frame > frame && unwind_is_own(t, frame) &&
           unwind_is_own(t, top->frame) && t->thread_pointer == unwind_thread_pointer() &&
           is_intact(top, true) && call_rows_add_known(p, function, top->row);
}

uint32_t call_direction(const struct shim_self *self) {
    const struct shim_private *p = self->private;
    return p && p->call_depth ? p->calls[p->call_depth - 1].direction
                              : (uint32_t)REGION_DIRECTION_NONE;
}

/* ---- entering ---- */

/* Where a function serves both directions, what made its context tells. */
static uint32_t find_direction(const struct call_frame *f) {
    const struct codec_function *function = f->function;
    const struct context *c;
    if (function->direction || !f->context)
        return function->direction;
    c = context_find(f->context);
    return c ? c->direction : (uint32_t)REGION_DIRECTION_NONE;
}

static bool enter(struct shim_self *self, struct call_frame *f, const struct unwind_start *at,
                  const struct shim_call *outer) {
    struct shim_private *p = self->private;
    if (p->call_depth == SHIM_CALLS)
        return false;
    uint32_t direction = find_direction(f);
    f->call = call_rows_find(self, f, at, direction);
    if (!f->call)
        return false;
    f->epoch = shim.epoch;
    f->cookie = (secret ^ (uint64_t)f) + ++p->call_sequence * 0x9e3779b97f4a7c15ull;
    f->message = outer ? outer->message : 0;
    call_serve_begin(self, f, direction);
    p->calls[p->call_depth++] = (struct shim_call){
        .frame = (uint64_t)f,
        .cookie = f->cookie,
        .source = f->source_size,
        .message = f->message,
        .row = f->call,
        .mark = f->function->is_mark ? f->function->rows[0] : 0,
        .context = f->context_number,
        .codec = f->function->codec,
        .direction = (uint8_t)direction,
        .is_running = !outer && codec_moves_data(f->function) && direction != REGION_DECOMPRESS,
    };
    (*shim_slot(self))->codec_call = f->call;
    f->is_timed = call_rows_is_timed(f->call);
    return true;
}

bool call_may_record(struct shim_self *self) {
    /* shim_enter first: only it finds out that this is a new child. */
    bool is_ours = shim.state == SHIM_ON && shim_enter(self);
    if (is_ours && !self->busy && shim_enter_region(self) && self->private &&
        self->private->unwind && *shim_slot(self))
        return true;
    if (is_ours && shim_is_ready())
        region_lose(&shim.region, REGION_LOST_CODEC, 1);
    return false;
}

bool call_begin(struct shim_self *self, struct call_frame *f, const struct unwind_start *at,
                const struct shim_call *outer) {
    bool recorded = enter(self, f, at, outer);
    if (!recorded)
        region_lose(&shim.region, REGION_LOST_CODEC, 1);
    /* The kernel may put the thread aside in these: that is not the call's time. */
    if (f->is_timed)
        call_rows_usage(&f->cpu_ns, &f->page_faults, &f->context_switches);
    struct shim_private *p = self->private;
    f->start = clock_now();
    if (recorded && p->calls[p->call_depth - 1].is_running)
        f->level = change_level(1, f->start);
    return recorded;
}

/* ---- leaving ---- */

static void set_cost(const struct call_frame *f, uint64_t now, struct call_cost *cost) {
    *cost = (struct call_cost){.ticks = now - f->start};
    if (!f->is_timed || UNLIKELY(BASE_SANDBOXED)) /* then the kernel is not asked any more */
        return;
    call_rows_usage(&cost->cpu_ns, &cost->page_faults, &cost->context_switches);
    cost->cpu_ns -= f->cpu_ns;
    cost->page_faults -= f->page_faults;
    cost->context_switches -= f->context_switches;
    cost->timed_ticks = cost->ticks ? cost->ticks : 1;
}

/* Its place in the list; the calls above it that were left go. */
static struct shim_call *find_own(struct shim_private *p, uint64_t frame, uint32_t *at) {
    for (uint32_t i = p->call_depth; i-- > 0;)
        if (p->calls[i].frame == frame) {
            *at = i;
            return &p->calls[i];
        }
    return NULL;
}

bool call_may_end(struct shim_self *self, const struct call_frame *f) {
    /* A fork, a handler, or a coroutine on another thread, may have come in between. */
    return !self->busy && shim_enter(self) && shim_enter_region(self) && f->epoch == shim.epoch &&
           self->private && *shim_slot(self) && shim_is_ready();
}

void call_end(struct shim_self *self, struct call_frame *f, uint64_t now, uint64_t value,
              const struct call_result *result) {
    struct shim_private *p = self->private;
    struct call_cost cost;
    uint32_t at = 0;
    struct shim_call *call = find_own(p, (uint64_t)f, &at);
    uint32_t level = call ? stop_running(call, now) : 0;
    if (UNLIKELY(f->is_odd)) {
        call_doubt(f);
    } else {
        set_cost(f, now, &cost);
        call_rows_add(f->call, f, result, &cost);
        if (f->level)
            call_rows_add_level(f->call, f->level, level, result->consumed, &cost);
        call_serve_end(self, f, call, value, result, &cost);
    }
    if (call)
        forget(p, at, false);
    (*shim_slot(self))->codec_call = p->call_depth ? p->calls[p->call_depth - 1].row : 0;
}

void call_unwound(struct shim_self *self, uint64_t here) {
    struct shim_private *p = self->private;
    for (uint32_t i = p->call_depth; i-- > 0;)
        if (p->calls[i].frame > here &&
            unwind_owns(p->unwind, p->calls[i].frame) == unwind_owns(p->unwind, here)) {
            forget(p, i, true);
            break;
        }
    (*shim_slot(self))->codec_call = p->call_depth ? p->calls[p->call_depth - 1].row : 0;
}
