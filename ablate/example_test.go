package ablate_test

import (
	"fmt"

	"github.com/tributary-ml/tributary/ablate"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/train"
)

// The example lists the runs of a plan: each variant with each seed, and no heads as the baseline.
// New and Ablation.Run train them.
func ExampleNewPlan() {
	plan, err := ablate.NewPlan(train.Default(), ablate.Options{Variants: "inception3b:0.3:gap", Seeds: "1,2"}, auxhead.Defaults{Kind: "gap", Weight: 0.3})
	if err != nil {
		panic(err)
	}
	for _, r := range plan.Runs("runs/ablation") {
		fmt.Println(r.Seed, r.Variant)
	}
	// Output:
	// 1 none
	// 1 inception3b:0.3:gap
	// 2 none
	// 2 inception3b:0.3:gap
}
