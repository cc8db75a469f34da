//go:build race

package dataset

// raceEnabled: the race detector runs, which slows reading large sets twentyfold.
const raceEnabled = true
