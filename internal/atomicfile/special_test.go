//go:build unix

package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Paths that are not regular files are written to directly.
func TestNoFile(t *testing.T) {
	both(t, func(t *testing.T, write func(string, func(*os.File) error) error) {
		dir := t.TempDir()
		pipe := filepath.Join(dir, "pipe")
		require.NoError(t, syscall.Mkfifo(pipe, 0o600))
		got := make(chan string)
		go func() {
			f, err := os.Open(pipe)
			if err == nil {
				text, _ := io.ReadAll(f)
				got <- string(text)
			}
		}()
		require.NoError(t, write(pipe, text("through")))
		require.Equal(t, "through", <-got)
		require.NoError(t, write("/dev/null", text("gone")))
		st, err := os.Stat("/dev/null")
		require.NoError(t, err)
		require.NotZero(t, st.Mode()&os.ModeDevice)
	})
}
