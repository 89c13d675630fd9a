/* Quantiles from histograms of half-octave classes. */
#include "internal.h"

double analyse_spread_quantile(const uint32_t *classes, double q) {
    uint64_t total = 0, before = 0;
    for (uint32_t c = 0; c < REGION_CLASSES; c++)
        total += classes[c];
    if (total == 0)
        return -1;
    double wanted = q * (double)total;
    uint32_t c = 0;
    while (c + 1 < REGION_CLASSES && (double)(before + classes[c]) < wanted)
        before += classes[c++];
    while (c > 0 && classes[c] == 0) /* q beyond the last value */
        before -= classes[--c];
    double start = c < 2 ? (double)c : (double)profile_class_start(c);
    double end = c < 1 ? 1 : (double)profile_class_start(c + 1);
    double within = classes[c] ? (wanted - (double)before) / (double)classes[c] : 0;
    return start + (end - start) * (within < 0 ? 0 : within > 1 ? 1 : within);
}

static uint64_t clamp(double value, const struct analyse_spread *spread) {
    if (value <= (double)spread->min)
        return spread->min;
    if (value >= (double)spread->max)
        return spread->max;
    return analyse_whole(value + 0.5);
}

void analyse_spread_quantiles(struct analyse_spread *spread, const uint32_t *classes, double unit) {
    double p50 = classes && unit > 0 ? analyse_spread_quantile(classes, 0.50) : -1;
    if (!spread->known)
        return;
    if (spread->min == spread->max) {
        spread->p50 = spread->p99 = spread->min;
        spread->quantiles = true;
    } else if (p50 >= 0) {
        spread->p50 = clamp(p50 / unit, spread);
        spread->p99 = clamp(analyse_spread_quantile(classes, 0.99) / unit, spread);
        spread->quantiles = true;
    }
}
