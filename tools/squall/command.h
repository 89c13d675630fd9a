/* command: what main.c and the commands share. One file a command, one line in main.c's table. */
#ifndef SQUALL_COMMAND_H
#define SQUALL_COMMAND_H

#include "compare/compare.h"
#include "profile/profile.h"

/* Exit statuses. */
enum {
    COMMAND_OK = 0,
    COMMAND_FAILED = 1, /* this machine could not do it */
    COMMAND_USAGE = 2   /* wrong options, or input that cannot be read */
};

/* argv[0] is the command's name. Each returns an exit status; "--help" prints its own usage. */
int command_run(int argc, char **argv);
int command_report(int argc, char **argv);
int command_export(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_check(int argc, char **argv);
int command_merge(int argc, char **argv);
int command_pack(int argc, char **argv);
int command_clean(int argc, char **argv);
int command_metrics(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_live(int argc, char **argv);
int command_snapshot(int argc, char **argv);
int command_top(int argc, char **argv);
int command_attach(int argc, char **argv);
int command_detach(int argc, char **argv);
int command_go_profile(int argc, char **argv);

/* The folder to work on when none is given; returns an exit status, and says why. */
int command_default_folder(const char *command, char *path, size_t size);

/* As many file descriptors as may be had, for what watches all processes. Not before anything is
 * run, which would inherit it. */
void command_take_descriptors(void);

/* A screen about a profile; returns 0 or a negative errno. */
int command_summary(const struct profile *profile, FILE *out);

/* ---- inputs.c: what the arguments of a command lead to ---- */

struct inputs {
    const char *command;      /* its name, for messages */
    struct profile *profiles; /* one for each argument */
    uint32_t profile_count;
    const struct profile_process **processes; /* of all of them, oldest first, each once */
    uint32_t process_count;
};

/* Files, folders or process numbers, ended by NULL; without any the newest file of `folder` (NULL =
 * where the shim writes). Returns an exit status, and says why; inputs_free in any case. */
int inputs_load(struct inputs *in, const char *command, const char *folder, char **paths);
void inputs_free(struct inputs *in);

/* diff.c: adds all processes to one side of a comparison; returns 0 or a negative errno. */
int command_compare(struct compare *c, enum compare_which which, const struct inputs *in,
                    struct analyse_names *names);

/* export.c: the page of all processes. The first returns an exit status, and says that this squall
 * has none; the second 0 or a negative errno. */
int command_need_page(const char *command);
int command_write_page(FILE *out, const struct inputs *in, const struct analyse_options *options,
                       struct analyse_names *names, bool lines);

/* ---- output.c ---- */

/* Has `write` write a document to a file, which is there only when it is whole. What can fail
 * returns 0 or a negative errno. */
int command_write_file(const char *path, int (*write)(void *data, FILE *out), void *data);

/* ---- message.c ---- */

/* One line "squall: …" on stderr, written at once. */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* For the reader: "1,234 bytes" would be too exact; writes "12.3 MiB". */
const char *message_size(uint64_t bytes, char *text, size_t size);
/* Where to find the usage; returns COMMAND_USAGE. */
int message_usage(const char *command);
/* The same after naming what getopt_long (with opterr 0) did not like. */
int message_option(const char *command, char **argv);

/* ---- namer.c: names for a dump ---- */

struct namer;

struct namer *namer_open(void); /* NULL: no memory, the dump has no names then */
/* For a process that sees its files below `root` ("" = as we do). */
struct namer *namer_open_below(const char *root);
void namer_close(struct namer *namer);
/* A profile_namer; data is the namer. */
uint32_t namer_name(void *namer, const struct profile_process *p, uint32_t module, uint64_t address,
                    struct profile_symbol *out, uint32_t max);

#endif
