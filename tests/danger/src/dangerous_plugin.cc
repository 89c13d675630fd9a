/* A library that allocates as it is loaded and unloaded, throws, and has thread-local data. */
#include <stdexcept>
#include <string>
#include <vector>

#include <stdlib.h>

static std::vector<std::string> *kept;
static thread_local std::string local = "a string in each thread, too long to be kept within";

__attribute__((constructor)) static void begin() {
    kept = new std::vector<std::string>(20, std::string(300, 'k'));
    kept->push_back(std::string(100000, 'l'));
}

__attribute__((destructor)) static void end() {
    free(malloc(90000));
    delete kept;
}

extern "C" int plugin_work(int i) {
    try {
        if (i % 2)
            throw std::runtime_error(std::string(70000, 'e'));
    } catch (const std::exception &e) {
        return (int)std::string(e.what()).size();
    }
    return (int)(local + std::string(80000, 'w')).size();
}

extern "C" void *plugin_allocate(size_t n) { return malloc(n); }
extern "C" void plugin_free(void *p) { free(p); }
