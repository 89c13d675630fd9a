#!/bin/bash
# Nothing but libc at load time, and nothing that changes how the program's symbols resolve.
. "$(dirname "$0")/lib.sh"
need_library
dynamic=$(readelf -dW "$LIB")
others=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | grep -vx 'libc\.so\.6')
flags=$(grep -oE '\((RPATH|RUNPATH|SYMBOLIC|TEXTREL)\)' <<<"$dynamic")
# Text that has to be relocated, or a stack that asks to be executable, is refused in hardened
# containers.
readelf -lW "$LIB" | grep -q 'GNU_STACK.*RWE' && flags+=" executable-stack"
finish "${others:+needs $others}" "${flags:+has $flags}"
