# Makes the completion for fish from the table of help.awk.

function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/'/, "\\'", text)
    return "'" text "'"
}
function flush_option() {
    if (option == "") return
    printf "complete -c squall -n %s %s", quoted("__squall_is " name),
        option ~ /^--/ ? "-l " substr(option, 3) : "-s " substr(option, 2)
    if (takes ~ /^(FILE|OUT)$/) printf " -r -F"
    else if (takes == "DIR") printf " -x -a '(__fish_complete_directories)'"
    else if (choices != "") printf " -x -a %s", quoted(choices)
    else if (takes != "") printf " -x"
    if (takes != "" && name == "run") run_takes = run_takes " " option
    print " -d " quoted(text)
    option = choices = ""
}

BEGIN {
    FS = "\t"
    print "# fish completion for squall; made from its --help."
    while ((getline line < (here "/squall.fish")) > 0) print line
    print "complete -c squall -n __squall_has_no_command -l version -d 'say the version'"
    print "complete -c squall -n __squall_has_no_command -a help -d 'say how a command is used'"
}
$1 != "value" && $1 != "choice" { flush_option() }
$1 == "command" {
    print "complete -c squall -n __squall_has_no_command -a " $2 " -d " quoted($3)
    print "complete -c squall -n '__squall_is help' -a " $2 " -d " quoted($3)
}
$1 == "usage" {
    print "complete -c squall -n " quoted("__squall_is " $2) " -l help -s h -d 'say how it is used'"
}
$1 == "option" { name = $2; split($3, word, " "); option = word[1]; takes = word[2]; text = $4 }
$1 == "choice" { choices = choices (choices == "" ? "" : " ") $4 }
$1 == "place" {
    at = "complete -c squall -n " quoted("__squall_is " $2)
    if ($3 == "file") print at " -F"
    if ($3 == "dir") print at " -a '(__fish_complete_directories)'"
    if ($3 == "pid") print at " -a '(__squall_pids)'"
    if ($3 == "program") print at " -a '(__squall_program)'"
}
END { flush_option(); print "set -g __squall_run_takes" run_takes }
