#!/bin/bash
# A file and a folder that may not be read.
. "$SQUALL_ROOT/tests/cli/lib.sh"
make_region
chmod 755 "$TMPDIR"
chmod 000 region
mkdir -m 700 closed
as_nobody=()
if [ "$(id -u)" = 0 ]; then
    as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    "${as_nobody[@]}" test -x "$SQUALL_BIN" || {
        echo "the build folder is closed to others"
        exit 77
    }
else
    chmod 000 closed
fi
show "${as_nobody[@]}" "$SQUALL_BIN" report "$TMPDIR/region"
show "${as_nobody[@]}" "$SQUALL_BIN" report "$TMPDIR/closed"
chmod 700 closed
