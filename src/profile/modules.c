/* Which module holds an address at an event.
 *
 * A file may name a million modules and a million addresses, and modules may lie over one another,
 * in space and in time. So the addresses are cut where modules begin and end, and those pieces are
 * the leaves of a tree; a module stands at the few nodes that together cover it. Each node has its
 * own answer by time, the youngest module that is there, worked out once. A look-up goes from a
 * leaf to the root: the youngest of what its nodes say. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

struct period { /* up to the next one of the node */
    uint32_t from, module;
};

struct module_index {
    uint64_t *bounds; /* sorted; leaf i is [bounds[i], bounds[i + 1]) */
    uint64_t count;   /* of bounds: the leaves are the nodes from `count` on, the root is 1 */
    uint64_t *first;  /* of each node: its first period; those of the next one follow */
    struct period *periods;
};

/* ---- making it ---- */

struct making {
    struct module_index *index;
    const struct profile_process *p;
    uint32_t *rows; /* modules that hold anything at any time, youngest first */
    uint32_t row_count;
    uint64_t *at;    /* of each node: the first of its entries; the last is how many there are */
    uint32_t *stood; /* modules by node, youngest first */
    /* Of one node: when anything changes, who is there from then on, the next that is nobody's. */
    uint32_t *times, *owners, *next;
};

static int by_bound(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int by_time(const void *a, const void *b) {
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The first of `count` sorted numbers that is above `n`. */
static uint64_t bound_above(const uint64_t *bounds, uint64_t count, uint64_t n) {
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (bounds[middle] <= n)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t time_at(const uint32_t *times, uint32_t count, uint32_t n) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (times[middle] < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Rows that are holes, or upside down, hold nothing. */
static void choose(struct making *m) {
    for (uint32_t i = m->p->module_count; i-- > 1;) {
        const struct profile_module *module = &m->p->modules[i];
        if (module->start < module->end && (!module->gone || module->gone > module->born))
            m->rows[m->row_count++] = i;
    }
}

static void cut(struct making *m) {
    struct module_index *index = m->index;
    uint64_t count = 0;
    for (uint32_t i = 0; i < m->row_count; i++) {
        index->bounds[count++] = m->p->modules[m->rows[i]].start;
        index->bounds[count++] = m->p->modules[m->rows[i]].end;
    }
    qsort(index->bounds, count, sizeof *index->bounds, by_bound);
    for (uint64_t i = 0; i < count; i++)
        if (index->count == 0 || index->bounds[i] != index->bounds[index->count - 1])
            index->bounds[index->count++] = index->bounds[i];
}

static void put(struct making *m, uint64_t node, uint32_t row) {
    if (m->stood)
        m->stood[m->at[node]] = row;
    m->at[node]++;
}

/* Counts the entries of each node, or puts them in their places. */
static void spread(struct making *m) {
    const struct module_index *index = m->index;
    for (uint32_t i = 0; i < m->row_count; i++) {
        const struct profile_module *module = &m->p->modules[m->rows[i]];
        uint64_t low = bound_above(index->bounds, index->count, module->start) - 1 + index->count;
        uint64_t high = bound_above(index->bounds, index->count, module->end) - 1 + index->count;
        for (; low < high; low /= 2, high /= 2) {
            if (low & 1)
                put(m, low++, m->rows[i]);
            if (high & 1)
                put(m, --high, m->rows[i]);
        }
    }
}

/* From counts to places. Returns how many there are in all. */
static uint64_t add_up(uint64_t *at, uint64_t nodes, uint64_t *largest) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < nodes; i++) {
        uint64_t count = at[i];
        *largest = count > *largest ? count : *largest;
        at[i] = sum;
        sum += count;
    }
    return sum;
}

static uint32_t unowned(struct making *m, uint32_t i) {
    while (m->next[i] != i)
        i = m->next[i] = m->next[m->next[i]];
    return i;
}

/* What one node says, by time: each module takes the times that no younger one has. */
static uint64_t paint(struct making *m, const uint32_t *rows, uint64_t count, struct period *out) {
    uint32_t times = 0, kept = 0;
    uint64_t written = 0;
    for (uint64_t i = 0; i < count; i++) {
        const struct profile_module *module = &m->p->modules[rows[i]];
        m->times[times++] = module->born;
        if (module->gone)
            m->times[times++] = module->gone;
    }
    qsort(m->times, times, sizeof *m->times, by_time);
    for (uint32_t i = 0; i < times; i++)
        if (kept == 0 || m->times[i] != m->times[kept - 1])
            m->times[kept++] = m->times[i];
    for (uint32_t i = 0; i <= kept; i++) {
        m->owners[i] = 0;
        m->next[i] = i;
    }
    for (uint64_t i = 0; i < count; i++) {
        const struct profile_module *module = &m->p->modules[rows[i]];
        uint32_t end = module->gone ? time_at(m->times, kept, module->gone) : kept;
        uint32_t at = unowned(m, time_at(m->times, kept, module->born));
        for (; at < end; at = unowned(m, at)) {
            m->owners[at] = rows[i];
            m->next[at] = at + 1;
        }
    }
    for (uint32_t i = 0; i < kept; i++)
        if (m->owners[i] != (written ? out[written - 1].module : 0))
            out[written++] = (struct period){m->times[i], m->owners[i]};
    return written;
}

static int lay_out(struct making *m, struct arena *arena) {
    struct module_index *index = m->index;
    uint64_t nodes = 2 * index->count, largest = 0, written = 0;
    m->at = calloc(nodes + 1, sizeof *m->at);
    index->first = arena_take_array(arena, nodes + 1, sizeof *index->first);
    if (!m->at || !index->first)
        return -ENOMEM;
    spread(m);
    uint64_t entries = add_up(m->at, nodes, &largest);
    m->stood = malloc((entries + 1) * sizeof *m->stood);
    index->periods = arena_take_array(arena, 2 * entries, sizeof *index->periods);
    m->times = calloc(2 * largest + 1, sizeof *m->times);
    m->owners = calloc(2 * largest + 1, sizeof *m->owners);
    m->next = calloc(2 * largest + 1, sizeof *m->next);
    if (!m->stood || !index->periods || !m->times || !m->owners || !m->next)
        return -ENOMEM;
    spread(m); /* each place is then that of the node after it */
    for (uint64_t node = 0; node < nodes; node++) {
        uint64_t from = node ? m->at[node - 1] : 0, count = m->at[node] - from;
        index->first[node] = written;
        if (count)
            written += paint(m, m->stood + from, count, index->periods + written);
    }
    index->first[nodes] = written;
    return 0;
}

int modules_index(struct profile_process *p, struct arena *arena) {
    struct making m = {.p = p};
    int status = -ENOMEM;
    m.index = arena_take(arena, sizeof *m.index);
    m.rows = calloc(p->module_count, sizeof *m.rows);
    if (!m.index || !m.rows)
        goto cleanup;
    choose(&m);
    m.index->bounds = arena_take_array(arena, 2 * (size_t)m.row_count, sizeof *m.index->bounds);
    if (!m.index->bounds)
        goto cleanup;
    cut(&m);
    status = lay_out(&m, arena);
    if (status == 0)
        p->module_index = m.index;
cleanup:
    free(m.rows);
    free(m.at);
    free(m.stood);
    free(m.times);
    free(m.owners);
    free(m.next);
    return status;
}

/* ---- asking it ---- */

/* The module of one node at an event; makes the span no longer than it is there. */
static uint32_t ask(const struct module_index *index, uint64_t node, uint32_t event,
                    struct profile_span *span) {
    const struct period *periods = index->periods + index->first[node];
    uint64_t count = index->first[node + 1] - index->first[node], low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (periods[middle].from <= event)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0 && periods[low - 1].from > span->first)
        span->first = periods[low - 1].from;
    if (low < count && periods[low].from - 1 < span->last)
        span->last = periods[low].from - 1;
    return low > 0 ? periods[low - 1].module : 0;
}

static uint32_t find(const struct module_index *index, uint32_t event, uint64_t address,
                     struct profile_span *span) {
    uint32_t youngest = 0;
    uint64_t leaf = bound_above(index->bounds, index->count, address);
    if (leaf == 0)
        return 0;
    for (uint64_t node = leaf - 1 + index->count; node > 0; node /= 2) {
        uint32_t module = ask(index, node, event, span);
        youngest = module > youngest ? module : youngest;
    }
    return youngest;
}

/* One by one, for a process that was not decoded. */
static uint32_t find_plainly(const struct profile_process *p, uint32_t event, uint64_t address,
                             struct profile_span *span) {
    for (uint32_t i = p->module_count; i-- > 1;) { /* the youngest first */
        const struct profile_module *m = &p->modules[i];
        if (address < m->start || address >= m->end)
            continue;
        if (m->born > event) {
            span->last = m->born - 1 < span->last ? m->born - 1 : span->last;
        } else if (m->gone && m->gone <= event) {
            span->first = m->gone > span->first ? m->gone : span->first;
        } else {
            span->first = m->born > span->first ? m->born : span->first;
            if (m->gone && m->gone - 1 < span->last)
                span->last = m->gone - 1;
            return i;
        }
    }
    return 0;
}

uint32_t profile_find_module_span(const struct profile_process *p, uint32_t event, uint64_t address,
                                  struct profile_span *span) {
    /* A return address may be the first byte behind its module: the call is before it. */
    bool exact = address & REGION_FRAME_EXACT;
    address &= ~REGION_FRAME_EXACT;
    address -= !exact && address > 0;
    *span = (struct profile_span){0, UINT32_MAX};
    return p->module_index ? find(p->module_index, event, address, span)
                           : find_plainly(p, event, address, span);
}

uint32_t profile_find_module(const struct profile_process *p, const struct profile_stack *stack,
                             uint64_t address) {
    struct profile_span span;
    return profile_find_module_span(p, stack->module_event, address, &span);
}
