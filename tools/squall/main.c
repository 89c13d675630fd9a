/* squall: a table of commands and a loop over it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

#ifndef SQUALL_VERSION
#define SQUALL_VERSION "unknown"
#endif

/* What profile writes into a dump's header, behind its door; a test holds them equal. */
#define DUMP_FORMAT 1

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"run", command_run, "run a program under the profiler and keep what it did"},
    {"report", command_report, "show what a program allocated, running or ended"},
    {"ps", command_ps, "list the processes that run under the profiler"},
    {"top", command_top, "a running process on the whole screen, or all of them"},
    {"live", command_live, "tell what a running process allocates, a line an interval"},
    {"snapshot", command_snapshot, "pack what a running process recorded so far"},
    {"metrics", command_metrics, "figures of all running processes for Prometheus"},
    {"export", command_export, "write what was recorded for other programs"},
    {"diff", command_diff, "compare two recordings"},
    {"check", command_check, "whether a recording keeps to bounds, for pipelines"},
    {"merge", command_merge, "put many dumps into one"},
    {"attach", command_attach, "watch the heap of a Go program that runs already"},
    {"detach", command_detach, "and leave it alone again"},
    {"go-profile", command_go_profile, "read the memory profile of a running Go program"},
    {"pack", command_pack, "pack what LD_PRELOAD alone left behind"},
    {"clean", command_clean, "remove what dead processes left behind"},
};

static void print_help(FILE *out) {
    fputs("usage: squall COMMAND [options]\n\n"
          "Finds allocation storms inside compression calls of a program that is not changed.\n\n",
          out);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nsquall help COMMAND tells the options of a command.\n", out);
}

static const struct command *find(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name) {
    message("'%s' is not a command; try 'squall help'", name);
    return COMMAND_USAGE;
}

static int help(int argc, char **argv) {
    const struct command *command;
    char option[] = "--help";
    if (argc < 2) {
        print_help(stdout);
        return COMMAND_OK;
    }
    command = find(argv[1]);
    char *arguments[] = {argv[1], option, NULL};
    return command ? command->run(2, arguments) : unknown(argv[1]);
}

/* What went to stdout counts: a full disk must not end with success. */
static int finish(int status) {
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == COMMAND_OK) {
        if (errno != EPIPE)
            message("the output could not be written");
        return COMMAND_FAILED;
    }
    return status;
}

/* A stream that is closed must not become the first file that we open: messages would land in a
 * dump. What stands in for it fails as a closed one does, and is closed in a program that we run.
 */
static void hold_streams(void) {
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

static void do_nothing(int signal_number) {
    (void)signal_number;
}

/* RLIMIT_FSIZE is a full disk to us: an error of write, after which what was begun is removed. A
 * handler, as a program that we run does not inherit one. */
static void survive_limit(void) {
    struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART}, now;
    if (sigaction(SIGXFSZ, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        sigaction(SIGXFSZ, &action, NULL);
}

int main(int argc, char **argv) {
    const struct command *command;
    hold_streams();
    survive_limit();
    if (argc < 2) {
        print_help(stderr);
        return COMMAND_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("squall %s (region format %u, dump format %u)\n", SQUALL_VERSION, REGION_VERSION,
               DUMP_FORMAT);
        return finish(COMMAND_OK);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return finish(help(argc - 1, argv + 1));
    command = find(argv[1]);
    return finish(command ? command->run(argc - 1, argv + 1) : unknown(argv[1]));
}
