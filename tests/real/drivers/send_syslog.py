#!/usr/bin/python3
"""send_syslog.py PORT LOG LINES: sends so many lines over TCP as syslog messages, and a last one
that says so."""
import socket
import sys


def main():
    port, count = int(sys.argv[1]), int(sys.argv[3])
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    with open(sys.argv[2], "rb") as log, connection.makefile("wb") as out:
        for _ in range(count):
            out.write(b"<13>Jan  1 00:00:00 host app: " + log.readline())
        out.write(b"<13>Jan  1 00:00:00 host app: the last message\n")
    connection.close()


main()
