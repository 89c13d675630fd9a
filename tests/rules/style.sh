#!/bin/bash
# Files stay near 500 lines (unit tests are lists of cases, and may grow), scripts begin with bash
# and set -u, and nothing depends on a folder outside the checkout.
. "$(dirname "$0")/lib.sh"
cd "$ROOT" || exit 1
wrong=""
while read -r lines file; do
    [ "$lines" -le 600 ] || wrong+="$file has $lines lines; "
done < <(find src include tools tests \( -name '*.c' -o -name '*.h' -o -name '*.sh' -o -name '*.py' \) \
    ! -path 'tests/unit/*' -exec wc -l {} + 2>/dev/null | grep -v ' total$')
while read -r file; do
    head -n 1 "$file" | grep -qx '#!/bin/bash' || wrong+="$file does not begin with #!/bin/bash; "
    # What is sourced has its set -u there; cli tests are run by the runner.
    grep -qE '^set -[a-z]*u|^\. .*lib\.sh' "$file" || [[ $file == tests/cli/* ]] || wrong+="$file lacks set -u; "
done < <(find tools tests .ci -name '*.sh' ! -name lib.sh -type f)
outside=$(grep -rlE '/work/shared|\.\./shared' --include='*.[chS]' --include='*.sh' --include='*.py' \
    --include=Makefile src include tools tests Makefile .ci 2>/dev/null | grep -v '^tests/rules/style\.sh$')
[ -z "$outside" ] || wrong+="names a folder outside: $outside; "
finish "$wrong"
