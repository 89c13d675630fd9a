/* squall attach, squall detach: a Go program that runs already. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "go.h"

static const char attach_usage[] =
    "usage: squall attach [options] PID\n"
    "\n"
    "Hooks the allocator of a Go program that runs already, static or not, stripped or not: "
    "blocks\n"
    "of its heap are recorded from then on. Its threads stand still for some milliseconds at "
    "most,\n"
    "and how long is said. What does not verify is left as it is. This is for Go's heap alone:\n"
    "malloc of a running program cannot be attached to; start it with squall run.\n"
    "\n"
    "  --dir DIR          the folder to record in (else $SQUALL_DIR, else one in memory)\n"
    "  --large SIZE       from which size blocks are recorded (64k; at least 32 KiB)\n"
    "  --conf KEY:VALUE,… anything else of SQUALL_CONF\n";

static const char detach_usage[] =
    "usage: squall detach PID\n"
    "\n"
    "Takes the hook out of a Go program again. What was recorded stays, for squall report.\n";

/* Returns the number, or -1. */
static int parse_pid(const char *command, const char *text) {
    uint64_t pid;
    if (text && base_parse_number(text, strlen(text), 10, &pid) == 0 && pid > 0 && pid < 1u << 30)
        return (int)pid;
    message("%s: '%s' is not a process number", command, text ? text : "");
    return -1;
}

static int say_not_opened(const char *command, int pid, int error) {
    message("%s: process %d: %s", command, pid,
            error == -ENOTSUP  ? "its Go tables are not understood: left as it is"
            : error == -ENOENT ? "no such process, or no Go program"
                               : go_target_words(error));
    return COMMAND_FAILED;
}

static const char *milliseconds(char *text, size_t size, uint64_t ns) {
    snprintf(text, size, "%.2f ms", (double)ns / 1e6);
    return text;
}

/* "0.24 ms", ", the longest of 3 times" behind it. */
static const char *stops(char *text, size_t size, const struct go_result *result) {
    milliseconds(text, size, result->stop_ns);
    size_t n = strlen(text);
    if (result->stops > 1)
        snprintf(text + n, size - n, ", the longest of %u times", result->stops);
    return text;
}

static int attach(int pid, const char *folder, const struct region_configuration *conf) {
    struct go_result result = {0};
    struct go_target t;
    char one[32], all[64];
    int error = go_target_open(&t, pid);
    int status = error ? say_not_opened("attach", pid, error) : COMMAND_OK;
    if (!error && go_install(&t, folder, conf, 0, &result)) {
        message("attach: process %d (%s) was left as it is: %s", pid, t.image.version,
                result.reason);
        status = COMMAND_FAILED;
    } else if (!error) {
        message("attached to process %d (%s): %u places hooked; all %u threads stood still for %s, "
                "one of them for %s before",
                pid, t.image.version, result.patches, result.threads,
                stops(all, sizeof all, &result), milliseconds(one, sizeof one, result.one_ns));
        message("recording in %s", result.path);
    }
    go_target_close(&t);
    return status;
}

int command_attach(int argc, char **argv) {
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},
        {"large", required_argument, NULL, 'l'},
        {"conf", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *folder = getenv("SQUALL_DIR");
    char conf[4096] = "", more[4096];
    int option;
    snprintf(conf, sizeof conf, "%s", getenv("SQUALL_CONF") ? getenv("SQUALL_CONF") : "");
    optind = opterr = 0;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(attach_usage, stdout);
            return COMMAND_OK;
        }
        if (option == '?' || option == ':')
            return message_option("attach", argv);
        if (option == 'd')
            folder = optarg;
        else if (snprintf(more, sizeof more, "%s%s%s%s", conf, *conf ? "," : "",
                          option == 'l' ? "large:" : "", optarg) < (int)sizeof more)
            memcpy(conf, more, sizeof conf);
    }
    int pid = optind < argc ? parse_pid("attach", argv[optind]) : 0;
    if (pid <= 0) {
        if (pid == 0)
            message("attach: no process is given");
        return message_usage("attach");
    }
    struct region_configuration c;
    go_region_configure(&c, conf);
    if (!c.go) {
        message("attach: process %d was left as it is: go:off is configured", pid);
        return COMMAND_FAILED;
    }
    return attach(pid, folder && *folder ? folder : NULL, &c);
}

int command_detach(int argc, char **argv) {
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct go_result result = {0};
    struct go_target t;
    char all[64];
    optind = opterr = 0;
    int option = getopt_long(argc, argv, "h", options, NULL);
    if (option == 'h') {
        fputs(detach_usage, stdout);
        return COMMAND_OK;
    }
    if (option != -1)
        return message_option("detach", argv);
    int pid = optind < argc ? parse_pid("detach", argv[optind]) : 0;
    if (pid <= 0) {
        if (pid == 0)
            message("detach: no process is given");
        return message_usage("detach");
    }
    int error = go_target_open(&t, pid);
    int status = error ? say_not_opened("detach", pid, error) : COMMAND_OK;
    if (!error && go_uninstall(&t, &result)) {
        message("detach: process %d: %s", pid, result.reason);
        status = COMMAND_FAILED;
    } else if (!error) {
        message("detached from process %d: %u places are as they were; all %u threads stood still "
                "for %s",
                pid, result.patches, result.threads, stops(all, sizeof all, &result));
    }
    go_target_close(&t);
    return status;
}
