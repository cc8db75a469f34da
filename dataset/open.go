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
)

// makeData is the remedy for files that `make data` can fetch.
const makeData = "run `make data` to fetch it again"

// OpenOptions are the settings of [Open]. The zero value is a good default.
type OpenOptions struct {
	// Channels is the number of channels of the images: 1 (grey), 3 (colour) or 0 for the set's own
	// number, which is 3 for class folders.
	Channels int

	// Seed chooses which files are for testing, if class folders have no parts.
	Seed uint64

	// Orientation turns images of folders and archives as their EXIF says. Without it they stay as
	// they are stored, as in torchvision's default loader. TIFF files are always turned, as in
	// Pillow.
	Orientation bool

	// Cache is the maximum number of bytes of decoded images of folders and archives that stay in
	// memory, for training and test images together. The images that are read first are kept. 0
	// means no cache.
	Cache int64

	// Memory is the maximum number of bytes for decoding images of folders and archives, over all
	// goroutines. It covers files, decoders, and decoded images until a loader is done with them.
	// Goroutines wait for each other. An image that needs more by itself is an error. 0 means an
	// eighth of the memory of the machine or its cgroup.
	Memory int64
}

// kind is a name of a set in Open. It has either open, if the set has two known parts, or find, if
// its layout must be found out.
type kind struct {
	name string
	dir  string // default folder; "" if the user must name one
	open func(ctx context.Context, d folder, opt OpenOptions) (*Set, error)
	find func(ctx context.Context, d folder, opt OpenOptions, known []string) (*encoded, error)
}

// kinds are the sets that Open knows.
var kinds = []kind{
	{"fashion-mnist-mini", "", openFashionMini, nil},
	{"fashion-mnist", "data/fashion-mnist", openFashionMNIST, nil},
	{"mnist", "data/mnist", openMNIST, nil},
	{"cifar10", "data/cifar10", openCIFAR10, nil},
	{"folder", "", nil, findFolder},
	{"tar", "", nil, findTar},
}

// Names returns the names that [Open] accepts.
func Names() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// Open opens the sources of the set that spec names, NAME or NAME:DIR:
//
//	fashion-mnist-mini  6,000 + 1,000 images of Fashion-MNIST within this package; also for an empty spec
//	fashion-mnist:DIR   Fashion-MNIST as IDX files, gzipped or not; DIR is data/fashion-mnist if left out
//	mnist:DIR           MNIST in the same way; data/mnist
//	cifar10:DIR         CIFAR-10's binary batches, in DIR or its cifar-10-batches-bin; data/cifar10
//	folder:DIR          images (JPEG, PNG, GIF, WebP, BMP, TIFF, PPM, PGM, PBM) in DIR/train/CLASS/ and DIR/val/CLASS/
//	                    (or valid/, validation/, test/ …, in any case), or in DIR/CLASS/ of which a tenth becomes the test set
//	tar:DIR             such images in the .tar files of DIR/train/ and DIR/val/, or of DIR with train and val in their
//	                    names, or of DIR with folders train/ and val/ in them, or without, split as folders are:
//	                    CLASS/x.jpg, WebDataset's x.jpg with x.cls, x.json or x.txt, or x.jpg in CLASS.tar
//
// Folders around the class folders or around the parts are looked through. If a set has images for
// validation and for testing, Test has those for validation; see [OpenTest].
//
// Folders and tar files are opened by reading only names; a bad image is an error of Decode. All
// other sets are read into memory (CIFAR-10: 184 MB) and checked in full. The caller closes the
// set. An unknown name gives an error with the nearest names, a bad file a [*FileError].
func Open(ctx context.Context, spec string, opt OpenOptions) (*Set, error) {
	return openSpec(spec, opt, func(k kind, d folder) (*Set, error) {
		if k.open != nil {
			return k.open(ctx, d, opt)
		}
		e, err := k.find(ctx, d, opt, nil)
		if err != nil {
			return nil, err
		}
		return e.orClose(e.training(ctx))
	})
}

// TestOptions say which images of a set [OpenTest] opens.
type TestOptions struct {
	OpenOptions

	// Classes are the classes of the network that is measured. The labels of the images are the
	// network's, found by the names of their classes. The network may have more classes than the
	// set.
	Classes []string

	// Part is train, val or test. Empty means the first that exists of the images for testing, for
	// validation and for training, or all images of folders and archives without parts.
	Part string

	// Trained says that the network was trained on the set. If the set was split for that, the test
	// part is what was held out.
	Trained bool
}

// OpenTest opens the images of one part of a set, as Set.Test, to measure a network on them. It
// names sets as [Open] does.
func OpenTest(ctx context.Context, spec string, opt TestOptions) (*Set, error) {
	return openSpec(spec, opt.OpenOptions, func(k kind, d folder) (*Set, error) {
		if k.find != nil {
			e, err := k.find(ctx, d, opt.OpenOptions, opt.Classes)
			if err != nil {
				return nil, err
			}
			return e.orClose(e.measured(ctx, opt.Part, opt.Trained))
		}
		set, err := k.open(ctx, d, opt.OpenOptions)
		if err != nil {
			return nil, err
		}
		switch opt.Part {
		case "", partTest:
		case partTrain:
			set.Test = set.Train
		default:
			return nil, fmt.Errorf("has no part %s: it has test and train", opt.Part)
		}
		set.Train = nil
		set.Test, err = withClasses(set.Test, opt.Classes)
		return set, err
	})
}

// Parts returns the names of parts in [TestOptions].
func Parts() []string { return []string{partTrain, partVal, partTest} }

// openSpec opens the set that a spec names.
func openSpec(spec string, opt OpenOptions, open func(kind, folder) (*Set, error)) (*Set, error) {
	name, dir, hasDir := strings.Cut(spec, ":")
	if spec == "" {
		name = kinds[0].name
	}
	at := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if at < 0 {
		return nil, unknownName(name)
	}
	k := kinds[at]
	switch {
	case opt.Channels != 0 && opt.Channels != 1 && opt.Channels != 3:
		return nil, fmt.Errorf("data set %s: %d channels: images have 1 or 3, 0 stands for the set's own", name, opt.Channels)
	case hasDir && name == "fashion-mnist-mini":
		return nil, fmt.Errorf("data set %s is part of the program and takes no folder: did you mean fashion-mnist:%s?", name, dir)
	case dir == "" && k.dir == "" && name != "fashion-mnist-mini":
		return nil, fmt.Errorf("data set %s needs the folder: %[1]s:DIR", name)
	case dir == "":
		dir = k.dir
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && k.find != nil {
		return nil, fmt.Errorf("data set %s: %w", name, missing(dir))
	}
	set, err := open(k, folder{diskFS(dir), dir})
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	if c := opt.Channels; c != 0 {
		if set.Train != nil {
			set.Train = asChannels(set.Train, c)
		}
		set.Test = asChannels(set.Test, c)
	}
	return set, nil
}

// folder is a folder of files with its name for messages.
type folder struct {
	fs.FS
	name string
}

// ReadDir implements fs.ReadDirFS.
func (d folder) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(d.FS, name) }

// Stat implements fs.StatFS.
func (d folder) Stat(name string) (fs.FileInfo, error) { return fs.Stat(d.FS, name) }

// named is a file system with its own names of files for messages.
type named interface{ path(file string) string }

// path returns file's name for messages.
func (d folder) path(file string) string {
	if n, ok := d.FS.(named); ok {
		return n.path(file)
	}
	if strings.Contains(d.name, "embedded") {
		return path.Join(d.name, file)
	}
	return filepath.Join(d.name, filepath.FromSlash(file))
}
