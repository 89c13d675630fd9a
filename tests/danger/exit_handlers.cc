/* danger: allocation in constructors, destructors and exit handlers of the program and of its libraries
 * library: libexits.so exits.cc
 * build: -L$DANGER_BIN -l:libexits.so */
#include "danger.h"

#include <string>
#include <vector>

extern "C" void *exits_block(void);
static void *early_block;

static void say(const char *what) {
    std::string s(80000, 'x');
    s += what;
    danger_churn(20, 1);
    dprintf(1, "%s\n", s.c_str() + 80000);
}

__attribute__((constructor(101))) static void early() {
    early_block = malloc(100000);
    say("constructor 101");
}
__attribute__((constructor)) static void later() { say("constructor"); }
__attribute__((destructor(101))) static void last() {
    free(early_block);
    say("destructor 101");
}
__attribute__((destructor)) static void destroy() { say("destructor"); }

struct Global {
    std::vector<std::string> strings{"a string that does not fit into itself", std::string(90000, 'z')};
    Global() { say("global"); }
    ~Global() {
        say(strings[0].c_str());
        free(exits_block());
    }
};
static Global global;

static void handler() {
    static int left = 3;
    say("atexit");
    if (left-- > 0)
        atexit(handler);
}

int main() {
    atexit(handler);
    on_exit([](int status, void *p) {
        free(p);
        dprintf(1, "on_exit %d\n", status);
        free(malloc(200000));
    }, malloc(100000));
    static thread_local Global of_main;
    say("main");
    exit(of_main.strings.size() == 2 ? 0 : 1);
}
