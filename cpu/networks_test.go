package cpu

import (
	"runtime"
	"testing"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/graph/backendtest"
)

// TestNetworks runs random networks in float64 and with every instruction set of this machine. The
// long test runs thousands.
func TestNetworks(t *testing.T) {
	for _, o := range append(variants(), Options{Precision: graph.FP64}) {
		o.Threads, o.Debug.Poison = 1, true
		name, seeds := o.ISA, 600
		if o.Precision == graph.FP64 {
			name, seeds = "float64", 1600
		}
		if testing.Short() {
			seeds /= 40
		}
		t.Run(name, func(t *testing.T) {
			backendtest.RunNetworks(t, backendtest.Networks{Workers: runtime.GOMAXPROCS(0), Seeds: seeds, Open: func() (b, exact graph.Backend, err error) {
				if exact, err = New(Options{Precision: graph.FP64, Threads: 1, Debug: Debug{Poison: true}}); err == nil {
					b, err = New(o)
				}
				return b, exact, err
			}})
		})
	}
}
