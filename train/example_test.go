package train_test

import (
	"fmt"

	"github.com/tributary-ml/tributary/train"
)

// A configuration is read from YAML, whose keys are the command's flags. Check says which values
// are wrong.
func ExampleConfig() {
	c := train.Default()
	err := c.ReadYAML("run.yaml", []byte("model: googlenet\nepochs: 30\nschedule: cosin\n"))
	fmt.Println(c.Model, c.Epochs, err)
	fmt.Println(c.Check())
	// Output:
	// googlenet 30 <nil>
	// schedule: unknown schedule "cosin"; the nearest: cosine
}
