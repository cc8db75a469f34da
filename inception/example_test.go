package inception_test

import (
	"fmt"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/inception"
)

// The network is GoogLeNet with a head on one tower of a module.
func Example() {
	m, err := inception.Build("googlenet", inception.Config{
		Classes: 10, Height: 96, Width: 96,
		Heads: []auxhead.Spec{{At: "inception4a/tower3x3", Weight: 0.1, Kind: "gap"}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Heads[0].Name, "at", m.Heads[0].At)
	fmt.Println(m.Parameters("main"), "parameters,", m.Parameters()-m.Parameters("main"), "more for the head")
	// Output:
	// aux1 at inception4a/tower3x3
	// 5610154 parameters, 2090 more for the head
}
