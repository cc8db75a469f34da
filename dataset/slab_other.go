//go:build !unix

package dataset

func newSlab(size int) ([]byte, error) { return make([]byte, size), nil }

func freeSlab([]byte) {}
