//go:build cuda

package main

import (
	"fmt"
	"io"

	"github.com/tributary-ml/tributary/cuda"
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
)

func newCUDA(index int, p graph.Precision) (graph.Backend, error) {
	b, err := cuda.New(cuda.Options{Device: index, Precision: p})
	if err != nil { // a nil *cuda.Backend is no nil graph.Backend
		return nil, err
	}
	return b, nil
}

// listCUDA writes a line for each GPU. That there is none is no failure of a listing.
func listCUDA(out io.Writer) error {
	all, err := driver.Devices()
	if err != nil {
		_, err = fmt.Fprintf(out, "cuda    %v\n", err)
		return err
	}
	for i, d := range all {
		if _, err := fmt.Fprintf(out, "cuda:%d  %s; kernels: %s\n", i, d, d.Kernels()); err != nil {
			return err
		}
	}
	return nil
}
