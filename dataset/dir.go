package dataset

import (
	"slices"
	"strings"
)

// maxDepth is the maximum depth below a class folder at which images are found.
const maxDepth = 8

// dir is a folder of images, on disk or in an archive. A folder on disk is read at the first call
// of list, so that parts of a set that are not used are not read.
type dir struct {
	name    string
	path    string   // below the root on disk, or in the archive
	archive *archive // nil on disk
	entries []entry  // sorted by name
	left    leftOut  // other things in the folder
	read    func(*dir) error
	fault   error
}

// entry is a folder or an image in a dir.
type entry struct {
	name   string
	dir    *dir     // nil for an image
	member *tarNode // set for an image in an archive
}

// list returns the entries.
func (d *dir) list() ([]entry, error) {
	if read := d.read; read != nil {
		d.read = nil
		d.fault = read(d)
	}
	return d.entries, d.fault
}

// where returns the folder's name for messages.
func (d *dir) where(root folder) string {
	switch {
	case d.archive == nil:
		return root.path(d.path)
	case d.path == "":
		return d.archive.path
	}
	return d.archive.path + ": " + d.path
}

// holds reports whether there is an image in d or in the folders below it, down to a depth.
func (d *dir) holds(depth int) (bool, error) {
	all, err := d.list()
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(all, func(e entry) bool { return e.dir == nil }) {
		return true, nil
	}
	for _, e := range all {
		if depth == 0 {
			break
		}
		if ok, err := e.dir.holds(depth - 1); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// group is what counts as one folder: a folder on disk, or folders of the same name in several
// archives.
type group struct {
	name string
	dirs []*dir
}

func (g group) where(root folder) string { return g.dirs[0].where(root) }

// subs returns the folders in a group, sorted by name. Folders of the same name form one group.
func (g group) subs() ([]group, error) {
	at := map[string]int{}
	var out []group
	for _, d := range g.dirs {
		all, err := d.list()
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			if e.dir == nil {
				continue
			}
			i, ok := at[e.name]
			if !ok {
				i = len(out)
				at[e.name] = i
				out = append(out, group{name: e.name})
			}
			out[i].dirs = append(out[i].dirs, e.dir)
		}
	}
	slices.SortFunc(out, func(a, b group) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// images counts the images that lie directly in a group, not in its folders.
func (g group) images(root folder) (t tally, err error) {
	for _, d := range g.dirs {
		all, err := d.list()
		if err != nil {
			return t, err
		}
		for _, e := range all {
			if e.dir == nil {
				t.add(root.join(d, e.name))
			}
		}
	}
	return t, nil
}

// join returns an image's name for messages.
func (root folder) join(d *dir, name string) string {
	at := dir{archive: d.archive, path: name}
	if d.path != "" && d.path != "." {
		at.path = d.path + "/" + name
	}
	return at.where(root)
}

// holds reports whether there is an image in a group or below.
func (g group) holds() (bool, error) {
	for _, d := range g.dirs {
		if ok, err := d.holds(maxDepth); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// nested reports whether there are images in the folders of a group.
func (g group) nested() (bool, error) {
	subs, err := g.subs()
	for _, s := range subs {
		if ok, err := s.holds(); ok || err != nil {
			return ok, err
		}
	}
	return false, err
}

// names returns the names of groups.
func names(groups []group) []string {
	var out []string
	for _, g := range groups {
		out = append(out, g.name)
	}
	return out
}
