// Package ablate runs head settings against each other: every variant of a plan with every seed, one ordinary run after another,
// and compares each with the network without heads at equal seeds.
//
// The way through the package: a [Plan] says which runs there are (plan.go); an [Ablation] trains those that are not done yet, each
// in a folder of its own below one (run.go); [Results] are read from the runs' folders (results.go) with paired statistics
// (stats.go), and written as a table (table.go), as curves (curves.go) and as a figure (figure.go).
package ablate
