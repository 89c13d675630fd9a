/* The packed format, written: one process after the other, so that no more than one is in memory;
 * beside the output and renamed, so that a name never leads to half a dump. Between writer.c and
 * what packs (pack.c) and merges (merge.c). */
#ifndef SQUALL_PROFILE_WRITER_H
#define SQUALL_PROFILE_WRITER_H

#include "names.h"

struct writer {
    const char *name;
    int fd, folder; /* of the file that becomes the dump; of both */
    uint64_t at;
    void *zstd; /* ZSTD_CCtx */
    uint8_t *buffer;
    size_t buffer_size;
    uint64_t processes;  /* written so far */
    char temporary[256]; /* its name in the folder, "" = there is none */
    struct profile_error *error;
};

/* `w` needs writer_close whatever this returns. `folder` is that of `output`, if it is open, or -1.
 */
int writer_open(struct writer *w, int folder, const char *output, int level,
                struct profile_error *error);
/* `end` may be NULL: nothing is known but what `p` says. */
int writer_put(struct writer *w, const struct profile_process *p, const struct profile_end *end,
               const struct names *names);
/* Ends the dump and gives it its name. */
int writer_publish(struct writer *w);
/* Without writer_publish, or where that failed, nothing is left behind. */
void writer_close(struct writer *w);

#endif
