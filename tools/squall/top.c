/* squall top: a running process on the whole screen, or a list of them to choose from. */
#include "top.h"

#include <curses.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIST_EVERY_NS 2000000000ull

static const char usage[] =
    "usage: squall top [PID] [options]\n"
    "\n"
    "Shows a running process on the whole screen: findings, sites, threads, codec calls, a key\n"
    "each. Without PID, the processes that run under squall, to choose from. None is stopped or\n"
    "notices. The keys are those of htop; ? tells them.\n"
    "\n"
    "  --every TIME     between two reads (1s by default, 100ms)\n";

/* ---- reading ---- */

static void say(struct top *top, enum watch_event event) {
    const struct profile_found *found = watch_found(top->watch);
    char exe[200];
    render_clean(exe, sizeof exe, render_name_of(found->exe), 40);
    switch (event) {
    case WATCH_ENDED:
        snprintf(top->status, sizeof top->status,
                 "Process %d (%s) has ended%s: this is its last state. q quits, p: the others",
                 found->pid, exe,
                 watch_state(top->watch) == PROFILE_DIED ? " without its exit handlers" : "");
        break;
    case WATCH_REPLACED:
        snprintf(top->status, sizeof top->status, "Process %d (%s) called exec", found->pid, exe);
        break;
    case WATCH_FOLLOWED:
        snprintf(top->status, sizeof top->status,
                 "Process %d called exec and is %s now: counted from zero", found->pid, exe);
        break;
    case WATCH_ALONE:
        snprintf(top->status, sizeof top->status,
                 "Process %d (%s) called exec and runs on without squall", found->pid, exe);
        break;
    case WATCH_NOTHING:
        break;
    }
}

static void say_children(struct top *top) {
    char first[48] = "a process";
    int last;
    uint32_t count = watch_children(top->watch, &last);
    if (count == 0)
        return;
    if (count > 1)
        snprintf(first, sizeof first, "%u processes", count);
    else if (last)
        snprintf(first, sizeof first, "process %d", last);
    snprintf(top->status, sizeof top->status, "It started %s under squall, too: p lists all",
             first);
}

static void read_watch(struct top *top) {
    struct profile_error failure;
    enum watch_event event;
    if (top->over)
        return;
    if (watch_read(top->watch, &event, &failure)) {
        snprintf(top->status, sizeof top->status, "%.300s", failure.text);
        top->over = true;
        return;
    }
    if (event == WATCH_FOLLOWED)
        top_detail_close(&top->detail);
    top->over = event == WATCH_ENDED;
    say_children(top);
    say(top, event); /* which is of more weight */
    /* Findings of its very end are worth their cost, once. */
    if (watch_look(top->watch, top->over, &failure))
        snprintf(top->status, sizeof top->status, "%.300s", failure.text);
    watch_history_add(&top->history, top->watch);
}

static void read_list(struct top *top) {
    struct profile_error ignored;
    uint64_t at = live_now();
    if (top->listed == 0 || at - top->listed >= LIST_EVERY_NS) {
        if (watch_list_find(&top->list))
            snprintf(top->status, sizeof top->status, "processes cannot be listed: no memory");
        top->listed = at;
    }
    watch_list_read(&top->list);
    for (uint32_t i = 0; i < top->list.count; i++)
        watch_look(top->list.watches[i], false, &ignored);
}

void top_refill(struct top *top) {
    watch_view_fill(&top->view, top->watch, &top->history, &top->list);
}

void top_refresh(struct top *top) {
    if (top->paused)
        return;
    if (top->watch)
        read_watch(top);
    else
        read_list(top);
    top_refill(top);
    top_detail_renew(top);
}

void top_look_now(struct top *top) {
    struct profile_error failure;
    if (top->watch && watch_look(top->watch, true, &failure))
        snprintf(top->status, sizeof top->status, "%.300s", failure.text);
    top_refill(top);
    top_detail_renew(top);
}

/* ---- which process ---- */

static void leave(struct top *top) {
    top_detail_close(&top->detail);
    top_detail_close(&top->preview);
    watch_close(top->watch);
    top->watch = NULL;
    watch_history_free(&top->history);
    top->over = top->paused = false;
    top->status[0] = 0;
    top->first = 0;
    top->view.filter[0] = 0;
}

void top_choose(struct top *top, const struct profile_found *found) {
    struct profile_error failure;
    struct watch *watch;
    if (watch_open_found(found, &watch, &failure)) {
        snprintf(top->status, sizeof top->status, "%.300s", failure.text);
        return;
    }
    leave(top);
    top->watch = watch;
    watch_view_turn(&top->view, top->tab);
    top_refresh(top);
}

void top_show_list(struct top *top) {
    leave(top);
    top->listed = 0;
    watch_view_turn(&top->view, WATCH_PROCESSES);
    top_refresh(top);
}

/* ---- the loop ---- */

/* Until a key, the end of the process, or the time has come. */
static void wait_for_something(struct top *top, uint64_t due) {
    struct pollfd wait[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    uint64_t at = live_now(), left = due > at ? due - at : 0;
    struct timespec pause = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    if (top->watch && !top->over && !top->paused)
        wait[1].fd = watch_descriptor(top->watch);
    ppoll(wait, 2, &pause, NULL);
    /* A terminal that went away has nothing to read, for ever. */
    if (wait[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        top->quit = true;
    if (wait[1].revents)
        top_refresh(top);
}

static void loop(struct top *top) {
    uint64_t due = live_now() + top->every_ns;
    top_refresh(top);
    while (!top->quit && !top_screen_is_over()) {
        int key;
        top_draw(top);
        wait_for_something(top, due);
        while (!top->quit && (key = getch()) != ERR)
            top_key(top, key);
        if (live_now() >= due) {
            top_refresh(top);
            due = live_now() + top->every_ns;
        }
    }
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct top *top, int *pid, int argc, char **argv) {
    static const struct option options[] = {
        {"every", required_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, status = 0;
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'e') {
            status = live_parse_every("top", optarg, &top->every_ns);
        } else if (option == 'h') {
            fputs(usage, stdout);
            status = -1;
        } else {
            status = message_option("top", argv);
        }
    }
    if (status || optind == argc)
        return status;
    if (optind + 1 < argc) {
        message("top: '%s': one process at most", argv[optind + 1]);
        return message_usage("top");
    }
    return live_parse_pid("top", argv[optind], pid);
}

int command_top(int argc, char **argv) {
    struct top top = {.every_ns = 1000000000u, .tab = WATCH_SITES};
    struct profile_error failure;
    int pid = 0, status = parse_options(&top, &pid, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    command_take_descriptors();
    if (pid && watch_open(pid, &top.watch, &failure)) {
        message("%s", failure.text);
        return COMMAND_USAGE;
    }
    int error = top_screen_open();
    if (error) {
        message("top: %s", error == -ENOTTY ? "needs a terminal; squall live needs none"
                                            : "this terminal cannot be used (TERM)");
        watch_close(top.watch);
        return COMMAND_FAILED;
    }
    watch_view_open(&top.view, top.watch ? top.tab : WATCH_PROCESSES);
    loop(&top);
    top_screen_close();
    if (top.over && top.status[0])
        message("%s", top.status);
    leave(&top);
    watch_view_free(&top.view);
    watch_list_free(&top.list);
    return COMMAND_OK;
}
