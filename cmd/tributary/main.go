// Tributary trains Inception-family image classifiers with auxiliary heads. This is the command
// line: it reads flags and files, and leaves the work to the packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/plain"
	"github.com/tributary-ml/tributary/train"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE) // the write fails instead, and the run saves
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	// After the first signal the run saves and ends. A second signal kills the program.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// execute runs a command line and returns the exit code. It writes an error as one message to
// stderr.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	out := &output{Writer: stdout, end: end}
	root := newRoot()
	root.SetArgs(args)
	said, problems := newScreen(out), newScreen(stderr)
	root.SetOut(said)
	root.SetErr(problems)
	err := root.ExecuteContext(ctx)
	if rest := said.Close(); err == nil {
		err = rest
	}
	err = out.failed(err)
	code := exitCode(err)
	var interrupted *train.InterruptedError
	switch {
	case errors.As(err, &interrupted) && isAll(interrupted, err): // the run has reported it already
	case code == exitInterrupted && interrupted == nil:
		fmt.Fprintln(problems, "tributary: interrupted")
	case err != nil:
		fmt.Fprintf(problems, "tributary: %s\n", plain.Error(err))
	}
	return code
}

// isAll reports whether err contains no error other than one.
func isAll(one, err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all := joined.Unwrap()
		return len(all) == 1 && isAll(one, all[0])
	}
	return err == one
}

// usageError is an error in the user's command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, new(outputError)), errors.As(err, new(*train.CheckpointError)): // even if the checkpoint's settings are impossible
		return exitFailure
	case errors.As(err, new(*train.InterruptedError)), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, new(usageError)), errors.As(err, new(*tributary.ConfigError)), errors.As(err, new(*train.ValueError)),
		errors.As(err, new(*auxhead.ParseError)), errors.As(err, new(*graph.UnknownError)),
		errors.As(err, new(*inception.TooSmallError)):
		return exitUsage
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tributary",
		Short: "Train Inception-family image classifiers with auxiliary heads",
		Long: `Tributary trains deep image classifiers of the Inception family with auxiliary
heads: extra classifiers on inner layers, whose loss flows into the trunk.

Start with
  tributary train
which trains a small Inception with two heads on images that are part of the
program, in about half a minute on two cores.

Exit codes: 0 success, 1 failure, 2 a wrong command line or configuration,
130 interrupted by Ctrl-C, SIGTERM or SIGHUP; what was trained is saved.`,
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(newTrain(), newAblate(), newEval(), newPredict(), newExport(), newInspect(), newGradflow(), newGrads(), newDevices(), newVersion())
	usage := func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
	}
	root.SetVersionTemplate("tributary {{.Version}}\n")
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { help(c, nil) })
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(c, flagError(c, err))
	})
	for _, c := range append(root.Commands(), root) {
		args := c.Args
		c.Args = func(c *cobra.Command, a []string) error {
			if err := args(c, a); err != nil {
				return usage(c, argumentError(c, a, err))
			}
			return nil
		}
	}
	return root
}

// programName returns the user's name of the program, for suggested commands.
func programName() string {
	if strings.Contains(filepath.ToSlash(os.Args[0]), "/go-build") {
		return "go run ./cmd/tributary"
	}
	if strings.HasSuffix(os.Args[0], ".test") {
		return "tributary"
	}
	return os.Args[0]
}
