package tributary

import (
	"strings"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/memory"
	"github.com/tributary-ml/tributary/train"
)

// OpenDevice opens the device of a configuration (Device, Precision, Threads). On a CPU it leaves
// reserve bytes of memory for other uses, such as decoded images. GPUs need a program with the
// build tag cuda.
func OpenDevice(c *train.Config, reserve int64) (graph.Backend, error) {
	kind, index, err := train.ParseDevice(c.Device)
	if err != nil {
		return nil, configError(err)
	}
	if kind == "cuda" {
		return openCUDA(index, graph.Precision(c.Precision))
	}
	memory.CollectBefore(reserve)
	return cpu.New(cpu.Options{Precision: graph.Precision(c.Precision), Threads: c.Threads, Reserve: reserve})
}

// Device is a device of this machine on which this program can compute.
type Device struct {
	Name        string // in the form of Config.Device: cpu, cuda:0
	Description string
}

// Devices returns the CPU and the GPUs. The error says why there are no GPUs: the program lacks the
// build tag cuda, or there is no driver. The CPU is returned in any case.
func Devices() ([]Device, error) {
	b, err := cpu.New(cpu.Options{})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	all := []Device{{"cpu", b.Name() + "; instruction sets " + strings.Join(cpu.InstructionSets(), ", ")}}
	gpus, err := cudaDevices()
	return append(all, gpus...), err
}
