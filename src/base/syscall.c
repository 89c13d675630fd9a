#include "syscall.h"

uint32_t base_sandboxed __attribute__((visibility("hidden")));
