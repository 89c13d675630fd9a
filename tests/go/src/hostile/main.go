// A program that means harm to whoever looks at it: its name for itself and for a function are changed in
// its file, see hostile_names.py; and with -buckets its memory profile is not what the runtime made.
package main

import (
	"flag"
	"os"
	"runtime/debug"
	"time"
	"unsafe"
)

var sink []byte

//go:noinline
func evilname_zzzzzzzz() { sink = make([]byte, 100000) }

// Buckets one behind the other, each with a stack of 1,024 addresses, which is what follows it. The last
// one leads to the first, or nowhere.
func chain(count int, circle bool) *uint64 {
	words := make([]uint64, 6*count+1024+16)
	for i := 0; i < count; i++ {
		b := words[6*i:]
		b[1] = uint64(uintptr(unsafe.Pointer(&words[6*(i+1)])))
		b[2] = 1
		b[4] = 64
		b[5] = 1024
	}
	words[6*(count-1)+1] = 0
	if circle {
		words[6*(count-1)+1] = uint64(uintptr(unsafe.Pointer(&words[0])))
	}
	return &words[0]
}

func main() {
	buckets := flag.Uint64("buckets", 0, "where the runtime has the first one")
	count := flag.Int("count", 3, "how many there are")
	circle := flag.Bool("circle", false, "without end")
	ready := flag.String("ready", "", "a file to make once it is so")
	flag.Parse()
	if *buckets != 0 {
		debug.SetGCPercent(-1) // which would read them
		*(**uint64)(unsafe.Pointer(uintptr(*buckets))) = chain(*count, *circle)
	}
	if err := os.WriteFile(*ready, nil, 0o644); err != nil {
		os.Exit(1)
	}
	for {
		evilname_zzzzzzzz()
		time.Sleep(time.Millisecond)
	}
}
