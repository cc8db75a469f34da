package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tributary-ml/tributary/graph"
)

// nearestFlag adds the nearest flags to the error for one that does not exist.
func nearestFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := graph.Nearest(unknown.GetSpecifiedName(), names, 3)
	return fmt.Errorf("unknown flag --%s; the nearest: --%s", unknown.GetSpecifiedName(), strings.Join(near, ", --"))
}

// nearestCommand turns cobra's error about arguments into one with the nearest commands.
func nearestCommand(c *cobra.Command, args []string, err error) error {
	if !c.HasSubCommands() || len(args) == 0 {
		return err
	}
	var names []string
	for _, s := range c.Commands() {
		if s.IsAvailableCommand() {
			names = append(names, s.Name())
		}
	}
	return &graph.UnknownError{What: "command", Name: args[0], Nearest: graph.Nearest(args[0], names, 2)}
}

// flagGroup is some flags under a heading of a help text.
type flagGroup struct {
	name  string
	flags *pflag.FlagSet
}

// groupedUsage makes a command's help list flags in groups.
func groupedUsage(c *cobra.Command, groups []flagGroup) {
	c.SetUsageFunc(func(c *cobra.Command) error {
		w := c.OutOrStderr()
		fmt.Fprintf(w, "Usage:\n  %s\n\nExamples:\n%s\n", c.UseLine(), c.Example)
		for _, g := range groups {
			fmt.Fprintf(w, "\n%s:\n%s", g.name, g.flags.FlagUsages())
		}
		return nil
	})
}

// newFlagSet is an empty set whose flags help lists in the order in which they are added.
func newFlagSet(name string) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SortFlags = false
	return fs
}
