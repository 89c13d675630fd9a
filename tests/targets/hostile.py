"""hostile.py KIND FILE: what came of hostile names is sound in a format, and does nothing in a terminal."""
import csv
import gzip
import io
import json
import re
import sys
import unicodedata

kind, path = sys.argv[1:]
raw = open(path, "rb").read()
if kind == "pprof":
    raw = gzip.decompress(raw)
    assert b"alert(1)" in raw, "the names are missing"
    sys.exit()
text = raw.decode("utf-8")  # raises on what is none
# The name of 64 KiB is shown cut, with an ellipsis, so that a stack full of it fills no disk.
assert "x" * 4097 not in text, "a name of more than 4 KiB"
if kind in ("json", "html", "folded", "speedscope", "dhat", "csv", "jsonl") and "x" * 1000 in text:
    assert re.search("x{4000}(…|\\\\u2026)", text), "a name that was cut does not say so"
assert text, "nothing was written"
# Cc: controls, C1 among them; Cf: marks that turn the direction; Zl, Zp: separators.
bad = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")} - {"\n"}
if kind == "csv":
    bad -= {"\r"}
    assert text.count("\r") == text.count("\r\n"), "a carriage return by itself"
assert not bad, f"{kind} has {sorted(map(hex, map(ord, bad)))}"
if kind == "csv":
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) > 5 and len({len(r) for r in rows}) == 1, "rows differ in their fields"
elif kind in ("json", "speedscope", "dhat"):
    json.loads(text)
elif kind == "jsonl":
    for line in text.splitlines():
        json.loads(line)
elif kind == "html":
    for tag in ("<img", "<b>", "alert(1)</script"):
        assert tag not in text, f"{tag} is in the page"
elif kind == "metrics":
    for line in text.splitlines():
        assert line.startswith(("#", "squall_")), line
assert max(map(len, text.splitlines())) < 120 or kind != "text", "a line is too long"
