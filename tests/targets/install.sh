#!/bin/bash
# What make install puts below a prefix works from there, says of every option what --help says, and
# is gone after make uninstall.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)
export DESTDIR=$TMPDIR/to PREFIX=/opt/squall
at=$DESTDIR$PREFIX
squall=$at/bin/squall
"$root/packaging/install.sh" install "$(dirname "$SQUALL_BIN")" || { not_ok install "exit status $?"; finish; }

# ---- it runs ----

gcc -O1 -g -I"$here/../../include" "$here/src/mark.c" -o "$TMPDIR/mark" || not_ok mark "does not build"
env -u SQUALL_LIB "$squall" run --quiet -o "$TMPDIR/run.squall" -- "$TMPDIR/mark" >"$TMPDIR/said" 2>&1 || not_ok run "$(tail -n 1 "$TMPDIR/said")"
"$squall" report --json "$TMPDIR/run.squall" >"$TMPDIR/json"
check "runs with the library that was installed with it" "$TMPDIR/json" "$at/lib/squall/libsquall.so" <<'P'
from squall import *
p, = load(argument(1))
same("library", [m["path"] for m in p["modules"] if "libsquall" in m["path"]], [argument(2)])
P
check "--version tells the formats of region and dump" "$TMPDIR/run.squall" "$("$squall" --version)" \
    "$root" <<'P'
import re, struct
from squall import *
magic, dump = struct.unpack("<8sI", open(argument(1), "rb").read(12))
header = open(argument(3) + "/include/squall/region.h").read()
region = re.search(r"define REGION_VERSION (\d+)", header)[1]
version = open(argument(3) + "/VERSION").read().strip()
same("version", argument(2), f"squall {version} (region format {region}, dump format {dump})")
P

# ---- pkg-config ----

export PKG_CONFIG_PATH=$at/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$DESTDIR
# shellcheck disable=SC2046 # options, to be split
if printf '#include <squall/squall.h>\nint main(void) { struct squall_call c; squall_begin(&c, "x", SQUALL_COMPRESS, 0, 0, 0, 0); squall_end(&c, 0); }\n' |
    gcc -x c - -o "$TMPDIR/user" $(pkg-config --cflags --libs squall) && "$TMPDIR/user"; then
    ok "pkg-config finds squall.h"
else
    not_ok "pkg-config finds squall.h" "$(pkg-config --cflags squall 2>&1)"
fi
preload=$(pkg-config --variable=preload squall)
[ -e "$DESTDIR${preload#"$DESTDIR"}" ] && ok "pkg-config names the library" ||
    not_ok "pkg-config names the library" "$preload"

# ---- manual pages and completions say what --help says ----

mapfile -t commands < <("$squall" help | sed -n 's/^  \([a-z-]*\) .*/\1/p')
options_of() { "$squall" help "$1" | grep -oE '(^|[ [])--?[a-z][a-z-]*' | tr -d ' [' | sort -u; }
# What roff writes, without its words that are for the eye.
read_page() { sed 's/\\f[BIR]//g; s/\\-/-/g; s/\\&//g; s/"//g' "$1"; }
[ ${#commands[@]} -ge 13 ] || not_ok help "lists ${#commands[@]} commands"
why=""
for command in "${commands[@]}"; do
    page=$at/share/man/man1/squall-$command.1
    [ -s "$page" ] || { why+="no page of $command; "; continue; }
    grep -q '@[A-Z]*@' "$page" && why+="a mark is left in the page of $command; "
    for option in $(options_of "$command"); do
        read_page "$page" | grep -A1 '^\.TP' | grep -qE -e "^(\.B[IR]? )?$option( |$)" || why+="$command $option is not in the page; "
    done
    for option in $(read_page "$page" | grep -A1 '^\.TP' | sed -nE 's/^(\.B[IR]? )?(--?[a-z][a-z-]*).*/\2/p'); do
        options_of "$command" | grep -qxF -e "$option" || why+="$command knows no $option; "
    done
    for shell in bash fish zsh; do
        case $shell in
        bash) file=$at/share/bash-completion/completions/squall ;;
        fish) file=$at/share/fish/vendor_completions.d/squall.fish ;;
        zsh) file=$at/share/zsh/site-functions/_squall ;;
        esac
        for option in $(options_of "$command"); do
            case $shell in
            bash) grep -qE -e "^    $command\) echo \"(.* )?${option}[ \"]" "$file" ;;
            fish) grep -qE -e "'__squall_is $command' (-l ${option#--}|-s ${option#-}) " "$file" ;;
            zsh) sed -n "/^    $command)/,/;;/p" "$file" | grep -qF -e "${option}[" ;;
            esac || why+="$shell does not complete $command $option; "
        done
    done
done
[ -z "$why" ] && ok "pages and completions have every option" || not_ok "pages and completions have every option" "$why"

if command -v groff >/dev/null; then
    why=""
    for page in "$at"/share/man/man?/*; do
        why+=$(groff -man -Tutf8 -ww -K utf8 "$page" 2>&1 >/dev/null | head -n 1)
    done
    [ -z "$why" ] && ok "the pages are good roff" || not_ok "the pages are good roff" "$why"
fi

# ---- the shells ----

# completes WANTED WORD…: the last word is the one to complete
completes() {
    local wanted=$1 got
    shift
    got=$(PATH=$at/bin:$PATH bash -uc '. "$0" && COMP_WORDS=("$@") && COMP_CWORD=$(($# - 1)) && _squall && echo "${COMPREPLY[*]}"' \
        "$at/share/bash-completion/completions/squall" "$@" 2>&1)
    [ "$got" = "$wanted" ] && ok "bash: $*" || not_ok "bash: $*" "$got"
    command -v fish >/dev/null || return
    got=$(PATH=$at/bin:$PATH HOME=$TMPDIR fish --no-config -c 'source $argv[1]; complete -C "$argv[2]"' \
        "$at/share/fish/vendor_completions.d/squall.fish" "$*" 2>&1 | cut -f1 | sort | tr '\n' ' ')
    [ "$got" = "$(printf '%s\n' $wanted | sort | tr '\n' ' ')" ] && ok "fish: $*" || not_ok "fish: $*" "$got"
}
cd "$TMPDIR" || exit 1
mkdir only && touch only/file.squall
completes "report" squall rep
completes "lifetime" squall report --sort l
completes "--sort --stack" squall report --s
completes "default exact" squall run --mode ""
completes "only/file.squall" squall report only/
completes "snapshot" squall help s
if command -v zsh >/dev/null; then
    zsh -n "$at/share/zsh/site-functions/_squall" && ok "zsh reads it" || not_ok "zsh reads it" "exit status $?"
else
    echo "ok zsh # skip no zsh"
fi
command -v fish >/dev/null || echo "ok fish # skip no fish"

# ---- away again ----

touch "$at/share/doc/squall/of-somebody-else"
"$root/packaging/install.sh" uninstall "$(dirname "$SQUALL_BIN")"
left=$(find "$DESTDIR" ! -type d)
[ "$left" = "$at/share/doc/squall/of-somebody-else" ] && [ ! -e "$at/lib/squall" ] &&
    ok "uninstall leaves nothing" || not_ok "uninstall leaves nothing" "$left"
finish
