/* Did the kernel kill for memory? A program's control group counts it: ours, unless it is moved to
 * another one, as a wrapper that sets a limit does. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

/* The number after a word at the beginning of a line. */
static uint64_t read_counter(const char *path, const char *word) {
    char line[256];
    uint64_t value = 0;
    size_t length = strlen(word);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, word, length) == 0 && line[length] == ' ')
            sscanf(line + length, " %" SCNu64, &value);
    if (f)
        fclose(f);
    return value;
}

/* Where a line of /proc/PID/cgroup says that it is counted. Both versions of control groups; the
 * file of version 1 has the same word in it. */
static bool find_file(char *line, char *path, size_t size) {
    char *controllers = strchr(line, ':'),
         *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return false;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (strcmp(controllers, ":") == 0)
        snprintf(path, size, "/sys/fs/cgroup%.4000s/memory.events", group);
    else if (strcmp(controllers, ":memory") == 0)
        snprintf(path, size, "/sys/fs/cgroup/memory%.4000s/memory.oom_control", group);
    else
        return false;
    return access(path, R_OK) == 0;
}

void oom_look(pid_t pid, struct oom_group *group) {
    char name[64], line[4200], path[sizeof group->path] = "";
    snprintf(name, sizeof name, "/proc/%d/cgroup", (int)pid);
    FILE *f = fopen(name, "re");
    while (f && !path[0] && fgets(line, sizeof line, f))
        if (!find_file(line, path, sizeof path))
            path[0] = 0;
    if (f)
        fclose(f);
    /* Nowhere: then by the machine. A process that is ending stands in no group of version 1. */
    if (!path[0] ||
        (group->path[0] && strcmp(path, "/sys/fs/cgroup/memory//memory.oom_control") == 0)) {
        if (group->path[0])
            return;
        snprintf(path, sizeof path, "/proc/vmstat");
    }
    if (strcmp(path, group->path) == 0)
        return;
    memcpy(group->path, path, sizeof path);
    group->before = read_counter(path, "oom_kill");
}

bool oom_has_killed(const struct oom_group *group) {
    return read_counter(group->path, "oom_kill") > group->before;
}
