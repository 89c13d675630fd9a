/* The places of the probes and the notes that describe them to tracers, as <sys/sdt.h> of
 * SystemTap lays them out; written out here, so that building needs nothing.
 *
 * A note holds three addresses: of the probe, of .stapsdt.base (from how far that has moved a
 * reader knows how far a later tool moved the rest), and of the semaphore; then provider, name and
 * where each argument is. */
#include "probe.h"

#define SEMAPHORE __attribute__((section(".probes"), used))
volatile uint16_t probe_alloc_semaphore SEMAPHORE = 0;
volatile uint16_t probe_free_semaphore SEMAPHORE = 0;

__asm__(".pushsection .stapsdt.base,\"a\",@progbits\n"
        ".hidden probe_base\n"
        "probe_base: .space 1\n"
        ".size probe_base, 1\n"
        ".popsection\n");

/* A place of one byte, so that a breakpoint there replaces a whole instruction. */
#define PROBE(name, arguments)                \
    "990: nop\n"                              \
    ".pushsection .note.stapsdt,\"\",@note\n" \
    ".balign 4\n"                             \
    ".4byte 992f-991f, 994f-993f, 3\n"        \
    "991: .asciz \"stapsdt\"\n"               \
    "992: .balign 4\n"                        \
    "993: .8byte 990b\n"                      \
    ".8byte probe_base\n"                     \
    ".8byte probe_" name "_semaphore\n"       \
    ".asciz \"otel_memory\"\n"                \
    ".asciz \"" name "\"\n"                   \
    ".asciz \"" arguments "\"\n"              \
    "994: .balign 4\n"                        \
    ".popsection\n"

NOINLINE void probe_fire_alloc(uint64_t address, uint64_t size, uint64_t weighted_bytes) {
    register uint64_t a __asm__("rdi") = address;
    register uint64_t b __asm__("rsi") = size;
    register uint64_t c __asm__("rdx") = weighted_bytes;
    __asm__ volatile(PROBE("alloc", "8@%%rdi 8@%%rsi 8@%%rdx") : : "r"(a), "r"(b), "r"(c));
}

NOINLINE void probe_fire_free(uint64_t address) {
    register uint64_t a __asm__("rdi") = address;
    __asm__ volatile(PROBE("free", "8@%%rdi") : : "r"(a));
}
