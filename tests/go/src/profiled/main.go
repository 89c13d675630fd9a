// Allocates what is known as soon as somebody changes the rate of its memory profile, tells what its
// own profile says of it, and ends when the rate is what it was.
package main

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"strings"
	"time"
)

var (
	report = flag.String("report", "", "file for what its own profile says")
	large  = flag.Int("large", 48, "blocks of 1 MiB")
	small  = flag.Int("small", 300000, "blocks of 112 bytes")
	sink   []byte
)

//go:noinline
func allocateLarge() { sink = make([]byte, 1<<20) }

//go:noinline
func allocateSmall() { sink = make([]byte, 112) }

func profiled(name string, size int64) (blocks, bytes, freed int64) {
	records := make([]runtime.MemProfileRecord, 10000)
	n, ok := runtime.MemProfile(records, true)
	if !ok {
		panic("more records than expected")
	}
	for _, r := range records[:n] {
		for _, pc := range r.Stack() { // not always the first: of Go 1.27 that is mallocgc
			if r.AllocBytes == size*r.AllocObjects && strings.HasSuffix(runtime.FuncForPC(pc-1).Name(), name) {
				blocks, bytes, freed = blocks+r.AllocObjects, bytes+r.AllocBytes, freed+r.FreeBytes
				break
			}
		}
	}
	return
}

func main() {
	flag.Parse()
	rate := runtime.MemProfileRate
	if os.WriteFile(*report+".ready", nil, 0o644) != nil {
		os.Exit(3)
	}
	for runtime.MemProfileRate == rate {
		time.Sleep(time.Millisecond)
	}
	seen := runtime.MemProfileRate
	for i := 0; i < *large; i++ {
		allocateLarge()
	}
	for i := 0; i < *small; i++ {
		allocateSmall()
	}
	sink = nil
	for i := 0; i < 3; i++ { // what was allocated is in the profile two collections later
		runtime.GC()
	}
	blocks, bytes, freed := profiled("allocateLarge", 1<<20)
	samples, _, _ := profiled("allocateSmall", 112)
	text, _ := json.Marshal(map[string]int64{"rate": int64(seen), "blocks": blocks, "bytes": bytes, "freed": freed, "samples": samples})
	if os.WriteFile(*report+".new", text, 0o644) != nil || os.Rename(*report+".new", *report) != nil {
		os.Exit(3)
	}
	for runtime.MemProfileRate != rate {
		time.Sleep(time.Millisecond)
	}
}
