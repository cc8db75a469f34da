package parity

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
)

// The CPU backend meets the bars in float64 (generic Go) and in float32 (the machine's best
// instruction set). With -short only the small images run.
func TestCPU(t *testing.T) {
	for _, c := range []struct {
		fixture   string
		precision graph.Precision
		long      bool
	}{
		{"googlenet2014_96", graph.FP64, false},
		{"googlenet2014_96", graph.FP32, false},
		{"googlenet_96", graph.FP32, false},
		{"googlenet_96", graph.FP64, true},
		{"googlenet_224", graph.FP32, false},
		{"googlenet_224", graph.FP64, true},
		{"inception_v3_299", graph.FP32, true},
		{"inception_v3_299", graph.FP64, true},
	} {
		t.Run(c.fixture+"/"+string(c.precision), func(t *testing.T) {
			if c.long && testing.Short() {
				t.Skip("takes seconds to a minute")
			}
			f, err := ReadFixture("testdata/" + c.fixture + ".json")
			require.NoError(t, err)
			b, err := cpu.New(cpu.Options{Precision: c.precision})
			require.NoError(t, err)
			defer b.Close()
			r, err := Run(t.Context(), b, f)
			require.NoError(t, err)
			t.Log(r)
			assert.NoError(t, r.Check())
		})
	}
}
