# Makes the completion for zsh from the table of help.awk.

# For a specification of _arguments, in single quotes.
function quoted(text) {
    gsub(/'/, "'\\''", text)
    return text
}
function escaped(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/\[/, "\\[", text)
    gsub(/\]/, "\\]", text)
    gsub(/:/, "\\:", text)
    return quoted(text)
}
function flush_option(    what) {
    if (option == "") return
    what = takes
    gsub(/:/, "\\:", what)
    line = "'" (option == "--no-finding" ? "*" : "") option "[" escaped(text) "]"
    if (takes ~ /^(FILE|OUT)$/) line = line ":" what ":_files"
    else if (takes == "DIR") line = line ":" what ":_files -/"
    else if (choices != "") line = line ":" what ":(" choices ")"
    else if (takes != "") line = line ":" what ": "
    specs[name] = specs[name] " \\\n            " line "'"
    option = choices = ""
}

BEGIN {
    FS = "\t"
    print "#compdef squall\n# zsh completion for squall; made from its --help.\n"
}
$1 != "value" && $1 != "choice" { flush_option() }
$1 == "command" { order[++n] = $2; commands = commands "\n    '" $2 ":" escaped($3) "'" }
$1 == "option" { name = $2; split($3, word, " "); option = word[1]; takes = word[2]; text = $4 }
$1 == "choice" { choices = choices (choices == "" ? "" : " ") $4 }
$1 == "place" { has[$2, $3] = 1 }
END {
    flush_option()
    print "local -a squall_commands=(" commands "\n    'help:say how a command is used'\n)\n"
    while ((getline line < (here "/squall.zsh")) > 0) {
        if (line != "@COMMANDS@") { print line; continue }
        for (i = 1; i <= n; i++) {
            name = order[i]
            places = ""
            if (has[name, "program"]) places = " \\\n            '(-):program:_command_names -e' '*::arguments:_normal'"
            else if (has[name, "file"] || has[name, "dir"])
                places = " \\\n            '*:recording:" \
                    (has[name, "pid"] ? "_squall_recordings'" : has[name, "file"] ? "_files'" : "_files -/'")
            else if (has[name, "pid"]) places = " \\\n            '1:process:_squall_pids'"
            print "    " name ")\n        _arguments -S '--help[say how it is used]'" specs[name] places "\n        ;;"
        }
    }
}
