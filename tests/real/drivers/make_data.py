#!/usr/bin/python3
"""make_data.py FOLDER: writes FOLDER/log.txt, 48 MiB of log lines, the same bytes every time."""
import random
import sys

SIZE = 48 << 20
LINES_AT_ONCE = 2000
PATHS = ("/api/v1/users/%d", "/api/v1/orders/%d/items", "/static/js/app.%x.js", "/search?q=term%d",
         "/healthz?%d")
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "curl/7.88.1", "kube-probe/1.27",
          "Go-http-client/1.1")
LEVELS = ("INFO", "WARN", "ERROR", "DEBUG")


def line(bits):
    """One line from 256 random bits."""
    path = PATHS[(bits >> 40) % 5] % (bits >> 50 & 0x3fffffff)
    return (f'{{"ts":{1700000000 + bits % 10**7},"level":"{LEVELS[bits >> 24 & 3]}",'
            f'"host":"node-{(bits >> 26) % 400:03}","path":"{path}",'
            f'"agent":"{AGENTS[bits >> 82 & 3]}","ms":{(bits >> 84 & 0xffff) / 10},'
            f'"id":"{bits >> 128:032x}","user":{(bits >> 104 & 0xffffff) % 100000}}}\n')


def main():
    source = random.Random(7)
    written = 0
    with open(sys.argv[1] + "/log.txt", "w", encoding="ascii") as out:
        while written < SIZE:
            text = "".join(line(source.getrandbits(256)) for _ in range(LINES_AT_ONCE))
            text = text[:SIZE - written]
            written += out.write(text)


main()
