//go:build unix

package dataset

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// within fails a test that blocks, as opening a named pipe would.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan bool)
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
	}
}

// Links to folders above are left out and named, by whatever path they are reached.
func TestFolderLinks(t *testing.T) {
	for name, c := range map[string]struct{ link, to string }{
		"to itself":        {"a/x/loop", "."},
		"to its class":     {"a/x/loop", ".."},
		"to the root":      {"a/loop", ".."},
		"above the root":   {"a/loop", "../.."},
		"to all":           {"b/loop", "/"},
		"as a class":       {"all", "."},
		"absolute":         {"a/loop", "ABS/a"},
		"through a link":   {"a/loop", "up/b"},
		"out of elsewhere": {"b/else", "ELSE/one"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pngFile(t, pattern(6, 4))
			dir := tree(t, map[string][]byte{"a/1.png": p, "a/x/2.png": p, "b/1.png": p, "b/2.png": p})
			elsewhere := tree(t, map[string][]byte{"one/1.png": p, "one/2.png": p, "two/1.png": p})
			link := func(at, to string) {
				switch {
				case len(to) > 3 && to[:3] == "ABS":
					to = dir + to[3:]
				case len(to) > 4 && to[:4] == "ELSE":
					to = elsewhere + to[4:]
				}
				require.NoError(t, os.Symlink(to, filepath.Join(dir, at)))
			}
			link(c.link, c.to)
			var want int
			switch name {
			case "through a link": // a/loop is b, by a link up to the root, and b has a link to a
				require.NoError(t, os.Remove(filepath.Join(dir, "a/loop")))
				link("a/loop", "../b")
				link("b/back", "../a")
				want = 4 + 2 + 2 // a with b's images and b with a's, once each
			case "out of elsewhere": // a link out of the set, to a folder with a link above its own place
				require.NoError(t, os.Symlink("..", filepath.Join(elsewhere, "one/up")))
				want = 4 + 2
			default:
				want = 4
			}
			within(t, func() {
				set, err := openTree(dir, OpenOptions{})
				require.NoError(t, err)
				require.Equal(t, want, set.Train.Len()+set.Test.Len())
				says(t, set.Notes, "above", "left out")
				require.Equal(t, 2, len(set.Train.Info().Classes))

				files, err := Files(context.Background(), []string{filepath.Join(dir, "a")}, OpenOptions{})
				require.NoError(t, err)
				require.LessOrEqual(t, files.Len(), 4+2)
			})
		})
	}
	// A link to another class's folder counts as a folder, and so does a link to a folder
	// elsewhere.
	dir := tree(t, map[string][]byte{"train/a/1.png": nil, "train/b/1.png": nil})
	require.NoError(t, os.Symlink("train", filepath.Join(dir, "val")))
	set, err := openTree(dir, OpenOptions{})
	require.NoError(t, err)
	require.Equal(t, "a:1 b:1", numbers(t, set.Test))

	for link, to := range map[string]string{"x.png": "nothing.png", "self.png": "self.png", "folder": "../nowhere"} {
		dir := tree(t, map[string][]byte{"a/1.png": nil, "a/2.png": nil, "b/1.png": nil, "b/2.png": nil})
		require.NoError(t, os.Symlink(to, filepath.Join(dir, "a", link)))
		_, err := openTree(dir, OpenOptions{})
		requireFileError(t, err, filepath.Join(dir, "a", link), -1, -1, "the link leads nowhere")
	}
}

// Named pipes, sockets and devices are detected before they are opened, under any name.
func TestNoPlainFiles(t *testing.T) {
	p := pngFile(t, pattern(6, 4))
	dir := tree(t, map[string][]byte{"a/1.png": p, "a/2.png": p, "b/1.png": p, "b/2.png": p, "late.png": p})
	in := func(name string) string { return filepath.Join(dir, name) }
	pipe := func(name string) { require.NoError(t, syscall.Mkfifo(in(name), 0o644)) }
	pipe("a/pipe.jpg")
	require.NoError(t, os.Symlink("pipe.jpg", in("a/link.jpg")))
	require.NoError(t, os.Symlink("/dev/zero", in("b/zero.png")))
	within(t, func() {
		set, err := openTree(dir, OpenOptions{})
		require.NoError(t, err)
		require.Equal(t, 4, set.Train.Len()+set.Test.Len())
		says(t, set.Notes, "3 entries are neither files nor folders and are left out, such as "+in("a/link.jpg")+" (a named pipe)")

		// The file has become a pipe by the time it is read.
		files, err := Files(context.Background(), []string{in("late.png")}, OpenOptions{})
		require.NoError(t, err)
		require.NoError(t, os.Remove(in("late.png")))
		pipe("late.png")
		_, err = files.Decode(0, new(Image))
		requireFileError(t, err, in("late.png"), -1, -1, "is a named pipe, not a file")

		for path, want := range map[string]string{in("a/pipe.jpg"): "is a named pipe, not a file", "/dev/zero": "is a device, not a file", in("b/zero.png"): "is a device"} {
			files, err := Files(context.Background(), []string{path}, OpenOptions{})
			require.NoError(t, err)
			_, err = files.Decode(0, new(Image))
			requireFileError(t, err, path, -1, -1, want)
		}
		for _, kind := range []string{"folder", "tar", "cifar10", "mnist"} {
			for _, path := range []string{in("a/pipe.jpg"), "/dev/zero", in("a/1.png")} {
				_, err := Open(context.Background(), kind+":"+path, OpenOptions{})
				require.ErrorAs(t, err, new(*FileError), "%s:%s", kind, path)
			}
		}
		odd := tree(t, map[string][]byte{"x": nil})
		for _, name := range []string{"0.tar", "data_batch_1.bin", "train-images-idx3-ubyte"} {
			require.NoError(t, syscall.Mkfifo(filepath.Join(odd, name), 0o644))
		}
		for _, kind := range []string{"tar", "cifar10", "mnist"} {
			_, err := Open(context.Background(), kind+":"+odd, OpenOptions{})
			require.ErrorContains(t, err, "is a named pipe, not a file")
		}
	})
}

// Names may be any bytes. Names of classes are kept as text, always the same, and stay distinct.
func TestNamesAreAnyBytes(t *testing.T) {
	p := pngFile(t, pattern(6, 4))
	const latin, name = "caf\xe9", "na\xefve \xff.png"
	dir := filepath.Join(t.TempDir(), "donn\xe9es")
	files := tree(t, map[string][]byte{latin + "/" + name: p, latin + "/2.png": p, "thé/1.png": p, "thé/" + name: p[:30]})
	if err := os.Rename(files, dir); err != nil {
		t.Skip("the file system takes no such names")
	}
	set, err := openTree(dir, OpenOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{`caf\xE9`, "thé"}, set.Train.Info().Classes)
	require.Equal(t, quoteName(dir)+" train", set.Train.Info().Name)
	good, bad := 0, 0
	for _, s := range []Source{set.Train, set.Test} {
		for i := range s.Len() {
			if _, err := s.Decode(i, new(Image)); err != nil {
				require.ErrorContains(t, err, `donn\xE9es/thé/na\xEFve \xFF.png: `)
				bad++
				continue
			}
			good++
		}
	}
	require.Equal(t, []int{3, 1}, []int{good, bad})

	test, err := OpenTest(context.Background(), "folder:"+dir, TestOptions{Classes: []string{"x", "thé", `caf\xE9`}})
	require.NoError(t, err)
	require.Equal(t, `x:0 thé:2 caf\xE9:2`, numbers(t, test.Test))

	list, err := Files(context.Background(), []string{dir, filepath.Join(dir, latin, name)}, OpenOptions{})
	require.NoError(t, err)
	require.Equal(t, 5, list.Len())
	require.Equal(t, quoteName(filepath.Join(dir, latin, name)), list.Info().Classes[4])
	_, err = list.Decode(4, new(Image))
	require.NoError(t, err)

	tars, err := openTars(tree(t, map[string][]byte{"\xe9.tar": tarFile(t, member{latin + "/" + name, p}, member{latin + "/2.png", p}, member{"thé/1.png", p}, member{"thé/2.png", p})}), OpenOptions{})
	require.NoError(t, err)
	defer tars.Close()
	require.Equal(t, []string{`caf\xE9`, "thé"}, tars.Train.Info().Classes)
	require.Len(t, contents(t, tars.Train), 2)

	_, err = openTree(tree(t, map[string][]byte{"caf\xe9/1.png": p, `caf\xE9/1.png`: p}), OpenOptions{})
	require.ErrorContains(t, err, `two class folders are called caf\xE9, one in UTF-8 and one not`)
}
