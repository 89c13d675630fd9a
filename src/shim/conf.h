/* conf: SQUALL_CONF → struct region_configuration, once, in the constructor (some programs clear
 * their environment). An unknown key or a bad value gives one line and the default. */
#ifndef SQUALL_SHIM_CONF_H
#define SQUALL_SHIM_CONF_H

#include <squall/region.h>

#include "base/base.h"

void conf_defaults(struct region_configuration *conf);
/* Applies "key:value,key:value". Names given with codec: are collected in `codec`, one a line, cut
 * at `codec_size`. Returns the number of items that were refused. */
unsigned conf_parse(const char *text, struct region_configuration *conf, char *codec,
                    size_t codec_size);
/* The value of NAME=value in an environment, NULL = not there. */
const char *conf_get(char *const *environment, const char *name);

#endif
