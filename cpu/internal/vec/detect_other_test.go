//go:build !amd64

package vec

func instructionSets() []*kernels { return nil }
