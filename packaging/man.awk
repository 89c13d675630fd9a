# Makes the manual page of a command: awk -v name=run -v version=… -v libdir=… -f man.awk TABLE [PAGE]
#
# TABLE is what help.awk writes. PAGE is written by hand, with lines in it for which the table
# stands: @NAME@, @SYNOPSIS@, @OPTIONS@ and, in squall(1), @COMMANDS@ are whole sections of it. A
# command without a page of its own gets one of these alone.

function plain(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/…/, "...", text)
    return text ~ /^[.']/ ? "\\&" text : text
}
# What is typed as it stands is bold, what stands for something else is slanted.
function typed(text,    out, word) {
    out = ""
    while (match(text, /--?[a-z][a-z-]*|[A-Z][A-Z:,…]*|options/)) {
        word = substr(text, RSTART, RLENGTH)
        out = out plain(substr(text, 1, RSTART - 1)) \
            (word ~ /^-/ ? "\\fB" : "\\fI") plain(word) "\\fR"
        text = substr(text, RSTART + RLENGTH)
    }
    return out plain(text)
}
function print_name() {
    print ".SH NAME"
    print "squall\\-" plain(name) " \\- " plain(summary)
}
function print_synopsis(    text) {
    text = usage
    sub("^squall " name, "", text)
    print ".SH SYNOPSIS\n.B squall " plain(name)
    if (text != "") print "\\&" typed(substr(text, 2))
}
function print_options(    i) {
    if (!count) return
    if (!wrote_heading) print ".SH OPTIONS"
    for (i = 1; i <= count; i++)
        if (texts[i] != "") print ".TP\n\\&" specs[i] "\n" texts[i]
}
function print_commands(    i) {
    print ".SH COMMANDS"
    for (i = 1; i <= command_count; i++)
        print ".TP\n.BR squall\\-" plain(commands[i]) " (1)\n" plain(summaries[i])
}
function bold_value(spec,    words) {
    split(spec, words, " ")
    sub(/^[^ ]+ /, "", spec)
    return "\\fB" plain(words[1]) " " plain(spec) "\\fR"
}

FNR == NR {
    n = split($0, field, "\t")
    if (field[1] == "command") {
        commands[++command_count] = field[2]
        summaries[command_count] = field[3]
    }
    if (field[2] != name) next
    if (field[1] == "command") summary = field[3]
    if (field[1] == "usage") usage = field[3]
    if (field[1] == "about") about = field[3]
    if (field[1] == "option" || field[1] == "value") {
        specs[++count] = field[3] ~ / [a-z]/ ? bold_value(field[3]) : typed(field[3])
        texts[count] = plain(field[4])
    }
    next
}
# A section that the page begins with options of its own.
/^\.SH/ { wrote_heading = ($2 == "OPTIONS") }
/^@NAME@$/ { print_name(); has_page = 1; next }
/^@SYNOPSIS@$/ { print_synopsis(); next }
/^@OPTIONS@$/ { print_options(); next }
/^@COMMANDS@$/ { print_commands(); next }
{ gsub(/@VERSION@/, version); gsub(/@LIBDIR@/, libdir); print; has_page = 1 }
END {
    if (has_page) exit
    print ".TH SQUALL\\-" toupper(plain(name)) " 1 \"\" \"squall " version "\" \"User Commands\""
    print_name()
    print_synopsis()
    print ".SH DESCRIPTION\n" plain(about)
    print_options()
    print ".SH SEE ALSO\n.BR squall (1)"
}
