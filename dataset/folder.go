package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// maxDepth limits how deep below a class folder images are looked for, so that
// a link to a folder above ends.
const maxDepth = 8

// testFolders are the names that the test images' folder may have.
var testFolders = []string{"val", "validation", "test"}

// imageFolder is a source of encoded files.
type imageFolder struct {
	info   Info
	root   folder
	files  []string // paths below root
	labels []int32
	data   sync.Pool // *[]byte: encoded files
	images *decoder
}

// openFolder reads the names in root/train/CLASS/ and root/val/CLASS/, or those
// in root/CLASS/, and splits them.
func openFolder(ctx context.Context, root folder, opt OpenOptions) (*Set, error) {
	top, err := subfolders(root, ".")
	if err != nil {
		return nil, err
	}
	channels := imageChannels(opt)
	trainDir, testDir := ".", ""
	if slices.Contains(top, "train") {
		trainDir = "train"
		if i := slices.IndexFunc(testFolders, func(name string) bool { return slices.Contains(top, name) }); i >= 0 {
			testDir = testFolders[i]
		}
	}
	train, err := scanFolder(ctx, root, trainDir, nil, channels)
	if err != nil {
		return nil, err
	}
	var test *imageFolder
	if testDir != "" {
		if test, err = scanFolder(ctx, root, testDir, train.info.Classes, channels); err != nil {
			return nil, err
		}
	}
	return encodedSet(root.name, train, test, opt)
}

// encodedSet is the set of encoded images; without a test part the training
// images are split.
func encodedSet(name string, train, test *imageFolder, opt OpenOptions) (*Set, error) {
	if test == nil {
		var err error
		if train, test, err = train.split(opt.Seed); err != nil {
			return nil, err
		}
	}
	train.info.Name, test.info.Name = name+" train", name+" test"
	train.images = &decoder{memory: newBudget(opt.Memory)}
	test.images = train.images
	if opt.Cache <= 0 {
		return &Set{Train: train, Test: test}, nil
	}
	budget := new(atomic.Int64)
	budget.Store(opt.Cache)
	a, b := withCache(train, budget), withCache(test, budget)
	return &Set{Train: a, Test: b, Cache: opt.Cache, closers: []func(){a.close, b.close}}, nil
}

// imageChannels is how many channels images that are files have.
func imageChannels(opt OpenOptions) int { return cmp.Or(opt.Channels, 3) }

// scanFolder lists the images in the class folders in dir. The classes are the
// folders' names in the order of their bytes, or known ones, of which some may
// have no folder.
func scanFolder(ctx context.Context, root folder, dir string, known []string, channels int) (*imageFolder, error) {
	names, err := subfolders(root, dir)
	if err != nil {
		return nil, err
	}
	classes := known
	if classes == nil {
		classes = names
		if len(classes) < 2 {
			return nil, fileError(root.path(dir), fmt.Errorf("has %d class folders, at least 2 are needed", len(classes)),
				"put each class's images in a folder of its own: train/CLASS/*.jpg and val/CLASS/*.jpg")
		}
	}
	s := &imageFolder{
		info: Info{
			Classes: classes, C: channels,
			// ImageNet's, as torchvision's models use them.
			Mean:   channelStats([]float32{0.485, 0.456, 0.406}, channels),
			Std:    channelStats([]float32{0.229, 0.224, 0.225}, channels),
			Mirror: true,
		},
		root: root,
	}
	for _, name := range names {
		class := path.Join(dir, name)
		label := slices.Index(classes, name)
		if label < 0 {
			return nil, fileError(root.path(class), fmt.Errorf("class %q has no folder among the training images", name), "add it there or remove it here")
		}
		before := len(s.files)
		if err := s.walk(ctx, class, maxDepth); err != nil {
			return nil, err
		}
		if len(s.files) == before {
			return nil, fileError(root.path(class), errors.New("the class folder holds no images"),
				"images end in "+strings.Join(extensions, " ")+"; remove the folder if it is no class")
		}
		for range len(s.files) - before {
			s.labels = append(s.labels, int32(label))
		}
	}
	if len(s.files) == 0 {
		return nil, fileError(root.path(dir), errors.New("holds no class folders"), "put each class's images in a folder of its own")
	}
	return s, nil
}

// walk appends the images in dir and below, in the order of their names.
func (s *imageFolder) walk(ctx context.Context, dir string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(s.root, dir)
	if err != nil {
		return fileError(s.root.path(dir), err, "")
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		isDir, err := isFolder(s.root, name, e)
		if err != nil {
			return err
		}
		switch {
		case isDir && depth > 0:
			if err := s.walk(ctx, name, depth-1); err != nil {
				return err
			}
		case !isDir && e.Type()&^fs.ModeSymlink == 0 && slices.Contains(extensions, strings.ToLower(path.Ext(name))):
			s.files = append(s.files, name)
		}
	}
	return nil
}

// subfolders returns the names of the folders in dir, but hidden ones, sorted.
func subfolders(root folder, dir string) ([]string, error) {
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil, fileError(root.path(dir), err, "name the folder that the images are in")
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		isDir, err := isFolder(root, path.Join(dir, e.Name()), e)
		if err != nil {
			return nil, err
		}
		if isDir {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isFolder says whether an entry is a folder or a link to one.
func isFolder(root folder, name string, e fs.DirEntry) (bool, error) {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir(), nil
	}
	st, err := fs.Stat(root, name)
	if err != nil {
		return false, fileError(root.path(name), err, "the link leads nowhere: remove or mend it")
	}
	return st.IsDir(), nil
}

func (s *imageFolder) Info() Info { return s.info }

func (s *imageFolder) Len() int { return len(s.files) }

func (s *imageFolder) Decode(i int, dst *Image) (int32, error) {
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
		return 0, fileError(file, err, remedy)
	}
	defer free()
	if offset, err := s.images.decode(*buf, s.info.C, dst); err != nil {
		return 0, &FileError{File: file, Offset: offset, Record: -1, Err: err, Remedy: remedy}
	}
	return s.labels[i], nil
}

// keptFile is the largest file whose memory is kept for the next one.
const keptFile = 8 << 20

// readFile reads a whole file into buf's memory, which the caller frees.
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
