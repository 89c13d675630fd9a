/* What to do about it, for each codec and each library that brings it to a program. Plain data:
 * to add a library, add a line. */
#include <string.h>

#include "base/codec_table.h"
#include "finding.h"

/* ---- libraries ---- */

/* The first that fits the innermost frame counts, so what is special stands before what is
 * general. */
static const struct advice_host hosts[] = {
    {"librdkafka", ADVICE_KAFKA, NULL, "librdkafka", "rd_kafka_|rdkafka_", NULL, NULL},
    {"zstd-jni", ADVICE_JVM, NULL, "libzstd-jni", "Java_com_github_luben_zstd",
     "Compress through one ZstdCompressCtx per thread instead of Zstd.compress; for streams pass "
     "RecyclingBufferPool.INSTANCE to ZstdOutputStream, which keeps the Java buffers, and keep the "
     "stream or its context instead of making one for every message; close() each on every path",
     NULL},
    {"snappy-java", ADVICE_JVM, NULL, "snappyjava", "Java_org_xerial_snappy",
     "snappy takes its hash table anew in every call and has no context to keep: compress larger "
     "blocks in fewer calls; for SnappyOutputStream pass a BufferAllocatorFactory that caches "
     "(CachedBufferAllocator), which keeps the Java buffers",
     NULL},
    {"lz4-java", ADVICE_JVM, NULL, "lz4-java", "Java_net_jpountz_lz4",
     "Keep one LZ4Compressor (it is safe to share) and compress larger blocks in fewer calls; "
     "close() every LZ4FrameOutputStream",
     NULL},
    {"java.util.zip", ADVICE_BINDING, "zlib", "=libzip.so", "Java_java_util_zip_",
     "Keep one java.util.zip.Deflater per thread, call reset() between messages and hand it to "
     "DeflaterOutputStream; GZIPOutputStream always makes its own; call end() on every path",
     NULL},
    {"python-zstandard", ADVICE_BINDING, "zstd", "/zstandard/", NULL,
     "Keep one zstandard.ZstdCompressor per thread and call its compress() for every message: each "
     "new compressor makes a new context",
     "compress() returns a new bytes object of the bound for every message: write into a stream "
     "that is kept (stream_writer) or take chunks (chunker)"},
    {"pyzstd", ADVICE_BINDING, "zstd", "/pyzstd/|_zstd.cpython", NULL,
     "Keep one ZstdCompressor per thread and end each message with "
     "compress(data, ZstdCompressor.FLUSH_FRAME); the function compress() makes a new context "
     "every time",
     NULL},
    {"python-lz4", ADVICE_BINDING, "lz4", "/lz4/frame/|/lz4/block/", NULL,
     "Keep one lz4.frame context (create_compression_context, LZ4FrameCompressor) per thread",
     "lz4.block.compress and lz4.frame.compress return a new bytes object of the bound: compress "
     "larger batches"},
    {"Python's zlib", ADVICE_BINDING, "zlib", "/zlib.cpython|^python3|^libpython3", "zlib_compress",
     "Python's zlib cannot use a context for a second message (compressobj() makes one, too): put "
     "more into each compress() call, lower wbits and memLevel of compressobj(), or take a "
     "library that needs less (isal.isal_zlib, zlib_ng)",
     "zlib.compress() grows a new bytes object for every message: put more into each call"},
    {"Python's bz2", ADVICE_BINDING, "bz2", "_bz2.cpython|^python3|^libpython3", NULL,
     "Python's bz2 cannot use a context for a second message: put more into each call, or lower "
     "compresslevel, which sets the size of the block that is allocated",
     "bz2.compress() grows a new bytes object for every message: put more into each call"},
    {"Python's lzma", ADVICE_BINDING, "lzma", "_lzma.cpython|^python3|^libpython3", NULL,
     "Python's lzma cannot use a context for a second message: put more into each call, or lower "
     "the preset or dict_size in filters=, which set what is allocated",
     "lzma.compress() grows a new bytes object for every message: put more into each call"},
    {"Python's brotli", ADVICE_BINDING, "brotli", "_brotli.", NULL,
     "brotli has no way to use an encoder again: put more into each call, or lower lgwin and "
     "quality, which set what is allocated",
     NULL},
    {"a Python extension", ADVICE_BINDING, NULL, "^python3|^libpython3", NULL,
     "Keep one compressor object per thread, if the extension has one, instead of calling a "
     "function that makes a context every time; else put more into each call",
     NULL},
    {"node", ADVICE_BINDING, NULL, "=node|=nodejs", "node::",
     "Keep one stream object per connection (zlib.createDeflate(), flush(), reset()) instead of "
     "zlib.deflate() or zlib.gzip() for every message: each of those makes a new context; or lower "
     "memLevel and windowBits (brotli: BROTLI_PARAM_LGWIN)",
     NULL},
    {"a Ruby extension", ADVICE_BINDING, NULL, "^libruby|=ruby", "rb_deflate",
     "Keep one Zlib::Deflate per thread and call reset between messages (zstd-ruby: one streaming "
     "context) instead of the class method",
     NULL},
    {"Perl's Compress::Raw", ADVICE_BINDING, NULL, "/Compress/Raw/", NULL,
     "Keep one Compress::Raw::Zlib::Deflate per process and call deflateReset between messages",
     NULL},
    {"klauspost/compress", ADVICE_PROGRAM, "zstd", NULL, "github.com/klauspost/compress/zstd.",
     "Keep one *zstd.Encoder for all goroutines: EncodeAll may be called on it by many at once, "
     "and "
     "WithEncoderConcurrency(n) says how many states it keeps. Where encoders are cached, the "
     "cache "
     "must not be smaller than the goroutines that compress at once (as Sarama's is, with one "
     "encoder a level): each that finds it empty builds an encoder (encoderOptions.encoder), about "
     "1.3 MB and a history of the window's size, for one batch",
     "Pass a destination that is kept, EncodeAll(source, buffer[:0]), with buffers from a "
     "sync.Pool: "
     "without one EncodeAll makes as much as the source is long before it compresses. Or "
     "WithLowerEncoderMem(true), which grows the destination to what is needed; and fewer at once: "
     "WithEncoderConcurrency(n), with a limit on the goroutines that call it"},
    {"klauspost/compress", ADVICE_PROGRAM, NULL, NULL, "github.com/klauspost/compress/",
     "Keep the Writer and Reset(w) it for each message, or take it from a sync.Pool: NewWriter "
     "makes "
     "all tables anew",
     "Pass a destination that is kept, Encode(buffer[:cap(buffer)], source), with buffers from a "
     "sync.Pool; MaxEncodedLen(n) of the largest message is enough for all"},
    {"Go's compress", ADVICE_PROGRAM, "zlib", NULL, "compress/",
     "Keep the Writer and Reset(w) it for each message, or take it from a sync.Pool: NewWriter "
     "makes "
     "about 800 KiB of tables anew (compress/flate); klauspost/compress has Writers that need "
     "less, "
     "and StatelessDeflate, which keeps nothing",
     "Give it a bytes.Buffer that is kept: Reset() leaves it its memory"},
    {"golang/snappy", ADVICE_PROGRAM, "snappy", NULL, "github.com/golang/snappy.", NULL,
     "Pass a destination that is kept, Encode(buffer[:cap(buffer)], source), with buffers from a "
     "sync.Pool; MaxEncodedLen(n) of the largest message is enough for all"},
    {"pierrec/lz4", ADVICE_PROGRAM, "lz4", NULL, "github.com/pierrec/lz4",
     "Keep the Writer and Reset(w) it for each message, with a smaller BlockSizeOption where "
     "messages are small: each Writer takes blocks of 4 MiB as it comes",
     "Pass a destination that is kept to CompressBlock; CompressBlockBound(n) of the largest "
     "message is enough for all"},
    {"andybalholm/brotli", ADVICE_PROGRAM, "brotli", NULL, "github.com/andybalholm/brotli.",
     "Keep the Writer and Reset(w) it for each message, or take it from a sync.Pool; a lower LGWin "
     "or quality makes it smaller",
     "Give it a bytes.Buffer that is kept: Reset() leaves it its memory"},
    {"Go through cgo", ADVICE_BINDING, NULL, NULL,
     "_cgo_|github.com/DataDog/zstd.|github.com/valyala/gozstd.",
     "Use the binding's context (DataDog/zstd: NewCtx, kept in a sync.Pool) instead of its "
     "functions Compress and CompressLevel, which make one every time",
     "Pass a destination that is kept: Compress(buffer[:0], source)"},
    {"Rust's zstd", ADVICE_BINDING, "zstd", NULL, "zstd_safe::|zstd::bulk|zstd::stream",
     "Keep one zstd::bulk::Compressor per thread and call compress_to_buffer; zstd::encode_all and "
     "zstd::bulk::compress make a context every time",
     "compress_to_buffer writes into a buffer that is kept"},
    {"git", ADVICE_PROGRAM, "zlib", "=git", "git_deflate|git_inflate",
     "git makes one deflate stream for every object that it writes: core.compression=0 or "
     "pack.compression=0 spares the work where space is cheap; keeping the stream (deflateReset) "
     "needs a change in git",
     NULL},
    {"nginx", ADVICE_PROGRAM, "zlib", "=nginx|ngx_http_gzip", "ngx_http_gzip",
     "nginx takes the memory of a deflate stream for every response: compress beforehand "
     "(gzip_static), cache compressed responses, raise gzip_min_length, or lower gzip_comp_level, "
     "which together with the response's length sets the size of the window",
     NULL},
    {"Apache's mod_deflate", ADVICE_PROGRAM, "zlib", "mod_deflate", "deflate_out_filter",
     "mod_deflate makes a deflate stream for every response: lower DeflateMemLevel and "
     "DeflateWindowSize, cache compressed responses, or serve files that are compressed beforehand",
     NULL},
    {"redis", ADVICE_PROGRAM, "lzf", "=redis-server|^redis-", "rdbSaveLzfStringObject", NULL,
     "rdbSaveLzfStringObject allocates as much as the value for every value that it saves: keep "
     "one scratch buffer, grown to the largest value so far, through the whole save; or set "
     "rdbcompression no"},
};

static bool fits_module(const char *path, const char *pattern, size_t length) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    if (*pattern == '=')
        return strlen(base) == length - 1 && memcmp(base, pattern + 1, length - 1) == 0;
    if (*pattern == '^')
        return strncmp(base, pattern + 1, length - 1) == 0;
    return memmem(path, strlen(path), pattern, length) != NULL;
}

/* The pattern that fits, or NULL. */
static const char *fits(const char *patterns, const char *text, bool module) {
    while (patterns && text && *patterns) {
        size_t length = strcspn(patterns, "|");
        if (module ? fits_module(text, patterns, length) : strncmp(text, patterns, length) == 0)
            return patterns;
        patterns += length + (patterns[length] == '|');
    }
    return NULL;
}

const struct advice_host *advice_find_host(const struct analyse_frame *frame, const char *codec,
                                           bool *is_weak) {
    const char *function = frame->function ? codec_table_go_name(frame->function) : NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(hosts); i++) {
        const struct advice_host *host = &hosts[i];
        if (host->codec && codec && strcmp(host->codec, codec) != 0)
            continue;
        const char *module = fits(host->modules, frame->module, true);
        *is_weak = module && *module == '^';
        if (module || fits(host->functions, function, false))
            return host;
    }
    return NULL;
}

/* ---- codecs ---- */

static const struct advice_codec codecs[] = {
    {"zstd",
     "Keep one ZSTD_CCtx per thread and compress with ZSTD_compress2 or ZSTD_compressCCtx "
     "(streams: ZSTD_CCtx_reset(ctx, ZSTD_reset_session_only) between messages); ZSTD_compress and "
     "ZSTD_createCStream make a new one every time",
     "ZSTD_compressBound(n) of the largest message is enough for all; or compress into a fixed "
     "chunk with ZSTD_compressStream2",
     "lower ZSTD_c_windowLog (a window larger than the largest message serves nobody) or the "
     "level, or tell the size with ZSTD_CCtx_setPledgedSrcSize",
     false, "klauspost/compress: WithLowerEncoderMem(true) and WithWindowSize"},
    {"zlib",
     "Keep one z_stream per thread and call deflateReset between messages instead of deflateEnd "
     "and deflateInit",
     "deflateBound(stream, n) of the largest message is enough for all; or take the output in "
     "fixed chunks",
     "lower memLevel and windowBits of deflateInit2: a stream takes "
     "2^(windowBits+2) + 2^(memLevel+9) bytes, 256 KiB as it comes",
     false, NULL},
    {"lz4",
     "Keep the state: LZ4_compress_fast_extState with one LZ4_sizeofState() buffer per thread; for "
     "frames one LZ4F_cctx per thread, LZ4F_compressBegin starts it anew",
     "LZ4_compressBound(n), or LZ4F_compressBound, of the largest message is enough for all",
     "choose a smaller block (LZ4F_max64KB as blockSizeID in place of LZ4F_max4MB), independent "
     "blocks, or LZ4_compress_fast in place of HC",
     false, NULL},
    {"snappy",
     "snappy has no context to keep: it takes its hash table anew in every call (64 KiB blocks); "
     "compress more in each call, or change to a codec whose context can be kept",
     "snappy_max_compressed_length(n) of the largest message is enough for all",
     "snappy has no such mode; below 64 KiB its tables shrink with the message", true, NULL},
    {"brotli",
     "brotli cannot use an encoder for a second message: give it an allocator that keeps the "
     "blocks (alloc_func and free_func of BrotliEncoderCreateInstance), one per thread",
     "BrotliEncoderMaxCompressedSize(n) of the largest message is enough for all",
     "lower BROTLI_PARAM_LGWIN, or the quality; tell the size with BROTLI_PARAM_SIZE_HINT", false,
     NULL},
    {"lzma",
     "Keep one lzma_stream per thread and initialise the next encoder on it without lzma_end: "
     "liblzma then keeps what has the same size",
     "lzma_stream_buffer_bound(n) of the largest message is enough for all",
     "lower dict_size of the LZMA2 filter, or the preset: the encoder takes about ten times the "
     "dictionary",
     false, NULL},
    {"bz2",
     "bzip2 has no way to use a stream again: set bzalloc and bzfree to an allocator that keeps "
     "the blocks, one per thread, or put more into each message",
     "1.01 times the largest message and 600 bytes are enough for all",
     "lower blockSize100k: a compressor takes 400 kB and eight times the block", false, NULL},
    {"lzf", "Pass the hash table (LZF_STATE_ARG) or let it stand on the stack",
     "the length of the largest message is enough for all", "lower HLOG when building it", true,
     NULL},
    {"libdeflate", "Keep one libdeflate_compressor per thread: it may serve any number of messages",
     "libdeflate_deflate_compress_bound(c, n) of the largest message is enough for all",
     "choose a lower level: it sets the size of the compressor", false, NULL},
    {"isa-l", "Keep one isal_zstream and its level_buf per thread and call isal_deflate_reset",
     "the largest message and its headers are enough for all",
     "choose a smaller level_buf (ISAL_DEF_LVL1_SMALL) or level 0", false, NULL},
};

const struct advice_codec *advice_find_codec(const char *codec) {
    static const struct advice_codec any = {
        NULL,
        "Keep one context per thread and start it anew for each message",
        "a destination of the bound of the largest message is enough for all",
        "choose a smaller window, block or level",
        false,
        NULL};
    for (unsigned i = 0; codec && i < ARRAY_SIZE(codecs); i++)
        if (strcmp(codecs[i].codec, codec) == 0)
            return &codecs[i];
    return &any;
}
