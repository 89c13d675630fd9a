#!/bin/bash
# The unwind rule of every address of some libraries, beside what readelf makes of the same tables.
set -u
cd "${SQUALL_ROOT:-$(dirname "$0")/../..}" || exit 1
lib=/usr/lib/x86_64-linux-gnu
files=()
for f in $lib/{libc,libcrypto,libssl,librdkafka,libzstd,libstdc++,libm,libz}.so.? /usr/bin/python3; do
    [ -e "$f" ] && files+=("$f")
done
exec tests/unit/unwind/unwind_rules.py "${SQUALL_BUILD:-build}/tests/unit/unwind/unwind_rules" \
    "${files[@]}" /lib64/ld-linux-x86-64.so.2
