package main

import (
	"fmt"
	"strings"

	"github.com/tributary-ml/tributary/kernels"
)

// multiprocessor is what kernels share on a multiprocessor. Every multiprocessor has 65536
// registers.
type multiprocessor struct {
	threads int
	shared  int // KiB
}

// multiprocessors has an entry for every column of resources.txt.
var multiprocessors = map[string]multiprocessor{
	"sm_80":  {2048, 164},
	"sm_86":  {1536, 100},
	"sm_89":  {1536, 100},
	"sm_90a": {2048, 228},
	"sm_100": {2048, 228},
	"sm_120": {1536, 100},
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// blocks returns how many blocks a multiprocessor holds at once. A quarter of the multiprocessor
// has a quarter of the registers and of the warps. A warp gets registers in units of 256. A block
// gets shared memory in units of 128 bytes, and 1 KiB more than it asks for.
func (m multiprocessor) blocks(u usage, threads int) int {
	warps := 4 * (65536 / 4 / roundUp(32*u.registers, 256))
	byRegisters := warps / (threads / 32)
	byShared := m.shared << 10 / roundUp(u.shared+1<<10, 128)
	return min(byRegisters, byShared, m.threads/threads)
}

const resourcesHead = `# Written by make cubins. For each kernel: the threads of its blocks; then, for each architecture, the registers of a thread, the
# bytes of static shared memory of a block, and how many blocks these let a multiprocessor hold at once. Convolutions and LRN have
# dynamic shared memory, too, which is not counted here and can make the blocks fewer. No kernel spills registers or has a stack.
# sm_100 and sm_120 are what ptxas makes of the PTX; what a driver makes of it can differ.
`

// resources returns the text of resources.txt.
func (b *cubins) resources() []byte {
	var targets []string
	for _, a := range kernels.Architectures {
		if a.PTX {
			targets = append(targets, ptxTargets...)
		} else {
			targets = append(targets, a.Name)
		}
	}
	var out strings.Builder
	out.WriteString(resourcesHead)
	fmt.Fprintf(&out, "%-40s", "")
	for _, t := range targets {
		fmt.Fprintf(&out, "%17s", t)
	}
	fmt.Fprintf(&out, "\n%-33s%7s%s\n", "kernel", "threads", strings.Repeat("  regs shared blk", len(targets)))
	for _, k := range kernels.All {
		fmt.Fprintf(&out, "%-33s%7d", k.Name, k.Threads)
		for _, t := range targets {
			u := b.usage[t][k.Name]
			fmt.Fprintf(&out, "%6d%7d%4d", u.registers, u.shared, multiprocessors[t].blocks(u, k.Threads))
		}
		out.WriteString("\n")
	}
	return []byte(out.String())
}
