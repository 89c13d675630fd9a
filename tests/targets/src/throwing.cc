// A Python extension in C++ (no headers of Python needed): loaded with RTLD_LOCAL through ctypes or
// import, it throws and catches bad_alloc from an operator new that only its own scope has.
#include <cstddef>
#include <new>

extern "C" int squall_test_throws() {
    int caught = 0;
    for (int i = 0; i < 100; i++) {
        try {
            // Not a new-expression: those may be optimised away.
            operator delete[](operator new[]((std::size_t)1 << 62));
        } catch (const std::bad_alloc &) {
            caught++;
        }
        operator delete(operator new((std::size_t)i));
    }
    return caught;
}
