// Every operator new and delete, 10 times each.
#include <cstdio>
#include <cstdlib>
#include <new>

struct alignas(256) Wide {
    char c[256];
    Wide() {
        c[0] = 1;
    }
};
struct Plain {
    char c[48];
    Plain() {
        c[0] = 1;
    }
};
static void *volatile sink;
template <class T> static T *keep(T *p) {
    sink = p;
    return p;
}

void plain() {
    delete keep(new Plain);
}
void array() {
    delete[] keep(new Plain[4]);
}
void nothrow() {
    operator delete(keep((char *)operator new(50, std::nothrow)), std::nothrow);
}
void nothrow_array() {
    operator delete[](keep((char *)operator new[](51, std::nothrow)), std::nothrow);
}
void aligned() {
    delete keep(new Wide);
}
void aligned_array() {
    delete[] keep(new Wide[2]);
}
void aligned_nothrow() {
    std::align_val_t a{512};
    operator delete(keep((char *)operator new(600, a, std::nothrow)), a, std::nothrow);
}
void aligned_nothrow_array() {
    std::align_val_t a{512};
    operator delete[](keep((char *)operator new[](601, a, std::nothrow)), a, std::nothrow);
}
void sized() {
    operator delete(keep((char *)operator new(52)), (std::size_t)52);
}
void unsized() {
    operator delete(keep((char *)operator new(53)));
}
void sized_array() {
    operator delete[](keep((char *)operator new[](54)), (std::size_t)54);
}
void aligned_sized() {
    std::align_val_t a{128};
    operator delete(keep((char *)operator new(200, a)), (std::size_t)200, a);
}
// The failing ones: nothing is recorded, what is thrown arrives.
void fails() {
    try {
        sink = operator new((std::size_t)1 << 62);
        std::abort();
    } catch (const std::bad_alloc &) {
    }
    if (operator new((std::size_t)1 << 62, std::nothrow))
        std::abort();
}

int main(int argc, char **) {
    // mimalloc 2.0 aborts instead of throwing, with and without squall.
    bool may_fail = argc < 2;
    for (int i = 0; i < 10; i++) {
        plain();
        array();
        nothrow();
        nothrow_array();
        aligned();
        aligned_array();
        aligned_nothrow();
        aligned_nothrow_array();
        sized();
        unsized();
        sized_array();
        aligned_sized();
        if (may_fail)
            fails();
    }
    std::puts("done");
}
