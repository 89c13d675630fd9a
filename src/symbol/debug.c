/* Inlined frames and lines by DWARF.
 *
 * elfutils finds a unit by .debug_aranges, which clang does not write, and scopes by walking the
 * whole unit, which takes milliseconds in a large C++ file. Here the ranges of all units are laid
 * out once for a module, the functions of a unit once when an address first falls into it, and a
 * look-up then walks only within one function. */
#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DEPTH_MAX 64u          /* nested scopes in one function; nested namespaces */
#define VISITS_MAX (16u << 20) /* entries looked at in one unit: broken DWARF may go in circles */
#define CHAIN_MAX 64u          /* inlined calls within each other */

/* What libdw and this file take for a unit, of which a file may hold one for every 12 bytes, packed
 * one for every fraction of a byte; and how many no program has. */
#define UNIT_BYTES 1200u
#define UNITS_MAX (256u << 10)

/* ---- the functions of a unit ---- */

static int add_function(struct unit *unit, Dwarf_Die *die) {
    ptrdiff_t offset = 0;
    Dwarf_Addr base, start, end;
    bool added = false;
    while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0) {
        if (!added && unit->function_count == unit->function_room) {
            uint32_t room = unit->function_room ? unit->function_room * 2 : 64;
            uint64_t bytes = (room - unit->function_room) * sizeof(Dwarf_Die);
            Dwarf_Die *functions = symbol_charge(bytes)
                                       ? reallocarray(unit->functions, room, sizeof(*functions))
                                       : NULL;
            if (!functions)
                return -ENOMEM;
            unit->functions = functions;
            unit->function_room = room;
        }
        if (!added)
            unit->functions[unit->function_count++] = *die;
        added = true;
        int error = symbol_spans_add(&unit->spans, start, end, unit->function_count - 1);
        if (error)
            return error;
    }
    return 0;
}

static bool holds_functions(int tag) {
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
           tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
           tag == DW_TAG_enumeration_type;
}

/* Walks the entries that may be or hold a function, without recursion: the depth is not ours. */
static int index_unit(struct unit *unit) {
    Dwarf_Die path[DEPTH_MAX];
    uint32_t depth = 1, visits = 0;
    unit->indexed = true;
    if (dwarf_child(&unit->die, &path[0]) != 0)
        return 0;
    while (depth > 0 && visits++ < VISITS_MAX) {
        Dwarf_Die *die = &path[depth - 1];
        int tag = dwarf_tag(die);
        if (tag == DW_TAG_subprogram) {
            int error = add_function(unit, die);
            if (error)
                return error;
        } else if (holds_functions(tag) && depth < DEPTH_MAX &&
                   dwarf_child(die, &path[depth]) == 0) {
            depth++;
            continue;
        }
        Dwarf_Die next;
        while (depth > 0 && dwarf_siblingof(&path[depth - 1], &next) != 0)
            depth--;
        if (depth > 0)
            path[depth - 1] = next;
    }
    symbol_spans_sort(&unit->spans);
    return 0;
}

/* ---- the units of a module ---- */

static int add_unit(struct debug *debug, Dwarf_Die *die) {
    Dwarf_Die split;
    uint8_t type = 0;
    if (dwarf_tag(die) != DW_TAG_compile_unit && dwarf_tag(die) != DW_TAG_skeleton_unit)
        return 0;
    if (debug->unit_count == debug->unit_room) {
        uint32_t room = debug->unit_room ? debug->unit_room * 2 : 64;
        struct unit *units = reallocarray(debug->units, room, sizeof(*units));
        if (!units)
            return -ENOMEM;
        debug->units = units;
        debug->unit_room = room;
    }
    struct unit *unit = &debug->units[debug->unit_count++];
    *unit = (struct unit){.die = *die, .lines = *die};
    if (dwarf_cu_info(die->cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
        type == DW_UT_skeleton && split.addr)
        unit->die = split;
    ptrdiff_t offset = 0;
    Dwarf_Addr base, start, end;
    uint32_t index = debug->unit_count - 1, before = debug->spans.count;
    while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0)
        if (symbol_spans_add(&debug->spans, start, end, index))
            return -ENOMEM;
    if (debug->spans.count > before)
        return 0;
    /* It does not say where it is; its functions may. */
    if (index_unit(unit))
        return -ENOMEM;
    for (uint32_t i = 0; i < unit->spans.count; i++)
        if (symbol_spans_add(&debug->spans, unit->spans.items[i].low, unit->spans.items[i].high,
                             index))
            return -ENOMEM;
    return 0;
}

static void find_units(struct debug *debug, Dwfl_Module *module) {
    debug->tried = true;
    if (!dwfl_module_getdwarf(module, &debug->bias))
        return;
    Dwarf_Die *die = NULL;
    Dwarf_Addr bias;
    while ((die = dwfl_module_nextcu(module, die, &bias)) != NULL)
        if (debug->unit_count == UNITS_MAX || !symbol_charge(UNIT_BYTES) || add_unit(debug, die))
            break;
    symbol_spans_sort(&debug->spans);
}

/* ---- one address ---- */

static bool is_scope(int tag) {
    return tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine ||
           tag == DW_TAG_try_block || tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
}

/* The calls that were inlined at this address, outermost first. */
static uint32_t find_inlined(const Dwarf_Die *function, Dwarf_Addr address, Dwarf_Die *chain) {
    Dwarf_Die parent = *function, child;
    uint32_t count = 0, visits = 0;
    for (uint32_t depth = 0; depth < DEPTH_MAX * 4 && count < CHAIN_MAX; depth++) {
        bool found = false;
        int end = dwarf_child(&parent, &child);
        while (end == 0 && visits++ < VISITS_MAX) {
            if (is_scope(dwarf_tag(&child)) && dwarf_haspc(&child, address) > 0) {
                found = true;
                break;
            }
            end = dwarf_siblingof(&child, &child);
        }
        if (!found)
            break;
        if (dwarf_tag(&child) == DW_TAG_inlined_subroutine)
            chain[count++] = child;
        parent = child;
    }
    return count;
}

static const char *name_of(Dwarf_Die *die, struct name **names) {
    Dwarf_Attribute attribute;
    const char *linkage = NULL;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
        linkage = dwarf_formstring(&attribute);
    if (linkage)
        return symbol_names_demangle(names, linkage);
    return symbol_names_keep(names, dwarf_diename(die));
}

/* A relative name is relative to where the compiler ran, if that is known. */
static const char *file_of(struct unit *unit, struct name **names, const char *file) {
    Dwarf_Attribute attribute;
    char *path = NULL;
    const char *folder =
        file && file[0] != '/'
            ? dwarf_formstring(dwarf_attr(&unit->lines, DW_AT_comp_dir, &attribute))
            : NULL;
    if (!folder || folder[0] != '/' || asprintf(&path, "%s/%s", folder, file) < 0)
        return symbol_names_keep(names, file);
    file = symbol_names_keep(names, path);
    free(path);
    return file;
}

/* ---- lines ---- */

/* What libdw takes for a row of a table of lines, of which every byte of a program may make one. */
#define LINE_ROW 112u

/* Length of a program of lines at `offset`, from its head; of the section's rest at the most. */
static uint64_t line_length(const Elf_Data *data, uint64_t offset) {
    const char *at = (const char *)data->d_buf + offset;
    uint64_t rest = data->d_size - offset, length = 0;
    uint32_t word;
    if (rest < 12)
        return rest;
    memcpy(&word, at, sizeof word);
    if (word == UINT32_MAX)
        memcpy(&length, at + sizeof word, sizeof length);
    else
        length = word;
    return length < rest ? length : rest;
}

/* By then libdw has unpacked the section. */
static uint64_t line_bytes(Dwarf_Die *die) {
    Elf *elf = dwarf_getelf(dwarf_cu_getdwarf(die->cu));
    Elf_Scn *section = NULL;
    Dwarf_Attribute attribute;
    Dwarf_Word offset;
    uint64_t bytes = 0;
    size_t names;
    if (!elf || elf_getshdrstrndx(elf, &names) || !dwarf_attr(die, DW_AT_stmt_list, &attribute) ||
        dwarf_formudata(&attribute, &offset))
        return 0;
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        const char *name =
            gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (!name || (strcmp(name, ".debug_line") != 0 && strcmp(name, ".zdebug_line") != 0))
            continue;
        Elf_Data *data = elf_rawdata(section, NULL);
        if (data && data->d_buf && offset < data->d_size)
            bytes += line_length(data, offset);
    }
    return bytes;
}

/* libdw unrolls the lines of a unit when the first is asked for, all at once, and ends the process
 * where there is no memory for them. */
static bool has_lines(struct debug *debug, struct unit *unit) {
    if (!unit->lines_weighed) {
        Dwarf_Lines *lines;
        size_t count = 0;
        uint64_t most = line_bytes(&unit->lines) * LINE_ROW;
        unit->lines_weighed = true;
        unit->lines_fit = symbol_charge(most);
        debug->lines_left_out |= !unit->lines_fit;
        /* A compiler's rows take four bytes or more: then there is room for other units'. */
        if (unit->lines_fit && dwarf_getsrclines(&unit->lines, &lines, &count) == 0 &&
            count * LINE_ROW < most)
            symbol_give_back(most - count * LINE_ROW);
    }
    return unit->lines_fit;
}

static void set_line(struct debug *debug, struct unit *unit, Dwarf_Addr address,
                     struct name **names, struct symbol_frame *frame) {
    Dwarf_Line *line = has_lines(debug, unit) ? dwarf_getsrc_die(&unit->lines, address) : NULL;
    int number = 0;
    if (!line)
        return;
    frame->file = file_of(unit, names, dwarf_linesrc(line, NULL, NULL));
    if (frame->file && dwarf_lineno(line, &number) == 0 && number > 0)
        frame->line = (uint32_t)number;
}

/* Where the inlined call `die` stands in its caller. */
static void set_call(struct debug *debug, struct unit *unit, Dwarf_Die *die, struct name **names,
                     struct symbol_frame *frame) {
    Dwarf_Attribute attribute;
    Dwarf_Word index, line;
    Dwarf_Files *files;
    size_t count;
    if (!has_lines(debug, unit) || !dwarf_attr(die, DW_AT_call_file, &attribute) ||
        dwarf_formudata(&attribute, &index) || dwarf_getsrcfiles(&unit->lines, &files, &count) ||
        index >= count)
        return;
    frame->file = file_of(unit, names, dwarf_filesrc(files, index, NULL, NULL));
    if (frame->file && dwarf_attr(die, DW_AT_call_line, &attribute) &&
        dwarf_formudata(&attribute, &line) == 0 && line <= UINT32_MAX)
        frame->line = (uint32_t)line;
}

uint32_t symbol_debug_frames(struct debug *debug, Dwfl_Module *module, struct name **names,
                             uint64_t address, struct symbol_frame *out, uint32_t max) {
    Dwarf_Die chain[CHAIN_MAX];
    uint32_t count = 0, written = 0;
    if (!debug->tried)
        find_units(debug, module);
    address -= debug->bias;
    const struct span *span = max ? symbol_spans_find(&debug->spans, address) : NULL;
    if (!span)
        return 0;
    struct unit *unit = &debug->units[span->what];
    if (!unit->indexed && index_unit(unit))
        return 0;
    span = symbol_spans_find(&unit->spans, address);
    Dwarf_Die *function = span ? &unit->functions[span->what] : NULL;
    if (function)
        count = find_inlined(function, address, chain);
    struct symbol_frame frame = {0};
    set_line(debug, unit, address, names, &frame);
    for (uint32_t i = count; i > 0; i--) {
        frame.function = name_of(&chain[i - 1], names);
        frame.inlined = true;
        if (written + 1 < max) /* the last place is the function's own */
            out[written++] = frame;
        frame = (struct symbol_frame){0};
        set_call(debug, unit, &chain[i - 1], names, &frame);
    }
    frame.function = function ? name_of(function, names) : NULL;
    out[written++] = frame;
    return frame.function || frame.file || written > 1 ? written : 0;
}

void symbol_debug_free(struct debug *debug) {
    for (uint32_t i = 0; i < debug->unit_count; i++) {
        free(debug->units[i].functions);
        symbol_spans_free(&debug->units[i].spans);
    }
    free(debug->units);
    symbol_spans_free(&debug->spans);
    *debug = (struct debug){0};
}
