#!/bin/bash
# The library calls nothing of the program's: no malloc, no stdio, no exit. Only what undefined.txt
# lists may be undefined in it, and its code leaves the vector and x87 registers alone (a hook owns
# nothing; the loader's lazy binding and signal frames rely on that).
. "$(dirname "$0")/lib.sh"
need_library
wrong=""
undefined=$(nm -D --undefined-only "$LIB" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u)
more=$(comm -23 <(echo "$undefined" | sed '/^$/d') \
    <(entries "$(dirname "$0")/undefined.txt" | sort -u))
[ -z "$more" ] || wrong+="calls $more; "

# Headers that give constants and types (fcntl.h, sys/mman.h, time.h, dlfcn.h) are welcome.
cd "$ROOT" || exit 1
headers=$(grep -rnE --include='*.[ch]' \
    '#[[:space:]]*include[[:space:]]+<(stdio|stdlib|string|malloc|pthread|signal|unistd|math)\.h>' \
    src/base src/shim src/region 2>/dev/null | grep -vE '^src/region/validate\.c:')
[ -z "$headers" ] || wrong+="includes of the C library: $(cut -d: -f1,3 <<<"$headers" | tr '\n' ' '); "

# One function keeps them for the program where the loader's own code uses them.
registers=$(objdump -d --no-show-raw-insn "$LIB" |
    awk '/^[0-9a-f]+ <.*>:$/ { keeps = $2 == "<loader_find_object>:" } !keeps' |
    grep -cE '%(x|y|z)mm[0-9]|%st[ (,]|	f(ld|st|add|mul|div|xch)')
[ "$registers" = 0 ] || wrong+="$registers instructions use vector or x87 registers; "
finish "$wrong"
