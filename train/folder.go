package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tributary-ml/tributary/internal/plainfile"
)

// Folder is where a run writes: everything that is needed to repeat it, to go on with it, and to see what it did.
//
//	config.yaml            the complete configuration
//	log.jsonl              one JSON object a line: intervals, epochs, warnings, checkpoints
//	checkpoints/last.ckpt  the latest position
//	checkpoints/best.ckpt  the epoch whose main head was best on the test images
//	gradflow.jsonl         one measurement of the gradient flow a line, if there are any (tributary gradflow draws them)
//	events.out.tfevents.*  the numbers of both logs for TensorBoard, a file for every time that the run was taken up
//	summary.json           what came out
type Folder struct{ Path string }

// CreateFolder makes the folder of a new run, out/name. It never takes one that exists.
func CreateFolder(out, name string, c *Config) (*Folder, error) {
	path := filepath.Join(out, name)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("the run %s exists: choose another --name, or go on with it by --resume %s", path, path)
		}
		return nil, err
	}
	f := &Folder{path}
	if err := os.Mkdir(filepath.Dir(f.Last()), 0o755); err != nil {
		return nil, err
	}
	config := *c
	config.Name = "" // a run made from this file gets a folder of its own
	return f, WriteFile(f.Config(), config.YAML())
}

// Config is the path of the configuration.
func (f *Folder) Config() string { return filepath.Join(f.Path, "config.yaml") }

// Log is the path of the log.
func (f *Folder) Log() string { return filepath.Join(f.Path, "log.jsonl") }

// Gradflow is the path of the measurements of the gradient flow.
func (f *Folder) Gradflow() string { return filepath.Join(f.Path, "gradflow.jsonl") }

// Summary is the path of the summary.
func (f *Folder) Summary() string { return filepath.Join(f.Path, "summary.json") }

// Last is the path of the latest checkpoint.
func (f *Folder) Last() string { return filepath.Join(f.Path, "checkpoints", "last.ckpt") }

// Best is the path of the best checkpoint.
func (f *Folder) Best() string { return filepath.Join(f.Path, "checkpoints", "best.ckpt") }

// FindCheckpoint is the checkpoint that a user means: a file, or the last or the best one of a run's folder.
func FindCheckpoint(path string, best bool) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%w: name a run's folder or a .ckpt file", err)
	}
	if !st.IsDir() {
		return path, nil
	}
	f := Folder{path}
	for _, p := range []struct {
		path string
		take bool
	}{{f.Best(), best}, {f.Last(), true}, {f.Best(), true}} {
		if _, err := os.Stat(p.path); p.take && err == nil {
			return p.path, nil
		}
	}
	return "", fmt.Errorf("the folder %s has no checkpoint (%s): name a run's folder or a .ckpt file", path, f.Last())
}

// FolderOf is the run's folder that a checkpoint lies in.
func FolderOf(checkpoint string) (*Folder, error) {
	path, err := filepath.Abs(checkpoint)
	if err != nil {
		return nil, err
	}
	f := &Folder{filepath.Dir(filepath.Dir(path))}
	if _, err := os.Stat(f.Config()); err != nil {
		return nil, fmt.Errorf("the checkpoint %s lies in no run's folder: only a run that has its folder can go on; start a new run from these weights with --init %s", checkpoint, checkpoint)
	}
	if dir, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(dir, f.Path); err == nil && filepath.IsLocal(rel) {
			f.Path = rel
		}
	}
	return f, nil
}

// maxSummary is the largest summary in bytes.
const maxSummary = 1 << 20

// ReadSummary reads what came out of a run; an error that is fs.ErrNotExist says that it has not come to an end yet.
func (f *Folder) ReadSummary() (*Summary, error) {
	text, err := plainfile.Read(f.Summary(), maxSummary)
	if err != nil {
		return nil, err
	}
	s := new(Summary)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w: the file is damaged", f.Summary(), err)
	}
	return s, nil
}

// writeSummary writes what came out of a run.
func (f *Folder) writeSummary(s *Summary) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(f.Summary(), append(text, '\n'))
}
