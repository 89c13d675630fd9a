/* What could not be seen of a Go program. */
#include <string.h>

#include "internal.h"

static int say_watched(struct analysis *a) {
    const struct profile_go_runtime *go = &a->process->go;
    char least[32];
    int error = analyse_visible_say(
        a, "go",
        "%s: of its heap, blocks from %s up are seen, exactly; smaller ones are not visible. A "
        "block's life ends when the collector sweeps it, which may be long after its last use%s",
        go->version && *go->version ? go->version : "Go",
        analyse_format_bytes(least, sizeof(least), go->threshold),
        go->state == REGION_GO_DETACHED ? "; the hook was taken out again" : "");
    uint64_t open = go->entries > go->exits ? go->entries - go->exits : 0;
    if (!error && open > go->at_once)
        error = analyse_visible_say(a, "go",
                                    "%llu allocations of Go's heap began and were not seen "
                                    "to end",
                                    (unsigned long long)(open - go->at_once));
    return error;
}

/* A reason is a function that is not as a compiler makes it, or says all by itself. */
static int say_declined(struct analysis *a, const char *version, const char *reason) {
    if (!reason || !*reason)
        reason = "something";
    bool is_whole = strncmp(reason, "runtime.", 8) != 0 && strcmp(reason, "something") != 0;
    return analyse_visible_say(a, "go",
                               "%s: its heap is not visible, the program was left as it is: %s%s; "
                               "squall go-profile may help",
                               version, reason, is_whole ? "" : " did not verify");
}

int analyse_visible_go(struct analysis *a) {
    const struct profile_go_runtime *go = &a->process->go;
    const char *version = go->version && *go->version ? go->version : "Go";
    switch (go->state) {
    case REGION_GO_HOOKED:
    case REGION_GO_DETACHED:
        return say_watched(a);
    case REGION_GO_OFF:
        return analyse_visible_say(a, "go", "%s: its heap is not visible: go:off", version);
    case REGION_GO_DECLINED:
        return say_declined(a, version, go->reason);
    default:
        return 0;
    }
}
