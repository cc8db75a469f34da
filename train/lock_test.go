package train

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

// A second lock fails with an error that names the holder, and changes nothing.
func TestLockFolder(t *testing.T) {
	dir := t.TempDir()
	l, err := LockFolder(dir)
	require.NoError(t, err)
	require.True(t, l.Locks())
	text, err := os.ReadFile(filepath.Join(dir, LockFile))
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	for range 2 {
		_, err = LockFolder(dir)
		var locked *LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, os.Getpid(), locked.PID)
		require.Equal(t, host, locked.Host)
		require.False(t, locked.Since.IsZero())
		require.ErrorContains(t, err, dir)
	}
	again, err := os.ReadFile(filepath.Join(dir, LockFile))
	require.NoError(t, err)
	require.Equal(t, text, again)
	require.NoError(t, l.Unlock())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	_, err = LockFolder(filepath.Join(dir, "no"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The file of a killed process keeps no process away, whatever its content.
func TestLockOfADeadProcess(t *testing.T) {
	for _, text := range []string{"", `{"pid":1,"host":"elsewhere"}`, "nonsense"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, LockFile), []byte(text), 0o644))
		l, err := LockFolder(dir)
		require.NoError(t, err)
		_, err = LockFolder(dir)
		require.ErrorContains(t, err, "process ")
		require.NoError(t, l.Unlock())
	}
}

// A process that has locked a file does not always hold the folder's lock: the file may have been
// removed in between.
func TestLockIsHeldByOne(t *testing.T) {
	dir := t.TempDir()
	var held, most, got atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 300 {
				l, err := LockFolder(dir)
				if errors.As(err, new(*LockedError)) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), held.Add(1)))
				got.Add(1)
				time.Sleep(50 * time.Microsecond)
				held.Add(-1)
				if err := l.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, int32(1), most.Load())
	require.NotZero(t, got.Load())
}

// Training works on a file system without locks.
func TestLockWhereThereAreNone(t *testing.T) {
	for _, none := range []error{syscall.ENOLCK, syscall.ENOSYS, syscall.EOPNOTSUPP} {
		dir := t.TempDir()
		l, err := lockWith(dir, func(f *flock.Flock) (bool, error) {
			require.NoError(t, os.WriteFile(f.Path(), nil, 0o644)) // as opening the file does
			return false, none
		})
		require.NoError(t, err)
		require.False(t, l.Locks())
		require.NoError(t, l.Unlock())
		require.NoFileExists(t, filepath.Join(dir, LockFile))
	}
	_, err := lockWith(t.TempDir(), func(*flock.Flock) (bool, error) { return false, syscall.EIO })
	require.ErrorIs(t, err, syscall.EIO)
}

// A run whose folder has no lock says so once.
func TestRunWithoutLocks(t *testing.T) {
	c := tinyConfig()
	s, r := setup(t, c)
	f := folder(t, c)
	require.NoError(t, f.Unlock())
	f.lock = &Lock{}
	_, err := trainer(t, s).Run(t.Context(), f)
	require.NoError(t, err)
	require.Len(t, ofType[Warning](r), 1)
	require.Contains(t, ofType[Warning](r)[0].Message, "has no locks")
}
