// Package memory tells how much of the machine's memory the process may use.
package memory

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Limit returns the maximum memory of the process in bytes: the machine's, or the cgroup's if that
// is less. It returns 0 if the system does not tell.
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

// Free returns the number of bytes that the process can still allocate. It is [Limit] minus the
// memory that the process holds, or what the process's limit of address space (ulimit -v) leaves if
// that is less. Free reserves a sixteenth of the limit for the operating system and for garbage. It
// returns math.MaxInt64 if the system does not tell.
func Free() int64 {
	free := int64(math.MaxInt64)
	if limit := Limit(); limit > 0 {
		free = limit - limit/16 - held()
	}
	return max(0, min(free, freeAddresses()))
}

// CollectBefore makes the garbage collector keep the process within the memory that [Free] returns,
// minus reserve bytes for memory outside the Go runtime. Without it garbage may grow to the size of
// all memory in use. A limit in the environment (GOMEMLIMIT) stays in force.
func CollectBefore(reserve int64) {
	if free := Free(); os.Getenv("GOMEMLIMIT") == "" && free < math.MaxInt64 {
		debug.SetMemoryLimit(held() + max(0, free-reserve))
	}
}

// held returns the memory that the Go runtime has taken from the system, without what it can reuse
// or has given back.
func held() int64 {
	s := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64() - s[2].Value.Uint64())
}
