#!/bin/bash
# Help, versions and mistakes on the command line: help is asked for and goes to stdout with
# status 0; a mistake is named in one line or two on stderr, with status 2.
. "$SQUALL_ROOT/tests/cli/lib.sh"
try() {
    echo "# squall $*"
    show squall "$@"
}
# The help of each command says how to use it, in lines that fit a terminal.
# shellcheck disable=SC2094 # the command is not the file
for command in run report attach detach go-profile ps top live snapshot metrics export diff check merge pack clean; do
    echo "# help $command"
    squall help "$command" >help || echo "BAD: status"
    head -n 1 help
    squall "$command" --help | cmp - help
    awk 'length > 100 { print "BAD: long line: " $0 }' help
done
try
try --help
try help nonsense
try nonsense
try --nonsense
try report --nonsense
try report --top
try report --top many
try report --sort size
try report --min lots
try run
try run --mode odd -- true
try run --nonsense -- true
try clean
try clean --older soon
try pack --nonsense
try diff one
try diff one two --per hour
try check
try check --no-finding mispelled
try check --max-bytes-per-message lots
try export
try metrics --once --textfile ''
try export --format svg
try export --format csv --value odd
