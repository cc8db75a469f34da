package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/train"
)

// asProgram is the variable that makes this test program run as tributary.
const asProgram = "TRIBUTARY_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program returns a command that runs tributary as a separate process.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// running is a process and its output.
type running struct {
	*exec.Cmd
	out, errors bytes.Buffer
}

// start starts tributary and waits until its output contains a text.
func start(t *testing.T, until string, cmd *exec.Cmd) *running {
	t.Helper()
	// A program under nohup passes the ignored SIGHUP on to its children. Catching a signal gives
	// them the default instead.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	r := &running{Cmd: cmd}
	cmd.Stderr = &r.errors
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(pipe)
	for !strings.Contains(r.out.String(), until) {
		line, err := lines.ReadString('\n')
		r.out.WriteString(line)
		require.NoError(t, err, "%s%s", r.out.String(), r.errors.String())
	}
	go io.Copy(&r.out, lines)
	return r
}

// end waits for a process and returns its exit code.
func (r *running) end(t *testing.T) int {
	t.Helper()
	var failed *exec.ExitError
	if err := r.Wait(); !errors.As(err, &failed) {
		require.NoError(t, err)
	}
	return r.ProcessState.ExitCode()
}

// requireNoLeftovers requires that a run's folder has no empty file, no temporary file and no lock.
func requireNoLeftovers(t *testing.T, run string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(run, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		require.NoError(t, err)
		require.NotZero(t, info.Size(), path)
		require.NotContains(t, path, ".tmp")
		require.NotEqual(t, train.LockFile, d.Name())
		return nil
	}))
}

// Ctrl-C, SIGTERM and SIGHUP make the run save, and it can resume from there. A process that
// ignores SIGHUP from its start goes on.
func TestSignalsSave(t *testing.T) {
	data := squares(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		out := t.TempDir()
		r := start(t, "2/5000", program(t, trainArgs(data, out, "--epochs", "5000")...))
		require.NoError(t, r.Process.Signal(s))
		require.Equal(t, exitInterrupted, r.end(t), "%v: %s", s, r.errors.String())
		require.Empty(t, r.errors.String())
		run := filepath.Join(out, "first")
		requireNoLeftovers(t, run)
		ck, err := train.OpenCheckpoint(filepath.Join(run, "checkpoints", "last.ckpt"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, ck.Progress.Epoch, 2)
		require.NoError(t, ck.Close())
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs a shell")
	}
	out := t.TempDir()
	cmd := program(t)
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`, os.Args[0]}, trainArgs(data, out, "--epochs", "5000")...)
	r := start(t, "2/5000", cmd)
	require.NoError(t, r.Process.Signal(syscall.SIGHUP))
	time.Sleep(100 * time.Millisecond)
	require.NoError(t, r.Process.Signal(syscall.SIGINT))
	require.Equal(t, exitInterrupted, r.end(t))
	require.Contains(t, r.out.String(), "Interrupted after step")
}

// A second signal ends the program at once.
func TestSecondSignalKills(t *testing.T) {
	r := start(t, "2/5000", program(t, trainArgs(squares(t), t.TempDir(), "--epochs", "5000", "--batch", "8")...))
	for range 1000 { // the second signal arrives while the process saves, or the process has ended
		if r.Process.Signal(syscall.SIGTERM) != nil {
			break
		}
	}
	err := r.Wait()
	var failed *exec.ExitError
	require.ErrorAs(t, err, &failed)
	if status := failed.Sys().(syscall.WaitStatus); status.Signaled() {
		require.Equal(t, syscall.SIGTERM, status.Signal())
	} else {
		require.Equal(t, exitInterrupted, status.ExitStatus())
	}
}

// Closing the terminal or the pipe costs no work: the run saves, and reports why it ends.
func TestTrainIntoAClosedPipe(t *testing.T) {
	data, out := squares(t), t.TempDir()
	cmd := program(t, trainArgs(data, out, "--epochs", "5000")...)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(pipe)
	for line := ""; !strings.Contains(line, "2/5000"); {
		line, err = lines.ReadString('\n')
		require.NoError(t, err)
	}
	require.NoError(t, pipe.Close())
	require.Error(t, cmd.Wait())
	require.Equal(t, exitFailure, cmd.ProcessState.ExitCode(), errors.String())
	run := filepath.Join(out, "first")
	require.Regexp(t, `^tributary: standard output cannot be written: broken pipe; the run is saved after step \d+, train --resume \S+ goes on\n$`, errors.String())
	requireNoLeftovers(t, run)
	resumed := start(t, "resuming", program(t, "train", "--resume", run))
	require.NoError(t, resumed.Process.Signal(syscall.SIGINT))
	require.Equal(t, exitInterrupted, resumed.end(t))
}

// A command that cannot write its output fails.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("the system has no /dev/full")
	}
	defer full.Close()
	data, out := squares(t), t.TempDir()
	require.Equal(t, exitOK, command(t, trainArgs(data, out, "--gradflow-every", "2")...).code)
	run, image := filepath.Join(out, "first"), filepath.Join(data, "val", "quarter0", "0.png")
	for _, args := range [][]string{
		{"version"}, {"devices"}, {"--help"}, {"train", "--help"}, {}, {"completion", "bash"}, {"inspect"}, {"inspect", "--model", "inception_small"},
		{"eval", "--checkpoint", run}, {"eval", "--checkpoint", run, "--early-exit", "curve"}, {"predict", "--checkpoint", run, image},
		{"predict", "--checkpoint", run, "--json", image}, {"export", "--checkpoint", run, "--out", filepath.Join(out, "m.onnx")},
		{"gradflow", "--run", run}, trainArgs(data, out, "--name", "full"), ablateArgs(data, out, "--name", "ablation"), {"train", "--resume", run},
	} {
		var errors bytes.Buffer
		code := execute(t.Context(), args, full, &errors)
		require.Equal(t, exitFailure, code, "%v: %s", args, errors.String())
		require.Contains(t, errors.String(), "tributary: standard output cannot be written: no space left on device", args)
		require.Equal(t, 1, strings.Count(withoutNotes(errors.String()), "\n"), errors.String())
		require.NotContains(t, errors.String(), "/dev/full")
	}
}

// A second process that would write to a run reports which process does, and changes nothing. A
// process that only reads is not kept away.
func TestSecondProcess(t *testing.T) {
	data, out := squares(t), t.TempDir()
	run := filepath.Join(out, "first")
	image := filepath.Join(data, "val", "quarter0", "0.png")
	r := start(t, "2/5000", program(t, trainArgs(data, out, "--epochs", "5000")...))
	refused := regexp.MustCompile(`^tributary: process \d+ on \S+ is at work in ` + regexp.QuoteMeta(run) + ` since 20\S+ \S+: wait until it ends`)
	for range 2 {
		second := command(t, "train", "--resume", run)
		require.Equal(t, exitFailure, second.code)
		require.Regexp(t, refused, second.errors)
		require.Empty(t, second.out)
	}
	for _, args := range [][]string{{"eval", "--checkpoint", run}, {"predict", "--checkpoint", run, image}, {"export", "--checkpoint", run, "--out", filepath.Join(out, "m.safetensors")},
		trainArgs(data, out, "--name", "other", "--init", run)} {
		second := command(t, args...)
		require.Equal(t, exitOK, second.code, second.errors)
	}
	require.NoError(t, r.Process.Kill())
	require.Error(t, r.Wait())
	after := start(t, "resuming", program(t, "train", "--resume", run))
	require.NoError(t, after.Process.Signal(syscall.SIGINT))
	require.Equal(t, exitInterrupted, after.end(t), "the lock of a process that was killed keeps nobody away")
	requireNoLeftovers(t, run)

	ablation := filepath.Join(out, "ablation")
	r = start(t, "2/5000", program(t, ablateArgs(data, out, "--name", "ablation", "--epochs", "5000")...))
	for _, x := range []struct {
		folder string
		args   []string
	}{
		{ablation, ablateArgs(data, out, "--name", "ablation", "--epochs", "5000")}, {ablation, []string{"ablate", "--resume", ablation, "--seeds", "3"}},
		{filepath.Join(ablation, "none", "seed1"), []string{"train", "--resume", filepath.Join(ablation, "none", "seed1")}},
	} {
		second := command(t, x.args...)
		require.Equal(t, exitFailure, second.code)
		require.Regexp(t, `tributary: process \d+ on \S+ is at work in `+regexp.QuoteMeta(x.folder)+` since`, second.errors)
	}
	require.NoError(t, r.Process.Signal(syscall.SIGHUP))
	require.Equal(t, exitInterrupted, r.end(t))
	require.NoFileExists(t, filepath.Join(ablation, train.LockFile))
	last, err := train.FindRun(train.LastRun, out)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(out, "other"), last, "a run of an ablation is not the last one")
}

// Kills at any moment cost no bit: a run that is killed again and again ends like one that is not.
func TestKills(t *testing.T) {
	kills, epochs := 5, "20"
	if !testing.Short() {
		kills, epochs = 200, "240"
	}
	data, out := squares(t), t.TempDir()
	args := func(name string) []string {
		return trainArgs(data, out, "--name", name, "--epochs", epochs, "--log-every", "1", "--gradflow-every", "50", "--ema", "0.9", "--augment", "flip")
	}
	whole := command(t, args("whole")...)
	require.Equal(t, exitOK, whole.code, whole.errors)
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	run := filepath.Join(out, "killed")
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGHUP}
	kind := map[syscall.Signal]int{}
	for done := 0; ; {
		next, from := []string{"train", "--resume", run}, 0
		if path, err := train.FindCheckpoint(run, false); err == nil {
			ck, err := train.OpenCheckpoint(path)
			require.NoError(t, err)
			from = ck.Progress.Step
			require.NoError(t, ck.Close())
		} else {
			require.NoError(t, os.RemoveAll(run))
			next = args("killed")
		}
		cmd := program(t, next...)
		var errors bytes.Buffer
		cmd.Stderr = &errors
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		go func() {
			cmd.Wait()
			close(ended)
		}()
		if done < kills {
			until := from + random.IntN(16) // updates; an epoch has six
			for lastStep(run) < until && !closed(ended) {
				time.Sleep(2 * time.Millisecond)
			}
			time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
			if s := signals[random.IntN(len(signals))]; cmd.Process.Signal(s) == nil {
				done++
				kind[s]++
			}
		}
		<-ended
		if cmd.ProcessState.Success() {
			require.NotZero(t, done)
			break
		}
		require.Contains(t, []int{-1, exitInterrupted}, cmd.ProcessState.ExitCode(), errors.String())
	}
	t.Logf("kills: %v", kind)
	requireNoLeftovers(t, run)
	for _, name := range []string{"last.ckpt", "best.ckpt"} {
		requireSameCheckpoints(t, filepath.Join(out, "whole", "checkpoints", name), filepath.Join(run, "checkpoints", name))
	}
	a, b := &train.Folder{Path: filepath.Join(out, "whole")}, &train.Folder{Path: run}
	intervalsA, epochsA, err := a.ReadLog()
	require.NoError(t, err)
	intervalsB, epochsB, err := b.ReadLog()
	require.NoError(t, err)
	require.Len(t, intervalsB, len(intervalsA))
	require.Len(t, epochsB, len(epochsA))
	for i := range intervalsA {
		require.Equal(t, intervalsA[i].Train, intervalsB[i].Train)
	}
	for i := range epochsA {
		require.Equal(t, epochsA[i].Test, epochsB[i].Test)
	}
	flowsA, err := a.ReadFlows()
	require.NoError(t, err)
	flowsB, err := b.ReadFlows()
	require.NoError(t, err)
	require.Equal(t, flowsA, flowsB)
}

// lastStep returns the update of the last line in a run's log.
func lastStep(run string) int {
	text, _ := os.ReadFile((&train.Folder{Path: run}).Log())
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	var at struct{ Step int }
	json.Unmarshal(lines[len(lines)-1], &at)
	return at.Step
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// requireSameCheckpoints compares two checkpoints bit for bit, except for their durations.
func requireSameCheckpoints(t *testing.T, a, b string) {
	t.Helper()
	x, err := train.OpenCheckpoint(a)
	require.NoError(t, err)
	defer x.Close()
	y, err := train.OpenCheckpoint(b)
	require.NoError(t, err)
	defer y.Close()
	x.Progress.Seconds, y.Progress.Seconds = 0, 0
	require.Equal(t, x.Progress, y.Progress, a)
	require.Equal(t, x.Config, y.Config)
	require.Equal(t, x.Names(), y.Names())
	for _, part := range []graph.Part{graph.Value, graph.Average, graph.Slot0} {
		for _, name := range x.Names() {
			v, errX := x.Tensor(part, name)
			w, errY := y.Tensor(part, name)
			require.Equal(t, errX == nil, errY == nil)
			if errX == nil {
				require.Equal(t, v.Data(), w.Data(), "%s/%s", part, name)
			}
		}
	}
}
