package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/memory"
	"github.com/tributary-ml/tributary/train"
)

// newBackend opens a configuration's device. On a CPU it leaves reserve bytes of memory to others. GPUs are there in a binary with
// the build tag cuda (cuda.go, nocuda.go).
func newBackend(c *train.Config, reserve int64) (graph.Backend, error) {
	kind, index, err := train.ParseDevice(c.Device)
	if err != nil {
		return nil, usageError{err}
	}
	if kind == "cuda" {
		return newCUDA(index, graph.Precision(c.Precision))
	}
	memory.CollectBefore(reserve)
	return cpu.New(cpu.Options{Precision: graph.Precision(c.Precision), Threads: c.Threads, Reserve: reserve})
}

func newDevices() *cobra.Command {
	return &cobra.Command{
		Use:     "devices",
		Short:   "List what this binary can compute with on this machine",
		Example: "  tributary devices",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listDevices(cmd.OutOrStdout())
		},
	}
}

func listDevices(out io.Writer) error {
	b, err := cpu.New(cpu.Options{})
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Fprintf(out, "cpu     %s; instruction sets %s\n", b.Name(), strings.Join(cpu.InstructionSets(), ", "))
	return listCUDA(out)
}
