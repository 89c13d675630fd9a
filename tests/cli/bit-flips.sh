#!/bin/bash
# Single bits flipped all over a region and a packed dump: an answer or one line, never a crash,
# never output that looks whole beside an error.
. "$SQUALL_ROOT/tests/cli/lib.sh"
make_region
squall pack --keep --quiet -o "$TMPDIR/packed" "$TMPDIR/region"
/usr/bin/python3 - "$SQUALL_BIN" region packed <<'PYTHON'
import json, random, shutil, subprocess, sys
squall, *files = sys.argv[1:]
source = random.Random(5)


def spots(name, image):
    """Where the header and the directory are, and where data is."""
    size = len(image)
    data = [i for i in range(0, min(size, 4 << 20), 64) if any(image[i:i + 64])]
    for _ in range(60):
        yield source.randrange(min(size, 4096)) if name == "region" else source.randrange(size)
    for _ in range(60):
        yield min(source.choice(data) + source.randrange(64), size - 1)


def check(name, image):
    done = subprocess.run([squall, "report", "--json", name], capture_output=True, timeout=60)
    out, err = done.stdout, done.stderr.decode(errors="replace").splitlines()
    if done.returncode == 0:
        json.loads(out)
    elif done.returncode not in (1, 2):
        return f"status {done.returncode}"
    elif out or len(err) != 1 or name not in err[0]:
        return f"status {done.returncode}, {len(out)} bytes, {err[:2]}"
    return None


bad = 0
for name in files:
    original = open(name, "rb").read()
    for spot in spots(name, original):
        bit = 1 << source.randrange(8)
        shutil.copyfile(name, name + ".flipped")
        with open(name + ".flipped", "r+b") as f:
            f.seek(spot)
            f.write(bytes([original[spot] ^ bit]))
        try:
            wrong = check(name + ".flipped", original)
        except (ValueError, subprocess.TimeoutExpired) as e:
            wrong = repr(e)[:200]
        if wrong:
            bad += 1
            print(f"{name}: bit {bit} at {spot}: {wrong}")
print(f"{bad} bad answers")
PYTHON
