package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tributary-ml/tributary/internal/nearest"
)

// Messages about a class folder that is none of the known classes.
const (
	notTrained   = "class %q has no folder among the training images"
	notOfNetwork = "%q is no class of the network"
)

// imageFolder is a source of encoded files.
type imageFolder struct {
	info   Info
	root   folder
	files  []string // paths below root
	labels []int32
	data   sync.Pool // *[]byte: memory for encoded files
	images *decoder

	left     leftOut    // what its folders hold besides images
	archives []*archive // archives that hold its images
}

// encoded is a set of image files whose layout is known.
type encoded struct {
	finder
	parts   map[string]part // by name; "" has all images, which may have no parts
	opt     OpenOptions
	members map[string]*tarNode // of archives, by the path of an image; nil for sets on disk
	closers []func()
}

// part is a part of a set.
type part struct {
	where string
	open  func(context.Context) (group, error) // returns the folder that holds the class folders
}

// opened returns a part that lies in a folder. If the part is the whole set, the folders around its
// class folders have been looked through already.
func (e *encoded) opened(g group, whole bool) part {
	return part{g.where(e.root), func(context.Context) (group, error) {
		if whole {
			return g, nil
		}
		return e.inside(g, maxAround)
	}}
}

// has reports whether the set has a part.
func (e *encoded) has(name string) bool { _, ok := e.parts[name]; return ok }

// splits reports whether a training run splits the set.
func (e *encoded) splits() bool {
	if e.has(partTrain) {
		return !e.has(partVal) && !e.has(partTest)
	}
	return e.has("")
}

// orClose closes the set's files if there is an error.
func (e *encoded) orClose(s *Set, err error) (*Set, error) {
	if err != nil {
		e.close()
	}
	return s, err
}

func (e *encoded) close() {
	for _, f := range e.closers {
		f()
	}
}

// findFolder finds out what the folders in root are.
func findFolder(ctx context.Context, root folder, opt OpenOptions, known []string) (*encoded, error) {
	e := &encoded{finder: finder{root: root, known: known}, opt: opt}
	top := diskDir(ctx, root, root.name, ".")
	if _, err := top.list(); err != nil {
		var file *FileError
		if errors.As(err, &file) && file.File == root.path(".") {
			file.Remedy = "name the folder that the images are in"
		}
		return nil, err
	}
	parts, err := e.find(group{root.name, []*dir{top}})
	if err != nil {
		return nil, err
	}
	e.parts = map[string]part{}
	for name, g := range parts {
		e.parts[name] = e.opened(g, name == "")
	}
	return e, nil
}

// training returns the set for a training run: one part to train on, and one to measure.
func (e *encoded) training(ctx context.Context) (*Set, error) {
	from := partTrain
	if !e.has(from) {
		from = ""
	}
	train, err := e.source(ctx, from, e.known, notOfNetwork)
	if err != nil {
		return nil, err
	}
	train.info.Name, e.known = e.called(partTrain), train.info.Classes
	if e.splits() {
		train, test, err := train.split(e.opt.Seed)
		if err != nil {
			return nil, err
		}
		test.info.Name = e.called("") + ", a tenth held out"
		e.note("%s has no part to measure: a tenth of each class's images is, drawn by the seed", e.root.name)
		return e.set(train, test), nil
	}
	measured := partVal
	if !e.has(measured) {
		measured = partTest
	}
	test, err := e.source(ctx, measured, train.info.Classes, notTrained)
	if err != nil {
		return nil, err
	}
	if plain := path.Base(e.parts[from].where) == partTrain && path.Base(e.parts[measured].where) == partVal; !plain {
		e.note("training is on %s, measured is %s", e.parts[from].where, e.parts[measured].where)
	}
	if measured == partVal && e.has(partTest) {
		e.note("%s is left for eval", e.parts[partTest].where)
	}
	return e.set(train, test), nil
}

// measured returns the part of the set on which to measure a network. That is the named part, or
// the first that exists of those for testing, validation and training, or all images if there are
// no parts. If a run was trained on the set and split it, the part is what was held out, or for
// name train what was trained on.
func (e *encoded) measured(ctx context.Context, name string, trained bool) (*Set, error) {
	if trained && e.splits() {
		set, err := e.training(ctx)
		if err != nil {
			return nil, err
		}
		if name == partTrain {
			set.Test = set.Train
		}
		set.Train = nil
		return set, nil
	}
	if name == "" {
		if i := slices.IndexFunc(partNames, e.has); i >= 0 {
			name = partNames[i]
		}
	}
	test, err := e.source(ctx, name, e.known, notOfNetwork)
	if err != nil {
		return nil, err
	}
	if name == "" {
		test.info.Name += ", all images"
	} else {
		e.note("measured is %s", e.parts[name].where)
	}
	return e.set(nil, test), nil
}

// source returns the images of a part.
func (e *encoded) source(ctx context.Context, name string, known []string, unknown string) (*imageFolder, error) {
	p, ok := e.parts[name]
	if !ok {
		return nil, e.noPart(cmp.Or(name, partTrain))
	}
	g, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	s, err := e.scan(ctx, g, known, unknown)
	if err == nil {
		s.info.Name = e.called(name)
	}
	return s, err
}

// sum returns the value of Info.Files.
func (s *imageFolder) sum() string {
	h := fnv.New64a()
	for i, file := range s.files {
		fmt.Fprintf(h, "%d %s\x00", s.labels[i], file)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// noPart returns the error for a part that a set does not have.
func (e *encoded) noPart(want string) error {
	have := slices.DeleteFunc(slices.Clone(partNames), func(p string) bool { return !e.has(p) })
	if len(have) == 0 {
		return fileError(e.root.name, fmt.Errorf("has no parts, so none is called %s", want), "leave --part out: then all its images are measured")
	}
	remedy := "it has " + strings.Join(have, " and ")
	if want == partTrain {
		remedy += "; images to train on go into " + e.root.path(partTrain) + "/CLASS, or name a folder of class folders"
	}
	return fileError(e.root.name, errors.New("has no part "+want), remedy)
}

// called returns a part's name for messages.
func (e *encoded) called(part string) string {
	return quoteName(strings.TrimSpace(e.root.name + " " + part))
}

// set makes a set of the sources; train may be nil.
func (e *encoded) set(train, test *imageFolder) *Set {
	s := &Set{closers: slices.Clone(e.closers)} // no other reference to e, which holds the folders that were read
	s.JPEG, _ = JPEGDecoder()
	var left leftOut
	var archives []*archive // several parts may be in the same archive
	var budget *atomic.Int64
	if e.opt.Cache > 0 {
		budget = new(atomic.Int64)
		budget.Store(e.opt.Cache)
		s.Cache = e.opt.Cache
	}
	images := &decoder{memory: newBudget(e.opt.Memory), orient: e.opt.Orientation}
	source := func(f *imageFolder) Source {
		f.info.Files, f.images = f.sum(), images
		left.merge(&f.left)
		for _, a := range f.archives {
			if !slices.Contains(archives, a) {
				archives = append(archives, a)
				left.merge(&a.left)
			}
		}
		if budget == nil {
			return f
		}
		c := withCache(f, budget)
		s.closers = append(s.closers, c.close)
		return c
	}
	if train != nil {
		s.Train = source(train)
	}
	s.Test = source(test)
	s.Notes = append(e.notes, left.notes()...)
	return s
}

// scan lists the images in the class folders in a group. The classes are the sorted names of the
// folders, or the known classes, some of which may have no folder. unknown is the message for a
// folder that is none of the known classes.
func (e *encoded) scan(ctx context.Context, g group, known []string, unknown string) (*imageFolder, error) {
	channels := imageChannels(e.opt)
	subs, err := g.subs()
	if err != nil {
		return nil, err
	}
	s := &imageFolder{
		info: Info{
			Classes: known, C: channels,
			// The values are ImageNet's, as torchvision's models use them.
			Mean:   ChannelStats([]float32{0.485, 0.456, 0.406}, channels),
			Std:    ChannelStats([]float32{0.229, 0.224, 0.225}, channels),
			Mirror: true,
		},
		root: e.root,
	}
	if s.left.beside, err = g.images(e.root); err != nil {
		return nil, err
	}
	if known == nil {
		if s.info.Classes, err = e.classes(g, subs, s.left.beside.n); err != nil {
			return nil, err
		}
	}
	labels := map[string]int32{}
	for i, name := range s.info.Classes {
		labels[name] = int32(i)
	}
	for _, class := range subs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		before, left := len(s.files), s.left
		s.left = leftOut{}
		if err := e.walk(ctx, s, class); err != nil {
			return nil, err
		}
		found := len(s.files) - before
		label, ok := labels[quoteName(class.name)]
		switch {
		case found == 0 && known == nil:
			return nil, fileError(class.where(e.root), errors.New("the class folder holds no images"+s.left.instead()),
				"images end in "+strings.Join(extensions, " ")+"; remove the folder if it is no class")
		case found > 0 && !ok:
			return nil, fileError(class.where(e.root), fmt.Errorf(unknown, quoteName(class.name)), unknownClass(quoteName(class.name), s.info.Classes))
		}
		for range found {
			s.labels = append(s.labels, label)
		}
		left.merge(&s.left)
		s.left = left
	}
	if len(s.files) == 0 {
		err := errors.New("its class folders hold no images")
		switch {
		case s.left.beside.n > 0:
			err = fmt.Errorf("holds %d images but no class folders", s.left.beside.n)
		case len(subs) == 0:
			err = errors.New("holds no class folders")
		}
		return nil, fileError(g.where(e.root), err, e.noClasses(g, s.left.beside.n))
	}
	if known == nil {
		e.noteAlike(subs)
	}
	for _, d := range g.dirs {
		if d.archive != nil {
			s.archives = append(s.archives, d.archive)
		}
		s.left.merge(&leftOut{odd: d.left.odd, loops: d.left.loops}) // other files beside class folders do not matter
	}
	return s, nil
}

// noteAlike adds a note if the classes may be one level further down: all class folders hold only
// folders, and several of these have the same names.
func (e *encoded) noteAlike(classes []group) {
	seen := map[string]int{}
	for _, c := range classes {
		subs, err := c.subs()
		if direct, _ := c.images(e.root); err != nil || len(subs) == 0 || direct.n > 0 {
			return
		}
		for _, s := range subs {
			seen[s.name]++
		}
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if seen[name] > 1 {
			all = append(all, name)
		}
	}
	if len(all) > 1 {
		e.note("the classes are %s, not the folders in them that have names in common: %s", few(names(classes)), few(all))
	}
}

// unknownClass returns the remedy for a name that is no class.
func unknownClass(name string, classes []string) string {
	if near := nearest.Close(name, classes, 3); len(near) > 0 {
		return "rename or remove it; the nearest: " + strings.Join(near, ", ")
	}
	return "rename or remove it; the classes are " + few(classes)
}

// noClasses returns the remedy for a group without class folders. beside is the number of images
// that lie beside class folders.
func (e *encoded) noClasses(g group, beside int) string {
	switch left := &g.dirs[0].left; {
	case g.dirs[0].archive != nil:
		return "put each class's images in a folder or an archive of its own, or labels beside them: x.jpg with x.cls, x.json or x.txt"
	case beside > 0:
	case left.endings[".tar"] > 0:
		return "it holds tar files: name it as tar:" + e.root.name
	case left.packed != "":
		name, how := unpacked(left.packed)
		return "it holds " + left.packed + ", " + name + ": " + how
	}
	return "put each class's images in a folder of its own: train/CLASS/*.jpg and val/CLASS/*.jpg"
}

// classes returns the names of class folders.
func (e *encoded) classes(g group, subs []group, beside int) ([]string, error) {
	if len(subs) < 2 {
		err := fmt.Errorf("has %d class folders, at least 2 are needed", len(subs))
		if beside > 0 && g.dirs[0].archive == nil {
			err = fmt.Errorf("%w: %d images lie in none", err, beside)
		}
		return nil, fileError(g.where(e.root), err, e.noClasses(g, beside))
	}
	out := names(subs)
	seen := map[string]bool{}
	for i, name := range out {
		out[i] = quoteName(name)
		if seen[out[i]] {
			return nil, fileError(g.where(e.root), fmt.Errorf("two class folders are called %s, one in UTF-8 and one not", out[i]), "rename one")
		}
		seen[out[i]] = true
	}
	return out, nil
}

// walk appends the images of a class.
func (e *encoded) walk(ctx context.Context, s *imageFolder, class group) error {
	for _, d := range class.dirs {
		if d.archive == nil {
			if err := s.walk(ctx, d, d.path, maxDepth, nil); err != nil {
				return err
			}
		} else if err := s.walk(ctx, d, class.name+"/"+d.archive.base, maxDepth-1, e.members); err != nil {
			return err
		}
	}
	return nil
}

// walk appends the images in d and below, in the order of their names, as images of a folder called
// called. It adds members of archives to members.
func (s *imageFolder) walk(ctx context.Context, d *dir, called string, depth int, members map[string]*tarNode) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	all, err := d.list()
	if err != nil {
		return err
	}
	s.left.merge(&d.left)
	if called += "/"; called == "./" {
		called = ""
	}
	for _, e := range all {
		name := called + e.name
		switch {
		case e.dir == nil:
			s.files = append(s.files, name)
			if members != nil {
				members[name] = e.member
			}
		case depth == 0:
			s.left.deep.add(e.dir.where(s.root))
		default:
			if err := s.walk(ctx, e.dir, name, depth-1, members); err != nil {
				return err
			}
		}
	}
	return nil
}

// imageChannels returns the number of channels of images that are files.
func imageChannels(opt OpenOptions) int { return cmp.Or(opt.Channels, 3) }

func (s *imageFolder) Info() Info { return s.info }

func (s *imageFolder) Len() int { return len(s.files) }

func (s *imageFolder) counts() []int { return count(s.labels, len(s.info.Classes)) }

func (s *imageFolder) Decode(i int, dst *Image) (int32, error) {
	label, _, err := s.decodePiece(i, everything, dst)
	return label, err
}

func (s *imageFolder) decodePiece(i int, ask func(h, w int) need, dst *Image) (int32, piece, error) {
	const remedy = "replace or remove the file, or skip bad images"
	file := s.root.path(s.files[i])
	buf, _ := s.data.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer func() {
		if cap(*buf) <= keptFile {
			s.data.Put(buf)
		}
	}()
	free, err := s.readFile(s.files[i], buf, dst.lease)
	if err != nil {
		return 0, piece{}, fileError(file, err, remedy)
	}
	defer free()
	p, offset, err := s.images.decodePiece(*buf, s.info.C, ask, dst)
	if err != nil {
		return 0, p, &FileError{File: file, Offset: offset, Record: -1, Err: err, Remedy: remedy}
	}
	return s.labels[i], p, nil
}

// keptFile is the maximum size of a file whose memory is kept for the next one.
const keptFile = 8 << 20

// readFile reads a whole file into buf's memory. The caller calls free.
func (s *imageFolder) readFile(name string, buf *[]byte, l *lease) (free func(), err error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("not a file but %v", st.Mode().Type())
	}
	if st.Size() > maxEncoded {
		return nil, fmt.Errorf("a file of %d bytes: at most %d are read", st.Size(), int64(maxEncoded))
	}
	if free, err = s.images.memory.takeFile(l, st.Size()); err != nil {
		return nil, err
	}
	n := int(st.Size())
	*buf = slices.Grow((*buf)[:0], n)[:n]
	if _, err = io.ReadFull(f, *buf); err != nil {
		free()
		return nil, err
	}
	return free, nil
}
