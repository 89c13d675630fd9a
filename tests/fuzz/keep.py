#!/usr/bin/env python3
"""Keeps what libFuzzer came to: from the corpora of `make fuzz` those inputs that together reach what
all of them reach (libFuzzer's -merge), as far as BUDGET bytes of text go, the smallest first.

    tests/fuzz/keep.py FOLDER [HARNESS]...   FOLDER as of fuzz.sh; writes corpus/HARNESS.corpus
"""
import base64
import pathlib
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).parent
BUDGET = 100_000


def keep(folder, name):
    with tempfile.TemporaryDirectory() as merged:
        subprocess.run([f"{folder}/{name}-libfuzzer", "-merge=1", "-max_len=65536", "-rss_limit_mb=2048", merged,
                        f"{folder}/corpus/{name}"], check=True, capture_output=True)
        inputs = [file.read_bytes() for file in pathlib.Path(merged).iterdir()]
    lines = sorted((base64.b64encode(zlib.compress(data, 9)) for data in inputs), key=lambda line: (len(line), line))
    kept, size = [], 0
    for line in lines:
        size += len(line) + 1
        if size > BUDGET:
            break
        kept.append(line.decode())
    HERE.joinpath("corpus").mkdir(exist_ok=True)
    HERE.joinpath(f"corpus/{name}.corpus").write_text(
        "# Inputs of libFuzzer's, a line each: deflated, in base64. keep.py made this.\n" + "\n".join(kept) + "\n",
        encoding="ascii")
    print(f"{name}: {len(kept)} of {len(inputs)} inputs")


def main():
    folder = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or sorted(path.name.removesuffix("-libfuzzer") for path in folder.glob("*-libfuzzer"))
    for name in names:
        keep(folder, name)


if __name__ == "__main__":
    main()
