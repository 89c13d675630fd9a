#!/usr/bin/python3
"""compress_zlib.py LOG: Python's zlib, gzip, bz2 and lzma in four threads, a fresh stream a call,
and one zlib stream that is flushed."""
import bz2
import gzip
import hashlib
import lzma
import sys
import threading
import zlib

CHUNK = 256 << 10
sums = {}


def one_shot(chunks, out):
    for chunk in chunks[:40]:
        out.update(zlib.compress(chunk, 6))


def files(chunks, out):
    for chunk in chunks[:40]:
        out.update(gzip.compress(chunk, 1, mtime=0))


def others(chunks, out):
    for chunk in chunks[:12]:
        out.update(bz2.compress(chunk))
        out.update(lzma.compress(chunk, preset=1))


def stream(chunks, out):
    stream_ = zlib.compressobj(6, zlib.DEFLATED, 31)
    for chunk in chunks[:40]:
        out.update(stream_.compress(chunk))
        out.update(stream_.flush(zlib.Z_SYNC_FLUSH))
    out.update(stream_.flush())


def run(work, chunks):
    out = hashlib.sha256()
    work(chunks, out)
    sums[work.__name__] = out.hexdigest()


def main():
    log = open(sys.argv[1], "rb").read(40 * CHUNK)
    chunks = [log[i:i + CHUNK] for i in range(0, len(log), CHUNK)]
    threads = [threading.Thread(target=run, args=(work, chunks))
               for work in (one_shot, files, others, stream)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name in sorted(sums):
        print(name, sums[name])


main()
