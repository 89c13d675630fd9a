//go:build cgo

package main

// #include <stdlib.h>
// static __attribute__((noinline)) void c_block(size_t n) {
//     char *volatile p = malloc(n);
//     if (p) { p[0] = 1; p[n - 1] = 1; }
//     free((void *)p);
// }
import "C"

const cBlocks = 20

// Blocks of C beside those of Go: squall sees both, each with its runtime.
func extra() int {
	for i := 0; i < cBlocks; i++ {
		C.c_block(200000)
	}
	return cBlocks
}
