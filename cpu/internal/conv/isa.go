package conv

import "fmt"

// ISA names the instruction set of the micro-kernels.
type ISA int

// The instruction sets. Auto is the best of the machine; Go is portable Go without assembly.
const (
	Auto ISA = iota
	AVX512
	AVX2
	Go
)

func (i ISA) String() string {
	switch i {
	case Auto:
		return "auto"
	case AVX512:
		return "avx512"
	case AVX2:
		return "avx2"
	case Go:
		return "go"
	}
	return fmt.Sprintf("ISA(%d)", int(i))
}

// Available lists the instruction sets of this machine, best first.
func Available() []ISA {
	var isas []ISA
	for _, k := range machine {
		isas = append(isas, k.isa)
	}
	return isas
}

func kernelsFor(isa ISA) *kernels {
	for _, k := range machine {
		if isa == Auto || isa == k.isa {
			return k
		}
	}
	panic(fmt.Sprintf("conv: this machine has no %v, only %v", isa, Available()))
}
