/* Lines for people on stderr. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

void message(const char *format, ...) {
    char line[4096];
    va_list list;
    int at = snprintf(line, sizeof line, "squall: ");
    va_start(list, format);
    int more = vsnprintf(line + at, sizeof line - (size_t)at - 1, format, list);
    va_end(list);
    if (more < 0)
        return;
    size_t length = (size_t)at + (size_t)more;
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    /* What it names (files, programs) may hold anything, a terminal's commands too. */
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i], next = (unsigned char)line[i + 1];
        if (c < 0x20 || c == 0x7f)
            line[i] = '?';
        else if (c == 0xc2 && next >= 0x80 && next < 0xa0) /* U+0080 to U+009F: controls, too */
            line[i] = line[i + 1] = '?';
    }
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
                                    : strerror(-status));
    return COMMAND_USAGE;
}

int message_option(const char *command, char **argv) {
    message("%s: '%s' is not an option, or its value is missing or not wanted", command,
            argv[optind - 1]);
    return message_usage(command);
}

int message_usage(const char *command) {
    message("%s: try 'squall help %s'", command, command);
    return COMMAND_USAGE;
}
