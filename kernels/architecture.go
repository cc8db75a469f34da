package kernels

import (
	"fmt"
	"slices"
	"strings"
)

// Architecture is a kind of GPU that the kernels are compiled for.
type Architecture struct {
	Name         string // the compiler's name: "sm_86" for machine code, "compute_80" for PTX
	Major, Minor int    // compute capability
}

// Architectures lists what the cubins are built for. The PTX is for GPUs that no machine code here is for, above all later ones:
// it is of the oldest architecture, because a driver compiles PTX for any GPU that is not older.
var Architectures = []Architecture{
	{"sm_80", 8, 0},
	{"sm_86", 8, 6},
	{"sm_89", 8, 9},
	{"sm_90a", 9, 0},
	{"compute_80", 8, 0},
}

// PTX says that the cubins are PTX, which the driver compiles when it loads them.
func (a Architecture) PTX() bool { return strings.HasPrefix(a.Name, "compute_") }

// Warpgroups says that the cubins have the kernels that multiply by warpgroups.
func (a Architecture) Warpgroups() bool { return a.Name == "sm_90a" }

// Extension is the usual end of the name of a cubin's file.
func (a Architecture) Extension() string {
	if a.PTX() {
		return ".ptx"
	}
	return ".cubin"
}

func (a Architecture) String() string {
	if a.PTX() {
		return "PTX for " + a.Name + ", compiled by the driver"
	}
	return a.Name + " machine code"
}

// RunsOn says whether a GPU of this compute capability takes the cubins. Machine code runs on GPUs of the same major and the same
// or a higher minor version, with two exceptions: code for sm_90a and the like runs on exactly that version, and NVIDIA's promise
// is for desktop and server GPUs, not for the systems on a chip that are 8.7 and 8.8.
func (a Architecture) RunsOn(major, minor int) bool {
	switch {
	case a.Major == major && a.Minor == minor:
		return true
	case a.PTX():
		return major > a.Major || major == a.Major && minor > a.Minor
	case strings.HasSuffix(a.Name, "a") || major == 8 && (minor == 7 || minor == 8):
		return false
	}
	return a.Major == major && a.Minor < minor
}

// ArchitectureFor chooses the cubins for a GPU by its compute capability: machine code for exactly this one, else machine code that
// runs on it, else PTX.
func ArchitectureFor(major, minor int) (Architecture, error) {
	return choose(Architectures, major, minor)
}

func choose(from []Architecture, major, minor int) (Architecture, error) {
	var best Architecture
	for _, a := range from {
		if a.RunsOn(major, minor) && (best.Name == "" || best.PTX() && !a.PTX() || best.PTX() == a.PTX() && a.Minor > best.Minor) {
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
