#!/bin/bash
# The library exports exactly the names of exports.txt: one more could win over a symbol of the
# program, one less is a way past it.
. "$(dirname "$0")/lib.sh"
need_library
have=$(nm -D --defined-only "$LIB" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u)
want=$(entries "$(dirname "$0")/exports.txt" | sort -u)
more=$(comm -23 <(echo "$have") <(echo "$want"))
less=$(comm -13 <(echo "$have") <(echo "$want"))
finish "${more:+exports $more}" "${less:+does not export $less}"
