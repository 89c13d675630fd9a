/* Messages, and which blocks serve them: outputs, inputs, workspaces. */
#include "call_internal.h"
#include "clock.h"
#include "site.h"

#define ROW(table, type, i) REGION_ROW(&shim.region, table, type, i)
#define CONTEXT(i) ROW(REGION_CONTEXTS, struct region_context, i)
#define CELL(i) ROW(REGION_CELLS, struct region_cell, i)

/* What struct block keeps for us. Of a workspace, mark is the number of messages of its context
 * before the one that it was born in, mark2 the context's generation. Of other blocks, mark is how
 * far into the block the last use reached. */
enum { BLOCK_IN_CALL = 1 };

/* ---- sums of large blocks ---- */

static struct region_large *large_of(const struct block *b) {
    uint32_t row = b->epoch == shim.epoch ? site_large(b->cell) : 0;
    return row ? ROW(REGION_LARGE, struct region_large, row) : NULL;
}

/* In 1/65536; no block has 2^48 bytes. */
static uint64_t ratio(uint64_t size, uint64_t to) {
    return (size << 16) / to;
}

/* A block that is used for ever tells the same again and again: after the first messages each of
 * its sums is touched once in so many. */
#define SERVED_FEW 16u
#define SERVED_MANY (1u << 31)
static bool is_due(const struct block *b) {
    uint32_t served = RELAXED_LOAD(&b->served);
    return served <= SERVED_FEW || served % SERVED_FEW == 0;
}

/* One message more; returns how many now. The first ones decide what the block is, so they are
 * counted even where threads share it; later a count that gets lost between two threads changes
 * nothing, and an atomic add would cost as much as all else here. */
static uint32_t count_served(struct block *b) {
    uint32_t served = RELAXED_LOAD(&b->served);
    if (UNLIKELY(served <= SERVED_FEW))
        return RELAXED_ADD(&b->served, 1) + 1;
    /* Never back to the first ones, and with the same remainder: see is_due. */
    served = UNLIKELY(served == UINT32_MAX) ? SERVED_MANY : served + 1;
    RELAXED_STORE(&b->served, served);
    return served;
}

static void add_ratio(uint64_t *sum, uint64_t *count, uint64_t r) {
    if (!region_has_room(sum))
        return;
    RELAXED_ADD(sum, r);
    RELAXED_ADD(count, 1);
}

static void add_ratios(const struct block *b, uint64_t source, uint64_t produced) {
    if (!source || !is_due(b))
        return;
    struct region_large *l = large_of(b);
    if (!l)
        return;
    uint64_t r = ratio(b->size, source);
    base_raise_to(&l->source_ratio_min_inverted, ~r);
    base_raise_to(&l->source_ratio_max, r);
    add_ratio(&l->source_ratio_sum, &l->source_ratio_count, r);
    RELAXED_ADD(&l->served_source_bytes, source);
    if (!produced)
        return;
    r = ratio(b->size, produced);
    base_raise_to(&l->produced_ratio_min_inverted, ~r);
    base_raise_to(&l->produced_ratio_max, r);
    add_ratio(&l->produced_ratio_sum, &l->produced_ratio_count, r);
    RELAXED_ADD(&l->served_produced_bytes, produced);
}

/* ---- roles ---- */

/* A block that was an input and becomes an output is an output: a buffer that is written is the
 * program's to give. */
static void set_role(struct block *b, struct region_large *l, uint8_t role) {
    if (b->roles & (role | CALL_WORKSPACE | CALL_OUTPUT))
        return;
    if (role == CALL_INPUT) {
        RELAXED_ADD(&l->input_allocs, 1);
        RELAXED_ADD(&l->input_bytes, b->size);
    } else {
        RELAXED_ADD(&l->output_allocs, 1);
        RELAXED_ADD(&l->output_bytes, b->size);
        if (b->roles & CALL_INPUT) {
            RELAXED_ADD(&l->input_allocs, -1ull);
            RELAXED_ADD(&l->input_bytes, -b->size);
        }
    }
    __atomic_fetch_or(&b->roles, role, __ATOMIC_RELAXED);
}

/* One more message, or the same one again from the start of what it used before: a buffer that is
 * refilled is used again, however long the message is. */
static void serve(struct block *b, const struct call_frame *f, uint8_t role, uint64_t at) {
    bool is_new = b->message != f->message;
    bool is_again = !is_new && at - b->start < b->mark;
    bool has_role = b->roles & (role | CALL_WORKSPACE | CALL_OUTPUT);
    if ((!is_new && !is_again && has_role) || b->epoch != shim.epoch)
        return;
    bool is_use = (is_new || is_again) && !(b->roles & CALL_WORKSPACE);
    uint32_t served = is_use ? count_served(b) : 0;
    if (is_use) {
        b->message = f->message;
        b->mark = 0;
    }
    if (has_role && !is_due(b))
        return;
    struct region_large *l = large_of(b);
    if (!l)
        return;
    set_role(b, l, role);
    RELAXED_STORE(&l->served_call, f->call);
    if (is_use)
        RELAXED_ADD(&l->served, served <= SERVED_FEW ? 1 : SERVED_FEW);
    if (served == 2)
        RELAXED_ADD(&l->reused, 1);
}

/* The row, if it is still of the block that holds this address. */
static struct block *same_block(uint32_t row, uint64_t at) {
    struct block *b = row ? block_at(row) : NULL;
    return b && at - b->start < b->size ? b : NULL;
}

/* `last` is the row that the thread found for this role: kept buffers come again. A block of a row
 * may lie within a larger one only where somebody cuts blocks himself: then either will do. */
static uint32_t find_and_serve(const struct call_frame *f, uint8_t role, uint64_t at,
                               uint32_t *last) {
    uint32_t row = same_block(*last, at) ? *last : at ? block_find(at) : 0;
    if (row) {
        serve(block_at(row), f, role, at);
        *last = row;
    }
    return row;
}

static void reach(uint32_t row, uint64_t at, uint64_t size) {
    struct block *b = same_block(row, at);
    if (b && !(b->roles & CALL_WORKSPACE) && at - b->start + size > b->mark)
        b->mark = at - b->start + size;
}

/* ---- messages of contexts ---- */

/* The output that was being filled is complete. */
static void end_output(struct context *c) {
    struct block *b = same_block(c->output, c->output_start);
    if (b && !(b->roles & CALL_WORKSPACE))
        add_ratios(b, c->output_source, c->output_produced);
    c->output = 0;
    c->output_source = c->output_produced = 0;
}

static void end_message(struct context *c) {
    if (!c->is_open)
        return;
    c->is_open = 0;
    end_output(c);
    if (c->epoch != shim.epoch)
        return;
    struct call_cost cost = {c->ticks, c->cpu_ns, c->timed_ticks, c->page_faults,
                             c->context_switches};
    if (c->call)
        call_rows_add_message(c->call, c->source, c->produced, &cost);
    if (!c->row)
        return;
    RELAXED_ADD(&CONTEXT(c->row)->messages, 1);
    RELAXED_ADD(&CONTEXT(c->row)->source_bytes, c->source);
}

static void begin_message(struct context *c, const struct call_frame *f) {
    c->is_open = 1;
    c->messages++;
    c->call = f->call;
    c->epoch = shim.epoch;
    c->source = c->produced = c->ticks = c->cpu_ns = c->timed_ticks = 0;
    c->page_faults = c->context_switches = 0;
}

static void end_context(struct context *c) {
    end_message(c);
    if (c->row && c->epoch == shim.epoch) {
        RELAXED_ADD(&CONTEXT(c->row)->ended, 1);
        if (c->messages <= 1)
            RELAXED_ADD(&CONTEXT(c->row)->single, 1);
    }
    context_free(c);
}

static struct context *make_context(uint64_t address, const struct call_frame *f,
                                    uint32_t direction) {
    struct context *c = context_find(address);
    if (c)
        end_message(c); /* it was never given back: the program lost it, or we did not see */
    if (c)
        context_free(c);
    c = context_make(address);
    if (!c) {
        region_lose(&shim.region, REGION_LOST_CONTEXTS, 1);
        return NULL;
    }
    c->direction = (uint8_t)direction;
    c->epoch = shim.epoch;
    if (f->function->makes_context) {
        c->row = call_rows_context(f->call);
        c->is_made = 1;
        if (c->row)
            RELAXED_ADD(&CONTEXT(c->row)->created, 1);
    }
    return c;
}

static uint64_t message_of(const struct context *c) {
    return (uint64_t)context_number(c) << 44 ^ (uint64_t)c->generation << 32 ^ c->messages;
}

/* ---- before the call ---- */

/* liblzma takes a stream that was not ended for the next one, with its memory. */
#define LZMA_INTERNAL 56u /* in lzma_stream; 0 = there is nothing yet */
static bool is_restarted(struct call_frame *f) {
    return f->function->codec == CODEC_LZMA && context_find(f->context) &&
           call_read(f, f->context + LZMA_INTERNAL, 8);
}

static struct context *begin_in_context(struct call_frame *f, uint32_t direction) {
    const struct codec_function *function = f->function;
    bool is_in_place = function->makes_context && function->kind == CODEC_INIT && !is_restarted(f);
    f->has_made = is_in_place;
    struct context *c =
        is_in_place ? make_context(f->context, f, direction) : context_find(f->context);
    if (!c && codec_moves_data(function))
        c = make_context(f->context, f, direction);
    if (!c)
        return NULL;
    if (c->epoch != shim.epoch) { /* made before a fork: its rows are the parent's */
        c->epoch = shim.epoch;
        c->row = c->call = c->output = 0;
        c->is_open = 0;
    }
    if (!codec_moves_data(function)) {
        if (function->starts_message || function->kind == CODEC_END || function->kind == CODEC_FREE)
            end_message(c);
    } else if (function->kind == CODEC_ONE_SHOT) {
        end_message(c);
        begin_message(c, f);
    } else {
        if (function->starts_message)
            end_message(c);
        if (!c->is_open && (f->source_size || function->starts_message))
            begin_message(c, f);
    }
    if (codec_moves_data(function) && c->row && c->epoch == shim.epoch)
        RELAXED_ADD(&CONTEXT(c->row)->calls, 1);
    return c;
}

void call_serve_begin(struct shim_self *self, struct call_frame *f, uint32_t direction) {
    struct context *c = f->context ? begin_in_context(f, direction) : NULL;
    struct shim_private *p = self->private;
    f->context_number = c ? context_number(c) : 0;
    /* What another codec's call within this one, or within a mark, makes of the same buffers is no
     * message more. */
    if (!f->message)
        f->message = c ? message_of(c) : 1ull << 63 | (uint64_t)self->row << 40 | p->call_sequence;
    if (!codec_moves_data(f->function) || direction == REGION_DECOMPRESS)
        return;
    if (f->source_size)
        f->source_block = find_and_serve(f, CALL_INPUT, f->source, &p->last_source);
    f->out_block = find_and_serve(f, CALL_OUTPUT, f->destination, &p->last_output);
    if (!c || f->function->kind == CODEC_ONE_SHOT)
        return;
    if (c->output && (c->output != f->out_block || !same_block(c->output, c->output_start)))
        end_output(c);
    c->output = f->out_block;
    c->output_start = f->destination;
    if (c->output && !(block_at(c->output)->roles & CALL_WORKSPACE))
        block_at(c->output)->context = f->context_number;
}

/* ---- after it ---- */

static void add_to_message(struct context *c, const struct call_result *r,
                           const struct call_cost *cost) {
    c->source += r->consumed;
    c->produced += r->produced;
    c->output_source += r->consumed;
    c->output_produced += r->produced;
    c->ticks += cost->ticks;
    c->cpu_ns += cost->cpu_ns;
    c->timed_ticks += cost->timed_ticks;
    c->page_faults += cost->page_faults;
    c->context_switches += cost->context_switches;
}

/* zlib's z_stream.state: the first block that zalloc gave. */
#define ZLIB_STATE 56u
#define HANDED_OVER_MOST (4u << 20) /* a deflate stream needs 268 KiB */

static void bind(struct block *b, struct context *c) {
    b->context = context_number(c);
    b->mark = c->messages - c->is_open;
    b->mark2 = c->generation;
}

/* The program gave zlib memory out of a large block that it took before: nginx's pool. */
static void find_handed_over(struct call_frame *f, struct context *c) {
    if (f->function->codec != CODEC_ZLIB)
        return;
    uint32_t row = block_find(call_read(f, f->context + ZLIB_STATE, 8));
    struct block *b = row ? block_at(row) : NULL;
    struct region_large *l = b && !b->roles ? large_of(b) : NULL;
    if (!l || b->size > HANDED_OVER_MOST)
        return; /* a whole heap of the program's own */
    __atomic_fetch_or(&b->roles, CALL_WORKSPACE, __ATOMIC_RELAXED);
    bind(b, c);
    RELAXED_ADD(&l->workspace_allocs, 1);
    RELAXED_ADD(&l->workspace_bytes, b->size);
    RELAXED_ADD(&l->handed_over, 1);
    RELAXED_STORE(&l->served_call, f->call);
}

static void bind_made(struct shim_call *call, struct context *c) {
    for (uint32_t i = 0; call && i < call->block_count; i++) {
        struct block *b = block_at(call->blocks[i]);
        if (b->flags & BLOCK_IN_CALL)
            bind(b, c);
    }
}

/* Returned, or given in as the program's own struct, or stored where argument 0 points. */
static uint64_t find_made(struct call_frame *f, uint64_t value) {
    const struct codec_shape *s = f->function->shape;
    if (s->result == CODEC_RETURNS_POINTER)
        return value;
    return s->context.where == CODEC_ARGUMENT || !f->args[0] ? f->context
                                                             : call_read(f, f->args[0], 8);
}

static void end_making(struct call_frame *f, struct shim_call *call, uint64_t value,
                       const struct call_result *r, uint32_t direction) {
    bool is_create = f->function->kind == CODEC_CREATE;
    struct context *c = is_create ? NULL : context_at(f->context_number);
    if (r->failed) {
        if (c && !f->has_made)
            end_context(c); /* liblzma's: begun anew, it is emptied */
        else if (c && c->row)
            RELAXED_ADD(&CONTEXT(c->row)->created, -1ull);
        if (c && f->has_made)
            context_free(c);
        return;
    }
    if (is_create) {
        uint64_t made = find_made(f, value);
        c = made ? make_context(made, f, direction) : NULL;
        if (c)
            bind_made(call, c);
        else if (!made) /* where it is stored cannot be read */
            region_lose(&shim.region, REGION_LOST_CONTEXTS, 1);
    } else if (c && direction == REGION_COMPRESS) {
        find_handed_over(f, c);
    }
}

static void end_one_shot(struct call_frame *f, const struct call_result *r) {
    struct block *out = same_block(f->out_block, f->destination);
    struct block *in = same_block(f->source_block, f->source);
    if (out && !(out->roles & CALL_WORKSPACE) && !r->failed)
        add_ratios(out, r->consumed, r->produced);
    if (in && in != out && !(in->roles & (CALL_WORKSPACE | CALL_OUTPUT)) && !r->failed)
        add_ratios(in, r->consumed, r->produced);
}

void call_serve_end(struct shim_self *self, struct call_frame *f, struct shim_call *call,
                    uint64_t value, const struct call_result *r, const struct call_cost *cost) {
    const struct codec_function *function = f->function;
    uint32_t direction = call ? call->direction : function->direction;
    struct context *c = context_at(f->context_number);
    (void)self;
    if (c && c->address != f->context)
        c = NULL;
    if (codec_moves_data(function) && direction != REGION_DECOMPRESS)
        RELAXED_ADD(&shim.region.header->codec_bytes, r->consumed);
    if (function->makes_context)
        end_making(f, call, value, r, direction);
    else if (c && (function->kind == CODEC_END || function->kind == CODEC_FREE))
        end_context(c);
    if (!codec_moves_data(function))
        return;
    reach(f->out_block, f->destination, r->produced);
    reach(f->source_block, f->source, r->consumed);
    if (function->kind == CODEC_ONE_SHOT)
        end_one_shot(f, r);
    if (!c) {
        if (!r->failed)
            call_rows_add_message(f->call, r->consumed, r->produced, cost);
        return;
    }
    if (r->failed && function->kind == CODEC_ONE_SHOT) { /* no message came of it */
        c->is_open = 0;
        c->messages--;
        return;
    }
    add_to_message(c, r, cost);
    if (function->kind == CODEC_ONE_SHOT || r->finished)
        end_message(c);
}

/* ---- large blocks ---- */

void call_block_made(struct shim_self *self, uint32_t row, bool in_codec) {
    struct shim_private *p = self->private;
    struct block *b = block_at(row);
    if (!in_codec)
        return;
    __atomic_fetch_or(&b->roles, CALL_WORKSPACE, __ATOMIC_RELAXED);
    if (!p || !p->call_depth)
        return;
    struct shim_call *call = &p->calls[p->call_depth - 1];
    struct context *c = context_at(call->context);
    for (uint32_t i = p->call_depth - 1; !c && i-- > 0;) /* a nested call has none of its own */
        c = context_at(p->calls[i].context);
    b->flags |= BLOCK_IN_CALL;
    if (c)
        bind(b, c);
    else if (call->block_count < SHIM_CALL_BLOCKS)
        call->blocks[call->block_count++] = row;
}

/* A workspace serves the messages of its context while it lives; without a context, the call. */
static uint32_t served_as_workspace(const struct block *b, uint64_t *source, uint64_t *produced) {
    const struct context *c = context_at(b->context);
    const struct shim_private *p = shim_self.private;
    if (!c) {
        if (b->flags & BLOCK_IN_CALL && p && p->call_depth)
            *source = p->calls[0].source;
        return b->flags & BLOCK_IN_CALL ? 1 : 0;
    }
    if (c->generation != (uint32_t)b->mark2 || !c->address)
        return 0;
    *source = c->source;
    *produced = c->produced;
    return (uint32_t)(c->messages - b->mark);
}

uint32_t call_block_freed(struct shim_self *self, uint32_t row) {
    struct block *b = block_at(row);
    uint64_t source = 0, produced = 0;
    struct shim_private *p = self->private;
    for (uint32_t i = 0; p && i < p->call_depth; i++) /* what the call remembers of it */
        for (uint32_t k = 0; k < p->calls[i].block_count; k++)
            if (p->calls[i].blocks[k] == row)
                p->calls[i].blocks[k] = p->calls[i].blocks[--p->calls[i].block_count];
    if (!(b->roles & CALL_WORKSPACE)) {
        struct context *c = context_at(b->context);
        if (c && c->output == row) /* the message is not complete, but this output is */
            end_output(c);
        struct region_large *l = b->served > SERVED_FEW ? large_of(b) : NULL;
        if (l) /* what was not added yet */
            RELAXED_ADD(&l->served, b->served % SERVED_FEW);
        return b->served;
    }
    uint32_t served = served_as_workspace(b, &source, &produced);
    struct region_large *l = served ? large_of(b) : NULL;
    if (!l)
        return served;
    RELAXED_ADD(&l->served, served);
    if (served > 1)
        RELAXED_ADD(&l->reused, 1);
    add_ratios(b, source, produced);
    return served;
}
