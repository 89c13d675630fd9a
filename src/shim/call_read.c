/* What arguments point to.
 *
 * A function is known by its name alone, and another program's may have other arguments: then what
 * is taken for a pointer is whatever a register held. So nothing is read that is not known to be
 * there: what lies on the thread's own stack, where most callers have their structs, or in a page
 * that the kernel was asked for (peek_can_read: 130 ns). A call of a codec takes a microsecond at
 * least and reads a page or two, and most callers use the same struct again: so the answer is kept,
 * for the thread, the function and the page, until anything was unmapped or mapped over through the
 * C library (mapping_changes, which malloc's own unmappings go through as well; one costs far more
 * than asking again), a module was unloaded or the process forked. Where that cannot be seen the
 * kernel is asked at each entry and each return. What a kept answer does not notice is memory that
 * was taken away by a bare system call, mprotect, brk or the end of a file. A codec would crash
 * itself then, as it follows the same pointer. For what only has the name it takes a call whose
 * arguments made sense, and later one with a pointer into the same page, without a call that made
 * none in between: at the first such, and where the symbol table gives reason, a function is
 * doubted for good, and asks each time.
 *
 * Between the answer and the load another thread may unmap the page: see peek.c. */
#include "call_internal.h"
#include "mapping.h"
#include "peek.h"
#include "unwind_table.h"
#include "unwind_thread.h"

static bool can_read_page(struct shim_private *p, struct call_frame *frame, uint64_t page) {
    const struct codec_function *f = frame->function;
    uint64_t changes = RELAXED_LOAD(&mapping_changes);
    uint64_t stamp = changes << 16 | shim.epoch, modules = RELAXED_LOAD(&table_stamp) >> 32;
    uint64_t slot = page / PEEK_PAGE + (uint64_t)f / sizeof *f;
    __typeof__(&p->readable[0]) known = &p->readable[slot % SHIM_READABLE];
    bool is_kept = changes && !RELAXED_LOAD(&f->is_doubtful);
    bool is_known = is_kept && known->page == page && known->function == f &&
                    known->stamp == stamp && known->modules == modules;
    if (!is_known && !peek_can_read(page))
        return false;
    if (is_kept && !is_known) {
        known->page = page;
        known->function = f;
        known->stamp = stamp;
        known->modules = modules;
    }
    frame->readable = page;
    frame->readable_size = PEEK_PAGE - 7;
    return true;
}

/* As far as it is known to be there, see unwind_thread.h. */
static bool is_on_stack(struct call_frame *f, const struct unwind_thread *t, uint64_t at,
                        uint64_t last) {
    if (!unwind_is_own(t, at) || !unwind_is_own(t, last) ||
        t->thread_pointer != unwind_thread_pointer())
        return false;
    f->readable = t->lo;
    f->readable_size = t->hi - t->lo - 7;
    return true;
}

bool call_can_read(struct call_frame *f, uint64_t at, uint64_t size) {
    struct shim_private *p = shim_self.private;
    uint64_t last = at + size - 1;
    if (!call_is_pointer(at) || !call_is_pointer(last) || !p)
        return false;
    if (is_on_stack(f, p->unwind, at, last))
        return true;
    uint64_t page = at & ~(PEEK_PAGE - 1), last_page = last & ~(PEEK_PAGE - 1);
    return can_read_page(p, f, page) && (page == last_page || can_read_page(p, f, last_page));
}

void call_doubt(const struct call_frame *f) {
    RELAXED_STORE(&((struct codec_function *)f->function)->is_doubtful, true);
    region_lose(&shim.region, REGION_LOST_CODEC, 1);
}
