package memory

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// freeAddresses returns what RLIMIT_AS leaves of the process's address space. It reserves a
// sixteenth of the limit, because the runtime takes addresses in large pieces.
func freeAddresses() int64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) != nil || limit.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return math.MaxInt64
	}
	var pages int64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return math.MaxInt64
	}
	most := int64(limit.Cur)
	return most - most/16 - pages*int64(os.Getpagesize())
}
