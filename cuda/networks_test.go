//go:build cuda

package cuda

import (
	"testing"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/graph/backendtest"
)

// TestNetworks runs random networks, as on the CPU, but only some of the plans of each.
func TestNetworks(t *testing.T) {
	for name, o := range map[string]Options{"fp32": {}, "tf32": {Precision: graph.TF32}, "bf16": {Precision: graph.BF16}, "bf16_warps": {Precision: graph.BF16, Debug: Debug{NoWgmma: true}},
		"isolated": {Debug: Debug{Isolated: true}}} {
		seeds := 200
		if testing.Short() {
			seeds = 6
		}
		t.Run(name, func(t *testing.T) {
			backendtest.RunNetworks(t, backendtest.Networks{Workers: 1, Seeds: seeds, Few: 4, Open: func() (b, exact graph.Backend, err error) {
				exactly := o.Precision
				if exactly == "" {
					exactly = graph.FP64
				}
				if exact, err = cpu.New(cpu.Options{Precision: exactly, Threads: 1, Debug: cpu.Debug{Poison: true}}); err == nil {
					b, err = New(o)
				}
				return b, exact, err
			}})
		})
	}
}
