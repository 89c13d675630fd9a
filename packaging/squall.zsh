_squall_pids() {
    local -a pids
    pids=(${(f)"$(squall ps --no-findings 2>/dev/null | awk '$1 ~ /^[0-9]+$/ { print $1 }')"})
    compadd -a pids
}
_squall_recordings() {
    _squall_pids
    _files
}
_squall_command() {
    case $words[1] in
    help) (( CURRENT == 2 )) && _describe command squall_commands ;;
@COMMANDS@
    esac
}
_arguments '(- *)--version[say the version]' '(- *)--help[say what there is]' \
    '1:command:{_describe command squall_commands}' '*::argument:_squall_command'
