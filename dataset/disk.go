package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/internal/plainfile"
)

// diskFS is a folder on disk. Unlike os.DirFS it accepts names that are not UTF-8, and it opens
// only regular files. Its errors do not contain the path; the caller adds it.
type diskFS string

func (d diskFS) file(name string) string {
	if name == "." {
		return string(d)
	}
	return string(d) + string(filepath.Separator) + filepath.FromSlash(name)
}

// Open implements fs.FS.
func (d diskFS) Open(name string) (fs.File, error) {
	f, err := plainfile.Open(d.file(name))
	if err != nil {
		return nil, bare(err)
	}
	return f, nil
}

// Stat implements fs.StatFS.
func (d diskFS) Stat(name string) (fs.FileInfo, error) {
	st, err := os.Stat(d.file(name))
	return st, bare(err)
}

// ReadDir implements fs.ReadDirFS.
func (d diskFS) ReadDir(name string) ([]fs.DirEntry, error) {
	st, err := d.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		what := "a file"
		if !st.Mode().IsRegular() {
			what = plainfile.Kind(st.Mode())
		}
		return nil, fmt.Errorf("is %s, not a folder", what)
	}
	entries, err := os.ReadDir(d.file(name))
	return entries, bare(err)
}

// bare returns an error without its path.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// leadsUp reports whether a link in a folder leads to that folder or to one above it. It follows
// the path by which the folder was reached, including links. Such a link would make the same files
// appear again and again.
func (d diskFS) leadsUp(in, link string) bool {
	to, err := os.Stat(d.file(link))
	if err != nil {
		return false
	}
	for ; ; in = path.Dir(in) {
		at, err := filepath.Abs(d.file(in))
		if err == nil {
			at, err = filepath.EvalSymlinks(at)
		}
		for err == nil {
			if st, err := os.Stat(at); err == nil && os.SameFile(st, to) {
				return true
			}
			if at == filepath.Dir(at) {
				break
			}
			at = filepath.Dir(at)
		}
		if in == "." {
			return false
		}
	}
}

// diskDir returns a folder on disk as a dir that is read at the first call of list.
func diskDir(ctx context.Context, root folder, name, at string) *dir {
	return &dir{name: name, path: at, read: func(d *dir) error { return readDisk(ctx, root, d) }}
}

func readDisk(ctx context.Context, root folder, d *dir) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(root, d.path)
	if err != nil {
		return fileError(root.path(d.path), err, "name a folder that can be read")
	}
	for _, e := range entries {
		if isHidden(e.Name()) {
			d.left.hidden++
			continue
		}
		ext := strings.ToLower(path.Ext(e.Name()))
		if e.Type().IsRegular() && slices.Contains(extensions, ext) { // nearly all entries
			d.entries = append(d.entries, entry{name: e.Name()})
			continue
		}
		at := path.Join(d.path, e.Name())
		mode, err := modeOf(root, at, e)
		if err != nil {
			return err
		}
		if disk, ok := root.FS.(diskFS); ok && mode.IsDir() && e.Type()&fs.ModeSymlink != 0 && disk.leadsUp(d.path, at) {
			d.left.loops.add(root.path(at))
			continue
		}
		switch {
		case mode.IsDir():
			d.entries = append(d.entries, entry{name: e.Name(), dir: diskDir(ctx, root, e.Name(), at)})
		case !mode.IsRegular():
			d.left.odd.add(fmt.Sprintf("%s (%s)", root.path(at), plainfile.Kind(mode)))
		case slices.Contains(extensions, ext):
			d.entries = append(d.entries, entry{name: e.Name()})
		default:
			if name, _ := unpacked(e.Name()); name != "" {
				d.left.packed = e.Name()
			}
			d.left.ending(ext)
		}
	}
	return nil
}

// isHidden reports whether a file or folder is not the user's: its name begins with a dot, or macOS
// has put it into an archive.
func isHidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

// subfolders returns the sorted names of the folders in a folder, without hidden ones.
func subfolders(root folder, in string) ([]string, error) {
	entries, err := fs.ReadDir(root, in)
	if err != nil {
		return nil, fileError(root.path(in), err, "name the folder that the images are in")
	}
	var names []string
	for _, e := range entries {
		if isHidden(e.Name()) {
			continue
		}
		isDir, err := isFolder(root, path.Join(in, e.Name()), e)
		if err != nil {
			return nil, err
		}
		if isDir {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isFolder reports whether an entry is a folder or a link to one.
func isFolder(root folder, name string, e fs.DirEntry) (bool, error) {
	mode, err := modeOf(root, name, e)
	return mode.IsDir(), err
}

// modeOf returns the type of an entry, or of the target of a link.
func modeOf(root folder, name string, e fs.DirEntry) (fs.FileMode, error) {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type(), nil
	}
	st, err := fs.Stat(root, name)
	if err != nil {
		return 0, fileError(root.path(name), err, "the link leads nowhere: remove or mend it")
	}
	return st.Mode(), nil
}
