#!/bin/bash
# glibc's tests of malloc: those of its source package that build against the installed C library,
# with glibc's own test driver. Those that replace malloc themselves (tst-interpose-*) are there.
. "$(dirname "$0")/lib.sh"
EXCUSED=('tst-malloc-thread-fail|lowers its own RLIMIT_AS below what exact mode has reserved: docs/limits.md')
source_of glibc

# What the tests take from the inside of the C library, in words of the outside.
write_headers() {
    local at=$1 name
    rm -rf "$at"
    mkdir -p "$at/malloc"
    for name in libc-diag array_length intprops scratch_buffer alloc_buffer libc-pointer-arith; do
        printf '#include "%s"\n' "$PWD/include/$name.h" >"$at/$name.h"
    done
    cp malloc/*.c malloc/*.h "$at/malloc/"
    rm -f "$at/malloc/malloc.h"
    ln -s "$PWD/support" "$at/support"
    ln -s "$PWD/test-skeleton.c" "$at/test-skeleton.c"
    : >"$at/libc-symbols.h"
    : >"$at/shlib-compat.h"
    : >"$at/libc-config.h"
    cat >"$at/outside.h" <<'END'
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/cdefs.h>
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define libc_hidden_proto(name)
#define libc_hidden_def(name)
#define __set_errno(value) (errno = (value))
END
    # On x86-64 malloc's own types are the plain ones.
    printf '%s\n' '#define INTERNAL_SIZE_T size_t' '#define SIZE_SZ (sizeof(size_t))' \
        '#define MALLOC_ALIGNMENT (2 * SIZE_SZ)' '#define MALLOC_ALIGN_MASK (MALLOC_ALIGNMENT - 1)' \
        >"$at/malloc-size.h"
}

make_glibc() {
    local inside=$PWD/outside test name
    local -a flags extra
    write_headers "$inside"
    mkdir -p objects tests-built
    flags=(-std=gnu11 -O2 -g -w -D_GNU_SOURCE -DTEST_NO_MALLOPT -DTIMEOUTFACTOR=10 -pthread
        -include "$inside/outside.h" "-I$inside" "-I$inside/support" "-I$inside/malloc")
    for name in SRCDIR OBJDIR OBJDIR_ELF_LDSO INSTDIR LIBDIR BINDIR SBINDIR SLIBDIR ROOTSBINDIR \
        COMPLOCALEDIR; do
        flags+=("-D${name}_PATH=\"/nowhere\"")
    done
    # Parts of glibc's driver that need more of the inside are of no use to these tests.
    # shellcheck disable=SC2016 # expanded inside
    printf '%s\n' support/*.c malloc/{scratch_buffer,dynarray_,alloc_buffer}*.c |
        grep -vE '/tst-|container|resolv|links-dso|test-run-command|(blob|string)_main|test-driver' |
        xargs -P2 -I{} sh -c 'one=$1; shift; gcc "$@" -c -o "objects/$(basename "$one" .c).o" "$one" || :' \
            - {} "${flags[@]}"
    rm -f driver.a
    ar rc driver.a objects/*.o
    for test in malloc/tst-*.c malloc/mallocbug.c; do
        name=$(basename "$test" .c)
        case $name in
        *-skeleton | tst-interpose-aux*) continue ;;
        tst-interpose-static-*) extra=(-static "malloc/tst-interpose-aux-${name##*-}.c") ;;
        tst-interpose-*) extra=("malloc/tst-interpose-aux-${name##*-}.c") ;;
        *) extra=() ;;
        esac
        gcc "${flags[@]}" -o "tests-built/$name" "$inside/malloc/$name.c" "${extra[@]}" driver.a ||
            rm -f "tests-built/$name"
    done
    [ "$(find tests-built -type f | wc -l)" -ge 25 ]
}
built make_glibc

# What glibc's makefile sets for some; those with "checked" run over glibc's allocator for debugging.
run_test() { # NAME [checked]
    local -a words=()
    case $1 in
    tst-mxfast) words=(GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0) ;;
    tst-malloc-usable-tunables) words=(GLIBC_TUNABLES=glibc.malloc.check=3) ;;
    tst-mtrace) words=(MALLOC_TRACE="$home/trace") ;;
    esac
    if [ $# = 2 ]; then
        [ "$1" = tst-malloc-usable-tunables ] || words+=(MALLOC_CHECK_=3)
        BEHIND=libc_malloc_debug.so.0 ends "$1 ($2)" env "${words[@]}" "$src/tests-built/$1"
    else
        ends "$1" env "${words[@]}" "$src/tests-built/$1"
    fi
    # 77 is glibc's word for a test that cannot be run here.
    sed -i "s/^exit status 77\t/skip\t/" "$results"
}

suite() {
    local test
    cd "$home" || return
    for test in ${TESTS:-$(cd "$src/tests-built" && echo *)}; do
        case $test in
        tst-malloc-check | tst-malloc-usable | tst-malloc-usable-tunables) run_test "$test" checked ;;
        tst-malloc | tst-calloc | tst-realloc | tst-memalign | tst-posix_memalign | tst-free-errno | tst-valloc | \
            tst-malloc-fork-deadlock | tst-malloc-thread-exit | tst-mallocfork2)
            run_test "$test"
            run_test "$test" checked
            ;;
        tst-malloc-thread-fail)
            run_test "$test"
            ends "$test (limited from the start)" prlimit --as=$((200 << 20)) "$src/tests-built/$test"
            ;;
        *) run_test "$test" ;;
        esac
    done
}
judge "$version"
