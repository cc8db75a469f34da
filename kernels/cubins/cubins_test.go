package cubins

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/kernels"
)

// Every cubin is for the architecture that it is listed under and has its kernels.
func TestCubins(t *testing.T) {
	for _, a := range kernels.Architectures {
		for _, k := range kernels.All {
			cubin, err := Read(k.File, a)
			require.NoError(t, err)
			if a.PTX {
				// PTX ISA 9.0 is what CUDA 13.0 brought, and driver.MinDriver knows: a newer one
				// would need a newer driver.
				require.Contains(t, string(cubin), ".version 9.0\n.target sm_80\n")
				require.Contains(t, string(cubin), ".visible .entry "+k.Name+"(")
				continue
			}
			f, err := elf.NewFile(bytes.NewReader(cubin))
			require.NoError(t, err, "%s for %s", k.File, a.Name)
			require.NotNil(t, f.Section(".text."+k.Name), "%s for %s", k.Name, a.Name)
			flags := binary.LittleEndian.Uint32(cubin[48:]) // e_flags of the ELF header
			require.EqualValues(t, 10*a.Major+a.Minor, flags>>8&0xff, "%s for %s", k.File, a.Name)
		}
	}
}

// Kernels multiply as the table says. In PTX for sm_80 those of tensor cores have mma of their
// type, or, where only warpgroups do the work, nothing but a trap: warpgroups multiply bf16.
func TestArithmetic(t *testing.T) {
	ptx := kernels.Architectures[slices.IndexFunc(kernels.Architectures, func(a kernels.Architecture) bool { return a.PTX })]
	seen := map[kernels.Arithmetic]int{}
	for _, k := range kernels.All {
		text, err := Read(k.File, ptx)
		require.NoError(t, err)
		_, body, ok := strings.Cut(string(text), ".visible .entry "+k.Name+"(")
		require.True(t, ok, k.Name)
		body, _, _ = strings.Cut(body, ".visible .entry ")
		want := kernels.FMA
		switch {
		case regexp.MustCompile(`\bmma\.sync\.[^;]*\.tf32\b`).MatchString(body):
			want = kernels.TensorTF32
		case regexp.MustCompile(`\bmma\.sync\.[^;]*\.bf16\b`).MatchString(body), !strings.Contains(body, "ld.param"):
			require.NotEqual(t, strings.Contains(body, "mma.sync"), strings.Contains(body, "trap;"), k.Name)
			want = kernels.TensorBF16
		}
		require.Equal(t, want, k.Arithmetic, k.Name)
		seen[want]++
	}
	require.Len(t, seen, 3, "%v", seen)
}

func TestMissingCubins(t *testing.T) {
	_, err := Read("nothing.cu", kernels.Architectures[0])
	require.ErrorContains(t, err, "no cubin of nothing.cu for sm_80: ")
	_, err = Read("add.cu", kernels.Architecture{Name: "sm_30", Major: 3})
	require.ErrorContains(t, err, "no cubin of add.cu for sm_30: ")
}

func TestProgramForTheCPUHasNoCubins(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../../cmd/tributary").CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, strings.Fields(string(out)), "github.com/tributary-ml/tributary/kernels/cubins")
}
