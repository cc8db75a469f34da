//go:build !cuda

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/tributary-ml/tributary/graph"
)

var errNoCUDA = errors.New("device cuda: this binary was built without CUDA; use --device cpu, or build with make cuda")

func newCUDA(int, graph.Precision) (graph.Backend, error) { return nil, usageError{errNoCUDA} }

func listCUDA(out io.Writer) error {
	_, err := fmt.Fprintln(out, "cuda    not in this binary (make cuda builds one with it)")
	return err
}
