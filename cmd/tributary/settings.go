package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/ablate"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/plainfile"
	"github.com/tributary-ml/tributary/train"
)

// settingFlag is a flag for a setting of a configuration.
type settingFlag struct{ train.Setting }

// Type implements pflag.Value.
func (f settingFlag) Type() string {
	switch f.Value.(type) {
	case *string:
		return "string"
	case *bool:
		return "bool"
	case *int, *uint64:
		return "int"
	}
	return "number"
}

// addSettings adds flags for the settings that keep accepts, and returns them in their groups.
func addSettings(cmd *cobra.Command, settings []train.Setting, keep func(train.Setting) bool) []flagGroup {
	var groups []flagGroup
	for _, s := range settings {
		if !keep(s) {
			continue
		}
		if len(groups) == 0 || groups[len(groups)-1].name != s.Group {
			groups = append(groups, flagGroup{s.Group, newFlagSet(s.Group)})
		}
		set := groups[len(groups)-1].flags
		set.VarPF(settingFlag{s}, s.Key, "", s.Usage)
		if _, ok := s.Value.(*bool); ok {
			set.Lookup(s.Key).NoOptDefVal = "true"
		}
		cmd.Flags().AddFlag(set.Lookup(s.Key))
		completions(cmd, s)
	}
	return groups
}

// completions registers the shell completions of a setting's value.
func completions(cmd *cobra.Command, s train.Setting) {
	names := append(s.Names, s.Forms...)
	switch s.Key {
	case "model":
		names = modelNames()
	case "data":
		names = dataset.Names()
	case "heads":
		completeHeads(cmd)
		return
	case "init":
		return // the value is a file
	}
	cmd.RegisterFlagCompletionFunc(s.Key, cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

// completeHeads completes default, none, every:, the places of the network and, after
// where:weight:, the kinds of heads.
func completeHeads(cmd *cobra.Command) {
	cmd.RegisterFlagCompletionFunc("heads", func(cmd *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
		done := text[:strings.LastIndexByte(text, ',')+1]
		item := text[len(done):]
		var out []string
		if i := strings.LastIndexByte(item, ':'); strings.Count(item, ":") == 2 {
			for _, k := range auxhead.Kinds() {
				out = append(out, done+item[:i+1]+k.Name)
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		}
		if done == "" {
			out = append(out, "default", "none", auxhead.Auto)
		}
		out = append(out, done+"every:")
		name := cmd.Flag("model").Value.String()
		if m, err := inception.Build(name, inception.Config{Heads: []auxhead.Spec{}}); err == nil {
			for _, e := range m.Graph.EndPoints() {
				out = append(out, done+e.Name)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}

func modelNames() []string {
	var names []string
	for _, n := range inception.Networks() {
		names = append(names, n.Name)
	}
	return names
}

// overlay sets the settings whose flags the user has given.
func overlay(cmd *cobra.Command, settings []train.Setting) error {
	for _, s := range settings {
		f := cmd.Flags().Lookup(s.Key)
		if f == nil || !f.Changed {
			continue
		}
		if _, ok := f.Value.(settingFlag); !ok { // a flag of the command itself, such as --batch of grads, which is a file
			continue
		}
		if err := s.Set(f.Value.String()); err != nil {
			return err
		}
	}
	return nil
}

// given returns those of the named flags that the user has given.
func given(cmd *cobra.Command, names ...string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return !cmd.Flags().Changed(n) })
}

// readConfig returns the default configuration, overridden by a file's settings (if there is a
// file) and then by flags.
func readConfig(cmd *cobra.Command, file string) (*train.Config, error) {
	return readConfigWith(cmd, file, "", nil)
}

// readConfigWith is readConfig for a command with more settings, which a file has under the key
// section.
func readConfigWith(cmd *cobra.Command, file, section string, more []train.Setting) (*train.Config, error) {
	c := train.Default()
	if file != "" {
		text, err := plainfile.Read(file, train.MaxConfig)
		if err != nil {
			return nil, usageError{fmt.Errorf("--config: %w", err)}
		}
		if err := c.ReadYAMLWith(file, text, section, more); err != nil {
			var unknown *graph.UnknownError
			if errors.As(err, &unknown) && unknown.Name == ablate.Section {
				err = fmt.Errorf("--config: %s has settings of tributary ablate, below the key %s: name it to that command, or take the key out", file, ablate.Section)
			}
			return nil, usageError{err}
		}
	}
	if err := overlay(cmd, append(c.Settings(), more...)); err != nil {
		return nil, usageError{err}
	}
	if err := complete(cmd, &c); err != nil {
		return nil, err
	}
	if c.Init != "" { // resolve the name now, because "last" may be another run later
		path, err := train.FindRun(c.Init, c.Out)
		if err != nil {
			return nil, usageError{fmt.Errorf("--init: %w", err)}
		}
		c.Init = path
	}
	return &c, nil
}

// complete completes a user's configuration, and checks that it is possible.
func complete(cmd *cobra.Command, c *train.Config) error {
	o := tributary.Options{Report: reporter(cmd, func(train.Event) {})}
	return o.Complete(c)
}
