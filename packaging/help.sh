#!/bin/bash
# Writes the table of all commands and options of the squall that is given: help.awk says which.
set -eu -o pipefail
squall=$1
here=$(dirname "$0")
{
    "$squall" help
    for command in $("$squall" help | awk '/^  [a-z]/ { print $1 }'); do
        echo "@$command"
        "$squall" help "$command"
    done
} | awk -f "$here/help.awk"
