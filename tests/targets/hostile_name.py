"""hostile_name.py PROGRAM: gives its functions names that no compiler would."""
import re
import sys

NAMES = {  # a screen cleared, a title, a colour; a page's end; lines; no UTF-8; writing that turns round
    b"hostile_escape": b"esc\x1b[2J\x1b]0;title\x07\x1b[41m\x9b41m",
    b"hostile_html": b'"</script><script>alert(1)</script><img src=x>',
    b"hostile_lines": b'one\ntwo,"three";four\r\nfive\t=6',
    b"hostile_bytes": b"\xff\xfe\xc0\x80\xed\xa0\x80\xf5",
    b"hostile_turn": b"\xe2\x80\xaegnp.exe\xe2\x80\xa8\xc2\x9b41m",
}
program = open(sys.argv[1], "rb").read()
for name, evil in NAMES.items():
    program, count = re.subn(name + b"_z+", lambda m: evil.ljust(len(m[0]), b"\0"), program)
    assert count, name
open(sys.argv[1], "wb").write(program)
