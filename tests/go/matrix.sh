#!/bin/bash
# make check-go: what the producer does × how it is built × each version of Go that Debian has. Ends
# with a table; a failed cell says why. VERSIONS="1.19 1.27" for some.
. "$(dirname "$0")/lib.sh"
need_go
VERSIONS=${VERSIONS:-$(versions)}
MODES="naive made pooled lowmem limited append per-batch"
table=$TMPDIR/go-table
: >"$table"
row() { printf '%-8s %-9s' "$1" "$2" >>"$table"; }

for version in $VERSIONS; do
    for how in dynamic stripped pie bare static; do
        row "$version" "$how"
        build "$version" "$how" || { not_ok "$version-$how" "does not build"; echo >>"$table"; continue; }
        words=$(words_of "$how")
        for mode in $MODES; do
            ops=120
            [ "$mode" != per-batch ] || ops=50
            fresh
            before=$failures
            if watch large:32k -mode "$mode" -g 24 -ops "$ops" -verify; then
                # shellcheck disable=SC2086 # words
                check "$version-$how-$mode" "$mode" $words
            else
                not_ok "$version-$how-$mode" "exit status $?"
            fi
            rm -rf "$dumps"
            printf ' %-9s' "$([ "$before" = "$failures" ] && echo yes || echo NO)" >>"$table"
        done
        echo >>"$table"
    done
done
printf '%-8s %-9s' Go built
# shellcheck disable=SC2086 # a column each
printf ' %-9s' $MODES
echo
cat "$table"
finish
