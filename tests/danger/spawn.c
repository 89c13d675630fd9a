/* danger: vfork, posix_spawn, popen and system, while other threads allocate
 * processes: 20 */
#include <spawn.h>

#include "danger.h"

extern char **environ;

/* What a vfork child does is done on its parent's heap. */
static void by_vfork(int i) {
    void *volatile before = malloc(70000), *volatile within = NULL;
    pid_t pid = vfork();
    CHECK(pid >= 0);
    if (!pid) {
        within = malloc(i % 2 ? 100 : 80000);
        free(before);
        if (i % 3)
            execl("/bin/true", "true", NULL);
        _exit(0);
    }
    CHECK(danger_wait(pid) == 0);
    CHECK(within);
    free(within);
}

static void by_spawn(int i) {
    char *const argv[] = {"sh", "-c", i % 2 ? "exit 5" : "exec sh -c 'exit 5'", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid;
    CHECK(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0) == 0);
    CHECK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) == 0);
    CHECK(posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, environ) == 0);
    CHECK(danger_wait(pid) == 5);
    CHECK(posix_spawn(&pid, "/nonesuch", NULL, NULL, argv, environ) == ENOENT);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
}

static void by_popen(void) {
    char line[100];
    FILE *f = popen("echo from a pipe", "r");
    CHECK(f && fgets(line, sizeof line, f) && !strcmp(line, "from a pipe\n"));
    CHECK(pclose(f) == 0);
}

static void *spawner(void *number) {
    for (int i = 0; i < 6; i++) {
        by_vfork(i);
        by_spawn(i);
        by_popen();
    }
    return number;
}

int main(void) {
    pthread_t churners[2], spawners[2];
    danger_start(churners, 2, danger_churner);
    danger_start(spawners, 2, spawner);
    danger_join(spawners, 2);
    printf("system: %d\n", WEXITSTATUS(system("exit 4")));
    danger_ending = 1;
    danger_join(churners, 2);
}
