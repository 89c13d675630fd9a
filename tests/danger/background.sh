#!/bin/bash
# danger: a job in the background of a terminal that stops who writes to it (stty tostop), while squall has something to say
# program: worker worker.c
# allocators: glibc (it is about squall's own line)
# needs: python3
# processes: 8
#
# Without tostop, or in the foreground, the line is said.
set -u
DUMPS=$(sed -n 's/.*SQUALL_DIR=\([^ ]*\).*/\1/p' <<<"$WRAP")
mkdir run
export DUMPS XDG_RUNTIME_DIR=$PWD/run
/usr/bin/python3 - $WRAP ${DUMPS:+SQUALL_DIR=$PWD/missing/folder} "$DANGER_BIN/worker" <<'END'
import os, pty, signal, sys, termios


def lead(flags, is_background):
    """The first process of a session, whose terminal is descriptors 0 to 2; returns how the job ends."""
    modes = termios.tcgetattr(0)
    modes[3] = modes[3] & ~termios.TOSTOP | flags
    termios.tcsetattr(0, termios.TCSANOW, modes)
    begin, told = os.pipe()
    job = os.fork()
    if not job:
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.setpgid(0, 0)
        os.dup2(os.open("/dev/null", os.O_RDWR), 1)  # what it prints itself would stop it anyway
        os.read(begin, 1)
        os.execvp(sys.argv[1], sys.argv[1:])
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(job, job)
    if not is_background:
        os.tcsetpgrp(0, job)
    os.write(told, b"\n")
    status = os.waitpid(job, os.WUNTRACED)[1]
    if os.WIFSTOPPED(status):
        os.kill(job, signal.SIGKILL)
        return 100 + os.WSTOPSIG(status)
    return os.waitstatus_to_exitcode(status)


for flags in (0, termios.TOSTOP):
    for is_background in (False, True):
        leader, terminal = pty.fork()
        if not leader:
            os._exit(lead(flags, is_background))
        said = b""
        try:
            while part := os.read(terminal, 4096):
                said += part
        except OSError:  # what the end of the other side is
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1])
        where = ("tostop, " if flags else "") + ("background" if is_background else "foreground")
        print(f"{where}: {status}", flush=True)
        quiet = not os.environ["DUMPS"] or (flags and is_background)
        if (b"squall: SQUALL_DIR=" in said) == bool(quiet):
            print(f"{where}: {said}")
END
[ -z "$DUMPS" ] || mv run/squall/* "$DUMPS"/
