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
	"strings"
	"time"

	"github.com/tributary-ml/tributary/internal/plainfile"
)

const tarRemedy = "write the archive again"

// packed are archives other than plain tar files, recognised by their first bytes, with a remedy.
// The images of a compressed tar cannot be read in any order.
var packed = []struct {
	magic, name, remedy string
	endings             []string
}{
	{"\x1f\x8b", "compressed by gzip", "unpack it to a .tar: gunzip FILE", []string{".tar.gz", ".tgz"}},
	{"BZh", "compressed by bzip2", "unpack it to a .tar: bunzip2 FILE", []string{".tar.bz2", ".tbz", ".tbz2"}},
	{"\xfd7zXZ\x00", "compressed by xz", "unpack it to a .tar: unxz FILE", []string{".tar.xz", ".txz"}},
	{"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it to a .tar: unzstd FILE", []string{".tar.zst", ".tzst"}},
	{"\x04\x22\x4d\x18", "compressed by lz4", "unpack it to a .tar: unlz4 FILE", []string{".tar.lz4"}},
	{"\x1f\x9d", "compressed by compress", "unpack it to a .tar: uncompress FILE", []string{".tar.z", ".taz"}},
	{"]\x00\x00", "compressed by lzma", "unpack it to a .tar: unlzma FILE", []string{".tar.lzma", ".tlz"}},
	{"PK\x03\x04", "a zip file", "unzip it, and name the folder as folder:DIR", []string{".zip"}},
	{"7z\xbc\xaf\x27\x1c", "a 7z file", "unpack it, and name the folder as folder:DIR", []string{".7z"}},
	{"Rar!", "a rar file", "unpack it, and name the folder as folder:DIR", []string{".rar"}},
}

// unpacked returns the kind and the remedy for a file whose name is that of a packed archive,
// otherwise "".
func unpacked(file string) (name, remedy string) {
	for _, p := range packed {
		for _, ending := range p.endings {
			if strings.HasSuffix(strings.ToLower(file), ending) {
				return p.name, strings.ReplaceAll(p.remedy, "FILE", path.Base(file))
			}
		}
	}
	return "", ""
}

// renamed returns the remedy for a file without the ending that its unpacking program requires.
func renamed(base, remedy, ending string) string {
	to := strings.TrimSuffix(base, path.Ext(base)) + ending
	return "rename it to " + to + "; " + strings.ReplaceAll(remedy, "FILE", to)
}

// findTar finds the archives in root and in its folders for parts, tells parts by the archives'
// names if necessary, and finds out what is in the archives.
func findTar(ctx context.Context, root folder, opt OpenOptions, known []string) (_ *encoded, err error) {
	if st, err := os.Stat(root.name); err != nil || !st.IsDir() {
		if err == nil {
			err = errors.New("is no folder")
		}
		return nil, fileError(root.name, bare(err), "name the folder that the tar files are in: tar:DIR")
	}
	members := map[string]*tarNode{}
	e := &encoded{finder: finder{root: folder{tarFS{root.name, members}, root.name}, known: known}, opt: opt, members: members, parts: map[string]part{}}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	t := &tars{disk: root, finder: &e.finder}
	byPart, err := t.find(".", maxAround)
	if err != nil {
		return nil, err
	}
	for name, p := range byPart {
		if name == "" {
			continue
		}
		e.parts[name] = part{p.where, func(ctx context.Context) (group, error) {
			at, err := e.read(ctx, p)
			if err != nil {
				return group{}, err
			}
			return e.inside(at, maxAround)
		}}
	}
	all, ok := byPart[""]
	if !ok {
		return e, nil
	}
	at, err := e.read(ctx, all)
	if err != nil {
		return nil, err
	}
	if all.odd != nil && !flat(at) {
		return nil, all.odd
	}
	inner, err := e.finder.find(at)
	if err != nil {
		return nil, err
	}
	if _, ok := inner[""]; !ok { // the content of the archives is more reliable than their names
		clear(e.parts)
	}
	for name := range e.parts { // the part of all archives, by their names
		e.parts[name] = e.opened(inner[""], true)
	}
	for name, g := range inner {
		e.parts[name] = e.opened(g, name == "")
	}
	return e, nil
}

// tars finds the archives of a set.
type tars struct {
	disk folder
	*finder
}

// archives are the archives of a part.
type archives struct {
	where string
	dir   string   // folder that holds them
	files []string // nil: all in dir
	odd   error    // what is wrong with their names, unless each archive is a class
}

// find returns the archives in a folder by parts. Archives whose part is unknown, or which may have
// no parts, are under "".
func (t *tars) find(in string, depth int) (map[string]archives, error) {
	subs, err := subfolders(t.disk, in)
	if err != nil {
		return nil, err
	}
	files, listErr := t.list(in)
	out := map[string]archives{}
	for _, sub := range subs {
		p, dir := partOf(sub), path.Join(in, sub)
		if p == "" {
			continue
		}
		here := archives{where: t.disk.path(dir), dir: dir}
		inside, err := t.list(dir)
		before, twice := out[p]
		switch {
		case err == nil && len(inside) == 0 && len(files) > 0: // the folders are something else
		case !twice:
			out[p] = here
		case err != nil || len(inside) == 0:
		default:
			if others, err := t.list(before.dir); err == nil && len(others) > 0 {
				return nil, fileError(t.disk.path(in), fmt.Errorf("%s and %s are folders of the same part", before.where, here.where), "put their archives together, or rename the one that is not meant")
			}
			out[p] = here
		}
	}
	_, train := out[partTrain]
	switch {
	case listErr != nil && !train:
		return nil, listErr
	case train || len(files) == 0 && len(out) > 0:
		if len(files) > 0 {
			t.note("archives beside the parts of the set and left out: %d, such as %s", len(files), t.disk.path(files[0]))
		}
		return out, nil
	case len(files) > 0:
		return t.byName(in, files)
	case len(subs) == 1 && depth > 0:
		return t.find(path.Join(in, subs[0]), depth-1)
	}
	return nil, t.none(in)
}

func (t *tars) none(in string) error {
	return fileError(t.disk.path(in), errors.New("holds no .tar files"), "put them into the folder itself, or into its folders train and val; images in folders are folder:DIR")
}

// list returns the tar files in a folder.
func (t *tars) list(in string) ([]string, error) {
	entries, err := fs.ReadDir(t.disk, in)
	if err != nil {
		return nil, fileError(t.disk.path(in), err, "")
	}
	var all []string
	for _, e := range entries {
		file := path.Join(in, e.Name())
		isDir, err := isFolder(t.disk, file, e)
		switch {
		case isHidden(e.Name()):
		case err != nil:
			return nil, err
		case isDir:
		case strings.HasSuffix(strings.ToLower(e.Name()), ".tar"):
			all = append(all, file)
		default:
			if name, remedy := unpacked(file); name != "" {
				return nil, fileError(t.disk.path(file), errors.New("is "+name+": its images cannot be read in any order"), remedy)
			}
		}
	}
	return all, nil
}

// byName groups archives by the part in their names, if their names have one.
func (t *tars) byName(in string, files []string) (map[string]archives, error) {
	says := partByWord
	if !slices.ContainsFunc(files, func(f string) bool { return says(path.Base(f)) != "" }) {
		says = partWithin
	}
	named := map[string][]string{}
	for _, f := range files {
		p := says(path.Base(f))
		named[p] = append(named[p], f)
	}
	out := map[string]archives{}
	for p, files := range named {
		if p != "" {
			out[p] = archives{where: few(bases(files)), dir: in, files: files}
		}
	}
	all := archives{where: t.disk.path(in), dir: in, files: files}
	odd := named[""]
	switch {
	case len(out) < 2, odd != nil && named[partTrain] == nil: // the names do not give a part to train on
		if odd != nil {
			clear(out)
		}
		out[""] = all
	case odd != nil:
		clear(out)
		all.odd = fileError(t.disk.path(odd[0]), errors.New("its name says neither train nor val nor test, as those of other archives do"), "rename it, or put the archives into folders train and val")
		out[""] = all
	}
	return out, nil
}

func bases(files []string) []string {
	var out []string
	for _, f := range files {
		out = append(out, path.Base(f))
	}
	return out
}

// partByWord returns the part that a word in an archive's name stands for: my-train-000.tar,
// training_set.tar, valset.tar.
func partByWord(name string) string {
	for _, word := range words(strings.TrimSuffix(strings.ToLower(name), ".tar")) {
		for _, end := range append([]string{""}, plainWords...) {
			if p := partWords[strings.TrimSuffix(word, end)]; p != "" {
				return p
			}
		}
		if word == "trainval" {
			return partTrain
		}
	}
	return ""
}

// partWithin returns the part whose word occurs anywhere in an archive's name.
func partWithin(name string) string {
	for _, p := range []string{partTrain, partVal, partTest} {
		if strings.Contains(strings.ToLower(name), p) {
			return p
		}
	}
	return ""
}

// read reads the names in archives.
func (e *encoded) read(ctx context.Context, a archives) (group, error) {
	t := &tars{disk: folder{diskFS(e.root.name), e.root.name}, finder: &e.finder}
	files := a.files
	if files == nil {
		var err error
		if files, err = t.list(a.dir); err != nil {
			return group{}, err
		}
		if len(files) == 0 {
			return group{}, t.none(a.dir)
		}
	}
	var all []*archive
	for _, f := range files {
		file := filepath.Join(e.root.name, filepath.FromSlash(f))
		x, err := readArchive(ctx, file)
		if x != nil {
			e.closers = append(e.closers, func() { x.file.Close() })
		}
		if err != nil {
			return group{}, err
		}
		if len(x.images) > 0 {
			all = append(all, x)
			continue
		}
		e.note("%s holds no images%s", file, x.left.instead())
	}
	if len(all) == 0 {
		return group{}, fileError(a.where, errors.New("the archives hold no images"), "images end in "+strings.Join(extensions, " ")+"; unpack archives that are in archives")
	}
	if err := e.label(all); err != nil {
		return group{}, err
	}
	out := group{name: path.Base(e.root.name)}
	classes := 0
	for _, x := range all {
		top, err := x.tree()
		if err != nil {
			return group{}, err
		}
		if x.flat {
			classes++
		}
		out.dirs = append(out.dirs, top)
	}
	if classes > 0 {
		e.note("images that lie in no folder of their archive are of the class that the archive is called after: %d of %d archives", classes, len(all))
	}
	return out, nil
}

// flat reports whether every archive of a group is a class of its own.
func flat(g group) bool {
	return !slices.ContainsFunc(g.dirs, func(d *dir) bool { return !d.archive.flat })
}

// archive is a tar file whose members' names have been read.
type archive struct {
	path   string // for messages
	base   string // file name
	file   *os.File
	images []tarImage
	labels map[string]map[string]label // by ending, then by key
	left   leftOut
	flat   bool // its images are of one class, named after the archive
}

// tarImage is an image in an archive.
type tarImage struct {
	node  *tarNode
	name  string // in the archive
	class string // from its label, or "" if its folder gives the class
	part  string // for a labelled image: the folder that gives the part
	rest  string // for a labelled image: the rest of its name in that folder
}

// stem returns an archive's name without .tar.
func (a *archive) stem() string { return a.base[:len(a.base)-len(".tar")] }

// tarFS is a file system of the images of archives, with paths CLASS/ARCHIVE/MEMBER. Its methods
// may be called from several goroutines.
type tarFS struct {
	root  string              // the folder that holds the archives
	nodes map[string]*tarNode // by path
}

// path implements named. It returns the archive and the member of an image, or the folder that
// holds the archives.
func (t tarFS) path(name string) string {
	if n := t.nodes[name]; n != nil {
		return n.file.Name() + ": " + n.member
	}
	return filepath.Join(t.root, filepath.FromSlash(name))
}

// Open implements fs.FS.
func (t tarFS) Open(name string) (fs.File, error) {
	n := t.nodes[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return opened{io.NewSectionReader(n.file, n.offset, n.size), n}, nil
}

// tarNode is a member of an archive.
type tarNode struct {
	file   *os.File
	member string // name in the archive
	offset int64
	size   int64
}

func (n *tarNode) Name() string       { return path.Base(n.member) }
func (n *tarNode) IsDir() bool        { return false }
func (n *tarNode) Size() int64        { return n.size }
func (n *tarNode) Mode() fs.FileMode  { return 0o444 }
func (n *tarNode) ModTime() time.Time { return time.Time{} }
func (n *tarNode) Sys() any           { return nil }

// opened is a member that has been opened.
type opened struct {
	*io.SectionReader
	node *tarNode
}

func (o opened) Stat() (fs.FileInfo, error) { return o.node, nil }
func (o opened) Close() error               { return nil }

// readArchive reads the names of an archive's members, and the labels beside images. If it returns
// an archive, the archive's file is open, even with an error.
func readArchive(ctx context.Context, file string) (*archive, error) {
	f, err := plainfile.Open(file)
	if err != nil {
		return nil, fileError(file, bare(err), "replace it")
	}
	a := &archive{path: file, base: filepath.Base(file), file: f, labels: map[string]map[string]label{}}
	var first [8]byte
	if n, _ := f.ReadAt(first[:], 0); n > 0 {
		for _, p := range packed {
			if bytes.HasPrefix(first[:n], []byte(p.magic)) {
				return a, fileError(file, errors.New("is "+p.name+", whatever its name says: its images cannot be read in any order"), renamed(a.base, p.remedy, p.endings[0]))
			}
		}
	}
	images := map[string]*tarNode{} // by the member's path
	links := map[string]string{}
	var order []string
	for t := tar.NewReader(f); ; {
		if err := ctx.Err(); err != nil {
			return a, err
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
			return a, bad("damaged tar: %w", err)
		}
		name := path.Clean("/" + h.Name)[1:]
		ext := strings.ToLower(path.Ext(name))
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if slices.ContainsFunc(strings.Split(name, "/"), isHidden) {
			a.left.hidden++
			continue
		}
		if read := labelFiles[ext]; read != nil && h.Typeflag == tar.TypeReg {
			l, ok, err := read(t, h.Size)
			if err != nil {
				return a, bad("%s: %w", name, err)
			}
			if a.labels[ext] == nil {
				a.labels[ext] = map[string]label{}
			}
			if ok {
				l.file = name
				a.labels[ext][key(name)] = l
			}
		}
		if !slices.Contains(extensions, ext) {
			a.left.ending(ext)
			continue
		}
		n := &tarNode{file: f, member: name, offset: at, size: h.Size}
		switch {
		case h.Typeflag == tar.TypeLink:
			links[name] = path.Clean("/" + h.Linkname)[1:]
		case h.Typeflag == tar.TypeSymlink:
			links[name] = path.Join("/", path.Dir(name), h.Linkname)[1:]
		case h.Typeflag != tar.TypeReg || sparse(h):
			return a, bad("%s is a sparse file, or none", name)
		}
		if images[name] == nil {
			order = append(order, name)
		}
		images[name] = n // a later member replaces an earlier one of the same name, as in tar
	}
	for name, to := range links {
		for range maxDepth { // follow links to links
			if next, ok := links[to]; ok {
				to = next
			}
		}
		target := images[to]
		if _, ok := links[to]; ok || target == nil {
			return a, fileError(file, fmt.Errorf("%s is a link to %s, which is no image of the archive", name, to), tarRemedy)
		}
		images[name].offset, images[name].size = target.offset, target.size
	}
	for _, name := range order {
		a.images = append(a.images, tarImage{node: images[name], name: name})
	}
	return a, nil
}

// sparse reports whether a member's bytes are not contiguous.
func sparse(h *tar.Header) bool {
	if _, ok := h.PAXRecords["GNU.sparse.major"]; ok {
		return true
	}
	return h.PAXRecords["GNU.sparse.map"] != ""
}

// tree makes folders of an archive's images. If labels give the classes, they are
// PART/CLASS/MEMBER. If no image lies in a folder, they are CLASS/MEMBER with the archive's name
// for the class. Otherwise they are the folders in the archive.
func (a *archive) tree() (*dir, error) {
	a.flat = !slices.ContainsFunc(a.images, func(i tarImage) bool { return i.class != "" || strings.Contains(i.name, "/") })
	b := treeBuilder{a, &dir{name: a.base, archive: a}, map[place]*dir{}, map[place]bool{}}
	for _, i := range a.images {
		in := b.top
		if i.part != "" {
			in = b.folder(in, i.part, "")
		}
		rest := i.name
		switch {
		case i.class != "":
			in, rest = b.folder(in, i.class, ""), i.rest
		case a.flat:
			in = b.folder(in, a.stem(), "")
		}
		steps := strings.Split(rest, "/")
		for k, name := range steps[:len(steps)-1] {
			at := ""
			if i.class == "" {
				at = strings.Join(steps[:k+1], "/")
			}
			if in = b.folder(in, name, at); in == nil {
				break
			}
		}
		if in == nil || !b.image(in, steps[len(steps)-1], i.node) {
			return nil, fileError(a.path, fmt.Errorf("%s is an image and a folder, or there twice", i.name), tarRemedy)
		}
	}
	b.sort(b.top)
	return b.top, nil
}

// treeBuilder builds a tree of folders.
type treeBuilder struct {
	archive *archive
	top     *dir
	dirs    map[place]*dir
	images  map[place]bool
}

// place is a name in a folder.
type place struct {
	in   *dir
	name string
}

// folder returns the folder of a name, or nil if an image has that name.
func (b *treeBuilder) folder(in *dir, name, at string) *dir {
	k := place{in, name}
	d := b.dirs[k]
	if d == nil && !b.images[k] {
		d = &dir{name: name, path: at, archive: b.archive}
		b.dirs[k] = d
		in.entries = append(in.entries, entry{name: name, dir: d})
	}
	return d
}

func (b *treeBuilder) image(in *dir, name string, n *tarNode) bool {
	k := place{in, name}
	if b.dirs[k] != nil || b.images[k] {
		return false
	}
	b.images[k] = true
	in.entries = append(in.entries, entry{name: name, member: n})
	return true
}

func (b *treeBuilder) sort(d *dir) {
	slices.SortFunc(d.entries, func(x, y entry) int { return strings.Compare(x.name, y.name) })
	for _, e := range d.entries {
		if e.dir != nil {
			b.sort(e.dir)
		}
	}
}
