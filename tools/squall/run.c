/* squall run: a program under the profiler, from its start to the packed dump. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "go.h"
#include "run.h"

static const char usage[] =
    "usage: squall run [options] [--] PROGRAM [ARGUMENT]...\n"
    "\n"
    "Runs a program with libsquall.so preloaded. Into a static Go program the hook of its heap is\n"
    "put instead, and, while they run, into those that it starts. When it ends, what it and its\n"
    "children did is packed into one file, a summary is shown, and the program's exit status is\n"
    "passed on.\n"
    "\n"
    "  -o FILE            the file to write (else one in the folder, named after the process)\n"
    "  --dir DIR          the folder to record in (else $SQUALL_DIR, else one in memory)\n"
    "  --mode MODE        default (large blocks exactly, small ones sampled) or exact\n"
    "  --large SIZE       from which size a block is large (64k)\n"
    "  --sample SIZE      mean bytes between two samples of small blocks (512k; 0 = none)\n"
    "  --conf KEY:VALUE,… anything else of SQUALL_CONF\n"
    "  --no-children      record the program alone\n"
    "  --no-patch         change no code of it: no arguments of codec calls, no heap of Go\n"
    "  --keep             leave the unpacked regions\n"
    "  --quiet            no summary, and nothing on stderr but errors\n";

struct options {
    const char *output, *folder;
    char conf[4096];
    bool quiet, keep;
};

/* ---- options ---- */

static int add_conf(struct options *o, const char *key, const char *value) {
    size_t at = strlen(o->conf);
    int length = snprintf(o->conf + at, sizeof o->conf - at, "%s%s%s%s", at ? "," : "",
                          key ? key : "", key ? ":" : "", value);
    if (length >= 0 && (size_t)length < sizeof o->conf - at)
        return 0;
    message("run: the configuration is too long");
    return COMMAND_USAGE;
}

static int add_size(struct options *o, const char *key, const char *value) {
    uint64_t size;
    if (base_parse_size(value, strlen(value), &size) == 0)
        return add_conf(o, key, value);
    message("run: --%s: '%s' is not a size", key, value);
    return COMMAND_USAGE;
}

static int take_option(struct options *o, int option, const char *value, char **argv) {
    switch (option) {
    case 'o':
        o->output = value;
        return 0;
    case 'd':
        o->folder = value;
        return 0;
    case 'm':
        if (strcmp(value, "default") == 0 || strcmp(value, "exact") == 0)
            return add_conf(o, "mode", value);
        message("run: --mode: '%s' is neither default nor exact", value);
        return COMMAND_USAGE;
    case 'l':
        return add_size(o, "large", value);
    case 's':
        return add_size(o, "sample", value);
    case 'c':
        return add_conf(o, NULL, value);
    case 'n':
        return add_conf(o, "children", "off");
    case 'p':
        return add_conf(o, NULL, "args:off,go:off");
    case 'k':
        o->keep = true;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case 'h':
        fputs(usage, stdout);
        return -1;
    default:
        return message_option("run", argv);
    }
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct options *o, int argc, char **argv) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"dir", required_argument, NULL, 'd'},
        {"mode", required_argument, NULL, 'm'},   {"large", required_argument, NULL, 'l'},
        {"sample", required_argument, NULL, 's'}, {"conf", required_argument, NULL, 'c'},
        {"no-children", no_argument, NULL, 'n'},  {"no-patch", no_argument, NULL, 'p'},
        {"keep", no_argument, NULL, 'k'},         {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *inherited = getenv("SQUALL_CONF");
    int status = 0, option;
    if (inherited && *inherited) /* first: the last value of a key wins */
        status = add_conf(o, NULL, inherited);
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "+o:qh", options, NULL)) != -1)
        status = take_option(o, option, optarg, argv);
    if (status == 0 && optind >= argc) {
        message("run: no program is given");
        status = message_usage("run");
    }
    return status;
}

/* ---- before ---- */

static bool find_library(char *path) {
    static const char *const places[] = {
        "%s/libsquall.so",
        "%s/../lib/squall/libsquall.so",
        "%s/../lib/libsquall.so",
        "/usr/lib/x86_64-linux-gnu/squall/libsquall.so",
        "/usr/local/lib/squall/libsquall.so",
    };
    char own[PATH_MAX], candidate[PATH_MAX + 64];
    const char *given = getenv("SQUALL_LIB");
    if (given && *given)
        return realpath(given, path) != NULL;
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length > 0 ? length : 0] = 0;
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(candidate, sizeof candidate, places[i], own);
#pragma GCC diagnostic pop
        if (access(candidate, R_OK) == 0 && realpath(candidate, path))
            return true;
    }
    return false;
}

/* Ours first: what stood there before is the next allocator. */
static int preload(const char *library) {
    const char *before = getenv("LD_PRELOAD");
    char *value = NULL;
    if (strpbrk(library, " :")) {
        message("run: %s cannot be preloaded: its path holds a blank or a colon", library);
        return COMMAND_FAILED;
    }
    if (asprintf(&value, "%s%s%s", library, before && *before ? ":" : "", before ? before : "") <
            0 ||
        setenv("LD_PRELOAD", value, 1) != 0) {
        message("run: no memory");
        return COMMAND_FAILED;
    }
    free(value);
    return 0;
}

/* The program may change its folder: SQUALL_DIR has to be absolute. */
static int choose_folder(const struct options *o, char *path) {
    const char *folder = o->folder ? o->folder : getenv("SQUALL_DIR");
    path[0] = 0;
    if (!folder || !*folder)
        return 0;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        message("run: %s: cannot be made: %s", folder, strerror(errno));
        return COMMAND_FAILED;
    }
    if (!realpath(folder, path) || setenv("SQUALL_DIR", path, 1) != 0) {
        message("run: %s: %s", folder, strerror(errno));
        return COMMAND_FAILED;
    }
    return 0;
}

static int prepare(const struct options *o, const struct program *program, char *folder,
                   uint64_t *run_id) {
    char library[PATH_MAX], id[17];
    if (!find_library(library)) {
        message("run: libsquall.so is neither beside squall nor where it is installed; "
                "SQUALL_LIB may name it");
        return COMMAND_FAILED;
    }
    while (*run_id == 0)
        if (getrandom(run_id, sizeof *run_id, 0) != (ssize_t)sizeof *run_id)
            *run_id = base_mix((uint64_t)getpid() ^ (uint64_t)(uintptr_t)&library);
    snprintf(id, sizeof id, "%016" PRIx64, *run_id);
    int status = choose_folder(o, folder);
    if (status == 0 && program->keep_preload)
        status = preload(library);
    if (status == 0 && (setenv("SQUALL_RUN_ID", id, 1) != 0 ||
                        (o->conf[0] && setenv("SQUALL_CONF", o->conf, 1) != 0)))
        status = COMMAND_FAILED;
    return status;
}

/* As a shell says it. */
static int say_not_executed(const char *name, int error) {
    if (error == ENOENT && !strchr(name, '/'))
        message("%s: command not found", name);
    else
        message("%s: %s", name, strerror(error));
    return error == ENOENT ? 127 : 126;
}

/* ---- while it runs: a static program, which may be Go; its control group ---- */

#define GROUP_NS 100000000ull

struct running {
    const char *folder;
    struct oom_group group;
    uint64_t run_id;
    struct go_result result;
    bool was_met;
    struct follow *follow;
};

static void hook_static(void *data, struct child *child) {
    struct running *s = data;
    s->was_met = true;
    go_install_at_exec(child->pid, s->folder, getenv("SQUALL_CONF"), s->run_id, &s->result);
    child->has_ended = s->result.has_ended;
    child->status = s->result.end_status;
}

/* Every now and then. */
static uint64_t look_after(void *data, struct child *child) {
    struct running *s = data;
    oom_look(child->pid, &s->group);
    return s->follow ? follow_look(s->follow, child) : GROUP_NS;
}

/* As early as it is known. */
static void say_static(const struct program *program, const struct running *s, const char *name) {
    if (!s->was_met || s->result.is_no_go)
        message("%s %s: its allocations are not visible", name, program->reason);
    else if (s->result.reason[0])
        message("%s %s: its allocations are not visible (Go: %s)", name, program->reason,
                s->result.reason);
}

/* ---- after ---- */

static void describe_end(const struct child *child, bool by_oom, struct profile_end *end) {
    end->pid = child->pid;
    end->start_ticks = child->start_ticks;
    end->raw_ns = child->end_raw_ns;
    if (WIFEXITED(child->status))
        snprintf(end->ended_by, sizeof end->ended_by, "exit %d", WEXITSTATUS(child->status));
    else if (WTERMSIG(child->status) == SIGKILL && by_oom)
        snprintf(end->ended_by, sizeof end->ended_by, "oom");
    else
        snprintf(end->ended_by, sizeof end->ended_by, "signal %d", WTERMSIG(child->status));
}

static void name_survivors(const struct gathered *g) {
    for (uint32_t i = 0; i < g->alive_count; i++)
        message("still running, left for later: process %d (%s), %s", g->alive[i].pid,
                g->alive[i].exe[0] ? g->alive[i].exe : "?", g->alive[i].path);
}

/* Beside the region; but what we write is not put into a folder of somebody else's, as that of whom
 * the program became is. */
static int name_output(const struct gathered_region *region, char *path, size_t size) {
    char folder[PATH_MAX - 512];
    const char *slash = strrchr(region->path, '/'), *name = slash ? slash + 1 : region->path;
    int before = (int)(name - region->path), length = (int)(strlen(name) - strlen(".region"));
    if (region->is_ours) {
        snprintf(path, size, "%.*s.squall", before + length, region->path);
        return 0;
    }
    int status = profile_default_folder(folder, sizeof folder);
    if (status == 0 && mkdir(folder, 0700) != 0 && errno != EEXIST)
        status = -errno;
    snprintf(path, size, "%s/%.*s.squall", folder, length, name);
    return status;
}

/* The name of the dump: that of the program's own region, the last one if it called exec; of any,
 * if it has none. */
static int choose_output(const struct options *o, const struct gathered *g,
                         const struct child *child, char *path, size_t size) {
    const struct gathered_region *best = &g->ended[0];
    bool own = false;
    if (o->output) {
        snprintf(path, size, "%s", o->output);
        return 0;
    }
    for (uint32_t i = 0; i < g->ended_count; i++) {
        const struct gathered_region *r = &g->ended[i];
        if (r->pid != child->pid || (own && r->realtime_ns < best->realtime_ns))
            continue;
        best = r;
        own = true;
    }
    return name_output(best, path, size);
}

static void show(const struct options *o, const char *output) {
    struct profile profile;
    struct profile_error error;
    struct stat s;
    char size[32];
    if (o->quiet)
        return;
    if (profile_load(output, &profile, NULL, NULL, NULL, &error) != 0) {
        message("%s", error.text);
        return;
    }
    if (command_summary(&profile, stderr) != 0)
        message("the summary could not be shown");
    profile_free(&profile);
    fflush(stderr);
    if (stat(output, &s) == 0)
        message("recorded in %s (%s)", output,
                message_size((uint64_t)s.st_size, size, sizeof size));
}

static int pack(const struct options *o, const struct gathered *g, const struct child *child,
                bool by_oom) {
    char output[PATH_MAX];
    struct profile_error error;
    struct profile_end end = {0};
    struct namer *namer = namer_open();
    const char **paths = calloc(g->ended_count, sizeof *paths);
    int status = -ENOMEM;
    if (!paths)
        goto cleanup;
    for (uint32_t i = 0; i < g->ended_count; i++)
        paths[i] = g->ended[i].path;
    describe_end(child, by_oom, &end);
    status = choose_output(o, g, child, output, sizeof output);
    if (status) {
        message("run: no folder for the dump: %s; the regions are left as they are: squall pack %s",
                strerror(-status), paths[0]);
        goto cleanup;
    }
    status = profile_pack(paths, g->ended_count, output, &end, 1, namer ? namer_name : NULL, namer,
                          !o->keep, &error);
    if (status)
        message("%s; the regions are left as they are: squall pack %s", error.text, paths[0]);
    else
        show(o, output);
cleanup:
    free(paths);
    namer_close(namer);
    return status;
}

/* The program has ended: whatever fails from here on, its status is what counts. */
static void collect(const struct options *o, const char *folder, uint64_t run_id,
                    const struct program *program, const struct child *child, bool by_oom) {
    struct gathered g;
    if (gather_regions(folder[0] ? folder : NULL, run_id, &g) != 0)
        message("run: no memory");
    else if (g.ended_count > 0)
        pack(o, &g, child, by_oom);
    else if (g.alive_count == 0 && !program->reason[0])
        message("nothing was recorded: the program did not load libsquall.so, recorded into memory "
                "only, or ended before its first allocation");
    if (!o->quiet)
        name_survivors(&g);
    gather_free(&g);
}

int command_run(int argc, char **argv) {
    struct options o = {0};
    struct program program;
    struct child child;
    struct profile_error error;
    char folder[PATH_MAX];
    uint64_t run_id = 0;
    int status = parse_options(&o, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    argv += optind;
    /* Better now than after hours. */
    if (o.output && profile_pack_check(o.output, &error) != 0) {
        message("run: %s", error.text);
        return COMMAND_USAGE;
    }
    program_inspect(argv[0], &program);
    if (program.error)
        return say_not_executed(argv[0], program.error);
    if (program.reason[0] && !program.is_static)
        message("%s %s: its allocations are not visible", argv[0], program.reason);
    status = prepare(&o, &program, folder, &run_id);
    if (status)
        return status;
    struct running s = {.folder = folder[0] ? folder : NULL, .run_id = run_id};
    oom_look(getpid(), &s.group);
    s.follow = follow_open(s.folder, getenv("SQUALL_CONF"), run_id, program.is_static);
    status = child_run(argv, &child, program.is_static ? hook_static : NULL, look_after, &s);
    if (program.is_static && status == 0 && !child.exec_error)
        say_static(&program, &s, argv[0]);
    if (status) {
        message("run: no child process: %s", strerror(-status));
        return COMMAND_FAILED;
    }
    if (child.exec_error)
        return say_not_executed(argv[0], child.exec_error);
    collect(&o, folder, run_id, &program, &child, oom_has_killed(&s.group));
    follow_say(s.follow, o.quiet);
    follow_close(s.follow);
    child_imitate(&child);
}
