/* The inside of the room. */
#ifndef SQUALL_RENDER_INTERNAL_H
#define SQUALL_RENDER_INTERNAL_H

#include "render.h"

/* ---- utf8.c ---- */

/* A growing string; failed once memory ran out, and then empty for good. */
struct buffer {
    char *text;
    size_t length, room;
    bool failed;
};

void buffer_clear(struct buffer *buffer);
void buffer_free(struct buffer *buffer);
void buffer_add(struct buffer *buffer, const char *text, size_t length);
/* Adds text with every byte that is not part of a valid character replaced by U+FFFD. With
 * `printable`, control characters and those that change the direction of writing are too. */
void buffer_add_utf8(struct buffer *buffer, const char *text, bool printable);
/* The same of a name of the watched process, which a document may have to repeat for each frame:
 * cut to NAME_BYTES_MAX, with an ellipsis. */
#define NAME_BYTES_MAX 4096u
void buffer_add_name(struct buffer *buffer, const char *name, bool printable);
const char *buffer_text(const struct buffer *buffer);
/* Of valid text: whether all beyond ASCII's controls is printable in that sense; and adds it as it
 * stands in a JSON string, with the rest as \uXXXX. */
bool utf8_is_printable(const char *text);
void buffer_add_escaped(struct buffer *buffer, const char *text);

/* Characters of valid UTF-8 text; combining and wide ones count as one. */
unsigned utf8_columns(const char *text);
/* Bytes that the first `columns` characters take. */
size_t utf8_prefix(const char *text, unsigned columns);

/* ---- text.c ---- */

enum style { PLAIN, BOLD, DIM, TITLE, ACCENT, WARN };

/* One line of text in the making. */
struct line {
    const struct render_text *text;
    struct buffer buffer;  /* what is printed, escapes included */
    struct buffer scratch; /* one name, cleaned */
    unsigned columns;
    int error; /* of the first line that could not be written, a negative errno */
};

/* Adds our own text. */
void line_add(struct line *line, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds text of the watched process, cleaned, cut to `max` columns if not 0. */
void line_add_name(struct line *line, enum style style, const char *name, unsigned max);
/* Spaces up to a column, at least one if anything stands there. */
void line_pad(struct line *line, unsigned column);
void line_end(struct line *line);
void line_drop(struct line *line); /* what stands in it is not printed */
void line_free(struct line *line);
/* Wraps a sentence that may hold names, `indent` columns in, after `first` which stands there. */
void line_wrap(struct line *line, const char *first, unsigned indent, const char *sentence);

const char *render_base_name(const char *path);

/* ---- text_site.c ---- */

void text_site_head(struct line *line, const struct analysis *a, const struct analyse_site *site,
                    unsigned rank);
void text_site_details(struct line *line, const struct analysis *a,
                       const struct analyse_site *site);

/* ---- text_codec.c ---- */

/* Nothing where there was no codec call. */
void text_codec_calls(struct line *line, const struct analysis *a, struct analyse_names *names);

/* ---- text_finding.c ---- */

void text_findings(struct line *line, const struct analysis *a);
void text_findings_short(struct line *line,
                         const struct analysis *a); /* the worst, a sentence each */

/* ---- text_stack.c ---- */

void text_stack(struct line *line, const struct analysis *a, const struct analyse_site *site,
                struct analyse_names *names);
/* "ZSTD_createCStream ← rd_kafka_zstd_compress": the first named functions that are not the
 * allocator's, at most `max` of them. */
void text_stack_short(struct line *line, const struct analyse_stack *stack, unsigned max);

#endif
