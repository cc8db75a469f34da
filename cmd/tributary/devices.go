package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
)

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

// listDevices writes a line for each device. It is no error if there is no GPU.
func listDevices(out io.Writer) error {
	all, none := tributary.Devices()
	for _, d := range all {
		if _, err := fmt.Fprintf(out, "%-7s %s\n", d.Name, d.Description); err != nil {
			return err
		}
	}
	if none != nil {
		_, err := fmt.Fprintf(out, "cuda    %v\n", none)
		return err
	}
	return nil
}
