"""screen.py: a terminal's screen, as tmux capture-pane -e prints it, as a page for a browser."""
import html
import re
import sys

BASIC = ["#23262b", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4",
         "#7f848e", "#ff8b92", "#b5e890", "#ffd68a", "#8ac6ff", "#e2a0f5", "#7fdbe6", "#ffffff"]
PAPER, TEXT = "#15171a", "#e8eaed"


def colour(code):
    if code < 16:
        return BASIC[code]
    if code >= 232:
        return "#" + f"{8 + (code - 232) * 10:02x}" * 3
    code -= 16
    return "#" + "".join(f"{v and 55 + 40 * v:02x}" for v in (code // 36, code // 6 % 6, code % 6))


def apply(state, codes):
    codes = [int(c or 0) for c in codes.split(";")]
    while codes:
        c = codes.pop(0)
        if c == 0:
            state.clear()
        elif c in (38, 48) and codes[:1] == [5]:
            state["text" if c == 38 else "paper"] = colour(codes[1])
            del codes[:2]
        elif 30 <= c <= 37 or 90 <= c <= 97:
            state["text"] = colour(c - 30 if c < 90 else c - 82)
        elif 40 <= c <= 47 or 100 <= c <= 107:
            state["paper"] = colour(c - 40 if c < 100 else c - 92)
        elif c in (39, 49):
            state.pop("text" if c == 39 else "paper", None)
        elif c in (1, 2, 7):
            state[{1: "bold", 2: "dim", 7: "reverse"}[c]] = True
        elif c == 22:
            state.pop("bold", None), state.pop("dim", None)
        elif c == 27:
            state.pop("reverse", None)


def style(state):
    text, paper = state.get("text", TEXT), state.get("paper", PAPER)
    if state.get("reverse"):
        text, paper = paper, text
    return (f"color:{text};background:{paper};" + "font-weight:bold;" * state.get("bold", False) +
            "opacity:.6;" * state.get("dim", False))


print(f"<!DOCTYPE html><meta charset=utf-8><body style='margin:12px;background:{PAPER}'>"
      f"<pre style='font:15px/1.2 DejaVu Sans Mono,monospace;color:{TEXT}'>", end="")
state = {}
for line in sys.stdin.read().rstrip("\n").split("\n"):
    for part in re.split(r"(\x1b\[[\d;]*m)", line.replace("\x0e", "").replace("\x0f", "")):
        if part.startswith("\x1b"):
            apply(state, part[2:-1])
        elif part:
            print(f"<span style='{style(state)}'>{html.escape(part)}</span>", end="")
    print()
print("</pre>")
