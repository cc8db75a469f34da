package kernels

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArchitectureFor(t *testing.T) {
	for _, c := range []struct {
		major, minor int
		want         string
	}{
		{8, 0, "sm_80"}, {8, 6, "sm_86"}, {8, 9, "sm_89"}, {9, 0, "sm_90a"},
		{8, 7, "compute_80"}, {8, 8, "compute_80"}, // systems on a chip
		{10, 0, "compute_80"}, {10, 3, "compute_80"}, {11, 0, "compute_80"}, {12, 0, "compute_80"}, {12, 1, "compute_80"}, {13, 0, "compute_80"},
	} {
		a, err := ArchitectureFor(c.major, c.minor)
		require.NoError(t, err)
		require.Equal(t, c.want, a.Name, "%d.%d", c.major, c.minor)
	}
	for _, c := range [][2]int{{7, 5}, {7, 0}, {6, 1}, {5, 2}} {
		_, err := ArchitectureFor(c[0], c[1])
		require.ErrorContains(t, err, "the kernels need compute capability 8.0 or later, and this GPU has ", "%d.%d", c[0], c[1])
		require.ErrorContains(t, err, "run with --device cpu")
	}
}

// Machine code also runs on higher minor versions, unless it is for one version alone.
func TestChooseAmongOthers(t *testing.T) {
	sm80, sm86, sm90a := Architecture{Name: "sm_80", Major: 8}, Architecture{Name: "sm_86", Major: 8, Minor: 6}, Architecture{Name: "sm_90a", Major: 9, Exact: true}
	sm100, ptx := Architecture{Name: "sm_100", Major: 10}, Architecture{Name: "compute_80", Major: 8, PTX: true}
	for _, c := range []struct {
		from         []Architecture
		major, minor int
		want         string // "" if no cubins run
	}{
		{[]Architecture{ptx, sm86, sm80}, 8, 9, "sm_86"},
		{[]Architecture{sm80, sm86, ptx}, 8, 9, "sm_86"},
		{[]Architecture{sm80, ptx}, 8, 6, "sm_80"},
		{[]Architecture{sm86, ptx}, 8, 0, "compute_80"},
		{[]Architecture{sm86}, 8, 0, ""},
		{[]Architecture{sm80, sm86, ptx}, 8, 7, "compute_80"},
		{[]Architecture{sm90a, ptx}, 9, 1, "compute_80"},
		{[]Architecture{sm90a}, 10, 0, ""},
		{[]Architecture{ptx, sm100}, 10, 3, "sm_100"},
		{[]Architecture{ptx, sm100}, 12, 0, "compute_80"},
	} {
		a, err := choose(c.from, c.major, c.minor)
		require.Equal(t, c.want, a.Name, "%d.%d of %v", c.major, c.minor, c.from)
		require.Equal(t, c.want == "", err != nil)
	}
}

func TestArchitectureNames(t *testing.T) {
	require.Equal(t, "sm_90a machine code", Architecture{Name: "sm_90a", Major: 9, Exact: true}.String())
	require.Equal(t, ".cubin", Architecture{Name: "sm_90a", Major: 9, Exact: true}.Extension())
	require.Equal(t, "PTX for compute_80, compiled by the driver", Architecture{Name: "compute_80", Major: 8, PTX: true}.String())
	require.Equal(t, ".ptx", Architecture{Name: "compute_80", Major: 8, PTX: true}.Extension())
}
