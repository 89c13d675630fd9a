# Makes the completion for bash from the table of help.awk.

BEGIN { FS = "\t" }
$1 == "command" { commands = commands " " $2 }
$1 == "option" || $1 == "value" {
    split($3, word, " ")
    if ($1 == "option") options[$2] = options[$2] " " word[1]
    if (word[2] != "") argument[$2 ":" word[1]] = word[2] ~ /^(FILE|OUT)$/ ? "@file" : word[2] == "DIR" ? "@dir" : "@none"
}
$1 == "choice" { choices[$2 ":" $3] = choices[$2 ":" $3] " " $4 }
$1 == "place" { places[$2] = places[$2] " @" $3 }
function print_case(name, list,    key, lines, n, i, j, line) {
    print name "() {\n    case $1 in"
    for (key in list) lines[++n] = key
    for (i = 2; i <= n; i++) # in order: the file is the same whenever it is made
        for (j = i; j > 1 && lines[j] < lines[j - 1]; j--) {
            line = lines[j]; lines[j] = lines[j - 1]; lines[j - 1] = line
        }
    for (i = 1; i <= n; i++) {
        line = list[lines[i]]
        sub(/^ /, "", line)
        print "    " lines[i] ") echo \"" line "\" ;;"
    }
    print "    esac\n}\n"
}
END {
    for (key in choices) argument[key] = choices[key]
    print "# bash completion for squall; made from its --help.\n# shellcheck shell=bash\n"
    print_case("_squall_options", options)
    print_case("_squall_arguments", argument)
    print_case("_squall_places", places)
    print "_squall_commands='help" commands "'\n"
    while ((getline line < (here "/squall.bash")) > 0) print line
}
