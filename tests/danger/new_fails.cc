/* danger: operator new of all kinds: too much, nothrow, aligned, with a new_handler, sized delete
 * allocators: glibc jemalloc tcmalloc (mimalloc's operators abort instead of throwing)
 * build: -std=c++17 -Wno-alloc-size-larger-than */
#include "danger.h"

#include <new>
#include <vector>

static unsigned handled;

template <class F> static void attempt(const char *what, F f) {
    handled = 0;
    try {
        f();
        printf("%s: done, handler called %u times\n", what, handled);
    } catch (const std::bad_array_new_length &) {
        printf("%s: bad length\n", what);
    } catch (const std::bad_alloc &) {
        printf("%s: bad_alloc, handler called %u times\n", what, handled);
    }
}

struct alignas(256) Wide {
    char room[1000];
};

int main() {
    volatile size_t huge = PTRDIFF_MAX - 4096, negative = SIZE_MAX;
    void *volatile p;
    for (int round = 0; round < 2; round++) {
        attempt("new", [&] { p = operator new(huge); });
        attempt("new[]", [&] { p = operator new[](huge); });
        attempt("new, nothrow", [&] { CHECK(!(p = operator new(huge, std::nothrow))); });
        attempt("new, aligned", [&] { p = operator new(huge, std::align_val_t(64)); });
        attempt("new, aligned, nothrow", [&] { CHECK(!(p = operator new(huge, std::align_val_t(64), std::nothrow))); });
        attempt("new of too many", [&] { p = new Wide[negative / 2]; });
        attempt("vector", [&] { std::vector<Wide> v(huge / sizeof(Wide) / 2); });
        std::set_new_handler([] {
            if (++handled == 3)
                throw std::bad_alloc();
            danger_churn(5, 1);
        });
    }
    for (unsigned i = 0; i < 300; i++) {
        size_t n = danger_size(i);
        char *a = new char[n], *b = static_cast<char *>(operator new(n));
        Wide *w = new Wide, *many = new Wide[3];
        CHECK(reinterpret_cast<uintptr_t>(w) % 256 == 0 && reinterpret_cast<uintptr_t>(many) % 256 == 0);
        a[n - 1] = b[n - 1] = w->room[999] = many[2].room[999] = 1;
        delete[] a;
        operator delete(b, n);
        delete w;
        delete[] many;
        p = operator new(0);
        CHECK(p);
        operator delete(p);
        operator delete(nullptr);
        p = operator new(n, std::align_val_t(1024), std::nothrow);
        operator delete(p, n, std::align_val_t(1024));
    }
}
