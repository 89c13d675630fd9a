#!/usr/bin/python3
"""compress_zstd.py LOG: Debian's python3-zstandard (dynamic libzstd, RTLD_LOCAL) in four threads:
a kept compressor, a fresh one a call, streams, and zstd's own worker threads."""
import hashlib
import sys
import threading

import zstandard

CHUNK = 256 << 10
ROUNDS = 3
sums = {}


def kept(log, out):
    compressor = zstandard.ZstdCompressor(level=3)
    for i in range(60):
        out.update(compressor.compress(log[i * CHUNK:(i + 1) * CHUNK]))


def fresh(log, out):
    for i in range(60):
        out.update(zstandard.ZstdCompressor(level=3).compress(log[i * CHUNK:(i + 1) * CHUNK]))


def stream(log, out):
    for k in range(6):
        stream_ = zstandard.ZstdCompressor(level=3).compressobj()
        for i in range(10 * k, 10 * k + 10):
            out.update(stream_.compress(log[i * CHUNK:(i + 1) * CHUNK]))
        out.update(stream_.flush())


def workers(log, out):
    out.update(zstandard.ZstdCompressor(level=3, threads=2).compress(log[:16 << 20]))


def run(work, log):
    out = hashlib.sha256()
    for _ in range(ROUNDS):
        work(log, out)
    sums[work.__name__] = out.hexdigest()


def main():
    log = open(sys.argv[1], "rb").read(16 << 20)
    threads = [threading.Thread(target=run, args=(work, log))
               for work in (kept, fresh, stream, workers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name in sorted(sums):
        print(name, sums[name])
    print(zstandard.backend, zstandard.ZSTD_VERSION)


main()
