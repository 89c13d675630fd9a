# Reads what `squall help` and `squall help COMMAND` print and writes it as a table, from which the
# manual pages and the completions are made: so these cannot say anything else than --help does.
#
# Input: the list of commands, then for each a line "@NAME" and its help. Output, parted by tabs:
#   command NAME SUMMARY
#   usage   NAME TEXT
#   about   NAME TEXT            the sentences above the options
#   option  NAME SPEC TEXT       "--dir DIR", "-o FILE"; TEXT is empty where only the usage has it
#   value   NAME SPEC TEXT       "--format folded": one more value of the option before
#   choice  NAME OPTION WORD     a word that the option takes, where its text lists them
#   place   NAME KIND            what its arguments are: file, dir, pid, program; one row each

# "auto (default), always or never", perhaps after "for something: ".
function print_choices(list,    n, i, words) {
    gsub(/\([^)]*\)/, "", list)
    sub(/^[^:]*: /, "", list)
    gsub(/ +or +/, ",", list)
    gsub(/ +$/, "", list)
    n = split(list, words, /, */)
    if (n < 2) return
    for (i = 1; i <= n; i++) {
        sub(/ +$/, "", words[i])
        if (words[i] !~ /^[a-z-]*$/) return
    }
    for (i = 1; i <= n; i++)
        if (words[i] != "") print "choice\t" name "\t" option "\t" words[i]
}
function flush_option(    word) {
    if (spec != "") {
        print kind "\t" name "\t" spec "\t" text
        word = spec
        if (!sub(/^[^ ]+ /, "", word)) word = ""
        if (word ~ /^[a-z]/) print_choices(word ",")
        else if (word != "") print_choices(text)
    }
    spec = text = ""
}
function flush_command(    n, i, words, word) {
    flush_option()
    if (about != "") print "about\t" name "\t" about
    about = ""
    # What stands in the usage and not in the list; and what the arguments are.
    n = split(usage, words, /[][ |.]+/)
    for (i = 1; i <= n; i++) {
        word = words[i]
        if (word ~ /^-./ && word != "--") {
            i++
            if (!((name, word) in seen)) print "option\t" name "\t" word " " words[i] "\t"
        } else if (word == "PROGRAM") print "place\t" name "\tprogram"
        else if (word == "PID") print "place\t" name "\tpid"
        else if (word == "FILE" || word == "BEFORE") print "place\t" name "\tfile"
        else if (word == "DIR") print "place\t" name "\tdir"
    }
    usage = ""
}
# An option or a value: what it is called, blanks, and what it does, which tells where texts stand.
function begin(new_kind, line,    start, at) {
    flush_option()
    kind = new_kind
    gsub(/…/, "~", line) # one column, and not as many as it has bytes
    match(line, /[^ ]/)
    start = RSTART
    at = match(substr(line, start), /  +/)
    if (at) column = start + at + RLENGTH - 1
    # What fills its column is parted by one blank.
    spec = substr(line, start, column - start)
    text = substr(line, column)
    gsub(/^ +| +$/, "", spec)
    gsub(/~/, "…", spec)
    gsub(/~/, "…", text)
}

/^@/ { flush_command(); name = substr($0, 2); body = 0; column = 0; next }
name == "" {
    if (/^  [a-z]/) { command = $1; sub(/^ *[^ ]+ +/, ""); print "command\t" command "\t" $0 }
    next
}
/^usage: squall / { usage = $0; sub(/^usage: /, "", usage); print "usage\t" name "\t" usage; next }
/^  -/ { begin("option", $0); split(spec, parts, " "); option = parts[1]; seen[name, option] = 1; next }
/^   / && column {
    match($0, /[^ ]/)
    if (RSTART >= column) { sub(/^ +/, ""); text = text " " $0; next }
    begin("value", $0)
    spec = option " " spec
    next
}
/./ && !column { about = about (about == "" ? "" : " ") $0 }
END { flush_command() }
