# Fills COMPREPLY with what the words of $1 that begin with @ stand for, and with its other words.
_squall_fill() {
    local word at=$2
    for word in $1; do
        case $word in
        @file) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$at") && compopt -o filenames ;;
        @dir) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$at") && compopt -o filenames ;;
        @program) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -c -- "$at") ;;
        @pid)
            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(
                compgen -W "$(squall ps --no-findings 2>/dev/null | awk '$1 ~ /^[0-9]+$/ { print $1 }')" -- "$at"
            )
            ;;
        @none) ;;
        *) [[ $word == "$at"* ]] && COMPREPLY+=("$word") ;;
        esac
    done 2>/dev/null
    return 0
}

_squall() {
    local at=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} i
    local command=${COMP_WORDS[1]} takes
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        _squall_fill "$_squall_commands --help --version" "$at"
        return
    fi
    if [ "$command" = help ]; then
        _squall_fill "$_squall_commands" "$at"
        return
    fi
    # From the program that is run on, the line is that program's.
    if [ "$command" = run ]; then
        for ((i = 2; i < COMP_CWORD; i++)); do
            case ${COMP_WORDS[i]} in
            --) ((i++)) ;;
            -*)
                [ -z "$(_squall_arguments "run:${COMP_WORDS[i]}")" ] || ((i++))
                continue
                ;;
            esac
            ((i < COMP_CWORD)) || break
            if declare -F _command_offset >/dev/null; then
                _command_offset "$i"
            else
                _squall_fill @file "$at"
            fi
            return
        done
    fi
    takes=$(_squall_arguments "$command:$before")
    if [ -n "$takes" ]; then
        _squall_fill "$takes" "$at"
    elif [[ $at == -* ]]; then
        _squall_fill "$(_squall_options "$command") --help" "$at"
    else
        _squall_fill "$(_squall_places "$command")" "$at"
    fi
}
complete -F _squall squall
