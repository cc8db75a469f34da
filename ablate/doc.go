// Package ablate compares head settings. It trains every variant of a plan with every seed, one
// ordinary run after another, and compares each with the network without heads at equal seeds.
//
// A [Plan] says which runs there are (plan.go). An [Ablation] trains those that are not done yet,
// each in a folder of its own within the ablation's folder (run.go). [Results] are read from the
// runs' folders (results.go) with paired statistics (stats.go), and written as a table (table.go),
// as curves (curves.go) and as a figure (figure.go).
package ablate
