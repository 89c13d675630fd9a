/* Did the kernel kill for memory? A program's control group counts it; it has ours, unless it
 * moved itself. */
#include <inttypes.h>
#include <string.h>

#include "run.h"

/* The number after a word at the beginning of a line. */
static bool read_counter(const char *path, const char *word, uint64_t *value) {
    char line[256];
    bool found = false;
    size_t length = strlen(word);
    FILE *f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = strncmp(line, word, length) == 0 && line[length] == ' ' &&
                sscanf(line + length, " %" SCNu64, value) == 1;
    if (f)
        fclose(f);
    return found;
}

/* Both versions of control groups; the file of version 1 has the same word in it. */
static bool read_group(char *line, uint64_t *value) {
    char path[4096 + 64];
    char *controllers = strchr(line, ':'),
         *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return false;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (strcmp(controllers, ":") == 0)
        snprintf(path, sizeof path, "/sys/fs/cgroup%.4000s/memory.events", group);
    else if (strcmp(controllers, ":memory") == 0)
        snprintf(path, sizeof path, "/sys/fs/cgroup/memory%.4000s/memory.oom_control", group);
    else
        return false;
    return read_counter(path, "oom_kill", value);
}

uint64_t oom_count(void) {
    char line[4200];
    uint64_t value = 0;
    bool found = false;
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = read_group(line, &value);
    if (f)
        fclose(f);
    if (!found)
        read_counter("/proc/vmstat", "oom_kill", &value);
    return value;
}
