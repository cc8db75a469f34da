package kernels

import (
	"fmt"
	"slices"
)

// Architecture is a GPU architecture for which the kernels are compiled.
type Architecture struct {
	Name         string // the compiler's name: "sm_86" for machine code, "compute_80" for PTX
	Major, Minor int    // compute capability
	PTX          bool   // the cubins are PTX, which the driver compiles when it loads them
	Exact        bool   // machine code for exactly this compute capability, such as sm_90a
}

// Architectures lists the architectures for which the cubins are built. The PTX is for GPUs that no
// machine code here is for, above all later ones. It is for the oldest architecture, because a
// driver compiles PTX for any GPU that is not older.
var Architectures = []Architecture{
	{Name: "sm_80", Major: 8, Minor: 0},
	{Name: "sm_86", Major: 8, Minor: 6},
	{Name: "sm_89", Major: 8, Minor: 9},
	{Name: "sm_90a", Major: 9, Minor: 0, Exact: true},
	{Name: "compute_80", Major: 8, Minor: 0, PTX: true},
}

// Warpgroups reports whether the cubins have the kernels that multiply by warpgroups.
func (a Architecture) Warpgroups() bool { return a.Exact && a.Major == 9 }

// Extension returns the usual suffix of a cubin's file name.
func (a Architecture) Extension() string {
	if a.PTX {
		return ".ptx"
	}
	return ".cubin"
}

func (a Architecture) String() string {
	if a.PTX {
		return "PTX for " + a.Name + ", compiled by the driver"
	}
	return a.Name + " machine code"
}

// RunsOn reports whether the cubins run on a GPU with this compute capability. Machine code runs on
// GPUs with the same major version and the same or a higher minor version. There are two
// exceptions: code such as that for sm_90a runs on exactly its version, and NVIDIA guarantees this
// for desktop and server GPUs, but not for the systems on a chip with versions 8.7 and 8.8.
func (a Architecture) RunsOn(major, minor int) bool {
	switch {
	case a.Major == major && a.Minor == minor:
		return true
	case a.PTX:
		return major > a.Major || major == a.Major && minor > a.Minor
	case a.Exact || major == 8 && (minor == 7 || minor == 8):
		return false
	}
	return a.Major == major && a.Minor < minor
}

// ArchitectureFor selects the cubins for a GPU by its compute capability: machine code for exactly
// this version, else machine code that runs on it, else PTX.
func ArchitectureFor(major, minor int) (Architecture, error) {
	return choose(Architectures, major, minor)
}

func choose(from []Architecture, major, minor int) (Architecture, error) {
	var best Architecture
	for _, a := range from {
		if a.RunsOn(major, minor) && (best.Name == "" || best.PTX && !a.PTX || best.PTX == a.PTX && a.Minor > best.Minor) {
			best = a
		}
	}
	if best.Name == "" {
		oldest := slices.MinFunc(from, func(a, b Architecture) int { return 100*(a.Major-b.Major) + a.Minor - b.Minor })
		return best, fmt.Errorf("the kernels need compute capability %d.%d or later, and this GPU has %d.%d: run with --device cpu",
			oldest.Major, oldest.Minor, major, minor)
	}
	return best, nil
}
