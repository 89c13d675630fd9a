/* Arguments and results by shape, see codec_table.h. */
#include "call_internal.h"

#define ISAL_END_OF_STREAM 56u /* in struct isal_zstream */

/* What is larger is a pointer, or noise. Capacities as arguments may be: "as much as you like". */
#define SIZE_MOST (1ull << 40)
/* From here on what a call says that it read and wrote is looked for. It takes milliseconds. */
#define SIZE_MUCH (16ull << 20)

static uint64_t argument(struct call_frame *f, unsigned i) {
    return i < 6 ? f->args[i] : call_read(f, (uint64_t)&f->stack_args[i - 6], 8);
}

static uint64_t read_place(struct call_frame *f, const struct codec_place *p) {
    if (!p->where)
        return 0;
    uint64_t v = argument(f, p->argument);
    if (p->where == CODEC_ARGUMENT)
        return v;
    if (p->where == CODEC_ARGUMENT_32)
        return (int32_t)v < 0 ? 0 : (uint32_t)v;
    if (!v) /* codecs check for that */
        return 0;
    uint64_t first = call_read(f, v + p->offset, p->where == CODEC_FIELD_32 ? 4 : 8), other;
    switch (p->where) {
    case CODEC_FIELD_PLUS:
        return first + call_read(f, v + p->other, 8);
    case CODEC_FIELD_MINUS:
        other = call_read(f, v + p->other, 8);
        return first > other ? first - other : 0;
    default:
        return first;
    }
}

static bool is_field(const struct codec_place *p) {
    return p->where >= CODEC_FIELD;
}

static bool makes_sense(uint64_t at, uint64_t size) {
    return !size || !at || call_is_pointer(at);
}

bool call_args_read(struct call_frame *f) {
    const struct codec_shape *s = f->function->shape;
    f->source = read_place(f, &s->source);
    f->source_size = read_place(f, &s->source_size);
    f->destination = read_place(f, &s->destination);
    f->capacity = read_place(f, &s->capacity);
    f->context = read_place(f, &s->context);
    if (s->produced_grows)
        f->produced = read_place(f, &s->produced);
    return !f->is_odd && f->source_size < SIZE_MOST &&
           (f->capacity < SIZE_MOST || !is_field(&s->capacity)) &&
           makes_sense(f->source, f->source_size) && makes_sense(f->destination, f->capacity);
}

static bool is_failure(const struct codec_shape *s, uint64_t v) {
    switch (s->result) {
    case CODEC_RETURNS_BYTES:
        return v == 0 || ((int32_t)v <= 0 && v >> 32 == 0) || (int64_t)v < 0;
    case CODEC_RETURNS_SIZE_ERROR:
    case CODEC_RETURNS_HINT_ERROR:
        return v >= (uint64_t)-255;
    case CODEC_RETURNS_POINTER:
        return v == 0;
    case CODEC_RETURNS_BOOL:
        return (v & 0xff) == 0; /* a C++ bool is its low byte */
    case CODEC_RETURNS_ZERO:
        return (uint32_t)v != 0;
    case CODEC_RETURNS_NEGATIVE:
        return (int32_t)v < 0 && (int32_t)v != -5;
    case CODEC_RETURNS_LZMA:
        return (uint32_t)v > 4;
    default:
        return false;
    }
}

static uint64_t less(uint64_t before, uint64_t after) {
    return before > after ? before - after : 0;
}

static uint64_t find_produced(struct call_frame *f, uint64_t value) {
    const struct codec_shape *s = f->function->shape;
    if (s->produced.where) {
        /* libdeflate: who does not ask how much wants all of it. */
        if (argument(f, s->produced.argument) == 0)
            return f->capacity;
        uint64_t after = read_place(f, &s->produced);
        return s->produced_grows ? less(after, f->produced) : after;
    }
    if (s->result == CODEC_RETURNS_SIZE_ERROR || s->result == CODEC_RETURNS_BYTES)
        return value;
    return is_field(&s->capacity) ? less(f->capacity, read_place(f, &s->capacity)) : 0;
}

static uint64_t find_consumed(struct call_frame *f) {
    const struct codec_shape *s = f->function->shape;
    if (!is_field(&s->source_size))
        return f->source_size;
    uint64_t after = read_place(f, &s->source_size);
    return s->source_is_told ? after : less(f->source_size, after);
}

static bool is_finish(struct call_frame *f, uint64_t value, const struct call_result *r) {
    switch (f->function->finish) {
    case CODEC_FINISH_ALWAYS:
        return true;
    case CODEC_FINISH_0:
        return value == 0;
    case CODEC_FINISH_1:
        return (uint32_t)value == 1;
    case CODEC_FINISH_4:
        return (uint32_t)value == 4;
    case CODEC_FINISH_0_IF_END:
        return value == 0 && (uint32_t)f->args[3] == 2;
    case CODEC_FINISH_ISAL:
        return r->produced < f->capacity && call_read(f, f->args[0] + ISAL_END_OF_STREAM, 2);
    case CODEC_FINISH_BROTLI:
        return (uint32_t)f->args[1] == 2 && r->produced < f->capacity;
    default:
        return false;
    }
}

/* Where buffer and size are known, the end of what was read or written is memory. */
static bool is_there(struct call_frame *f, uint64_t at, uint64_t size) {
    return size < SIZE_MUCH || (size < SIZE_MOST && (!at || call_can_read(f, at, size)));
}

static bool is_plausible(struct call_frame *f, const struct call_result *r) {
    const struct codec_shape *s = f->function->shape;
    if (s->produced.where && s->capacity.where && r->produced > f->capacity)
        return false;
    if (s->source_is_told && r->consumed > f->source_size)
        return false;
    return is_there(f, f->source, r->consumed) && is_there(f, f->destination, r->produced);
}

void call_args_result(struct call_frame *f, uint64_t value, struct call_result *r) {
    r->failed = is_failure(f->function->shape, value);
    r->consumed = r->produced = 0;
    f->readable_size = 0;
    if (codec_moves_data(f->function) || f->function->kind == CODEC_END) {
        r->consumed = find_consumed(f);
        r->produced = r->failed ? 0 : find_produced(f, value);
    }
    r->finished = !r->failed && is_finish(f, value, r);
    f->is_odd |= !is_plausible(f, r);
    if (f->capacity >= SIZE_MOST)
        f->capacity = 0;
}
