package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxClassFile = 64  // bytes of a .cls file
	classDigits  = 6   // of a class that is a number: names in order are numbers in order
	maxTarClass  = 1e6 // classes that are numbers are below
)

// openTar reads the members' names in the archives in root/train/ and root/val/,
// or those in root itself, told apart by "train" and "val" in their names, or
// split. What is in them then looks like class folders.
func openTar(ctx context.Context, root folder, opt OpenOptions) (_ *Set, err error) {
	archives, err := findTars(root)
	if err != nil {
		return nil, err
	}
	t := &tarFS{nodes: map[string]*tarNode{".": {name: ".", mode: fs.ModeDir}}}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	for _, a := range archives {
		if err := t.add(ctx, filepath.Join(root.name, filepath.FromSlash(a.path)), a.part); err != nil {
			return nil, err
		}
	}
	t.sort()
	set, err := openFolder(ctx, folder{t, root.name}, opt)
	if err != nil {
		return nil, err
	}
	set.closers = append(set.closers, t.close)
	return set, nil
}

// archive is a tar file and the part of the set that it belongs to: "train",
// "val", or "." where all are split.
type archive struct{ path, part string }

// findTars finds the archives of a set.
func findTars(root folder) ([]archive, error) {
	list := func(dir, part string) (all []archive, err error) {
		entries, err := fs.ReadDir(root, dir)
		if err != nil {
			return nil, fileError(root.path(dir), err, "name a folder of tar files: tar:DIR")
		}
		for _, e := range entries {
			name := strings.ToLower(e.Name())
			switch {
			case strings.HasPrefix(name, "."):
			case strings.HasSuffix(name, ".tar"):
				all = append(all, archive{path.Join(dir, e.Name()), part})
			case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"), strings.HasSuffix(name, ".tar.zst"):
				return nil, fileError(root.path(path.Join(dir, e.Name())), errors.New("is compressed: its images cannot be read in any order"), "unpack it to a .tar")
			}
		}
		return all, nil
	}
	top, err := subfolders(root, ".")
	if err != nil {
		return nil, err
	}
	var all []archive
	if slices.Contains(top, "train") {
		for _, dir := range append([]string{"train"}, testFolders...) {
			if !slices.Contains(top, dir) {
				continue
			}
			found, err := list(dir, dir)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	} else if all, err = list(".", "."); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fileError(root.path("."), errors.New("holds no .tar files"), "put them in it, or in its folders train and val")
	}
	if all[0].part != "." {
		return all, nil
	}
	named := slices.Clone(all)
	count := map[string]int{}
	for i, a := range named {
		name := strings.ToLower(a.path)
		switch {
		case strings.Contains(name, "train"):
			named[i].part = "train"
		case strings.Contains(name, "val"), strings.Contains(name, "test"):
			named[i].part = "val"
		}
		count[named[i].part]++
	}
	if count["train"] > 0 && count["val"] > 0 && count["."] == 0 {
		return named, nil
	}
	return all, nil
}

// tarFS is the images in tar files as a file system of class folders:
// PART/CLASS/ARCHIVE/MEMBER. Its methods may be called from several goroutines.
type tarFS struct {
	nodes map[string]*tarNode // by path
	files []*os.File
}

// tarNode is a member of an archive, or a folder.
type tarNode struct {
	name    string
	mode    fs.FileMode
	entries []fs.DirEntry // of a folder
	file    *os.File
	member  string // its name in the file
	offset  int64
	size    int64
}

func (n *tarNode) Name() string               { return n.name }
func (n *tarNode) IsDir() bool                { return n.mode.IsDir() }
func (n *tarNode) Type() fs.FileMode          { return n.mode.Type() }
func (n *tarNode) Info() (fs.FileInfo, error) { return n, nil }
func (n *tarNode) Size() int64                { return n.size }
func (n *tarNode) Mode() fs.FileMode          { return n.mode }
func (n *tarNode) ModTime() time.Time         { return time.Time{} }
func (n *tarNode) Sys() any                   { return nil }

// opened is a member that has been opened, and openedFolder a folder.
type opened struct {
	*io.SectionReader
	node *tarNode
}

func (o opened) Stat() (fs.FileInfo, error) { return o.node, nil }
func (o opened) Close() error               { return nil }

type openedFolder struct {
	opened
	rest []fs.DirEntry // that ReadDir has not returned
}

// ReadDir implements fs.ReadDirFile.
func (o *openedFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(o.rest)
	} else if len(o.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(o.rest))
	all := o.rest[:n:n]
	o.rest = o.rest[n:]
	return all, nil
}

// Open implements fs.FS.
func (t *tarFS) Open(name string) (fs.File, error) {
	n := t.nodes[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	o := opened{io.NewSectionReader(n.file, n.offset, n.size), n}
	if n.IsDir() {
		return &openedFolder{o, n.entries}, nil
	}
	return o, nil
}

// sort puts the entries of all folders in order, as ReadDir returns them.
func (t *tarFS) sort() {
	for _, n := range t.nodes {
		slices.SortFunc(n.entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
}

func (t *tarFS) close() {
	for _, f := range t.files {
		f.Close()
	}
}

// add reads the names of an archive's members. An image's class is
//
//   - the number in KEY.cls beside KEY.jpg (WebDataset), or
//   - its first folder, CLASS/x.jpg, or
//   - the archive's name without .tar, where images are in no folder.
func (t *tarFS) add(ctx context.Context, file, part string) error {
	const remedy = "write the archive again"
	f, err := os.Open(file)
	if err != nil {
		return fileError(file, err, "")
	}
	t.files = append(t.files, f)
	images := map[string]*tarNode{} // by the member's path
	classes := map[string]string{}  // by key
	var order []string
	for r := tar.NewReader(f); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		at, seekErr := f.Seek(0, io.SeekCurrent)
		if err == nil {
			err = seekErr
		}
		if err != nil {
			return &FileError{File: file, Offset: at, Record: -1, Err: fmt.Errorf("damaged tar: %w", err), Remedy: remedy}
		}
		name := path.Clean("/" + h.Name)[1:]
		if h.Typeflag != tar.TypeReg || name == "" || strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		switch ext := strings.ToLower(path.Ext(name)); {
		case ext == ".cls":
			var text bytes.Buffer
			if _, err := io.Copy(&text, io.LimitReader(r, maxClassFile)); err != nil {
				return &FileError{File: file, Offset: at, Record: -1, Err: fmt.Errorf("%s: %w", name, err), Remedy: remedy}
			}
			number, err := strconv.Atoi(strings.TrimSpace(text.String()))
			if err != nil || number < 0 || number >= maxTarClass {
				return &FileError{File: file, Offset: at, Record: -1, Err: fmt.Errorf("%s says %q: a class is a number from 0 on", name, text.String()), Remedy: remedy}
			}
			classes[key(name)] = fmt.Sprintf("%0*d", classDigits, number)
		case slices.Contains(extensions, ext):
			if sparse(h) {
				return &FileError{File: file, Offset: at, Record: -1, Err: fmt.Errorf("%s is a sparse file", name), Remedy: remedy}
			}
			if strings.Count(name, "/") >= maxDepth-1 {
				return &FileError{File: file, Offset: at, Record: -1, Err: fmt.Errorf("%s is in more than %d folders", name, maxDepth-2), Remedy: remedy}
			}
			if images[name] == nil {
				order = append(order, name)
			}
			images[name] = &tarNode{name: path.Base(name), file: f, member: name, offset: at, size: h.Size} // of two of one name tar means the later one
		}
	}
	base := filepath.Base(file)
	for _, name := range order {
		class, rest, nested := strings.Cut(name, "/")
		if !nested {
			class, rest = base[:len(base)-len(".tar")], name
		}
		if len(classes) > 0 {
			if class, rest = classes[key(name)], name; class == "" {
				return fileError(file, fmt.Errorf("%s has no class: other images of the archive have a .cls file beside them", name), "add "+key(name)+".cls")
			}
		}
		if !t.put(path.Join(part, class, base, rest), images[name]) {
			return fileError(file, fmt.Errorf("%s is an image and a folder", name), remedy)
		}
	}
	return nil
}

// sparse says that a member's bytes do not lie one behind another.
func sparse(h *tar.Header) bool {
	if _, ok := h.PAXRecords["GNU.sparse.major"]; ok {
		return true
	}
	return h.PAXRecords["GNU.sparse.map"] != ""
}

// key is what belongs together in WebDataset: all up to the first dot of a
// member's name.
func key(name string) string {
	dir, base := path.Split(name)
	base, _, _ = strings.Cut(base, ".")
	return dir + base
}

// put adds an image, and the folders that it is in. It returns false where one of these is an image, or the image a folder.
func (t *tarFS) put(name string, n *tarNode) bool {
	if t.nodes[name] != nil {
		return false
	}
	for {
		t.nodes[name] = n
		name = path.Dir(name)
		if parent := t.nodes[name]; parent != nil {
			parent.entries = append(parent.entries, n)
			return parent.IsDir()
		}
		n = &tarNode{name: path.Base(name), mode: fs.ModeDir, entries: []fs.DirEntry{n}}
	}
}
