/* One line of text at a time: styles, columns, cleaned names, wrapped sentences. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

unsigned render_width(FILE *out) {
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t value;
    if (columns && base_parse_number(columns, strlen(columns), 10, &value) == 0 && value >= 20 &&
        value <= 10000)
        return (unsigned)value;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 0;
}

bool render_color(FILE *out) {
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(out)) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static const char *escape_of(enum style style) {
    switch (style) {
    case BOLD:
        return "\033[1m";
    case DIM:
        return "\033[2m";
    case TITLE:
        return "\033[1;4m";
    case ACCENT:
        return "\033[36m";
    case WARN:
        return "\033[33m";
    case PLAIN:
        break;
    }
    return NULL;
}

static void add_styled(struct line *line, enum style style, const char *text, size_t length) {
    const char *escape = line->text->color && length ? escape_of(style) : NULL;
    if (escape)
        buffer_add(&line->buffer, escape, strlen(escape));
    buffer_add(&line->buffer, text, length);
    if (escape)
        buffer_add(&line->buffer, "\033[0m", 4);
}

void line_add(struct line *line, enum style style, const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    add_styled(line, style, text, strlen(text));
    line->columns += utf8_columns(text);
}

void line_add_name(struct line *line, enum style style, const char *name, unsigned max) {
    buffer_clear(&line->scratch);
    buffer_add_name(&line->scratch, name, true);
    const char *text = buffer_text(&line->scratch);
    unsigned columns = utf8_columns(text);
    if (max == 0 || columns <= max) {
        add_styled(line, style, text, line->scratch.length);
        line->columns += columns;
        return;
    }
    add_styled(line, style, text, utf8_prefix(text, max - 1));
    add_styled(line, DIM, "…", strlen("…"));
    line->columns += max;
}

void line_pad(struct line *line, unsigned column) {
    unsigned spaces = line->columns < column ? column - line->columns : line->columns ? 1 : 0;
    line->columns += spaces;
    while (spaces--)
        buffer_add(&line->buffer, " ", 1);
}

/* Length of the spaces that a line begins with, and of the escapes among them. */
static size_t skip_indent(const char *text, unsigned *columns) {
    size_t i = 0;
    for (*columns = 0; text[i] == ' ' || text[i] == '\033'; i++) {
        if (text[i] == ' ')
            ++*columns;
        else
            i += strcspn(text + i, "m");
    }
    return i;
}

/* Where to break a text that does not fit into so many columns: a space between two parts if the
 * line is half full there, else the last space before the edge, else the first one behind it.
 * Returns the length of what stays; escapes take no column. */
static size_t break_at(const char *text, unsigned columns) {
    unsigned at, part_at = 0;
    size_t part = 0, word = 0, i = skip_indent(text, &at);
    for (; text[i] && (at <= columns || !word); i++) {
        if (text[i] == '\033')
            i += strcspn(text + i, "m");
        else if (((unsigned char)text[i] & 0xc0) != 0x80)
            at++;
        if (text[i] != ' ' || text[i - 1] == ' ' || (word && at > columns + 1))
            continue;
        word = i;
        if (text[i + 1] == ' ' || text[i - 1] == ',' ||
            (i >= 2 && memcmp(text + i - 2, "·", 2) == 0)) {
            part = i;
            part_at = at;
        }
    }
    if (at <= columns)
        return i;
    return part_at > columns / 2 ? part : word ? word : i;
}

/* The stream keeps that it failed, but not why. */
static void note(struct line *line, int printed) {
    if (printed < 0 && !line->error)
        line->error = errno ? -errno : -EIO;
}

void line_end(struct line *line) {
    const char *rest = buffer_text(&line->buffer);
    FILE *out = line->text->out;
    if (line->text->width && line->columns > line->text->width) {
        unsigned width = line->text->width, indent;
        skip_indent(rest, &indent);
        indent += 2;
        size_t length = break_at(rest, width);
        while (rest[length]) {
            note(line, fprintf(out, "%.*s\n%*s", (int)length, rest, (int)indent, ""));
            rest += length + strspn(rest + length, " ");
            length = break_at(rest, width > indent + 8 ? width - indent : 8);
        }
    }
    note(line, fprintf(out, "%s\n", rest));
    buffer_clear(&line->buffer);
    line->columns = 0;
}

void line_drop(struct line *line) {
    buffer_clear(&line->buffer);
    line->columns = 0;
}

void line_free(struct line *line) {
    buffer_free(&line->buffer);
    buffer_free(&line->scratch);
}

void line_wrap(struct line *line, const char *first, unsigned indent, const char *sentence) {
    unsigned width = line->text->width ? line->text->width : 100;
    struct buffer clean = {0};
    buffer_add_utf8(&clean, sentence, true);
    const char *word = buffer_text(&clean);
    line_add(line, ACCENT, "%s", first);
    line_pad(line, indent);
    for (bool fresh = true; *word; fresh = false) {
        size_t length = strcspn(word, " ");
        unsigned columns = 0;
        for (size_t i = 0; i < length; i++)
            columns += ((unsigned char)word[i] & 0xc0) != 0x80;
        if (!fresh && line->columns + 1 + columns > width) {
            line_end(line);
            line_pad(line, 0);
            for (; line->columns < indent; line->columns++)
                buffer_add(&line->buffer, " ", 1);
        } else if (!fresh) {
            line_add(line, PLAIN, " ");
        }
        buffer_add(&line->buffer, word, length);
        line->columns += columns;
        word += length;
        word += strspn(word, " ");
    }
    line_end(line);
    buffer_free(&clean);
}

const char *render_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}
