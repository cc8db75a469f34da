package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/train"
)

// programs matches the beginning of a line of the documents that is a command.
var programs = regexp.MustCompile(`^(tributary|\./build/[a-z/-]*tributary|go|make|python3) `)

// commandLines returns the commands in a document's code blocks, in their order, as the document
// prints them. In a block with prompts only the lines after a prompt are commands.
func commandLines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []string
	fenced := false
	for line := range strings.SplitSeq(string(text), "\n") {
		line, indented := strings.CutPrefix(line, "    ")
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case fenced || indented:
			if line = strings.TrimPrefix(line, "$ "); programs.MatchString(line) {
				all = append(all, line)
			}
		}
	}
	return all
}

// words splits a command line into words, as a shell does.
func words(t *testing.T, line string) []string {
	t.Helper()
	program, _, _ := strings.Cut(line, " ")
	out, err := exec.Command("sh", "-c", `say() { printf '%s\0' "$@"; }; say `+line).Output()
	require.NoError(t, err, line)
	all := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	require.Equal(t, program, all[0])
	return all
}

// small makes a command of the README quick: it appends settings, of which the last count. The
// command keeps its meaning: its flags, values, heads and files are all read and checked.
func small(args []string) []string {
	line := strings.Join(args, " ")
	photos := []string{"--data", "folder:photos"}
	tiny := append(photos, "--image-size", "16", "--width", "0.25", "--batch", "16")
	large := append(photos, "--image-size", "32", "--batch", "48")
	once := []string{"--epochs", "1", "--warmup", "0"}
	switch args[0] {
	case "train":
		for _, flag := range []string{"--head-schedule until:3", "--config"} { // with a schedule or a warm-up longer than one epoch
			if strings.Contains(line, flag) {
				once = []string{"--epochs", "4", "--warmup", "0"}
			}
		}
		if strings.Contains(line, "--model googlenet") {
			if testing.Short() { // 13 million parameters: the network is inspected, not trained
				return slices.Concat([]string{"inspect"}, args[1:], large[2:])
			}
			return slices.Concat(args, large, once)
		}
		return slices.Concat(args, tiny, once)
	case "ablate":
		return slices.Concat(args, tiny, once, []string{"--batch", "4", "--seeds", "2", "--log-every", "1"})
	case "gradflow":
		return slices.Concat(args, append(photos, "--width", "0.25", "--batch", "4"))
	case "inspect":
		if strings.Contains(line, "--model googlenet") {
			return slices.Concat(args, []string{"--image-size", "32", "--batch", "2"})
		}
		return slices.Concat(args, []string{"--image-size", "80", "--batch", "2"})
	}
	return args
}

// The README's commands do what it says, in their order, in a clone with nothing but photos.
// Without -short the first ones train as long as they do for a user.
func TestReadmeCommands(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	targets := makeTargets(t, root)
	var lines []string
	for _, name := range []string{"README.md", "docs/data.md", "docs/cuda.md"} {
		lines = append(lines, commandLines(t, filepath.Join(root, name))...)
	}
	require.Greater(t, len(lines), 25)
	photos := squares(t)
	t.Chdir(t.TempDir())
	require.NoError(t, os.Symlink(photos, "photos"))
	require.NoError(t, os.Mkdir("docs", 0o755))
	require.NoError(t, os.Symlink(filepath.Join(root, "bench"), "bench"))
	ran := 0
	for _, line := range lines {
		w := words(t, line)
		switch {
		case w[0] == "make":
			require.Contains(t, targets, w[1], line)
			continue
		case w[0] == "python3":
			require.FileExists(t, w[1], line)
			continue
		case w[0] == "go" && w[1] == "install":
			require.Equal(t, []string{"go", "install", "./cmd/tributary"}, w)
			continue
		case w[0] == "go":
			require.Equal(t, []string{"go", "run", "./cmd/tributary"}, w[:3])
			w = w[2:]
		}
		args := w[1:]
		if ran > 0 || testing.Short() {
			args = small(args)
		}
		begin := time.Now()
		r := command(t, args...)
		if ran++; strings.Contains(line, "--device cuda") && r.code == exitUsage {
			require.Contains(t, r.errors, "this binary was built without CUDA", line)
			continue
		}
		require.Equal(t, exitOK, r.code, "%s\n%q\n%s", line, args, r.errors)
		if i := slices.Index(args, "--out"); i >= 0 && args[0] != "train" {
			require.FileExists(t, args[i+1], line)
		}
		if ran == 1 && !testing.Short() {
			t.Logf("%s in %v", rows(r.out)[len(rows(r.out))-1], time.Since(begin).Round(time.Second))
			requireAccuracy(t, 0.86)
		}
	}
	require.Greater(t, ran, 20)
}

// requireAccuracy requires that the only run so far has reached an accuracy.
func requireAccuracy(t *testing.T, least float64) {
	t.Helper()
	files, err := filepath.Glob("runs/2*/summary.json")
	require.NoError(t, err)
	require.Len(t, files, 1)
	s, err := (&train.Folder{Path: filepath.Dir(files[0])}).ReadSummary()
	require.NoError(t, err)
	main, ok := s.Last.Test.Head("main")
	require.True(t, ok)
	require.GreaterOrEqual(t, main.Top1, least)
}

// makeTargets returns the Makefile's targets.
func makeTargets(t *testing.T, root string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}

// The commands in the documents, in the comments of configurations and in help exist: make's
// targets, commands and their flags.
func TestNamedCommandsExist(t *testing.T) {
	root := "../.."
	targets := makeTargets(t, root)
	texts := map[string]string{}
	for _, pattern := range []string{"README.md", "CONTRIBUTING.md", "docs/*.md", "bench/*.md", "bench/*.yaml", "bench/*/README.md", "bench/results/*/README.md", ".ci/run"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			texts[f] = string(text)
		}
	}
	for _, c := range newRoot().Commands() {
		texts[c.Name()+" --help"] = "`" + strings.ReplaceAll(strings.ReplaceAll(c.Example, "\\\n", ""), "\n", "`\n`") + "`"
	}
	named, flags := 0, 0
	for file, text := range texts {
		for _, m := range regexp.MustCompile("(?m)(?:`|^ *|&& )make ([a-z][a-z-]*)").FindAllStringSubmatch(text, -1) {
			require.Contains(t, targets, m[1], file)
			named++
		}
		for _, m := range regexp.MustCompile("(?m)(?:`|^\\$? *|; |&& (?:go run ./cmd/)?)\\s*tributary ([a-z]+)([^`\n;#]*)").FindAllStringSubmatch(text, -1) {
			c, _, err := newRoot().Find([]string{m[1]})
			require.NoError(t, err, "%s: tributary %s", file, m[1])
			c.InitDefaultHelpFlag()
			for _, f := range regexp.MustCompile(`--([a-z0-9-]+)`).FindAllStringSubmatch(m[2], -1) {
				require.NotNil(t, c.Flag(f[1]), "%s: tributary %s %s", file, m[1], f[0])
				flags++
			}
		}
	}
	require.Greater(t, named, 10)
	require.Greater(t, flags, 60)
}

// The examples in every command's help that need only photos work, as the README's do.
func TestHelpExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("the flags of all examples are looked up, too")
	}
	photos := squares(t)
	require.NoError(t, os.CopyFS(filepath.Join(photos, "test"), os.DirFS(filepath.Join(photos, "val"))))
	t.Chdir(t.TempDir())
	require.NoError(t, os.Symlink(photos, "photos"))
	require.NoError(t, os.WriteFile("run.yaml", []byte("model: inception_small\n"), 0o644))
	r := command(t, slices.Concat([]string{"train", "--name", "NAME"}, small([]string{"train"})[1:])...)
	require.Equal(t, exitOK, r.code, r.errors)
	ran := 0
	for _, c := range newRoot().Commands() {
		if c.Name() == "ablate" || c.Name() == "gradflow" || c.Name() == "grads" || c.Name() == "completion" {
			continue // like the README's, or with files of PyTorch
		}
		for line := range strings.SplitSeq(c.Example, "\n") {
			args := words(t, strings.TrimSpace(line))[1:]
			if args = slices.DeleteFunc(args, func(a string) bool { return a == "cat.jpg" }); strings.Contains(line, "cat.jpg") {
				args = append(args, "photos/val/quarter0/0.png")
			}
			if strings.Contains(line, "fashion-mnist") {
				continue // these need other classes than those of the photos
			}
			if !strings.Contains(line, "--resume") {
				args = small(args)
			}
			r := command(t, args...)
			require.Equal(t, exitOK, r.code, "%s\n%q\n%s", line, args, r.errors)
			ran++
		}
	}
	require.Greater(t, ran, 15)
}
