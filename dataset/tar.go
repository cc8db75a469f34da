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
// or those in root itself, told apart by "train" and "val" in their names, by
// the folders train/ and val/ in them, or split. What is in them then looks like
// class folders, of each part.
func openTar(ctx context.Context, root folder, opt OpenOptions) (_ *Set, err error) {
	archives, err := findTars(root)
	if err != nil {
		return nil, err
	}
	var r tarReader
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	for _, a := range archives {
		if err := r.add(ctx, filepath.Join(root.name, filepath.FromSlash(a.path)), a.part); err != nil {
			return nil, err
		}
	}
	if len(r.found) == 0 {
		return nil, fileError(root.name, errors.New("the archives hold no images"), "images end in "+strings.Join(extensions, " ")+"; unpack archives that are in archives")
	}
	r.findParts()
	scan := func(part string, classes []string) (*imageFolder, error) {
		t, err := r.folders(part)
		if err != nil {
			return nil, err
		}
		t.root = root.name
		return scanFolder(ctx, folder{t, root.name}, ".", classes, imageChannels(opt))
	}
	train, err := scan("train", nil)
	if err != nil {
		return nil, err
	}
	var test *imageFolder
	if slices.ContainsFunc(r.found, func(i tarImage) bool { return i.part == "val" }) {
		if test, err = scan("val", train.info.Classes); err != nil {
			return nil, err
		}
	}
	set, err := encodedSet(root.name, train, test, opt)
	if err != nil {
		return nil, err
	}
	set.closers = append(set.closers, r.close)
	return set, nil
}

// archive is a tar file and the part of the set that it belongs to: "train" or
// "val", or "" where that is not known.
type archive struct{ path, part string }

// findTars finds the archives of a set.
func findTars(root folder) ([]archive, error) {
	if st, err := os.Stat(root.name); err != nil || !st.IsDir() {
		if err == nil {
			err = errors.New("is a file")
		}
		return nil, fileError(root.name, err, "name a folder of tar files: tar:DIR")
	}
	list := func(dir, part string) (all []archive, err error) {
		entries, err := fs.ReadDir(root, dir)
		if err != nil {
			return nil, fileError(root.path(dir), err, "")
		}
		for _, e := range entries {
			file, name := path.Join(dir, e.Name()), strings.ToLower(e.Name())
			isDir, err := isFolder(root, file, e)
			switch {
			case err != nil:
				return nil, err
			case isDir || strings.HasPrefix(name, "."):
			case strings.HasSuffix(name, ".tar"):
				all = append(all, archive{file, part})
			case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"), strings.HasSuffix(name, ".tar.zst"):
				return nil, fileError(root.path(file), errors.New("is compressed: its images cannot be read in any order"), "unpack it to a .tar")
			}
		}
		if len(all) == 0 {
			return nil, fileError(root.path(dir), errors.New("holds no .tar files"), "put them into the folder itself, or into its folders train and val")
		}
		return all, nil
	}
	top, err := subfolders(root, ".")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(top, "train") {
		all, err := list(".", "")
		if err != nil {
			return nil, err
		}
		return namedParts(root, all)
	}
	all, err := list("train", "train")
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(testFolders, func(name string) bool { return slices.Contains(top, name) }); i >= 0 {
		test, err := list(testFolders[i], "val")
		if err != nil {
			return nil, err
		}
		all = append(all, test...)
	}
	return all, nil
}

// namedParts tells the part of each archive by its name, if they say. Where some
// are called val or validation, those called test are left out, as they are of
// folders.
func namedParts(root folder, all []archive) ([]archive, error) {
	says := func(a archive) string {
		name := strings.ToLower(a.path)
		for _, part := range []string{"train", "val", "test"} {
			if strings.Contains(name, part) {
				return part
			}
		}
		return ""
	}
	by := map[string][]archive{}
	for _, a := range all {
		by[says(a)] = append(by[says(a)], a)
	}
	test := by["val"]
	if test == nil {
		test = by["test"]
	}
	if by["train"] == nil || test == nil {
		return all, nil
	}
	if odd := by[""]; odd != nil {
		return nil, fileError(root.path(odd[0].path), errors.New("its name says neither train nor val, as those of other archives do"), "rename it, or put the archives into folders train and val")
	}
	var out []archive
	for _, a := range by["train"] {
		out = append(out, archive{a.path, "train"})
	}
	for _, a := range test {
		out = append(out, archive{a.path, "val"})
	}
	return out, nil
}

// tarReader finds the images in archives.
type tarReader struct {
	archives []*os.File
	found    []tarImage
}

// tarImage is an image in an archive.
type tarImage struct {
	node  *tarNode
	part  string
	name  string // in the archive, less the part where that is its first folder
	class string // that a .cls file says
}

// tarFS is the images of a part as a file system of class folders:
// CLASS/ARCHIVE/MEMBER. Its methods may be called from several goroutines.
type tarFS struct {
	root  string              // where the archives are
	nodes map[string]*tarNode // by path
}

// path implements named: the archive and the member of an image, or where the
// archives are.
func (t *tarFS) path(name string) string {
	if n := t.nodes[name]; n != nil && n.file != nil {
		return n.file.Name() + ": " + n.member
	}
	return t.root
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

func (r *tarReader) close() {
	for _, f := range r.archives {
		f.Close()
	}
}

const tarRemedy = "write the archive again"

// add reads the names of an archive's members.
func (r *tarReader) add(ctx context.Context, file, part string) error {
	f, err := os.Open(file)
	if err != nil {
		return fileError(file, err, "")
	}
	r.archives = append(r.archives, f)
	images := map[string]*tarNode{} // by the member's path
	links := map[string]string{}
	classes := map[string]string{} // by key
	var order []string
	for t := tar.NewReader(f); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		at, seekErr := f.Seek(0, io.SeekCurrent)
		if err == nil {
			err = seekErr
		}
		bad := func(format string, args ...any) error {
			return &FileError{File: file, Offset: at, Record: -1, Err: fmt.Errorf(format, args...), Remedy: tarRemedy}
		}
		if err != nil {
			return bad("damaged tar: %w", err)
		}
		name := path.Clean("/" + h.Name)[1:]
		ext := strings.ToLower(path.Ext(name))
		if h.Typeflag == tar.TypeDir || strings.HasPrefix(path.Base(name), ".") || ext != ".cls" && !slices.Contains(extensions, ext) {
			continue
		}
		if ext == ".cls" {
			var text bytes.Buffer
			if _, err := io.Copy(&text, io.LimitReader(t, maxClassFile)); err != nil {
				return bad("%s: %w", name, err)
			}
			number, err := strconv.Atoi(strings.TrimSpace(text.String()))
			if err != nil || number < 0 || number >= maxTarClass {
				return bad("%s says %q: a class is a number from 0 on", name, text.String())
			}
			classes[key(name)] = fmt.Sprintf("%0*d", classDigits, number)
			continue
		}
		if strings.Count(name, "/") >= maxDepth-1 {
			return bad("%s is in more than %d folders", name, maxDepth-2)
		}
		n := &tarNode{name: path.Base(name), file: f, member: name, offset: at, size: h.Size}
		switch {
		case h.Typeflag == tar.TypeLink:
			links[name] = path.Clean("/" + h.Linkname)[1:]
		case h.Typeflag == tar.TypeSymlink:
			links[name] = path.Join("/", path.Dir(name), h.Linkname)[1:]
		case h.Typeflag != tar.TypeReg || sparse(h):
			return bad("%s is a sparse file, or none", name)
		}
		if images[name] == nil {
			order = append(order, name)
		}
		images[name] = n // of two of one name tar means the later one
	}
	for name, to := range links {
		for range maxDepth { // a link to a link
			if next, ok := links[to]; ok {
				to = next
			}
		}
		target := images[to]
		if _, ok := links[to]; ok || target == nil {
			return fileError(file, fmt.Errorf("%s is a link to %s, which is no image of the archive", name, to), tarRemedy)
		}
		images[name].offset, images[name].size = target.offset, target.size
	}
	if len(classes) > 0 {
		if order, err = samples(file, order, classes); err != nil {
			return err
		}
	}
	for _, name := range order {
		r.found = append(r.found, tarImage{images[name], part, name, classes[key(name)]})
	}
	return nil
}

// samples chooses the image of each key of a WebDataset: that whose ending
// follows the key. Others, such as masks, have more endings.
func samples(file string, images []string, classes map[string]string) ([]string, error) {
	chosen := map[string]string{}
	var order []string
	plain := func(name string) bool { return key(name)+path.Ext(name) == name }
	for _, name := range images {
		k := key(name)
		if _, ok := classes[k]; !ok {
			return nil, fileError(file, fmt.Errorf("%s has no class: other images of the archive have a .cls file beside them", name), "add "+k+".cls")
		}
		switch before, ok := chosen[k]; {
		case !ok:
			order = append(order, k)
			chosen[k] = name
		case plain(before) == plain(name):
			return nil, fileError(file, fmt.Errorf("%s and %s are images of one sample", before, name), "leave one out, or name it otherwise")
		case plain(name):
			chosen[k] = name
		}
	}
	for i, k := range order {
		order[i] = chosen[k]
	}
	return order, nil
}

// findParts tells the part of images whose archives do not: by their first
// folder, if it is that of a part for all images, or else all are for training,
// from which some are split.
func (r *tarReader) findParts() {
	parts := map[string]string{"train": "train"}
	for _, name := range testFolders {
		parts[name] = "val"
	}
	count := map[string]int{}
	for _, i := range r.found {
		first, _, _ := strings.Cut(i.name, "/")
		count[parts[first]]++
	}
	inside := count[""] == 0 && count["train"] > 0 && count["val"] > 0
	for i := range r.found {
		image := &r.found[i]
		switch first, rest, _ := strings.Cut(image.name, "/"); {
		case image.part != "":
		case inside:
			image.part, image.name = parts[first], rest
		default:
			image.part = "train"
		}
	}
}

// folders makes class folders of the images of a part. An image's class is
//
//   - the number in KEY.cls beside KEY.jpg (WebDataset), or
//   - its first folder, CLASS/x.jpg, or
//   - the archive's name without .tar, where images are in no folder.
func (r *tarReader) folders(part string) (*tarFS, error) {
	t := &tarFS{nodes: map[string]*tarNode{".": {name: ".", mode: fs.ModeDir}}}
	for _, i := range r.found {
		if i.part != part {
			continue
		}
		base := filepath.Base(i.node.file.Name())
		class, rest, nested := strings.Cut(i.name, "/")
		if !nested {
			class, rest = base[:len(base)-len(".tar")], i.name
		}
		if i.class != "" {
			class, rest = i.class, i.name
		}
		if !t.put(path.Join(class, base, rest), i.node) {
			return nil, fileError(i.node.file.Name(), fmt.Errorf("%s is an image and a folder, or there twice", i.node.member), tarRemedy)
		}
	}
	t.sort()
	return t, nil
}

// sort puts the entries of all folders in order, as ReadDir returns them.
func (t *tarFS) sort() {
	for _, n := range t.nodes {
		slices.SortFunc(n.entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
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
