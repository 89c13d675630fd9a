#!/usr/bin/python3
"""fetch.py PORT PATH COUNT: gets PATH COUNT times over 8 connections, compressed, and prints what
arrived: how many with which status, encoding and hash of the body once unpacked."""
import collections
import gzip
import hashlib
import http.client
import sys
import threading

CONNECTIONS = 8
seen = collections.Counter()


def fetch(port, path, count):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(count):
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        encoding = answer.getheader("Content-Encoding")
        if encoding == "gzip":
            body = gzip.decompress(body)
        seen[answer.status, encoding, hashlib.sha256(body).hexdigest()] += 1
    connection.close()


def main():
    port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    threads = [threading.Thread(target=fetch, args=(port, path, count // CONNECTIONS))
               for _ in range(CONNECTIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for what, times in sorted(seen.items(), key=str):
        print(times, *what)


main()
