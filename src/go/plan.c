/* What has to be written to hook a Go program: first everything is verified, then the bytes are
 * made. A function is only hooked if its code is what Go's compiler makes and Go's own tables
 * agree:
 *
 *   entry   [lea -N(%rsp),%r12;] cmp 0x10(%r14),... ; jbe morestack
 *   return  [mov N-8(%rsp),%rbp;] add $N,%rsp; [pop %rbp;] [nops;] ret
 *
 * The table of stack depths (pcsp) says where a function returns: each place where the depth falls
 * to 0 at a ret must have been found by its bytes, with the depth that the bytes undo. */
#include <errno.h>

#include "go.h"
#include "internal.h"

#define OLDEST 18u /* the layout of tables and registers that all this is about */
#define NEWEST 27u

/* ---- the functions ---- */

static const struct needed {
    const char *name;
    uint8_t kind;
} needed[] = {
    {"runtime.mallocgc", GO_ALLOC},
    {"runtime.(*mcache).allocLarge", GO_HEAP},
    {"runtime.memclrNoHeapPointersChunked", GO_ZERO},
    {"runtime.(*mheap).freeSpanLocked", GO_FREE},
    {"runtime.gcMarkTermination", GO_CYCLE},
};

uint32_t go_goid_offset(uint32_t minor) {
    return minor <= OLDEST || minor > NEWEST ? 0 : minor == 23 || minor == 24 ? 160 : 152;
}

static int refuse(struct go_plan *plan, const char *why) {
    plan->refused = why;
    return -ENOTSUP;
}

static void add_codec(struct go_plan *plan, const struct go_function *f) {
    const struct codec_entry *entry = codec_table_find_go(f->name);
    if (!entry || plan->codec_count == GO_CODECS_MAX)
        return;
    plan->codecs[plan->codec_count++] =
        (struct go_codec){.start = f->start,
                          .end = f->end,
                          .name = f->name,
                          .entry = entry,
                          .refused = entry->shape == CODEC_GO_UNKNOWN ? REGION_REFUSED_KIND
                                     : plan->calls                    ? REGION_REFUSED_NOT
                                                                      : REGION_REFUSED_RUNNING};
}

int go_plan_look(struct go_plan *plan, const struct go_image *image) {
    struct go_function f;
    uint32_t found = 0;
    plan->codec_count = 0;
    plan->refused = NULL;
    if (image->minor < OLDEST || image->minor > NEWEST)
        return refuse(plan, "this version of Go is not known");
    for (uint64_t i = 0; i < image->functions; i++) {
        if (!go_function_at(image, i, &f))
            continue;
        add_codec(plan, &f);
        if (base_equal(f.name, base_length(f.name), "runtime.growslice")) {
            plan->grow_start = f.start;
            plan->grow_end = f.end;
        }
        for (uint32_t k = 0; k < ARRAY_SIZE(needed) && base_starts(f.name, "runtime."); k++)
            if (base_equal(f.name, base_length(f.name), needed[k].name)) {
                plan->needed[k] = f;
                found |= 1u << k;
            }
    }
    for (uint32_t k = 0; k < ARRAY_SIZE(needed); k++)
        if (!(found & 1u << k))
            return refuse(plan, needed[k].name);
    return 0;
}
_Static_assert(ARRAY_SIZE(needed) == GO_NEEDED, "one function each");

/* ---- writing trampolines ---- */

static void put(struct go_plan *plan, const void *bytes, uint32_t size) {
    if (plan->used + size <= GO_NEAR_CODE)
        base_move(plan->code + plan->used, bytes, size);
    plan->used += size; /* beyond the room: found at the end */
}

static void put8(struct go_plan *plan, uint8_t byte) {
    put(plan, &byte, 1);
}

static uint64_t here(const struct go_plan *plan) {
    return plan->near + GO_NEAR_DATA + plan->used;
}

/* A distance to `target` from behind the four bytes. */
static void put_distance(struct go_plan *plan, uint64_t target) {
    uint32_t distance = (uint32_t)(target - (here(plan) + 4));
    put(plan, &distance, 4);
}

static void align(struct go_plan *plan) {
    static const uint8_t trap = 0xcc;
    while (plan->used % 16)
        put(plan, &trap, 1);
}

#define FIRST_SITE ((uint32_t)sizeof(struct go_near))

/* lea site(%rip),%r12; jmp *entry(%rip): both registers are free at entries and returns. */
static void put_call(struct go_plan *plan, uint64_t kind, uint64_t back, uint64_t function) {
    uint32_t at = FIRST_SITE + plan->site_count * (uint32_t)sizeof(struct go_site);
    struct go_site site = {kind, back, plan->state, function};
    plan->site_count++;
    if (at + sizeof site > GO_NEAR_SITES) {
        plan->used = GO_NEAR_CODE + 1;
        return;
    }
    base_move(plan->data + at, &site, sizeof site);
    put(plan, "\x4c\x8d\x25", 3);
    put_distance(plan, plan->near + at);
    put(plan, "\xff\x25", 2);
    put_distance(plan, plan->near + offsetof(struct go_near, entry));
}

static int add_patch(struct go_plan *plan, uint64_t at, const uint8_t *old, uint32_t size,
                     uint64_t target) {
    struct go_patch *p = &plan->patches[plan->patch_count];
    uint64_t from = at + 5, distance = target - from;
    if (plan->patch_count == GO_PATCHES_MAX || size < 5 || size > GO_PATCH_MAX ||
        (int64_t)distance != (int32_t)distance)
        return -ENOSPC;
    plan->patch_count++;
    uint32_t low = (uint32_t)distance;
    p->at = at;
    p->size = (uint8_t)size;
    base_move(p->old, old, size);
    p->new[0] = 0xe9;
    base_move(p->new + 1, &low, 4);
    for (uint32_t i = 5; i < size; i++)
        p->new[i] = 0xcc;
    return 0;
}

/* ---- entries ---- */

static bool begins(const uint8_t *code, const char *bytes, uint32_t size) {
    for (uint32_t i = 0; i < size; i++)
        if (code[i] != (uint8_t)bytes[i])
            return false;
    return true;
}

/* How long the check of the stack is, up to its jump; 0 = it is none. */
static uint32_t check_length(const uint8_t *code) {
    uint32_t lea = begins(code, "\x4c\x8d\x64\x24", 4)   ? 5
                   : begins(code, "\x4c\x8d\xa4\x24", 4) ? 8
                                                         : 0;
    return begins(code + lea, lea ? "\x4d\x3b\x66\x10" : "\x49\x3b\x66\x10", 4) ? lea + 4 : 0;
}

#define PAGE_SHIFT 13 /* Go's pages are of 8 KiB */
#define SPAN_PAGES 32 /* of an mspan: how many it has */

/* cmpq $pages,32(%rbx); jb back: the span is the second argument. */
static void put_least_pages(struct go_plan *plan, uint64_t back) {
    uint32_t pages = (uint32_t)((plan->threshold + (1u << PAGE_SHIFT) - 1) >> PAGE_SHIFT);
    put(plan, "\x48\x81\x7b", 3);
    put8(plan, SPAN_PAGES);
    put(plan, &pages, 4);
    put(plan, "\x0f\x82", 2);
    put_distance(plan, back);
}

/* The trampoline repeats the check, so that a goroutine whose stack has to grow first is not seen
 * twice: it comes back to the entry. */
static int hook_entry(struct go_plan *plan, const struct go_image *image,
                      const struct go_function *f, uint32_t kind, uint64_t function) {
    const uint8_t *code = go_image_at(image, f->start, 32);
    if (!code || f->end - f->start < 32)
        return -ENOTSUP;
    uint32_t check = check_length(code), size;
    uint64_t grow;
    if (!check)
        return -ENOTSUP;
    if (begins(code + check, "\x0f\x86", 2)) {
        size = check + 6;
        grow = f->start + size + (uint64_t)(int64_t)(int32_t)go_load32(code + check + 2);
    } else if (code[check] == 0x76) {
        size = check + 2;
        grow = f->start + size + (uint64_t)(int64_t)(int8_t)code[check + 1];
    } else {
        return -ENOTSUP;
    }
    if (grow <= f->start + size || grow >= f->end)
        return -ENOTSUP;
    align(plan);
    uint64_t target = here(plan), back = f->start + size;
    put(plan, code, check);
    put(plan, "\x0f\x86", 2);
    put_distance(plan, grow);
    if (kind == GO_ALLOC) { /* cmp $threshold,%rax; jb back */
        uint32_t threshold = (uint32_t)plan->threshold;
        put(plan, "\x48\x3d", 2);
        put(plan, &threshold, 4);
        put(plan, "\x0f\x82", 2);
        put_distance(plan, back);
    }
    if (kind == GO_FREE) /* most spans are of small blocks */
        put_least_pages(plan, back);
    put_call(plan, kind, back, function);
    return add_patch(plan, f->start, code, size, target);
}

/* ---- returns ---- */

uint32_t go_nop_length(const uint8_t *p, uint64_t room) {
    uint32_t k = room && p[0] == 0x66;
    if (room >= 1 && p[0] == 0x90)
        return 1;
    if (room >= 2 && k && p[1] == 0x90)
        return 2;
    if (room < k + 3ull || p[k] != 0x0f || p[k + 1] != 0x1f)
        return 0;
    uint8_t modrm = p[k + 2];
    uint32_t length = modrm == 0x00   ? 3
                      : modrm == 0x40 ? 4
                      : modrm == 0x44 ? 5
                      : modrm == 0x80 ? 7
                      : modrm == 0x84 ? 8
                                      : 0;
    return length && room >= k + length ? k + length : 0;
}

struct ending {
    uint32_t core, size; /* bytes that undo the frame; with nops and ret */
    int32_t depth;       /* what they undo */
};

static bool is_ending(const uint8_t *p, uint64_t room, struct ending *e) {
    uint32_t k = 0;
    bool has_mov = false;
    if (room < 24)
        return false;
    if (begins(p, "\x48\x8b\x6c\x24", 4)) {
        k = 5;
        has_mov = true;
    } else if (begins(p, "\x48\x8b\xac\x24", 4)) {
        k = 8;
        has_mov = true;
    }
    if (begins(p + k, "\x48\x83\xc4", 3)) {
        e->depth = (int8_t)p[k + 3];
        k += 4;
    } else if (begins(p + k, "\x48\x83\xec", 3)) { /* sub of a negative number */
        e->depth = -(int8_t)p[k + 3];
        k += 4;
    } else if (begins(p + k, "\x48\x81\xc4", 3)) {
        e->depth = (int32_t)go_load32(p + k + 3);
        k += 7;
    } else {
        return false;
    }
    if (!has_mov) {
        if (p[k] != 0x5d)
            return false;
        k++;
        e->depth += 8;
    }
    e->core = k;
    for (uint32_t n; k < room && (n = go_nop_length(p + k, room - k)); k += n)
        ;
    e->size = k + 1;
    return k < room && p[k] == 0xc3 && e->size >= 5 && e->size <= GO_PATCH_MAX;
}

static void put_return(struct go_plan *plan, const uint8_t *code, const struct ending *e,
                       uint32_t kind, uint64_t function) {
    uint32_t skip[2] = {0, 0};
    if (kind == GO_ALLOC_END) { /* only what begins a page: test $0x1fff,%eax; jnz; test; jz */
        put(plan, "\xa9\xff\x1f\x00\x00\x75", 6);
        skip[0] = plan->used;
        put8(plan, 0);
        put(plan, "\x48\x85\xc0\x74", 4);
        skip[1] = plan->used;
        put8(plan, 0);
    }
    put_call(plan, kind, here(plan) + 13, function); /* what follows it */
    for (uint32_t i = 0; i < 2 && plan->used <= GO_NEAR_CODE; i++)
        if (skip[i])
            plan->code[skip[i]] = (uint8_t)(plan->used - skip[i] - 1);
    put(plan, code, e->core);
    put8(plan, 0xc3);
}

struct returns {
    struct go_plan *plan;
    const uint8_t *code;
    const struct go_function *f;
    uint32_t first; /* patch */
    bool is_whole;
};

/* The depth falls to 0: at a ret, which must have been found, or where the stack is grown. */
static bool check_piece(void *data, uint64_t from, uint64_t to, int32_t depth) {
    struct returns *r = data;
    const uint8_t *p = r->code + (from - r->f->start);
    uint64_t room = to - from;
    if (depth || from == r->f->start)
        return true;
    for (uint32_t n; room && (n = go_nop_length(p, room)); p += n, room -= n)
        ;
    if (!room || (*p != 0xc3 && *p != 0xe9 && *p != 0xeb && *p != 0xff && *p != 0xc2))
        return true; /* the arguments are saved before the stack grows */
    bool is_found = false;
    for (uint32_t i = r->first; i < r->plan->patch_count; i++) {
        const struct go_patch *patch = &r->plan->patches[i];
        is_found |= patch->at + patch->size - 1 == r->f->start + (uint64_t)(p - r->code);
    }
    r->is_whole &= is_found;
    return true;
}

static int hook_returns(struct go_plan *plan, const struct go_image *image,
                        const struct go_function *f, uint32_t kind, uint64_t function) {
    uint64_t size = f->end - f->start;
    struct returns r = {plan, go_image_at(image, f->start, size), f, plan->patch_count, true};
    if (!r.code || size > 1u << 20)
        return -ENOTSUP;
    for (uint64_t i = 0; i < size; i++) {
        struct ending e;
        int32_t depth;
        if ((r.code[i] != 0x48) || !is_ending(r.code + i, size - i, &e) ||
            !go_function_value(image, f, GO_TABLE_STACK, f->start + i, &depth) || depth != e.depth)
            continue;
        align(plan);
        uint64_t target = here(plan);
        put_return(plan, r.code + i, &e, kind, function);
        if (add_patch(plan, f->start + i, r.code + i, e.size, target))
            return -ENOTSUP;
        i += e.size - 1;
    }
    if (plan->patch_count == r.first ||
        !go_function_walk(image, f, GO_TABLE_STACK, check_piece, &r) || !r.is_whole)
        return -ENOTSUP;
    return 0;
}

/* ---- all of it ---- */

/* A codec function that does not verify stays as it is; its calls are told by frames alone. */
static void hook_codec(struct go_plan *plan, const struct go_image *image, uint32_t number) {
    struct go_codec *c = &plan->codecs[number];
    uint32_t patches = plan->patch_count, sites = plan->site_count, used = plan->used;
    struct go_function f;
    if (c->refused)
        return;
    if (go_function_find(image, c->start, &f) &&
        hook_entry(plan, image, &f, GO_CALL, number) == 0 &&
        hook_returns(plan, image, &f, GO_CALL_END, number) == 0 && plan->used <= GO_NEAR_CODE) {
        c->patched = 1;
        return;
    }
    plan->patch_count = patches;
    plan->site_count = sites;
    plan->used = used;
    c->refused = REGION_REFUSED_DECODE;
}

int go_plan_make(struct go_plan *plan, const struct go_image *image) {
    struct go_near *near = (struct go_near *)(void *)plan->data;
    base_zero(plan->data, sizeof plan->data);
    plan->patch_count = plan->site_count = plan->used = 0;
    plan->refused = NULL;
    uint32_t least = image->minor < 22 ? GO_LARGE_MIN : GO_LARGE_MIN_122;
    if (plan->threshold < least)
        plan->threshold = least;
    if (plan->threshold > INT32_MAX)
        plan->threshold = INT32_MAX;
    for (uint32_t k = 0; k < GO_NEEDED; k++) {
        const struct go_function *f = &plan->needed[k];
        if (hook_entry(plan, image, f, needed[k].kind, 0) ||
            (needed[k].kind == GO_ALLOC && hook_returns(plan, image, f, GO_ALLOC_END, 0)))
            return refuse(plan, needed[k].name);
    }
    for (uint32_t i = 0; i < plan->codec_count; i++)
        hook_codec(plan, image, i);
    if (plan->used > GO_NEAR_CODE)
        return refuse(plan, "runtime.mallocgc");
    *near = (struct go_near){.magic = GO_NEAR_MAGIC,
                             .entry = plan->entry,
                             .state = plan->state,
                             .size = GO_NEAR_SIZE,
                             .patches = plan->patch_count};
    for (uint32_t i = 0; i < plan->patch_count; i++) {
        struct go_record record = {.at = plan->patches[i].at, .size = plan->patches[i].size};
        base_move(record.old, plan->patches[i].old, record.size);
        base_move(plan->data + GO_NEAR_SITES + i * sizeof record, &record, sizeof record);
    }
    return 0;
}

void go_codec_rows(struct go_plan *plan, struct region *r, uint32_t module) {
    for (uint32_t i = 0; i < plan->codec_count; i++) {
        struct go_codec *c = &plan->codecs[i];
        c->row = region_take(r, REGION_CODEC_FUNCTIONS, 1);
        if (!c->row)
            return;
        struct region_codec_function *row =
            REGION_ROW(r, REGION_CODEC_FUNCTIONS, struct region_codec_function, c->row);
        row->name = region_string(r, c->name, base_length(c->name));
        row->address = c->start;
        row->size = c->end - c->start;
        row->module = module;
        row->codec = c->entry->codec;
        row->direction = c->entry->direction;
        row->kind = c->entry->kind;
        row->found = REGION_FOUND_NAME;
        row->patched = c->patched;
        row->refused = c->refused;
    }
}
