#!/usr/bin/python3
"""redis_client.py PORT LOG: sets 100 keys of 128 KiB, saves 8 times (LZF compresses each value),
reads the keys back, prints their hash, and stops the server."""
import hashlib
import socket
import sys

KEYS = 100
SIZE = 128 << 10
SAVES = 8


class Redis:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.answers = self.socket.makefile("rb")

    def send(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words)
                            + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def ask(self, *words):
        self.send(*words)
        line = self.answers.readline().rstrip()
        if line.startswith(b"$"):
            return self.answers.read(int(line[1:]) + 2)[:-2]
        return line


def main():
    redis = Redis(int(sys.argv[1]))
    log = open(sys.argv[2], "rb").read(KEYS * SIZE)
    values = [log[i * SIZE:(i + 1) * SIZE] for i in range(KEYS)]
    print({redis.ask("SET", f"key{i}", v) for i, v in enumerate(values)})
    print({redis.ask("SAVE") for _ in range(SAVES)})
    back = hashlib.sha256(b"".join(redis.ask("GET", f"key{i}") for i in range(KEYS)))
    print(back.hexdigest())
    redis.send("SHUTDOWN", "NOSAVE")
    redis.answers.read()


main()
