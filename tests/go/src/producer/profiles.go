package main

import (
	"io"
	"runtime/pprof"
	"runtime/trace"
	"time"
)

var stop, stopped chan struct{}

// SIGPROF arrives in the hook too, and the tracer unwinds stacks that pass through it.
func setup() {
	if !*profiles {
		return
	}
	stop, stopped = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			pprof.StartCPUProfile(io.Discard)
			trace.Start(io.Discard)
			select {
			case <-stop:
			case <-time.After(200 * time.Millisecond):
			}
			trace.Stop()
			pprof.StopCPUProfile()
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
}

func finish() {
	if *profiles {
		close(stop)
		<-stopped
	}
}
