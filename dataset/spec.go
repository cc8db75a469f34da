package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/tributary-ml/tributary/internal/nearest"
)

// Resolve makes a spec for [Open] from what a user may write instead:
//
//	photos, ./photos   a folder: folder:photos, or tar:photos if it holds archives, or the set whose files it holds (cifar10:, mnist:, …)
//	CIFAR10, Cifar-10  the name of a set in another spelling: cifar10
//	folder:~/photos    the home folder, which a shell expands only at the beginning of a word
//
// A valid spec is returned unchanged. Other text gives an error with the nearest names.
func Resolve(spec string) (string, error) {
	name, dir, hasDir := strings.Cut(spec, ":")
	if at := slices.IndexFunc(kinds, func(k kind) bool { return folded(k.name) == folded(name) }); at >= 0 {
		if !hasDir {
			return kinds[at].name, nil
		}
		return kinds[at].name + ":" + atHome(dir), nil
	}
	path := atHome(spec)
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return kindOf(path) + ":" + path, nil
	case err == nil && slices.ContainsFunc(archiveEndings, func(e string) bool { return strings.HasSuffix(strings.ToLower(path), e) }):
		return "", fmt.Errorf("%q is an archive: name the folder that it is in, tar:%s", spec, filepath.Dir(path))
	case err == nil:
		return "", fmt.Errorf("%q is a file: name a folder of images, folder:DIR, or of archives, tar:DIR", spec)
	case strings.ContainsRune(spec, filepath.Separator):
		return "", missing(path)
	}
	return "", unknownName(name)
}

// folded returns a name in lower case without separators, so that different spellings become equal.
func folded(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

// atHome replaces a leading ~ by the home folder, unless a file has that name.
func atHome(dir string) string {
	rest, ok := strings.CutPrefix(dir, "~")
	if !ok || rest != "" && !os.IsPathSeparator(rest[0]) {
		return dir
	}
	if _, err := os.Lstat("~"); err == nil {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return dir
	}
	return filepath.Join(home, rest)
}

// archiveEndings are the endings of the names of archives.
var archiveEndings = []string{".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip"}

// marks recognise the set in a folder by a file in it. The first that matches counts.
var marks = []struct{ pattern, name string }{
	{"cifar-10-batches-bin", "cifar10"}, {"data_batch_1.bin", "cifar10"},
	{"train-images?idx3-ubyte*", "mnist"},
	{"*.tar", "tar"}, {"train/*.tar", "tar"},
}

// kindOf returns the name of the set that a folder holds.
func kindOf(dir string) string {
	for _, m := range marks {
		if found, err := fs.Glob(os.DirFS(dir), m.pattern); err != nil || len(found) == 0 {
			continue
		}
		if m.name == "mnist" && strings.Contains(folded(filepath.Base(dir)), "fashion") {
			return "fashion-mnist"
		}
		return m.name
	}
	return "folder"
}

// missing returns the error for a folder or file that does not exist. It names the nearest names in
// the nearest folder above that exists.
func missing(path string) *FileError {
	above, name := filepath.Dir(path), filepath.Base(path)
	entries, err := os.ReadDir(above)
	for err != nil && filepath.Dir(above) != above {
		above, name = filepath.Dir(above), filepath.Base(above)
		entries, err = os.ReadDir(above)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	remedy := ""
	if near := nearest.Close(name, names, 3); len(near) > 0 {
		for i := range near {
			near[i] = filepath.Join(above, near[i])
		}
		remedy = "did you mean " + strings.Join(near, " or ") + "?"
	} else if above != "." {
		remedy = fmt.Sprintf("%s has no %q", above, name)
	}
	return fileError(path, syscall.ENOENT, remedy)
}

// unknownName returns the error for a set that does not exist.
func unknownName(name string) error {
	names := Names()
	known := slices.Clone(names)
	if entries, err := os.ReadDir("."); err == nil {
		for _, e := range entries {
			if e.IsDir() {
				known = append(known, e.Name())
			}
		}
	}
	near := nearest.Close(name, known, 3)
	if len(near) == 0 {
		return fmt.Errorf("no data set or folder %q: there are %s, and folders of yours: folder:DIR", name, strings.Join(names, ", "))
	}
	return fmt.Errorf("no data set or folder %q: did you mean %s?", name, strings.Join(near, " or "))
}
