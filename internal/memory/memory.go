// Package memory says how much of the machine's memory the process may have.
package memory

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Limit is the most memory that the process can have, in bytes: the machine's, or the cgroup's where that is less. It is 0 where
// the system does not say.
func Limit() int64 {
	limit, err := memlimit.FromSystem()
	if err != nil {
		limit = 0
	}
	if group, err := memlimit.FromCgroup(); err == nil && (limit == 0 || group < limit) {
		limit = group
	}
	return int64(min(limit, math.MaxInt64))
}

// Free is how many bytes the process can still allocate: [Limit], or the process's own limit of address space (ulimit -v) where
// that leaves less, without what the process holds. A sixteenth of the limit stays out of account, for the operating system
// and for garbage. It is math.MaxInt64 where the system does not say.
func Free() int64 {
	free := int64(math.MaxInt64)
	if limit := Limit(); limit > 0 {
		free = limit - limit/16 - held()
	}
	return max(0, min(free, freeAddresses()))
}

// CollectBefore makes the garbage collector keep the process within what [Free] promised, without reserve bytes that are not the
// Go runtime's. Otherwise garbage may grow to the size of all that is in use. A limit in the environment (GOMEMLIMIT) stays.
func CollectBefore(reserve int64) {
	if free := Free(); os.Getenv("GOMEMLIMIT") == "" && free < math.MaxInt64 {
		debug.SetMemoryLimit(held() + max(0, free-reserve))
	}
}

// held is what the Go runtime has from the system, without what it can use again or has given back.
func held() int64 {
	s := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64() - s[2].Value.Uint64())
}
