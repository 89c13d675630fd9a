/* A stack for people. What every stack has (the shim, operator new, the insides of the C++
 * library) and runs of frames that have no name are folded to a line each: nothing is left out
 * without saying so, and `squall report --stack N` shows it all. */
#include <string.h>

#include "internal.h"

#define INDENT 7u
#define FRAMES_MAX 20u   /* of a folded stack */
#define FUNCTION_MAX 56u /* columns of the widest function, at most */
#define PLACE_MAX 30u    /* of the widest file and line, at most */
#define MODULE_MAX 40u   /* of its name */
#define NARROW 100u      /* width to lay out for where there is no terminal */

static bool starts(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The ways into an allocator: their callers are what is looked for. */
static bool is_entry(const struct analyse_frame *f) {
    static const char *const exact[] = {
        "malloc",         "calloc",        "realloc", "reallocarray",  "memalign", "valloc",
        "posix_memalign", "aligned_alloc", "pvalloc", "__libc_malloc", "strdup",   "__strdup",
    };
    if (f->module_flags & REGION_MODULE_SQUALL)
        return true;
    if (!f->function)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(exact); i++)
        if (strcmp(f->function, exact[i]) == 0)
            return true;
    return starts(f->function, "operator new");
}

/* Where every stack begins. */
static bool is_root(const struct analyse_frame *f) {
    static const char *const roots[] = {
        "start_thread",
        "clone3",
        "clone",
        "__clone3",
        "__clone",
        "_start",
        "main",
        "__libc_start_call_main",
        "__libc_start_main",
        "__libc_start_main_impl",
    };
    for (unsigned i = 0; f->function && i < ARRAY_SIZE(roots); i++)
        if (strcmp(f->function, roots[i]) == 0)
            return true;
    return false;
}

/* Insides of the C++ library (a template function's name begins with what it returns). */
static bool is_library(const struct analyse_frame *f) {
    if (!f->function)
        return false;
    const char *name = f->function, *open = strpbrk(name, "<(");
    if (starts(name, "std::") || starts(name, "__gnu_cxx::"))
        return true;
    for (const char *at = strstr(name, " std::"); at && (!open || at < open);
         at = strstr(at + 1, " std::"))
        return true;
    return false;
}

static bool is_same(const struct analyse_frame *a, const struct analyse_frame *b) {
    return a->module_index == b->module_index && a->offset == b->offset &&
           a->inlined == b->inlined && a->line == b->line;
}

static bool has_no_name(const struct analyse_frame *f) {
    return !f->function && !f->file;
}

/* Which frames a line stands for, and what it says. */
struct fold {
    uint32_t first, count;
    enum { ONE, ENTRY, LIBRARY, REPEATED } kind;
};

static struct fold fold_at(const struct analyse_stack *stack, uint32_t i, bool whole) {
    const struct analyse_frame *f = &stack->frames[i];
    struct fold fold = {.first = i, .count = 1, .kind = ONE};
    uint32_t n = i + 1;
    if (whole)
        return fold;
    if (i == 0 && is_entry(f)) {
        while (n < stack->count && is_entry(&stack->frames[n]))
            n++;
        fold.kind = ENTRY;
    } else if (has_no_name(f)) {
        while (n < stack->count && has_no_name(&stack->frames[n]) &&
               stack->frames[n].module_index == f->module_index)
            n++;
    } else if (n < stack->count && is_same(f, &stack->frames[n])) {
        while (n < stack->count && is_same(f, &stack->frames[n]))
            n++;
        fold.kind = REPEATED;
    } else if (is_library(f)) {
        while (n < stack->count && (is_library(&stack->frames[n]) || is_entry(&stack->frames[n])))
            n++;
        fold.kind = n - i > 2 ? LIBRARY : ONE;
        if (fold.kind == ONE)
            return fold;
    }
    fold.count = n - i;
    return fold;
}

/* What a line shows as its function: of a run in the library, what the program called. */
static const struct analyse_frame *shown_frame(const struct analyse_stack *stack,
                                               const struct fold *fold) {
    return &stack->frames[fold->kind == LIBRARY || fold->kind == ENTRY
                              ? fold->first + fold->count - 1
                              : fold->first];
}

/* The columns of a stack: function, file and line, module. */
struct columns {
    unsigned place, module;
};

static void add_place(struct line *line, const struct analyse_frame *f,
                      const struct columns *columns) {
    unsigned max = line->text->width ? MODULE_MAX : 0;
    if (f->file) {
        line_pad(line, columns->place);
        line_add_name(line, ACCENT, render_base_name(f->file), max);
        if (f->line)
            line_add(line, ACCENT, ":%u", f->line);
    }
    line_pad(line, columns->module);
    if (f->inlined)
        line_add(line, DIM, "inlined");
    else if (f->module)
        line_add_name(line, DIM, render_base_name(f->module), max);
}

static void add_nameless(struct line *line, const struct analyse_stack *stack,
                         const struct fold *fold) {
    const struct analyse_frame *f = &stack->frames[fold->first];
    unsigned width = line->text->width ? line->text->width : NARROW;
    uint32_t shown = 0;
    if (f->module)
        line_add_name(line, DIM, render_base_name(f->module), 40);
    else
        line_add(line, DIM, "outside every module");
    for (; shown < fold->count && (shown == 0 || line->columns + 24 < width); shown++)
        line_add(line, DIM, "%s0x%llx", f->module ? (shown ? " +" : "+") : " ",
                 (unsigned long long)stack->frames[fold->first + shown].offset);
    if (shown < fold->count)
        line_add(line, DIM, " … %u more", fold->count - shown);
}

static void add_fold(struct line *line, const struct analyse_stack *stack, const struct fold *fold,
                     const struct columns *columns) {
    const struct analyse_frame *f = shown_frame(stack, fold);
    line_pad(line, INDENT);
    if (has_no_name(f)) {
        add_nameless(line, stack, fold);
        line_end(line);
        return;
    }
    enum style style = fold->kind == ENTRY ? DIM : f->inlined ? PLAIN : BOLD;
    unsigned max = line->text->width ? columns->place - INDENT - 2 : 0;
    line_add_name(line, style, f->function ? f->function : "?", max);
    add_place(line, f, columns);
    if (fold->kind == REPEATED)
        line_add(line, DIM, " ×%u", fold->count);
    else if (fold->count > 1)
        line_add(line, DIM, " (%u %s folded)", fold->count - 1,
                 fold->count == 2 ? "frame" : "frames");
    line_end(line);
}

static unsigned place_width(const struct analyse_frame *f) {
    char number[16];
    if (!f->file)
        return 0;
    int digits = f->line ? snprintf(number, sizeof(number), ":%u", f->line) : 0;
    return utf8_columns(render_base_name(f->file)) + (unsigned)digits;
}

static struct columns lay_out(const struct line *line, const struct analyse_stack *stack,
                              bool whole) {
    unsigned function = 20, place = 0, module = 0, shown = 0, width = line->text->width;
    unsigned most = width > NARROW ? FUNCTION_MAX + width - NARROW : FUNCTION_MAX;
    for (uint32_t i = 0; i < stack->count && (whole || shown < FRAMES_MAX); shown++) {
        struct fold fold = fold_at(stack, i, whole);
        const struct analyse_frame *f = shown_frame(stack, &fold);
        unsigned columns = f->function ? utf8_columns(f->function) : 0;
        columns = columns < most ? columns : most;
        function = columns > function ? columns : function;
        columns = place_width(f);
        columns = columns < PLACE_MAX ? columns : PLACE_MAX;
        place = columns > place ? columns : place;
        columns = f->module ? utf8_columns(render_base_name(f->module)) : 0;
        columns = columns < MODULE_MAX ? columns : MODULE_MAX;
        module = columns > module ? columns : module;
        i += fold.count;
    }
    unsigned others = INDENT + 2 + (place ? place + 2 : 0) + module;
    if (width && function + others > width) /* the names give way, down to what still tells */
        function = width > others + 20 ? width - others : 20;
    return (struct columns){.place = INDENT + function + 2,
                            .module = INDENT + function + 2 + (place ? place + 2 : 0)};
}

static const char *end_in_words(uint32_t end) {
    switch (end) {
    case REGION_END_OUTERMOST:
        return NULL;
    case REGION_END_NO_RULE:
        return "cut short: no unwind information here";
    case REGION_END_JIT:
        return "cut short: called from outside every module (JIT)";
    case REGION_END_BOUND:
        return "cut short: deeper than what is kept";
    case REGION_END_OTHER_STACK:
        return "cut short: the next frame is on another stack";
    case REGION_END_NOT_WALKED:
        return "not walked";
    default:
        return "cut short";
    }
}

void text_stack(struct line *line, const struct analysis *a, const struct analyse_site *site,
                struct analyse_names *names) {
    const struct profile_process *p = a->process;
    bool whole = line->text->whole_stacks;
    uint32_t number = site->site->stack, shown = 0, i = 0;
    struct analyse_stack stack = analyse_name_stack(names, p, number, line->text->lines);
    struct columns columns = lay_out(line, &stack, whole);
    for (; i < stack.count && (whole || shown < FRAMES_MAX); shown++) {
        struct fold fold = fold_at(&stack, i, whole);
        add_fold(line, &stack, &fold, &columns);
        i += fold.count;
    }
    line_pad(line, INDENT);
    const char *end = end_in_words(number < p->stack_count ? p->stacks[number].end : 0);
    if (stack.count == 0)
        line_add(line, WARN, "no stack");
    else if (i < stack.count)
        line_add(line, DIM, "… %u more frames: squall report --stack %u", stack.count - i,
                 site->site->id);
    else if (end)
        line_add(line, WARN, "%s", end);
    if (line->columns > INDENT)
        line_end(line);
    else
        line_drop(line);
}

void text_stack_short(struct line *line, const struct analyse_stack *stack, unsigned max) {
    unsigned width = line->text->width ? line->text->width : NARROW, shown = 0;
    for (uint32_t i = 0; i < stack->count && shown < max; i++) {
        const struct analyse_frame *f = &stack->frames[i];
        char place[64];
        if (is_entry(f) || (shown && is_root(f)) || (is_library(f) && i + 1 < stack->count))
            continue;
        if (!f->function && shown && !stack->frames[i - 1].function)
            continue; /* one nameless frame stands for its neighbours */
        unsigned left = line->columns + 3 < width ? width - line->columns - 3 : 0;
        if (left < 12)
            break;
        if (shown++)
            line_add(line, DIM, " ← ");
        if (f->function) {
            line_add_name(line, PLAIN, f->function, left < 60 ? left : 60);
            continue;
        }
        snprintf(place, sizeof(place), "+0x%llx", (unsigned long long)f->offset);
        line_add_name(line, DIM, f->module ? render_base_name(f->module) : "JIT", 24);
        line_add(line, DIM, "%s", place);
    }
    if (shown == 0)
        line_add(line, DIM, "no stack");
}
