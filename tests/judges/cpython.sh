#!/bin/bash
# CPython's own tests of codecs, threads, processes and signals: from Debian's package of them, run
# by Debian's python3 from a prefix of its own.
. "$(dirname "$0")/lib.sh"
TESTS=${TESTS:-test_zlib test_gzip test_bz2 test_lzma test_threading test_subprocess
    test_multiprocessing_fork test_gc test_faulthandler test_signal test_ctypes test_tracemalloc}
python=$(/usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
prefix=$WORK/cpython
version=$(dpkg-query -W -f '${Version}' "$python")

# Its library and the tests together in one folder: where the program is, it looks for them.
make_prefix() {
    local lib=$prefix.new/lib
    rm -rf "$prefix" "$prefix.new"
    mkdir -p "$prefix.new/bin" "$lib" "$prefix.new/deb"
    (cd "$prefix.new/deb" && apt-get -qq download "lib$python-testsuite") || return 1
    cp -r "/usr/lib/$python" "$lib/"
    dpkg -x "$prefix.new/deb/"*.deb "$prefix.new/deb"
    cp -r "$prefix.new/deb/usr/lib/$python/." "$lib/$python/"
    cp "/usr/bin/$python" "$prefix.new/bin/"
    rm -rf "$prefix.new/deb"
    mv "$prefix.new" "$prefix"
}
[ -e "$prefix" ] || make_prefix >"$WORK/cpython.log" 2>&1 ||
    give_up "no tests of $python: $(tail -n 1 "$WORK/cpython.log")"

suite() {
    local test
    cd "$home" || return
    for test in $TESTS; do
        # -j1: each file in a process of its own, whose end is one of the results
        under "$prefix/bin/$python" -m test -j1 --timeout "$LIMIT" --junit-xml "$home/$test.xml" \
            "$test" >"$out/$test" 2>&1 </dev/null
        case $? in
        0) result pass "$test" ;;
        4) result skip "$test" ;; # no tests ran
        *) result "exit status, or files that failed" "$test" ;;
        esac
        [ -e "$home/$test.xml" ] && cp "$home/$test.xml" "$out/"
        /usr/bin/python3 - "$home/$test.xml" <<'PYTHON' >>"$results"
import os, sys, xml.etree.ElementTree as tree
if os.path.exists(sys.argv[1]):
    for case in tree.parse(sys.argv[1]).iter("testcase"):
        kinds = [child.tag for child in case]
        how = next((k for k in ("error", "failure", "skipped") if k in kinds), "pass")
        how = "skip" if how == "skipped" or case.get("result") == "skipped" else how
        name = case.get("classname", "") + "." + case.get("name", "")
        print(how, name.lstrip("."), sep="\t")
PYTHON
    done
}
judge "$version"
