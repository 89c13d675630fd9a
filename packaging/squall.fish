function __squall_has_no_command
    test (count (commandline -opc)) -eq 1
end
function __squall_is
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test "$words[2]" = $argv[1]; or return 1
    # From the program that is run on, the line is that program's.
    test $argv[1] = run; and __squall_program_at >/dev/null; and return 1
    return 0
end
function __squall_pids
    command -q squall; and squall ps --no-findings 2>/dev/null | string match -rg '^\s*(\d+)\s'
end
# Where the program stands that is run; fails if it is not there yet.
function __squall_program_at
    set -l words (commandline -opc)
    set -l i 3
    while test $i -le (count $words)
        switch $words[$i]
            case --
                set i (math $i + 1)
                break
            case '-*'
                contains -- $words[$i] $__squall_run_takes; and set i (math $i + 1)
                set i (math $i + 1)
            case '*'
                break
        end
    end
    test $i -le (count $words); and echo $i
end
function __squall_program
    complete -C -- (commandline -ct | string escape)
end
function __squall_runs
    set -l words (commandline -opc)
    test (count $words) -gt 2; and test "$words[2]" = run; and __squall_program_at >/dev/null
end
function __squall_rest
    set -l words (commandline -opc) (commandline -ct)
    complete -C -- (string join ' ' -- (string escape -- $words[(__squall_program_at)..-2]) $words[-1])
end
complete -c squall -f
complete -c squall -n __squall_runs -a '(__squall_rest)'
