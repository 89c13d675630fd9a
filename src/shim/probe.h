/* probe: otel_memory:alloc(ptr, size, weighted_bytes) and otel_memory:free(ptr), the static probes
 * (USDT) that the OpenTelemetry eBPF profiler and other tracers attach to, see docs/fleet.md.
 *
 * Why: a tracer that is on the machine anyway then gets what squall samples, with weights, and
 * needs neither the region nor a hook of its own on malloc.
 *
 * Who writes what: a tracer (for most, the kernel on its behalf) raises a probe's semaphore as it
 * attaches and lowers it as it goes; squall only reads them. While nobody watches, a probe costs
 * the load of its semaphore. alloc fires for what is recorded at a site, free for the end of such a
 * block in the process that made it, whether or not the alloc was watched. */
#ifndef SQUALL_SHIM_PROBE_H
#define SQUALL_SHIM_PROBE_H

#include "base/base.h"

extern volatile uint16_t probe_alloc_semaphore HIDDEN;
extern volatile uint16_t probe_free_semaphore HIDDEN;

/* The arguments stand in the registers of a call: readers that do not decode a probe's description
 * of them, but take a function's arguments, see the same. */
void probe_fire_alloc(uint64_t address, uint64_t size, uint64_t weighted_bytes) HIDDEN;
void probe_fire_free(uint64_t address) HIDDEN;

INLINE bool probe_watches_alloc(void) {
    return UNLIKELY(probe_alloc_semaphore != 0);
}

INLINE bool probe_watches_free(void) {
    return UNLIKELY(probe_free_semaphore != 0);
}

#endif
