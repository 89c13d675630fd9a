#!/bin/bash
# The hooks' fast path is a few instructions and a jump: it calls nothing, does not touch the stack,
# has no loop and no locked instruction, and is no longer than fast-path.txt says. The way to the
# slow path is a jump as well, with the stack and the registers as the caller left them: from there
# the stack is walked.
. "$(dirname "$0")/lib.sh"
need_library
here=$(dirname "$0")
finish "$(entries "$here/fast-path.txt" | /usr/bin/python3 "$here/fast_path.py" "$LIB" 2>&1)"
