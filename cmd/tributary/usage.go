package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/nearest"
	"github.com/tributary-ml/tributary/train"
)

// flagError completes an error about a flag. For a flag that does not exist it adds what other
// programs mean by it, or the nearest flags. An error about a value is reported once.
func flagError(c *cobra.Command, err error) error {
	if v := (*train.ValueError)(nil); errors.As(err, &v) {
		return v
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	name, dashes := unknown.GetSpecifiedName(), "--"
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		name, dashes = short, "-" // -lr stands for --lr
	}
	e := &graph.UnknownError{What: "flag", Name: dashes + name}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if ours, ok := train.Meant(name, names); ok {
		e.Means = "--" + ours
		return e
	}
	for _, n := range nearest.Close(name, names, 3) {
		e.Nearest = append(e.Nearest, "--"+n)
	}
	return e
}

// argumentError completes an error about arguments. For a command that does not exist it adds the
// nearest commands, and for an argument that is a flag's value it adds the flag.
func argumentError(c *cobra.Command, args []string, err error) error {
	if len(args) == 0 {
		return err
	}
	if c.HasSubCommands() {
		var names []string
		for _, s := range c.Commands() {
			if s.IsAvailableCommand() {
				names = append(names, s.Name())
			}
		}
		return &graph.UnknownError{What: "command", Name: args[0], Nearest: nearest.Close(args[0], names, 2), All: names}
	}
	err = fmt.Errorf("unexpected argument %q", args[0])
	if flag := belongs(c, args[0]); flag != "" {
		return fmt.Errorf("%w; did you mean %s?", err, flag)
	}
	return err
}

// belongs returns the flag that has arg as a value, together with the value, or "".
func belongs(c *cobra.Command, arg string) string {
	has := func(flag string) bool { return c.Flags().Lookup(flag) != nil }
	if _, err := strconv.ParseBool(arg); err == nil {
		last := ""
		c.Flags().Visit(func(f *pflag.Flag) {
			if f.NoOptDefVal != "" {
				last = fmt.Sprintf("--%s=%s", f.Name, arg)
			}
		})
		return last
	}
	if ext := filepath.Ext(arg); has("config") && (ext == ".yaml" || ext == ".yml") {
		return "--config " + quoted(arg)
	}
	if path, err := train.FindCheckpoint(arg, false); err == nil && filepath.Ext(path) == ".ckpt" {
		for _, flag := range []string{"checkpoint", "resume", "run"} {
			if has(flag) {
				return "--" + flag + " " + quoted(arg)
			}
		}
	}
	if n, err := inception.Lookup(arg); err == nil && has("model") {
		return "--model " + n.Name
	}
	if data, err := dataset.Resolve(arg); err == nil && has("data") {
		return "--data " + quoted(data)
	}
	if has("checkpoint") {
		return "--checkpoint " + quoted(arg)
	}
	return ""
}

// flagGroup is a group of flags with a heading in the help.
type flagGroup struct {
	name  string
	flags *pflag.FlagSet
}

// groupedUsage makes a command's help list flags in groups.
func groupedUsage(c *cobra.Command, groups []flagGroup) {
	c.SetHelpFunc(func(c *cobra.Command, _ []string) { help(c, groups) })
}

// help writes a command's help, as wide as the terminal. Nil groups stand for one group with all
// flags.
func help(c *cobra.Command, groups []flagGroup) {
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	if groups == nil {
		groups = []flagGroup{{"Flags", c.LocalFlags()}, {"Global flags", c.InheritedFlags()}}
	}
	out := screenOf(c.OutOrStdout())
	width := out.width()
	use := c.UseLine()
	if c.HasAvailableSubCommands() {
		use = c.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(out, "%s\n\nUsage:\n  %s\n", reflow(strings.TrimSpace(cmp.Or(c.Long, c.Short)), min(width, widestProse)), use)
	if c.Example != "" {
		fmt.Fprintf(out, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\nCommands:\n")
		for _, s := range c.Commands() {
			if s.IsAvailableCommand() {
				fmt.Fprintln(out, wrapItem(fmt.Sprintf("  %-*s  %s", s.NamePadding(), s.Name(), s.Short), width))
			}
		}
	}
	for _, g := range groups {
		if g.flags.HasAvailableFlags() {
			fmt.Fprintf(out, "\n%s:\n", g.name)
			for line := range strings.Lines(g.flags.FlagUsages()) {
				fmt.Fprintln(out, wrapItem(strings.TrimSuffix(line, "\n"), width))
			}
		}
	}
}

// widestProse is the maximum width of paragraphs in columns, because longer lines are hard to read.
const widestProse = 100

// reflow breaks the paragraphs of a help text again. Indented lines stay lines, except that the
// second column of a list continues below itself.
func reflow(text string, width int) string {
	type block struct {
		text   string
		indent int // column at which its text begins; for a list, the second column
	}
	var blocks []block
	open := false // the next line may continue the last block
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.TrimLeft(line, " \t")
		indent := len(line) - len(words)
		if open && words != "" && indent == blocks[len(blocks)-1].indent {
			blocks[len(blocks)-1].text += " " + words
			continue
		}
		open = words != ""
		if m := twoColumns.FindStringSubmatch(line); m != nil {
			indent = len(m[1])
		} else if indent > 0 {
			open = false
		}
		blocks = append(blocks, block{line, indent})
	}
	var out []string
	for _, b := range blocks {
		if b.indent == 0 {
			out = append(out, wrap(b.text, width, ""))
		} else {
			out = append(out, wrapItem(b.text, width))
		}
	}
	return strings.Join(out, "\n")
}

// wrapItem breaks a line of a list so that its second column continues below itself, or below the
// first column if there is too little room. Other indented lines stay unchanged.
func wrapItem(line string, width int) string {
	const least, below = 32, 8
	m := twoColumns.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	if column := len(m[1]); width-column >= least {
		return wrap(line, width, strings.Repeat(" ", column))
	}
	indent := strings.Repeat(" ", below)
	return strings.TrimRight(m[1], " ") + "\n" + wrap(indent+line[len(m[1]):], width, indent)
}

// twoColumns matches a line of a list: a name, two spaces or more, and its meaning.
var twoColumns = regexp.MustCompile(`^( +\S.*?  +)\S`)

// newFlagSet returns an empty set whose flags help lists in the order in which they are added.
func newFlagSet(name string) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SortFlags = false
	return fs
}
