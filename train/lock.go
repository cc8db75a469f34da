package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// LockFile is the file in a folder that whoever writes there holds a lock of. It says who that is.
const LockFile = "lock.json"

// Lock keeps other processes from writing to a folder. It ends with the process that holds it, however that ends.
type Lock struct {
	file *flock.Flock // nil where the file system has no locks
}

// LockedError says that somebody else is at work in a folder, and who.
type LockedError struct {
	Folder string
	PID    int // 0 where the lock's file does not say
	Host   string
	Since  time.Time
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another process is at work in %s: wait until it ends; nothing was changed", e.Folder)
	}
	return fmt.Sprintf("process %d on %s is at work in %s since %s: wait until it ends, or stop it there with kill %d, which makes it save; nothing was changed",
		e.PID, e.Host, e.Folder, e.Since.Local().Format(time.DateTime), e.PID)
}

// lockHolder is the content of a lock's file.
type lockHolder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// LockFolder takes the lock of a folder, or returns a *LockedError. On a file system that has no locks it returns one that keeps
// nobody away.
func LockFolder(folder string) (*Lock, error) {
	return lockWith(folder, func(f *flock.Flock) (bool, error) { return f.TryLock() })
}

func lockWith(folder string, try func(*flock.Flock) (bool, error)) (*Lock, error) {
	path := filepath.Join(folder, LockFile)
	for {
		f := flock.New(path, flock.SetPermissions(0o644))
		ok, err := try(f)
		switch {
		case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK):
			return &Lock{}, errors.Join(f.Close(), removeFile(path))
		case err != nil:
			return nil, fmt.Errorf("locking %s: %w", folder, errors.Join(err, f.Close()))
		case !ok:
			return nil, errors.Join(lockedError(folder, path), f.Close())
		case current(f):
			if err := writeHolder(path); err != nil {
				return nil, errors.Join(err, removeFile(path), f.Close())
			}
			return &Lock{f}, nil
		}
		// Whoever had the lock has removed its file since it was opened here: the lock is of another file now.
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// current says whether a lock is of the file that its path names.
func current(f *flock.Flock) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	st, err := os.Stat(f.Path())
	return err == nil && os.SameFile(mine, st)
}

// writeHolder writes in place: another file would have another lock.
func writeHolder(path string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	text, err := json.Marshal(lockHolder{os.Getpid(), host, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func lockedError(folder, path string) error {
	e := &LockedError{Folder: folder}
	var h lockHolder
	if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &h) == nil {
		e.PID, e.Host, e.Since = h.PID, h.Host, h.Since
	}
	return e
}

// whoLocks is a *LockedError where somebody is at work in a folder, otherwise nil.
func whoLocks(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, LockFile)); err != nil {
		return nil
	}
	l, err := LockFolder(folder)
	if errors.As(err, new(*LockedError)) {
		return err
	}
	if err == nil {
		l.Unlock()
	}
	return nil
}

// Locks says whether the lock keeps anybody away.
func (l *Lock) Locks() bool { return l.file != nil }

// Unlock gives the lock back.
func (l *Lock) Unlock() error {
	if !l.Locks() {
		return nil
	}
	return errors.Join(removeFile(l.file.Path()), l.file.Close())
}

// removeFile removes a file that may be gone already.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
