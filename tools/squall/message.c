/* Lines for people on stderr. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "render/render.h"

void message(const char *format, ...) {
    char text[4096], line[4096];
    va_list list;
    size_t at = (size_t)snprintf(line, sizeof line, "squall: ");
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    /* What it names (files, programs) may hold anything, a terminal's commands too. */
    render_clean(line + at, sizeof line - at - 1, text, 0);
    size_t length = strlen(line);
    line[length] = '\n';
    fflush(stderr);
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return; /* nobody is left to tell */
}

const char *message_size(uint64_t bytes, char *text, size_t size) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    unsigned unit = 0;
    for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
        value /= 1024;
    snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

int command_default_folder(const char *command, char *path, size_t size) {
    int status = profile_default_folder(path, size);
    if (status == 0)
        return COMMAND_OK;
    message("%s: no folder to look in: %s", command,
            status == -ENAMETOOLONG ? "the name in the environment is too long"
            : status == -EPERM      ? "somebody else has taken the names of ours"
                                    : strerror(-status));
    return COMMAND_USAGE;
}

int message_option(const char *command, char **argv) {
    const char *word = argv[optind - 1];
    if (*word != '-' && argv[optind]) /* within a word of several letters */
        word = argv[optind];
    message("%s: '%s' is not an option, or its value is missing or not wanted", command, word);
    return message_usage(command);
}

int message_usage(const char *command) {
    message("%s: try 'squall help %s'", command, command);
    return COMMAND_USAGE;
}
