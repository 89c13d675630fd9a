/* Calls all C++ operators, from here and from libstdc++ (a string that grows). */
#include <new>
#include <string>

#define KEEP(p) __asm__ volatile("" : "+r"(p))

struct alignas(64) Wide {
    char room[64];
};

/* A few, in no time. */
extern "C" void operators_use_few() {
    char *one = new char, *many = new char[10];
    KEEP(one);
    KEEP(many);
    delete one;
    delete[] many;
}

extern "C" void operators_use() {
    const std::align_val_t a{64};
    for (size_t n = 1; n < 3000; n += 700) {
        void *p = operator new(n);
        operator delete(p);
        p = operator new(n);
        operator delete(p, n);
        p = operator new[](n);
        operator delete[](p);
        p = operator new[](n);
        operator delete[](p, n);
        p = operator new(n, std::nothrow);
        operator delete(p, std::nothrow);
        p = operator new[](n, std::nothrow);
        operator delete[](p, std::nothrow);
        p = operator new(n, a);
        operator delete(p, a);
        p = operator new(n, a);
        operator delete(p, n, a);
        p = operator new[](n, a);
        operator delete[](p, a);
        p = operator new[](n, a);
        operator delete[](p, n, a);
        p = operator new(n, a, std::nothrow);
        operator delete(p, a, std::nothrow);
        p = operator new[](n, a, std::nothrow);
        operator delete[](p, a, std::nothrow);
    }
    Wide *w = new Wide[3], *one = new Wide;
    KEEP(w);
    KEEP(one);
    delete[] w;
    delete one;
    std::string s;
    for (int i = 0; i < 1000; i++)
        s += "hello";
    std::string t(s, 3);
    t.append(100, 'x');
    s.swap(t);
    s.insert(10, t);
}
