/* What the files of the command "metrics" share: metrics.c (options, order of things), serve.c
 * (HTTP), fleet.c and fleet_process.c (the figures). */
#ifndef SQUALL_METRICS_H
#define SQUALL_METRICS_H

#include "command.h"
#include "fleet.h"

/* ---- serve.c ---- */

struct serve;

/* Writes a new document: the figures of now, or the last ones while a look at them takes long.
 * Called by one thread at a time; returns 0 or a
 * negative errno. */
typedef int serve_write(void *data, FILE *out, bool openmetrics);

/* Listens at "ADDRESS:PORT", "[ADDRESS]:PORT", ":PORT" (all addresses) or "PORT" (this machine
 * only). Returns an exit status, and says why. */
int serve_open(const char *where, struct serve **serve);
/* Serves GET /metrics from a thread of its own. The same. */
int serve_start(struct serve *serve, serve_write *write, void *data);
void serve_stop(struct serve *serve);

#endif
