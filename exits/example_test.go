package exits_test

import (
	"fmt"

	"github.com/tributary-ml/tributary/exits"
)

// The example applies an entropy threshold to five images, for which two exits have made guesses.
func Example() {
	request, err := exits.Parse("entropy=0.5")
	if err != nil {
		panic(err)
	}
	cascade := &exits.Cascade{Exits: []exits.Exit{{Name: "aux1", MACs: 40}, {Name: "main", MACs: 100}}, Whole: 95}
	var outcome exits.Outcome
	for _, image := range []struct {
		label int
		exits [2]exits.Guess
	}{
		{0, [2]exits.Guess{{Class: 0, Entropy: 0.1}, {Class: 0, Entropy: 0.1}}},
		{1, [2]exits.Guess{{Class: 1, Entropy: 0.3}, {Class: 1, Entropy: 0.2}}},
		{2, [2]exits.Guess{{Class: 0, Entropy: 1.9}, {Class: 2, Entropy: 0.6}}},
		{0, [2]exits.Guess{{Class: 1, Entropy: 0.4}, {Class: 0, Entropy: 0.3}}},
		{1, [2]exits.Guess{{Class: 2, Entropy: 0.8}, {Class: 1, Entropy: 0.5}}},
	} {
		at := request.Rule.Exit(image.exits[:])
		outcome.Add(at, 2, image.exits[at].Class == image.label)
	}
	fmt.Println("left at aux1:", outcome.Exits[0].Images)
	fmt.Println("accuracy:", outcome.Accuracy())
	fmt.Printf("MACs an image: %.0f, %.2f of the network's\n", outcome.MACs(cascade), outcome.Share(cascade))
	// Output:
	// left at aux1: 3
	// accuracy: 0.8
	// MACs an image: 64, 0.67 of the network's
}
