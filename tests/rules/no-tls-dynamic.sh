#!/bin/bash
# Thread-local storage is initial-exec (the dynamic kind allocates inside malloc) and small (it
# comes from the loader's surplus where the library is opened late).
. "$(dirname "$0")/lib.sh"
need_library
LIMIT=256 # bytes; the surplus is 1664 for everybody
wrong=""
nm -D "$LIB" | grep -q __tls_get_addr && wrong+="calls __tls_get_addr; "
readelf -rW "$LIB" | grep -qE 'R_X86_64_(DTPMOD64|DTPOFF64|TLSDESC)' &&
    wrong+="has relocations of dynamic TLS; "
size=$(readelf -lW "$LIB" | awk '$1 == "TLS" { print $6 }')
[ $((${size:-0})) -le $LIMIT ] || wrong+="$((size)) bytes of it, more than $LIMIT; "
finish "$wrong"
