package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/graph/backendtest"
)

func TestCompliance(t *testing.T) {
	for _, o := range append(variants(), Options{Precision: graph.FP64}) {
		o.Debug.Poison = true
		b, err := New(o)
		require.NoError(t, err)
		t.Run(b.Name(), func(t *testing.T) { backendtest.RunAll(t, b, nil, 1) })
	}
}

// variants returns the float32 backend with every instruction set of this machine.
func variants() []Options {
	var all []Options
	for _, isa := range InstructionSets() {
		all = append(all, Options{ISA: isa})
	}
	return all
}

func TestUnknownOptions(t *testing.T) {
	_, err := New(Options{Precision: "fp23"})
	require.ErrorContains(t, err, "nearest: fp32")
	_, err = New(Options{ISA: "avx513"})
	require.ErrorContains(t, err, "go")
	_, err = New(Options{Threads: -1})
	require.ErrorContains(t, err, "-1 threads")
}
