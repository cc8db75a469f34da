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

// LockFile is the name of the file in a folder whose lock a process holds while it writes there.
// The file names the process.
const LockFile = "lock.json"

// Lock keeps other processes from writing to a folder. The lock ends with the process that holds
// it, however the process ends.
type Lock struct {
	file *flock.Flock // nil if the file system has no locks
}

// LockedError says that another process is at work in a folder, and which.
type LockedError struct {
	Folder string
	PID    int // 0 if the lock's file does not say
	Host   string
	Since  time.Time
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another process is at work in %s: wait until it ends; nothing was changed", e.Folder)
	}
	if host, err := os.Hostname(); err == nil && e.PID == os.Getpid() && e.Host == host {
		return fmt.Sprintf("this process is at work in %s already: close that run first; nothing was changed", e.Folder)
	}
	return fmt.Sprintf("process %d on %s is at work in %s since %s: wait until it ends, or stop it there with kill %d, which makes it save; nothing was changed",
		e.PID, e.Host, e.Folder, e.Since.Local().Format(time.DateTime), e.PID)
}

// lockHolder is the content of a LockFile.
type lockHolder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// LockFolder takes the lock of a folder, or returns a *LockedError. On a file system without locks
// it returns a Lock without effect; see Locks.
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
		// The previous holder removed the file after it was opened here, so this lock is of a file
		// that no longer exists.
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// current reports whether a lock is held on the file that its path names.
func current(f *flock.Flock) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	st, err := os.Stat(f.Path())
	return err == nil && os.SameFile(mine, st)
}

// writeHolder overwrites the file in place, because a new file would have a lock of its own.
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

// whoLocks returns a *LockedError if another process is at work in a folder, otherwise nil.
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

// Locks reports whether the lock keeps other processes away.
func (l *Lock) Locks() bool { return l.file != nil }

// Unlock releases the lock and removes its file.
func (l *Lock) Unlock() error {
	if !l.Locks() {
		return nil
	}
	return errors.Join(removeFile(l.file.Path()), l.file.Close())
}

// removeFile removes a file. It is no error if the file is already gone.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
