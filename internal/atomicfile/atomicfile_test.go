package atomicfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// both runs a test with files that have no name until they are whole, and with files that have a
// temporary name.
func both(t *testing.T, test func(t *testing.T, write func(path string, write func(*os.File) error) error)) {
	for _, unnamed := range []bool{true, false} {
		t.Run(fmt.Sprintf("unnamed=%v", unnamed), func(t *testing.T) {
			test(t, func(path string, write func(*os.File) error) error { return replace(path, write, unnamed) })
		})
	}
}

func text(s string) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.WriteString(s)
		return err
	}
}

// While a file is being written its path names the old file. A failure leaves the old file and
// nothing else.
func TestFailedWriteLeavesTheOldFile(t *testing.T) {
	both(t, func(t *testing.T, write func(string, func(*os.File) error) error) {
		dir := t.TempDir()
		path := filepath.Join(dir, "last.ckpt")
		require.NoError(t, write(path, text("old")))
		err := write(path, func(f *os.File) error {
			require.NoError(t, text("half a fi")(f))
			require.Equal(t, "old", read(t, path))
			return syscall.ENOSPC
		})
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, "old", read(t, path))
		require.Equal(t, []string{"last.ckpt"}, names(t, dir))
		require.NoError(t, write(path, text("new")))
		require.Equal(t, "new", read(t, path))
		require.Equal(t, []string{"last.ckpt"}, names(t, dir))
	})
}

// An unnamed file leaves nothing behind when its process is killed.
func TestUnnamed(t *testing.T) {
	dir := t.TempDir()
	f := createUnnamed(filepath.Join(dir, "a"))
	if f == nil {
		t.Skip("the file system has no files without a name")
	}
	f.Close()
	require.NoError(t, replace(filepath.Join(dir, "a"), func(f *os.File) error {
		require.Empty(t, names(t, dir))
		return text("whole")(f)
	}, true))
	require.Equal(t, []string{"a"}, names(t, dir))
}

// If files cannot be linked, an unnamed file is copied to a named one.
func TestGiveNameWithoutLinks(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "elsewhere"))
	require.NoError(t, err)
	require.NoError(t, f.Chmod(0o640))
	require.NoError(t, text("whole")(f))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "taken"), nil, 0o600))
	whole := &temp{File: f}
	require.Error(t, whole.giveName(filepath.Join(dir, "taken")), "a name that another has")
	if linkUnnamed(f, filepath.Join(dir, "probe")) == nil { // so that linking fails the next time
		require.NoError(t, os.Remove(filepath.Join(dir, "probe")))
		require.NoError(t, os.Remove(f.Name()))
	}
	require.NoError(t, whole.publish(filepath.Join(dir, "a")))
	require.Equal(t, "whole", read(t, filepath.Join(dir, "a")))
	st, err := os.Stat(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), st.Mode())
}

// Two writers of one file do not disturb each other.
func TestWritersTogether(t *testing.T) {
	both(t, func(t *testing.T, write func(string, func(*os.File) error) error) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 20 {
					if err := write(path, text(strings.Repeat(fmt.Sprint(i), 5000))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		got := read(t, path)
		require.Equal(t, strings.Repeat(got[:1], 5000), got)
		require.Equal(t, []string{"a"}, names(t, dir))
	})
}

func TestErrorsNameThePathOnce(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "no", "a"): "no such file or directory",
		dir:                           "it is a folder",
		"/dev/full":                   "no space left on device",
	} {
		err := WriteBytes(path, []byte("x"))
		require.EqualError(t, err, "writing "+path+": "+want)
	}
	path := filepath.Join(dir, "a")
	both(t, func(t *testing.T, write func(string, func(*os.File) error) error) {
		err := write(path, func(f *os.File) error {
			_, err := f.ReadAt(make([]byte, 1), -1) // an error of the file itself, which contains its name
			return fmt.Errorf("tensor: %w", err)
		})
		require.NotContains(t, cause(err, path).Error(), dir)
	})
}

// A link stays a link, and permissions stay.
func TestWhatIsThere(t *testing.T) {
	both(t, func(t *testing.T, write func(string, func(*os.File) error) error) {
		dir := t.TempDir()
		file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
		require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
		require.NoError(t, os.Symlink("file", link))
		require.NoError(t, write(link, text("new")))
		require.Equal(t, "new", read(t, file))
		st, err := os.Lstat(link)
		require.NoError(t, err)
		require.Equal(t, os.ModeSymlink, st.Mode().Type())
		st, err = os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), st.Mode())
	})
}

func TestLink(t *testing.T) {
	dir := t.TempDir()
	last, best := filepath.Join(dir, "last.ckpt"), filepath.Join(dir, "best.ckpt")
	for _, s := range []string{"one", "two"} {
		require.NoError(t, WriteBytes(last, []byte(s)))
		for range 2 { // also if best is already the same file as last
			require.NoError(t, Link(last, best))
			require.Equal(t, s, read(t, best))
		}
	}
	require.Equal(t, []string{"best.ckpt", "last.ckpt"}, names(t, dir))
	require.Error(t, Link(filepath.Join(dir, "missing"), best))
	require.Equal(t, "two", read(t, best))
}

func TestRemoveStrays(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, strings.Repeat("é", 120))
	for _, path := range []string{tempName(filepath.Join(dir, "last.ckpt")), tempName(long), filepath.Join(dir, ".last.ckpt.tmp"), long, filepath.Join(dir, "a.tmp"), filepath.Join(dir, ".hidden")} {
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	require.NoError(t, RemoveStrays(dir))
	require.ElementsMatch(t, []string{filepath.Base(long), "a.tmp", ".hidden"}, names(t, dir))
	require.Error(t, RemoveStrays(filepath.Join(dir, "no")))
}
