package tributary

import (
	"strings"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/memory"
	"github.com/tributary-ml/tributary/train"
)

// OpenDevice opens the device of a configuration (Device, Precision, Threads). On a CPU it leaves reserve bytes of memory to
// others, such as decoded images. GPUs are there in a program with the build tag cuda.
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

// Device is something that this program can compute with on this machine.
type Device struct {
	Name        string // as Config.Device takes it: cpu, cuda:0
	Description string
}

// Devices lists the CPU and the GPUs. An error says why there are no GPUs: a program without the build tag cuda, no driver; the CPU
// is listed all the same.
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
