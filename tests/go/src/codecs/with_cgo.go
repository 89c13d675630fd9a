//go:build cgo

package main

import (
	"bytes"
	"io"

	datadog "github.com/DataDog/zstd"
	"github.com/valyala/gozstd"
)

func init() {
	codecs = append(codecs,
		codec{"DataDog/zstd", func(s []byte) []byte { return decoded(datadog.Compress(nil, s)) },
			func(m []byte, _ int) []byte { return decoded(datadog.Decompress(nil, m)) }},
		codec{"DataDog/zstd stream", func(s []byte) []byte {
			return stream(s, func(w io.Writer) io.WriteCloser { return datadog.NewWriter(w) })
		}, func(m []byte, _ int) []byte { return read(datadog.NewReader(bytes.NewReader(m)), nil) }},
		codec{"valyala/gozstd", func(s []byte) []byte { return gozstd.Compress(nil, s) },
			func(m []byte, _ int) []byte { return decoded(gozstd.Decompress(nil, m)) }},
		codec{"valyala/gozstd stream", func(s []byte) []byte {
			return stream(s, func(w io.Writer) io.WriteCloser { return gozstd.NewWriter(w) })
		}, func(m []byte, _ int) []byte { return read(gozstd.NewReader(bytes.NewReader(m)), nil) }})
}
