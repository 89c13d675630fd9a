/* Arguments and results by shape, see codec_table.h. */
#include "call_internal.h"

/* Codecs check for NULL; what else they would follow, we may. */
#define LOWEST 4096u
#define ISAL_END_OF_STREAM 56u /* in struct isal_zstream */

static uint64_t argument(const struct call_frame *f, unsigned i) {
    return i < 6 ? f->args[i] : f->stack_args[i - 6];
}

static uint64_t read64(uint64_t at) {
    uint64_t v;
    __builtin_memcpy(&v, (const void *)at, sizeof v);
    return v;
}

static uint32_t read32(uint64_t at) {
    uint32_t v;
    __builtin_memcpy(&v, (const void *)at, sizeof v);
    return v;
}

static uint64_t read_place(const struct call_frame *f, const struct codec_place *p) {
    if (!p->where)
        return 0;
    uint64_t v = argument(f, p->argument);
    if (p->where == CODEC_ARGUMENT)
        return v;
    if (p->where == CODEC_ARGUMENT_32)
        return (int32_t)v < 0 ? 0 : (uint32_t)v;
    if (v < LOWEST)
        return 0;
    switch (p->where) {
    case CODEC_FIELD:
        return read64(v + p->offset);
    case CODEC_FIELD_32:
        return read32(v + p->offset);
    case CODEC_FIELD_PLUS:
        return read64(v + p->offset) + read64(v + p->other);
    default: {
        uint64_t all = read64(v + p->offset), used = read64(v + p->other);
        return all > used ? all - used : 0;
    }
    }
}

void call_args_read(struct call_frame *f) {
    const struct codec_shape *s = f->function->shape;
    f->source = read_place(f, &s->source);
    f->source_size = read_place(f, &s->source_size);
    f->destination = read_place(f, &s->destination);
    f->capacity = read_place(f, &s->capacity);
    f->context = read_place(f, &s->context);
    if (s->produced_grows)
        f->produced = read_place(f, &s->produced);
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

static bool is_field(const struct codec_place *p) {
    return p->where >= CODEC_FIELD;
}

static uint64_t less(uint64_t before, uint64_t after) {
    return before > after ? before - after : 0;
}

static uint64_t find_produced(const struct call_frame *f, uint64_t value) {
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

static uint64_t find_consumed(const struct call_frame *f) {
    const struct codec_shape *s = f->function->shape;
    if (!is_field(&s->source_size))
        return f->source_size;
    uint64_t after = read_place(f, &s->source_size);
    return s->source_is_told ? after : less(f->source_size, after);
}

static bool is_finish(const struct call_frame *f, uint64_t value, const struct call_result *r) {
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
        return r->produced < f->capacity && f->args[0] >= LOWEST &&
               *(const uint16_t *)(f->args[0] + ISAL_END_OF_STREAM);
    case CODEC_FINISH_BROTLI:
        return (uint32_t)f->args[1] == 2 && r->produced < f->capacity;
    default:
        return false;
    }
}

void call_args_result(const struct call_frame *f, uint64_t value, struct call_result *r) {
    r->failed = is_failure(f->function->shape, value);
    r->consumed = r->produced = 0;
    if (codec_moves_data(f->function) || f->function->kind == CODEC_END) {
        r->consumed = find_consumed(f);
        r->produced = r->failed ? 0 : find_produced(f, value);
    }
    r->finished = !r->failed && is_finish(f, value, r);
}
