// A producer of compressed batches, as the incident's was: many goroutines that call EncodeAll of
// klauspost/compress. It counts its own calls and bytes, and what the runtime says of its large
// allocations, so that what squall saw can be compared with what was.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
)

var (
	mode       = flag.String("mode", "naive", "naive, made, pooled, lowmem, limited, append or per-batch")
	goroutines = flag.Int("g", 64, "goroutines")
	ops        = flag.Int64("ops", 2000, "batches in all; 0: until it is killed, or -until")
	smallest   = flag.Int("min", 100<<10, "bytes of a batch, at least")
	largest    = flag.Int("max", 900<<10, "and at most")
	verify     = flag.Bool("verify", false, "decode every result and compare")
	deep       = flag.Int("deep", 0, "call from so many frames further in, on a new goroutine")
	panics     = flag.Bool("panics", false, "panic through EncodeAll's caller now and then, and recover")
	gcPercent  = flag.Bool("gcpercent", false, "change the GC's percentage now and then")
	profiles   = flag.Bool("profiles", false, "a CPU profile and an execution trace run all the time")
	report     = flag.String("report", "", "file for the counts, else standard output")
)

type batcher struct {
	encoder                       *zstd.Encoder
	decoder                       *zstd.Decoder
	limit                         chan struct{}
	pool                          sync.Pool
	options                       []zstd.EOption
	calls, source, produced, sent int64
}

//go:noinline
func (b *batcher) send(p []byte) { atomic.AddInt64(&b.sent, int64(len(p))) }

// The line that squall has to name: each call is made here.
//
//go:noinline
func (b *batcher) encode(e *zstd.Encoder, source, destination []byte) []byte {
	out := e.EncodeAll(source, destination)
	atomic.AddInt64(&b.calls, 1)
	atomic.AddInt64(&b.source, int64(len(source)))
	atomic.AddInt64(&b.produced, int64(len(out)-len(destination)))
	return out
}

//go:noinline
func (b *batcher) flush(source []byte) {
	var out []byte
	switch *mode {
	case "pooled":
		buffer := b.pool.Get().(*[]byte)
		out = b.encode(b.encoder, source, (*buffer)[:0])
		b.deliver(source, out)
		*buffer = out[:0]
		b.pool.Put(buffer)
		return
	case "limited":
		b.limit <- struct{}{}
		out = b.encode(b.encoder, source, nil)
		<-b.limit
	case "per-batch":
		e, err := zstd.NewWriter(nil, b.options...)
		if err != nil {
			panic(err)
		}
		out = b.encode(e, source, make([]byte, 0, 16))
		e.Close()
	case "made":
		out = b.encode(b.encoder, source, make([]byte, 0, len(source)))
	case "append":
		out = b.encode(b.encoder, source, make([]byte, 0, 16))
	default:
		out = b.encode(b.encoder, source, nil)
	}
	b.deliver(source, out)
}

func (b *batcher) deliver(source, out []byte) {
	b.send(out)
	if !*verify {
		return
	}
	plain, err := b.decoder.DecodeAll(out, nil)
	if err != nil || !bytes.Equal(plain, source) {
		fmt.Fprintln(os.Stderr, "DIFFERS:", err)
		os.Exit(3)
	}
}

// Stacks that grow, and so move, while the hook's callers are on them.
//
//go:noinline
func recurse(n int, f func()) byte {
	var pad [256]byte
	pad[n&255] = byte(n)
	if n == 0 {
		f()
		return pad[3]
	}
	return recurse(n-1, f) + pad[n&127]
}

func (b *batcher) one(r *rand.Rand, corpus []byte) {
	n := *smallest
	if *largest > *smallest {
		n += r.Intn(*largest - *smallest)
	}
	at := r.Intn(len(corpus) - n)
	source := corpus[at : at+n]
	work := func() { b.flush(source) }
	if *panics && r.Intn(4) == 0 {
		work = func() {
			defer func() { recover() }()
			b.flush(source)
			panic("as it happens")
		}
	}
	if *gcPercent && r.Intn(16) == 0 {
		debug.SetGCPercent(10 + r.Intn(200))
	}
	if *deep == 0 {
		work()
		return
	}
	done := make(chan struct{})
	depth := r.Intn(*deep)
	go func() { recurse(depth, work); close(done) }()
	<-done
}

func text(size int) []byte {
	r := rand.New(rand.NewSource(1))
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, "2023-06-%02dT%02d:%02d:%02dZ INFO svc=%d msg=\"user %d did %x\" latency=%dus trace=%016x\n",
			r.Intn(30), r.Intn(24), r.Intn(60), r.Intn(60), r.Intn(40), r.Intn(100000), r.Intn(1<<20), r.Intn(90000), r.Uint64())
	}
	return b.Bytes()
}

// Blocks over 32 KiB, by the runtime's own count.
func largeAllocations() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs-by-size:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := s[0].Value.Float64Histogram()
	return h.Counts[len(h.Counts)-1]
}

// Of all threads, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func tell(b *batcher, started time.Time, cpuBefore float64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	counts, _ := json.Marshal(map[string]interface{}{
		"go": runtime.Version(), "mode": *mode, "calls": b.calls, "source_bytes": b.source, "produced_bytes": b.produced,
		"large_allocs": largeAllocations(), "mallocs": m.Mallocs, "total_bytes": m.TotalAlloc, "cycles": m.NumGC,
		"cpu_seconds": cpu() - cpuBefore, "seconds": time.Since(started).Seconds(), "extra": extra(),
	})
	if *report == "" {
		fmt.Println(string(counts))
	} else if err := os.WriteFile(*report, append(counts, '\n'), 0o644); err != nil {
		panic(err)
	}
}

var until = flag.String("until", "", "go on until this file is there, however many batches that are")

// holdOn says 1 until that file is there.
func holdOn() *int32 {
	held := new(int32)
	if *until != "" {
		*held = 1
		go func() {
			for _, err := os.Stat(*until); err != nil; _, err = os.Stat(*until) {
				time.Sleep(time.Millisecond)
			}
			atomic.StoreInt32(held, 0)
		}()
	}
	return held
}

func main() {
	flag.Parse()
	setup()
	corpus := text(2 << 20)
	b := &batcher{options: []zstd.EOption{zstd.WithEncoderLevel(zstd.SpeedFastest)}}
	if *mode == "lowmem" {
		b.options = append(b.options, zstd.WithLowerEncoderMem(true))
	}
	if *mode == "limited" {
		b.options = append(b.options, zstd.WithEncoderConcurrency(1))
	}
	var err error
	if b.encoder, err = zstd.NewWriter(nil, b.options...); err != nil {
		panic(err)
	}
	if b.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2)); err != nil {
		panic(err)
	}
	b.limit = make(chan struct{}, 1)
	b.pool.New = func() interface{} { p := make([]byte, 0, 1<<20); return &p }
	left, held := *ops, holdOn()
	endless := *ops == 0 && *until == ""
	var all sync.WaitGroup
	started, cpuBefore := time.Now(), cpu()
	for i := 0; i < *goroutines; i++ {
		all.Add(1)
		go func(id int) {
			defer all.Done()
			r := rand.New(rand.NewSource(int64(id)))
			for endless || atomic.AddInt64(&left, -1) >= 0 || atomic.LoadInt32(held) != 0 {
				b.one(r, corpus)
			}
		}(i)
	}
	all.Wait()
	finish()
	tell(b, started, cpuBefore)
}
