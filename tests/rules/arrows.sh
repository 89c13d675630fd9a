#!/bin/bash
# The rooms include only what lies before them:
# base ← region ← go ← shim; base ← region ← profile ← symbol ← analyse ← watch, compare ← render ←
# tools/squall.
. "$(dirname "$0")/lib.sh"
cd "$ROOT" || exit 1
declare -A MAY=(
    [base]="base"
    [region]="base region"
    [go]="base region go"
    [shim]="base region go shim"
    [profile]="base region profile"
    [symbol]="base region go profile symbol"
    [analyse]="base region profile symbol analyse"
    [watch]="base region profile symbol analyse watch"
    [compare]="base region profile symbol analyse compare"
    [render]="base region profile symbol analyse watch compare render"
    [squall]="base region go profile symbol analyse watch compare render squall"
)
wrong=""
for path in src/*/ tools/squall/; do
    room=$(basename "$path")
    [ -n "${MAY[$room]+known}" ] || { wrong+="$path is no room that the map knows; " && continue; }
    # FILE:ROOM of every #include "ROOM/…"; without a folder it is a file beside the includer.
    while IFS=: read -r file to; do
        [[ " ${MAY[$room]} " == *" $to "* ]] || wrong+="$file includes $to/; "
    done < <(grep -rHoE --include='*.[chS]' '^[[:space:]]*#[[:space:]]*include[[:space:]]+["<][a-z./]+/[^">]+[">]' "$path" 2>/dev/null |
        sed -nE 's|^([^:]+):.*include[[:space:]]+"([^"]*/)?([a-z]+)/[^/"]+"$|\1:\3|p')
    # The way round: from outside the room's door, or upwards out of it.
    up=$(grep -rlE --include='*.[chS]' '#[[:space:]]*include[[:space:]]+"\.\.?/' "$path" 2>/dev/null | tr '\n' ' ')
    [ -z "$up" ] || wrong+="relative include in $up; "
done
# The door: another room's header is included by the room's own name only.
while IFS=: read -r file include; do
    from=$(cut -d/ -f2 <<<"$file") room=${include%%/*} header=${include#*/}
    [ "$from" = "$room" ] || [ "$header" = "$room.h" ] || [ "$room" = base ] ||
        wrong+="$file includes $include, which is behind the door; "
done < <(grep -rHoE --include='*.[ch]' '#[[:space:]]*include[[:space:]]+"(base|region|go|shim|profile|symbol|analyse|watch|compare|render)/[^"]+"' src tools/squall 2>/dev/null |
    sed -E 's|^([^:]+):.*"([^"]+)"$|\1:\2|')
finish "$wrong"
