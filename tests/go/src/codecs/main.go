// Compresses and decompresses with each codec that Go programs use, in the ways that make large
// blocks, and prints what it did: a JSON object of calls by codec.
package main

import (
	"bytes"
	stdflate "compress/flate"
	stdgzip "compress/gzip"
	stdzlib "compress/zlib"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/andybalholm/brotli"
	"github.com/golang/snappy"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	ksnappy "github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
	"github.com/pierrec/lz4"
)

type codec struct {
	name       string
	compress   func(source []byte) []byte
	decompress func(message []byte, size int) []byte
}

var rounds = flag.Int("n", 24, "messages for each codec")

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// What a writer of a new one, as many programs make for each message, makes of it.
//
//go:noinline
func stream(source []byte, open func(io.Writer) io.WriteCloser) []byte {
	var b bytes.Buffer
	w := open(&b)
	_, err := w.Write(source)
	must(err)
	must(w.Close())
	return b.Bytes()
}

func read(r io.Reader, err error) []byte {
	must(err)
	plain, err := io.ReadAll(r)
	must(err)
	return plain
}

func lz4Block(source []byte) []byte {
	out := make([]byte, lz4.CompressBlockBound(len(source)))
	n, err := lz4.CompressBlock(source, out, nil)
	must(err)
	return out[:n]
}

func lz4Plain(message []byte, size int) []byte {
	out := make([]byte, size)
	n, err := lz4.UncompressBlock(message, out)
	must(err)
	return out[:n]
}

func writer(w io.WriteCloser, err error) io.WriteCloser {
	must(err)
	return w
}

var codecs = []codec{
	{"compress/flate", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return writer(stdflate.NewWriter(w, 6)) })
	}, func(m []byte, _ int) []byte { return read(stdflate.NewReader(bytes.NewReader(m)), nil) }},
	{"compress/gzip", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return stdgzip.NewWriter(w) })
	}, func(m []byte, _ int) []byte { return read(stdgzip.NewReader(bytes.NewReader(m))) }},
	{"compress/zlib", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return stdzlib.NewWriter(w) })
	}, func(m []byte, _ int) []byte { return read(stdzlib.NewReader(bytes.NewReader(m))) }},
	{"klauspost/compress/flate", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return writer(flate.NewWriter(w, 6)) })
	}, func(m []byte, _ int) []byte { return read(flate.NewReader(bytes.NewReader(m)), nil) }},
	{"klauspost/compress/gzip", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	}, func(m []byte, _ int) []byte { return read(gzip.NewReader(bytes.NewReader(m))) }},
	{"klauspost/compress/zlib", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	}, func(m []byte, _ int) []byte { return read(zlib.NewReader(bytes.NewReader(m))) }},
	{"klauspost/compress/zstd", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return writer(zstd.NewWriter(w)) })
	}, func(m []byte, _ int) []byte { return read(zstd.NewReader(bytes.NewReader(m))) }},
	{"klauspost/compress/s2", func(s []byte) []byte { return s2.Encode(nil, s) },
		func(m []byte, _ int) []byte { return read(bytes.NewReader(decoded(s2.Decode(nil, m))), nil) }},
	{"klauspost/compress/s2 stream", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return s2.NewWriter(w) })
	}, func(m []byte, _ int) []byte { return read(s2.NewReader(bytes.NewReader(m)), nil) }},
	{"klauspost/compress/snappy", func(s []byte) []byte { return ksnappy.Encode(nil, s) },
		func(m []byte, _ int) []byte { return decoded(ksnappy.Decode(nil, m)) }},
	{"klauspost/pgzip", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return pgzip.NewWriter(w) })
	}, func(m []byte, _ int) []byte { return read(pgzip.NewReader(bytes.NewReader(m))) }},
	{"golang/snappy", func(s []byte) []byte { return snappy.Encode(nil, s) },
		func(m []byte, _ int) []byte { return decoded(snappy.Decode(nil, m)) }},
	{"golang/snappy stream", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return snappy.NewBufferedWriter(w) })
	}, func(m []byte, _ int) []byte { return read(snappy.NewReader(bytes.NewReader(m)), nil) }},
	{"pierrec/lz4", lz4Block, lz4Plain},
	{"pierrec/lz4 stream", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) })
	}, func(m []byte, _ int) []byte { return read(lz4.NewReader(bytes.NewReader(m)), nil) }},
	{"andybalholm/brotli", func(s []byte) []byte {
		return stream(s, func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 5) })
	}, func(m []byte, _ int) []byte { return read(brotli.NewReader(bytes.NewReader(m)), nil) }},
}

func decoded(plain []byte, err error) []byte {
	must(err)
	return plain
}

func main() {
	flag.Parse()
	var source bytes.Buffer
	for i := 0; source.Len() < 300000; i++ {
		fmt.Fprintf(&source, "%d INFO request %x took %d us\n", i, uint32(i)*2654435761, i*i%9973)
	}
	done := map[string]int{}
	for _, c := range codecs {
		for i := 0; i < *rounds; i++ {
			message := c.compress(source.Bytes())
			if !bytes.Equal(c.decompress(message, source.Len()), source.Bytes()) {
				fmt.Fprintln(os.Stderr, "DIFFERS:", c.name)
				os.Exit(3)
			}
			done[c.name]++
		}
	}
	must(json.NewEncoder(os.Stdout).Encode(done))
}
