package dataset

import (
	"slices"
	"strings"
)

// maxDepth limits how deep below a class folder images are looked for.
const maxDepth = 8

// dir is a folder of images, on disk or in an archive. One on disk is read when it is asked for, so that nothing is read of a set's
// parts that nobody needs.
type dir struct {
	name    string
	path    string   // below the root that is on disk, or in the archive
	archive *archive // nil on disk
	entries []entry  // in the order of their names
	left    leftOut  // what lies in it besides
	read    func(*dir) error
	fault   error
}

// entry is a folder or an image in a dir.
type entry struct {
	name   string
	dir    *dir     // nil of an image
	member *tarNode // of an image in an archive
}

// list returns the entries.
func (d *dir) list() ([]entry, error) {
	if read := d.read; read != nil {
		d.read = nil
		d.fault = read(d)
	}
	return d.entries, d.fault
}

// where is a folder in messages.
func (d *dir) where(root folder) string {
	switch {
	case d.archive == nil:
		return root.path(d.path)
	case d.path == "":
		return d.archive.path
	}
	return d.archive.path + ": " + d.path
}

// holds says whether there is an image in d or in the folders below, down to a depth.
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

// group is what is taken for one folder: one on disk, or those of one name in several archives.
type group struct {
	name string
	dirs []*dir
}

func (g group) where(root folder) string { return g.dirs[0].where(root) }

// subs are the folders in a group, in the order of their names, those of one name as one.
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

// images are the images in a group that lie in no folder of it.
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

// join is the name of an image in messages.
func (root folder) join(d *dir, name string) string {
	at := dir{archive: d.archive, path: name}
	if d.path != "" && d.path != "." {
		at.path = d.path + "/" + name
	}
	return at.where(root)
}

// holds says whether there is an image in a group or below.
func (g group) holds() (bool, error) {
	for _, d := range g.dirs {
		if ok, err := d.holds(maxDepth); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// nested says whether there are images in folders of a group.
func (g group) nested() (bool, error) {
	subs, err := g.subs()
	for _, s := range subs {
		if ok, err := s.holds(); ok || err != nil {
			return ok, err
		}
	}
	return false, err
}

// names are the names of groups.
func names(groups []group) []string {
	var out []string
	for _, g := range groups {
		out = append(out, g.name)
	}
	return out
}
