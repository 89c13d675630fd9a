/* A library that allocates before the program's constructors and after its destructors. */
#include "danger.h"

#include <string>

static std::string *kept;
static void *block;

extern "C" void *exits_block(void) {
    void *p = block;
    block = NULL;
    return p;
}

__attribute__((constructor)) static void begin() {
    kept = new std::string(100000, 'l');
    block = malloc(70000);
    danger_churn(20, 7);
    dprintf(1, "library's constructor\n");
}

__attribute__((destructor)) static void end() {
    danger_churn(20, 8);
    dprintf(1, "library's destructor %zu\n", kept->size());
    delete kept;
}
