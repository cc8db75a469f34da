package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tributary-ml/tributary/internal/atomicfile"
	"github.com/tributary-ml/tributary/internal/plainfile"
)

// Folder is where a run writes. It has everything that is needed to repeat the run, to resume it,
// and to see what it did.
//
//	config.yaml            the complete configuration
//	log.jsonl              one JSON object a line: intervals, epochs, warnings, checkpoints
//	checkpoints/last.ckpt  the latest position
//	checkpoints/best.ckpt  the epoch whose main head was best on the test images
//	gradflow.jsonl         one measurement of the gradient flow a line, if there are any (tributary gradflow draws them)
//	events.out.tfevents.*  the numbers of both logs for TensorBoard, one file for each start of the run
//	summary.json           the result
//	lock.json              which process trains in the folder, while one does
type Folder struct {
	Path string

	lock   *Lock // set while this process trains in the folder
	made   bool  // this process made the folder, and it holds nothing of use yet
	newest bool  // the run becomes the last run of its parent folder at the first line of its log
}

// LastRun is the name of a file beside the folders of runs. It names the newest of them. It is not
// a link, because TensorBoard follows links and would show that run twice.
const LastRun = "last"

// NewFolder makes the folder of a new run. A run without a name is named after its time and its
// network; a number is added if that name is taken. The run becomes the last run of c.Out with the
// first line of its log.
func NewFolder(c *Config, now time.Time) (*Folder, error) {
	first := c.Name
	if first == "" {
		first = now.Format("20060102-150405-") + c.Model
	}
	name := first
	for n := 2; ; n++ {
		f, err := CreateFolder(c.Out, name, c)
		if c.Name == "" && errors.Is(err, fs.ErrExist) {
			name = fmt.Sprintf("%s-%d", first, n)
			continue
		}
		if err == nil {
			f.newest = true
		}
		return f, err
	}
}

// CreateFolder makes the folder of a new run, out/name, and locks it. If the folder exists,
// CreateFolder leaves it alone and returns an error that is fs.ErrExist.
func CreateFolder(out, name string, c *Config) (*Folder, error) {
	f := &Folder{Path: filepath.Join(out, name)}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(f.Path, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, f.exists()
		}
		return nil, err
	}
	f.made = true
	err := f.Lock()
	for range 50 { // whoLocks of another process may hold the lock for a moment
		if !errors.As(err, new(*LockedError)) {
			break
		}
		time.Sleep(10 * time.Millisecond)
		err = f.Lock()
	}
	if err == nil {
		err = os.Mkdir(filepath.Dir(f.Last()), 0o755)
	}
	if err == nil {
		err = f.writeConfig(c)
	}
	if err != nil {
		return nil, errors.Join(err, f.discard())
	}
	return f, nil
}

// writeConfig writes the configuration without the run's name, so that a new run made from this
// file gets a folder of its own.
func (f *Folder) writeConfig(c *Config) error {
	config := *c
	config.Name = ""
	return atomicfile.WriteBytes(f.Config(), config.YAML())
}

// existsError says that a folder exists, and what to do. It is fs.ErrExist.
type existsError struct{ text string }

func (e existsError) Error() string        { return e.text }
func (e existsError) Is(target error) bool { return target == fs.ErrExist }

// exists returns the error for a new run that is given the name of this folder.
func (f *Folder) exists() error {
	if locked := whoLocks(f.Path); locked != nil {
		return existsError{fmt.Sprintf("%v; or choose another --name", locked)}
	}
	if _, err := FindCheckpoint(f.Path, false); err == nil {
		return existsError{fmt.Sprintf("the run %s exists: choose another --name, or go on with it by --resume %s", f.Path, f.Path)}
	}
	return existsError{fmt.Sprintf("%s exists, and has no checkpoint to go on from: choose another --name, or remove it if nothing in it is needed", f.Path)}
}

// Lock makes this process the only one that trains in the folder, until Unlock. It also removes
// files that a killed process has left half-written. Run calls Lock; a caller that resumes a run
// calls it earlier, before it opens the checkpoint. Locking again has no effect.
func (f *Folder) Lock() (err error) {
	if f.lock != nil {
		return nil
	}
	if f.lock, err = LockFolder(f.Path); err != nil || !f.lock.Locks() {
		return err
	}
	for _, dir := range []string{f.Path, filepath.Dir(f.Last())} {
		if err := atomicfile.RemoveStrays(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, f.Unlock())
		}
	}
	return nil
}

// Unlock lets other processes train in the folder.
func (f *Folder) Unlock() error {
	if f.lock == nil {
		return nil
	}
	l := f.lock
	f.lock = nil
	return l.Unlock()
}

// discard removes the folder of a run without results, so that its name is free.
func (f *Folder) discard() error {
	return errors.Join(f.Unlock(), os.RemoveAll(f.Path))
}

// begin notes that the folder holds something of use. From then on it stays, and a new run becomes
// the last run of its parent folder.
func (f *Folder) begin() error {
	f.made = false
	if !f.newest {
		return nil
	}
	f.newest = false
	return atomicfile.WriteBytes(filepath.Join(filepath.Dir(f.Path), LastRun), []byte(filepath.Base(f.Path)+"\n"))
}

// FindRun returns the path that a user means by name. "last" stands for the last run of the folder
// out. In any path, a file LastRun stands for the folder of the run that it names. All other paths
// are returned unchanged.
func FindRun(name, out string) (string, error) {
	path := name
	if name == LastRun {
		path = filepath.Join(out, LastRun)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(name); err == nil {
				path = name
			} else {
				return "", fmt.Errorf("no run was trained in %s yet, which the file %s would name: name a run's folder", out, path)
			}
		}
	}
	for file := filepath.Clean(path); file != filepath.Dir(file); file = filepath.Dir(file) {
		if filepath.Base(file) != LastRun {
			continue
		}
		if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() || st.Size() > 4096 {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		run := strings.TrimSuffix(string(text), "\n")
		if run == "" || !validName(run) {
			continue // the file is not a LastRun file
		}
		inside, err := filepath.Rel(file, filepath.Clean(path))
		if err != nil {
			return "", err
		}
		folder := filepath.Join(filepath.Dir(file), run)
		if _, err := os.Stat(folder); err != nil {
			return "", fmt.Errorf("%s names the run %s, which is not there: name a run's folder", file, folder)
		}
		return filepath.Join(folder, inside), nil
	}
	return path, nil
}

// Config returns the path of the configuration.
func (f *Folder) Config() string { return filepath.Join(f.Path, "config.yaml") }

// Log returns the path of the log.
func (f *Folder) Log() string { return filepath.Join(f.Path, "log.jsonl") }

// Gradflow returns the path of the measurements of the gradient flow.
func (f *Folder) Gradflow() string { return filepath.Join(f.Path, "gradflow.jsonl") }

// Summary returns the path of the summary.
func (f *Folder) Summary() string { return filepath.Join(f.Path, "summary.json") }

// Last returns the path of the latest checkpoint.
func (f *Folder) Last() string { return filepath.Join(f.Path, "checkpoints", "last.ckpt") }

// Best returns the path of the best checkpoint.
func (f *Folder) Best() string { return filepath.Join(f.Path, "checkpoints", "best.ckpt") }

// FindCheckpoint returns the checkpoint that a user means by path: the file itself, or a run's
// folder's last or, if best is set, best checkpoint.
func FindCheckpoint(path string, best bool) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%w: name a run's folder or a .ckpt file", err)
	}
	if !st.IsDir() {
		return path, nil
	}
	f := Folder{Path: path}
	for _, p := range []struct {
		path string
		take bool
	}{{f.Best(), best}, {f.Last(), true}, {f.Best(), true}} {
		if _, err := os.Stat(p.path); p.take && err == nil {
			return p.path, nil
		}
	}
	if locked := whoLocks(path); locked != nil {
		return "", fmt.Errorf("the run %s has no checkpoint yet: %w", path, locked)
	}
	return "", fmt.Errorf("the folder %s has no checkpoint (%s): name a run's folder or a .ckpt file", path, f.Last())
}

// FolderOf returns the run's folder that holds a checkpoint.
func FolderOf(checkpoint string) (*Folder, error) {
	path, err := filepath.Abs(checkpoint)
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: filepath.Dir(filepath.Dir(path))}
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

// maxSummary is the maximum size of a summary in bytes.
const maxSummary = 1 << 20

// ReadSummary reads the result of a run. The error is fs.ErrNotExist if the run has not ended yet.
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

// writeSummary writes the result of a run.
func (f *Folder) writeSummary(s *Summary) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(f.Summary(), append(text, '\n'))
}
