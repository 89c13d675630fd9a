/* The one line that an error is. */
#include <inttypes.h>
#include <string.h>

#include "internal.h"

int profile_fail(struct profile_error *error, int code, const char *file, uint64_t offset,
                 const char *format, ...) {
    va_list list;
    char reason[256];
    if (!error)
        return code;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    /* A long path loses its beginning, not the reason. */
    size_t length = strlen(file);
    const char *tail = length > 200 ? file + length - 200 : file;
    snprintf(error->text, sizeof error->text, "%s%s: offset %" PRIu64 ": %s",
             tail == file ? "" : "...", tail, offset, reason);
    /* A file's name may hold anything, a terminal's commands too. */
    for (char *c = error->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return code;
}
