#!/bin/bash
# Plugins in local scopes with operators of their own: each module's calls go where they would go
# without squall, also after the plugin that was asked first is gone.
. "$(dirname "$0")/lib.sh"
cat >"$TMPDIR/own.cc" <<'C'
#include <cstdlib>
#include <new>
static char pool[4096];
static int news, deletes;
void *operator new(std::size_t) { news++; return pool; }
void operator delete(void *p) noexcept { if (p != pool) std::abort(); deletes++; }
void operator delete(void *p, std::size_t) noexcept { operator delete(p); }
extern "C" int use() {
    operator delete(operator new(8));
    return news == 1 && deletes == 1;
}
C
cat >"$TMPDIR/growing.cc" <<'C' # libstdc++ asks for the room, and gives back what was too small
#include <cstdlib>
#include <new>
#include <string>
static char pool[65536], *next = pool;
static int news, deletes;
void *operator new(std::size_t n) { news++; return (next += (n + 15) & ~15ul) - n; }
void operator delete(void *p) noexcept {
    if ((char *)p < pool || (char *)p >= pool + sizeof pool)
        std::abort();
    deletes++;
}
void operator delete(void *p, std::size_t) noexcept { operator delete(p); }
extern "C" int use() {
    {
        std::string s;
        for (int i = 0; i < 1000; i++)
            s += "hello";
    }
    return news > 5 && news == deletes;
}
C
cat >"$TMPDIR/plain.cc" <<'C'
#include <new>
extern "C" int use() {
    char *p = (char *)operator new(100);
    p[0] = p[99] = 1;
    operator delete(p);
    return 1;
}
C
cat >"$TMPDIR/host.c" <<'C'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        void *h = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        if (!h || !((int (*)(void))dlsym(h, "use"))())
            return 1;
        dlclose(h);
    }
    puts("done");
}
C
for p in own growing plain; do
    g++ -O1 -fPIC -shared "$TMPDIR/$p.cc" -o "$TMPDIR/$p.so" || { not_ok "$p" "does not build"; finish; }
done
gcc -O1 "$TMPDIR/host.c" -o "$TMPDIR/host" || { not_ok host "does not build"; finish; }
for order in "own plain" "plain own" "own plain own plain" "growing plain"; do
    # shellcheck disable=SC2086 # words
    files=$(printf "$TMPDIR/%s.so " $order)
    for conf in mode:default mode:exact; do
        fresh
        # shellcheck disable=SC2086
        [ "$(under $conf "$TMPDIR/host" $files)" = done ] && ok "$order, $conf" ||
            not_ok "$order, $conf" "the program failed"
    done
done
for conf in mode:default mode:exact; do
    fresh
    out=$(under $conf /usr/bin/python3 -c "
import ctypes
print(ctypes.CDLL('$TMPDIR/growing.so').use())" 2>&1)
    [ "$out" = 1 ] && ok "a plugin of python3, $conf" || not_ok "a plugin of python3, $conf" "$out"
done
finish
