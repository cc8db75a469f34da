//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/interop"
	"github.com/tributary-ml/tributary/train"
)

// eval measures all images of another set, by the names of their classes, and says which part they
// are from.
func TestEvalLayouts(t *testing.T) {
	data, out := squares(t), t.TempDir()
	r := command(t, trainArgs(data, out)...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Empty(t, r.errors) // nothing is left out
	run := filepath.Join(out, "first")
	in := func(name string) string { return filepath.Join(data, name) }
	eval := func(args ...string) result {
		return command(t, append([]string{"eval", "--checkpoint", run}, args...)...)
	}
	own := eval()
	require.Contains(t, own.out, data+" val, 20 images")

	main := func(r result) string {
		for line := range strings.Lines(r.out) {
			if strings.HasPrefix(line, "main ") {
				return line
			}
		}
		return r.errors
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"folder":     {[]string{"--data", "folder:" + in("val")}, in("val") + ", all images, 20 images"},
		"train":      {[]string{"--part", "train"}, data + " train, 48 images"},
		"train here": {[]string{"--data", "folder:" + in("train")}, in("train") + ", all images, 48 images"},
	} {
		r := eval(c.args...)
		require.Equal(t, exitOK, r.code, r.errors)
		require.Contains(t, r.out, c.want, name)
		if name == "folder" {
			require.Equal(t, main(own), main(r))
		}
	}
	// Without one class, and with one class alone, the remaining images keep their labels.
	hits := func(r result) (n int) {
		require.Equal(t, exitOK, r.code, r.errors)
		fields := strings.Fields(main(r))
		_, err := fmt.Sscanf(fields[4], "(%d)", &n)
		require.NoError(t, err, main(r))
		return n
	}
	all := 0
	for class := range 4 {
		name := fmt.Sprintf("quarter%d", class)
		only := filepath.Join(t.TempDir(), "test")
		require.NoError(t, os.CopyFS(filepath.Join(only, name), os.DirFS(in("val/"+name))))
		r := eval("--data", "folder:"+filepath.Dir(only))
		require.Contains(t, r.out, " test, 5 images")
		all += hits(r)
	}
	require.Equal(t, hits(own), all)

	require.NoError(t, os.Rename(in("val/quarter3"), in("val/quarter4")))
	r = eval("--data", "folder:"+in("val"))
	require.Equal(t, exitFailure, r.code)
	require.Contains(t, r.errors, `"quarter4" is no class of the network (rename or remove it; the nearest: quarter0, quarter1, quarter2)`)
	r = eval("--part", "vall")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errors, "did you mean val?")
	r = eval("--data", "folder:"+in("val"), "--part", "test")
	require.Equal(t, exitFailure, r.code)
	require.Contains(t, r.errors, "has no parts")
}

// Notes say how the set was understood and what is left out, including images at the end of a
// training epoch.
func TestNotes(t *testing.T) {
	data, out := squares(t), t.TempDir()
	require.NoError(t, os.Rename(filepath.Join(data, "val"), filepath.Join(data, "Valid")))
	for _, name := range []string{"train/quarter0/x.heic", "Valid/quarter1/y.HEIC", "train/quarter0/z.tga"} {
		require.NoError(t, os.WriteFile(filepath.Join(data, name), nil, 0o644))
	}
	args := trainArgs(data, out, "--batch", "9")
	r := command(t, args...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "48 training and 20 test")
	for _, want := range []string{"measured is " + data + "/Valid", "2 files end in .heic and are left out", "1 file ends in .tga and is left out",
		"3 of the 48 training images do not fill a last batch"} {
		require.Contains(t, r.errors, "note: ")
		require.Contains(t, r.errors, want)
	}
	r = command(t, "eval", "--checkpoint", filepath.Join(out, "first"))
	require.Contains(t, r.errors, "note: measured is "+data+"/Valid")
	require.Contains(t, r.errors, "note: 1 file ends in .heic")
	r = command(t, "predict", "--checkpoint", filepath.Join(out, "first"), data+"/train/quarter0")
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.errors, "note: 1 file ends in .heic")
}

// Names of folders, classes and files may be any bytes, in every command and in what it writes.
func TestNamesAreAnyBytes(t *testing.T) {
	data := filepath.Join(t.TempDir(), "donn\xe9es")
	if err := os.Rename(squares(t), data); err != nil {
		t.Skip("the file system takes no such names")
	}
	for _, part := range []string{"train", "val"} {
		require.NoError(t, os.Rename(filepath.Join(data, part, "quarter2"), filepath.Join(data, part, "caf\xe9")))
		require.NoError(t, os.Rename(filepath.Join(data, part, "caf\xe9", "1.png"), filepath.Join(data, part, "caf\xe9", "\xff.png")))
	}
	out := filepath.Join(t.TempDir(), "l\xe4ufe")
	r := command(t, trainArgs(data, out)...)
	require.Equal(t, exitOK, r.code, r.errors)
	run := filepath.Join(out, "first")
	for _, args := range [][]string{{"eval", "--checkpoint", run}, {"eval", "--checkpoint", run, "--data", "folder:" + data + "/val"}} {
		r = command(t, args...)
		require.Equal(t, exitOK, r.code, r.errors)
		require.Contains(t, r.out, "20 images")
	}
	r = command(t, "train", "--resume", run)
	require.Equal(t, exitOK, r.code, r.errors)
	r = command(t, "predict", "--checkpoint", run, "--json", data+"/val/caf\xe9/\xff.png")
	require.Equal(t, exitOK, r.code, r.errors)
	var p tributary.Prediction
	require.NoError(t, json.Unmarshal([]byte(r.out), &p))
	require.True(t, strings.HasSuffix(p.File, `donn\xE9es/val/caf\xE9/\xFF.png`), p.File)
	var names []string
	for _, c := range p.Classes {
		names = append(names, c.Class)
	}
	require.Contains(t, names, `caf\xE9`)
	ck, err := train.OpenCheckpoint(filepath.Join(run, "checkpoints", "last.ckpt"))
	require.NoError(t, err)
	defer ck.Close()
	require.Equal(t, "folder:"+data, ck.Config.Data)
	require.Equal(t, []string{`caf\xE9`, "quarter0", "quarter1", "quarter3"}, ck.Data.Classes)
	for _, ext := range []string{"safetensors", "onnx"} {
		file := filepath.Join(t.TempDir(), "m."+ext)
		r = command(t, "export", "--checkpoint", run, "--out", file)
		require.Equal(t, exitOK, r.code, r.errors)
		if ext == "safetensors" {
			f, err := interop.Open(file)
			require.NoError(t, err)
			require.Contains(t, fmt.Sprint(f.Metadata), `caf\\xE9`)
			f.Close()
		}
	}
}

// Files that a user names are opened only if they are regular files. Nothing waits for a pipe or
// reads a device forever.
func TestOddFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, folder := filepath.Join(dir, "pipe.png"), filepath.Join(dir, "folder")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	require.NoError(t, os.Mkdir(folder, 0o755))
	big := filepath.Join(dir, "big")
	f, err := os.Create(big)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(1<<40)) // the file is sparse
	require.NoError(t, f.Close())
	data := squares(t)
	require.Equal(t, exitOK, command(t, trainArgs(data, dir)...).code)
	run := filepath.Join(dir, "first")
	done := make(chan bool)
	go func() {
		defer close(done)
		for _, path := range []string{pipe, "/dev/zero", folder, big} {
			for _, args := range []string{"train --config", "ablate --config", "train --init", "train --resume", "eval --checkpoint", "predict x.png --checkpoint",
				"predict --checkpoint " + run, "export --checkpoint", "grads --model inception_small --batch x --weights", "gradflow --run", "inspect --config"} {
				r := command(t, append(strings.Fields(args), path)...)
				if strings.Contains(r.errors, "unknown flag") {
					continue
				}
				if r.code != exitFailure && r.code != exitUsage {
					t.Errorf("%s %s: %d %s", args, path, r.code, r.errors)
				}
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("hangs")
	}
	r := command(t, "train", "--config", pipe)
	require.Contains(t, r.errors, "is a named pipe, not a file")
	r = command(t, "train", "--config", big)
	require.Contains(t, r.errors, "is larger than")
}
