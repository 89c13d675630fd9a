/* How much would be alive if fewer calls ran at once. */
#include "finding.h"
#include "profile/profile.h"

#define AT_ONCE_MOST 64u
#define STEPS_MOST 2048u
#define ROUNDS 8u

/* Sizes of blocks, by the site's histogram. */
struct sizes {
    uint64_t total;
    uint32_t count;
    struct {
        uint64_t blocks;
        double from, to;
    } classes[REGION_CLASSES];
};

static void take_sizes(struct sizes *sizes, const struct analyse_site *site) {
    const uint32_t *classes = site->site->size_classes;
    for (uint32_t c = 0; c + 1 < REGION_CLASSES; c++) {
        double from = (double)profile_class_start(c), to = (double)profile_class_start(c + 1);
        if (!classes[c])
            continue;
        sizes->total += classes[c];
        sizes->classes[sizes->count].blocks = classes[c];
        sizes->classes[sizes->count].from =
            from < (double)site->size.min ? (double)site->size.min : from;
        sizes->classes[sizes->count++].to =
            to > (double)site->size.max ? (double)site->size.max : to;
    }
}

/* xorshift: the same numbers whenever a report is made. */
static double next(uint64_t *random) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (double)(*random >> 11) / 9007199254740992.0;
}

static double draw(const struct sizes *sizes, uint64_t *random) {
    double at = next(random) * (double)sizes->total;
    uint32_t i = 0;
    for (; i + 1 < sizes->count && at >= (double)sizes->classes[i].blocks; i++)
        at -= (double)sizes->classes[i].blocks;
    return sizes->classes[i].from +
           (sizes->classes[i].to - sizes->classes[i].from) * at / (double)sizes->classes[i].blocks;
}

/* The most that was alive while each of so many blocks took the place of the oldest. */
static double play(const struct sizes *sizes, uint32_t at_once, uint32_t steps, uint64_t *random) {
    double alive[AT_ONCE_MOST] = {0}, sum = 0, most = 0;
    for (uint32_t i = 0; i < steps; i++) {
        double size = draw(sizes, random), *place = &alive[i % at_once];
        sum += size - *place;
        *place = size;
        most = sum > most ? sum : most;
    }
    return most;
}

/* So many of the largest blocks hardly ever meet, so what the blocks did is played through. */
uint64_t finding_peak_of(const struct analyse_site *site, uint64_t at_once) {
    uint64_t block = site->size.max, random = 88172645463325252ull;
    uint32_t steps = site->sums.allocs < STEPS_MOST ? (uint32_t)site->sums.allocs : STEPS_MOST;
    struct sizes sizes = {0};
    double sum = 0;
    if (site->site->size_classes)
        take_sizes(&sizes, site);
    if (site->size.quantiles && site->size.p99 < block)
        block = site->size.p99;
    if (!sizes.total || site->size.min == site->size.max || at_once > AT_ONCE_MOST || !at_once)
        return at_once * block;
    for (uint32_t i = 0; i < ROUNDS; i++)
        sum += play(&sizes, (uint32_t)at_once, steps, &random);
    return analyse_whole(sum / ROUNDS);
}
