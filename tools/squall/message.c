/* Lines for people on stderr. */
#include <getopt.h>
#include <stdarg.h>
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
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
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

int message_option(const char *command, char **argv) {
    message("%s: '%s' is not an option, or its value is missing or not wanted", command,
            argv[optind - 1]);
    return message_usage(command);
}

int message_usage(const char *command) {
    message("%s: try 'squall help %s'", command, command);
    return COMMAND_USAGE;
}
