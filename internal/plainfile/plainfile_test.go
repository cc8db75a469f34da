//go:build unix

package plainfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(in("file"), []byte("12345"), 0o644))
	require.NoError(t, syscall.Mkfifo(in("pipe"), 0o644))
	require.NoError(t, os.Symlink("pipe", in("link")))
	require.NoError(t, os.Symlink("file", in("good")))
	require.NoError(t, os.Symlink("loop", in("loop")))
	for _, name := range []string{"file", "good"} {
		data, err := Read(in(name), 5)
		require.NoError(t, err)
		require.Equal(t, "12345", string(data))
	}
	done := make(chan map[string]error)
	go func() { // opening a pipe would block forever
		all := map[string]error{}
		for _, path := range []string{in("pipe"), in("link"), in("loop"), dir, "/dev/zero", in("none")} {
			_, all[path] = Read(path, 1<<40)
		}
		done <- all
	}()
	select {
	case all := <-done:
		for path, want := range map[string]string{
			in("pipe"): "is a named pipe, not a file", in("link"): "is a named pipe, not a file", in("loop"): "too many levels",
			dir: "is a folder, not a file", "/dev/zero": "is a device, not a file", in("none"): "no such file",
		} {
			var p *fs.PathError
			require.ErrorAs(t, all[path], &p)
			require.ErrorContains(t, p, want)
			require.Equal(t, path, p.Path)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
	}
	_, err := Read(in("file"), 4)
	require.ErrorContains(t, err, "is larger than the 4 bytes")
	data, err := Read("/dev/null/x", 4)
	require.Error(t, err)
	require.Empty(t, data)
}
