//go:build cuda

package tributary

import (
	"fmt"

	"github.com/tributary-ml/tributary/cuda"
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
)

func openCUDA(index int, p graph.Precision) (graph.Backend, error) {
	b, err := cuda.New(cuda.Options{Device: index, Precision: p})
	if err != nil { // a nil *cuda.Backend would not be a nil graph.Backend
		return nil, err
	}
	return b, nil
}

func cudaDevices() ([]Device, error) {
	all, err := driver.Devices()
	var out []Device
	for i, d := range all {
		out = append(out, Device{fmt.Sprintf("cuda:%d", i), fmt.Sprintf("%s; kernels: %s", d, d.Kernels())})
	}
	return out, err
}
