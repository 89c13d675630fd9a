#include <stdlib.h>
static void *volatile plugin_sink;
void NAME(void) {
    free(plugin_sink = malloc(80000));
}
