"""codecs.py REPORT COUNTS [cgo]: whether the blocks that each codec of src/codecs made are known as
its: by codec, direction, kind of function and role. Functions that were inlined into all their
callers have no kind: only the report finds them."""
import json
import sys

process = next(p for p in json.load(open(sys.argv[1]))["processes"] if p.get("go"))
n = set(json.load(open(sys.argv[2])).values()).pop()
kinds = {(f["name"], f["codec"]): f["kind"] for f in process["codec_functions"]}
sites = [s for s in process["sites"] if s["runtime"] == "go" and s["codec_function"]]

# Which function the block has to be under (`|`: or, as the compiler inlines; `*`: more may follow),
# its codec and direction, of what kind the function is, what the block is for, and how many at least
# (in n: one a message).
K = "github.com/klauspost/compress/"
G = "github.com/"
WANTED = [
    ("compress/flate.NewWriter|compress/flate.NewWriter*", "zlib", "compress", "create", "workspace", n),
    ("compress/flate.(*Writer).*", "zlib", "compress", "stream end", "output", n), # bytes.Buffer's
    ("compress/gzip.(*Writer).*", "zlib", "compress", "stream end", "workspace", n),
    ("compress/zlib.(*Writer).*", "zlib", "compress", "stream end", "workspace", n),
    (K + "flate.NewWriter*", "zlib", "compress", "create", "workspace", n),
    (K + "flate.(*Writer).*", "zlib", "compress", "stream end", "workspace", n),
    (K + "gzip.(*Writer).*", "zlib", "compress", "stream end", "workspace", n),
    (K + "zlib.(*Writer).*", "zlib", "compress", "stream end", "workspace", n),
    (K + "zstd.NewWriter|" + K + "zstd.(*Encoder).Reset", "zstd", "compress", "create init", "workspace", n),
    (K + "zstd.(*Encoder).*", "zstd", "compress", "stream end", "workspace", n),
    (K + "zstd.(*Decoder).*|" + K + "zstd.NewReader", "zstd", "decompress", "stream create", "workspace", n),
    (K + "s2.Encode", "s2", "compress", "one-shot", "output", n),
    (K + "s2.Decode", "s2", "decompress", "one-shot", "workspace", n),
    (K + "s2.EncodeSnappy*|" + K + "snappy.Encode", "s2 snappy", "compress", "one-shot", "output", n),
    (K + "s2.NewWriter", "s2", "compress", "create", "workspace", n),
    (K + "s2.(*Writer).*", "s2", "compress", "stream end", "workspace", n),
    (K + "s2.NewReader", "s2", "decompress", "create", "workspace", n),
    (G + "klauspost/pgzip.(*Writer).*", "zlib", "compress", "stream end", "workspace", n),
    (G + "klauspost/pgzip.NewReader*", "zlib", "decompress", "create", "workspace", n),
    (G + "golang/snappy.Encode", "snappy", "compress", "one-shot", "output", n),
    (G + "golang/snappy.Decode", "snappy", "decompress", "one-shot", "workspace", n),
    (G + "golang/snappy.NewBufferedWriter", "snappy", "compress", "create", "workspace", n),
    (G + "golang/snappy.NewReader", "snappy", "decompress", "create", "workspace", n),
    (G + "pierrec/lz4.CompressBlock", "lz4", "compress", "one-shot", "workspace", 1),
    (G + "pierrec/lz4.NewWriter|" + G + "pierrec/lz4.(*Writer).*", "lz4", "compress", "create stream end init", "workspace", n),
    (G + "pierrec/lz4.(*Writer).*", "lz4", "compress", "stream end", "workspace", 1),
    (G + "pierrec/lz4.(*Reader).*", "lz4", "decompress", "stream", "workspace", n),
    (G + "andybalholm/brotli.(*Writer).*", "brotli", "compress", "stream end", "workspace", n),
    (G + "andybalholm/brotli.(*Reader).*", "brotli", "decompress", "stream", "workspace", n),
]
if "cgo" in sys.argv:
    WANTED += [
        (G + "DataDog/zstd.Compress*", "zstd", "compress", "one-shot", "output", n),
        (G + "DataDog/zstd.Decompress*", "zstd", "decompress", "one-shot", "workspace", n),
        (G + "DataDog/zstd.(*Writer).*", "zstd", "compress", "stream end", "workspace", n),
        (G + "DataDog/zstd.NewReader*", "zstd", "decompress", "create", "workspace", 1),
        (G + "valyala/gozstd.Compress*|" + G + "valyala/gozstd.compress*", "zstd", "compress", "one-shot", "output", n),
        (G + "valyala/gozstd.Decompress*|" + G + "valyala/gozstd.decompress", "zstd", "decompress", "one-shot", "workspace", n),
        (G + "valyala/gozstd.(*Writer).*", "zstd", "compress", "stream end", "output", n),
    ]


def fits(pattern, name):
    return any(name.startswith(p[:-1]) if p[-1] == "*" else name == p for p in pattern.split("|"))


bad = 0
for pattern, codec, direction, kind, role, least in WANTED:
    found = [s for s in sites if fits(pattern, s["codec_function"])]
    good = [s for s in found if s["codec"] in codec.split() and s["direction"] == direction and
            kinds.get((s["codec_function"], s["codec"]), kind) in (kind, *kind.split()) and
            s["role"] == role]
    if sum(s["allocs"] for s in good) >= least:
        continue
    bad += 1
    print("%s: wanted %d blocks, %s %s %s %s; found %s" % (pattern, least, codec, direction, kind, role, [
        (s["codec_function"], s["allocs"], s["codec"], s["direction"],
         kinds.get((s["codec_function"], s["codec"])), s["role"]) for s in found]))

# The calls whose arguments are seen, counted by who made them.
calls = {}
for c in process["codec_calls"]:
    calls[c["function"]] = calls.get(c["function"], 0) + c["calls"]
for name in (K + "s2.Encode",):
    if calls.get(name) != n:
        bad += 1
        print("%s: %s calls, made were %d" % (name, calls.get(name), n))
if "cgo" in sys.argv and not any(s["runtime"] == "c" and s["codec"] == "zstd" for s in process["sites"]):
    bad += 1
    print("no block of libzstd's")
sys.exit(bad > 0)
