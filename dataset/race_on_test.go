//go:build race

package dataset

// raceEnabled says that the race detector runs. It slows reading large sets down twentyfold.
const raceEnabled = true
