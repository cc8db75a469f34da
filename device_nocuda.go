//go:build !cuda

package tributary

import (
	"errors"

	"github.com/tributary-ml/tributary/graph"
)

var errNoCUDA = errors.New("device cuda: this binary was built without CUDA; use --device cpu, or build with make cuda")

func openCUDA(int, graph.Precision) (graph.Backend, error) { return nil, configError(errNoCUDA) }

func cudaDevices() ([]Device, error) {
	return nil, errors.New("not in this binary (make cuda builds one with it)")
}
