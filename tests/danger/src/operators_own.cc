/* All C++ operators, over a pool that tells its own blocks from others: a library to be opened, or with
 * -DPARTIAL only the forms that the other ones come back to, or with -DPROGRAM linked into a program. */
#include <cstddef>
#include <cstdint>
#include <new>

static char pool[1 << 22];
static size_t used;
static unsigned taken, given, strange;

static void *take(size_t n, size_t align = 16) {
    taken++;
    used = (used + align - 1) / align * align;
    void *p = pool + used;
    used += n;
    return p;
}
static void give(void *p) {
    if (!p)
        return;
    given++;
    if ((char *)p < pool || (char *)p >= pool + sizeof pool)
        strange++;
}
typedef std::align_val_t align;
typedef const std::nothrow_t &nothrow;

void *operator new(size_t n) { return take(n); }
void operator delete(void *p) noexcept { give(p); }
#ifndef PARTIAL
void *operator new[](size_t n) { return take(n); }
void *operator new(size_t n, nothrow) noexcept { return take(n); }
void *operator new[](size_t n, nothrow) noexcept { return take(n); }
void *operator new(size_t n, align a) { return take(n, (size_t)a); }
void *operator new[](size_t n, align a) { return take(n, (size_t)a); }
void *operator new(size_t n, align a, nothrow) noexcept { return take(n, (size_t)a); }
void *operator new[](size_t n, align a, nothrow) noexcept { return take(n, (size_t)a); }
void operator delete[](void *p) noexcept { give(p); }
void operator delete(void *p, size_t) noexcept { give(p); }
void operator delete[](void *p, size_t) noexcept { give(p); }
void operator delete(void *p, nothrow) noexcept { give(p); }
void operator delete[](void *p, nothrow) noexcept { give(p); }
void operator delete(void *p, align) noexcept { give(p); }
void operator delete[](void *p, align) noexcept { give(p); }
void operator delete(void *p, size_t, align) noexcept { give(p); }
void operator delete[](void *p, size_t, align) noexcept { give(p); }
void operator delete(void *p, align, nothrow) noexcept { give(p); }
void operator delete[](void *p, align, nothrow) noexcept { give(p); }
#endif

/* How many blocks were taken and given back, and how many of these are somebody else's. */
extern "C" void own_count(unsigned *counts) {
    counts[0] = taken;
    counts[1] = given;
    counts[2] = strange;
}

#include "operators_use.cc"

#ifdef PROGRAM
#include <dlfcn.h>
#include <stdio.h>
int main() {
    operators_use();
    void *other = dlopen("pool1.so", RTLD_NOW), *user = dlopen("user.so", RTLD_NOW);
    if (!other || !user)
        return 1;
    ((void (*)())dlsym(other, "operators_use"))();
    ((void (*)())dlsym(user, "operators_use"))();
    printf("program: %u taken, %u given, %u strange\n", taken, given, strange);
    ((void (*)(unsigned *))dlsym(other, "own_count"))(&taken);
    printf("library beside it: %u taken\n", taken);
}
#endif
