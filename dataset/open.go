package dataset

import (
	"context"
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
	// Channels of the images: 1 (grey), 3 (colour) or 0 for the set's own, which
	// is 3 for class folders.
	Channels int

	// Seed chooses which files are for testing where class folders come without
	// a train/ and val/ level.
	Seed uint64

	// Cache is how many bytes of folders' and archives' images stay in memory,
	// decoded, once they have been read: training and test images together, those that
	// are read first. 0 means none.
	Cache int64

	// Memory is how many bytes decoding folders' and archives' images may take at a
	// time, over all goroutines: files, decoders and the decoded images until a
	// loader is done with them. Goroutines wait for each other; an image that takes
	// more by itself is an error. 0 means an eighth of the machine's or the cgroup's
	// memory.
	Memory int64
}

// kind is a way to name a set in Open.
type kind struct {
	name string
	dir  string // default folder, "" where one must be named
	open func(ctx context.Context, d folder, opt OpenOptions) (*Set, error)
}

// kinds lists all that Open knows.
var kinds = []kind{
	{"fashion-mnist-mini", "", openFashionMini},
	{"fashion-mnist", "data/fashion-mnist", openFashionMNIST},
	{"mnist", "data/mnist", openMNIST},
	{"cifar10", "data/cifar10", openCIFAR10},
	{"folder", "", openFolder},
	{"tar", "", openTar},
}

// Names lists the names that [Open] takes.
func Names() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// Open makes the sources of the set that spec names, NAME or NAME:DIR:
//
//	fashion-mnist-mini  6,000 + 1,000 images of Fashion-MNIST within this package; also for an empty spec
//	fashion-mnist:DIR   Fashion-MNIST as IDX files, gzipped or not; DIR is data/fashion-mnist if left out
//	mnist:DIR           MNIST in the same way; data/mnist
//	cifar10:DIR         CIFAR-10's binary batches, in DIR or its cifar-10-batches-bin; data/cifar10
//	folder:DIR          images (JPEG, PNG, GIF, WebP, BMP, TIFF, PPM, PGM, PBM) in DIR/train/CLASS/ and
//	                    DIR/val/CLASS/ (or test/, validation/), or in DIR/CLASS/ of which a tenth becomes the test set
//	tar:DIR             such images in the .tar files of DIR/train/ and DIR/val/, or of DIR with train and val in their
//	                    names, or of DIR with folders train/ and val/ in them, or without, split as folders are:
//	                    CLASS/x.jpg, WebDataset's x.jpg with x.cls, or x.jpg in CLASS.tar
//
// Sets but folders and tar files are read into memory (CIFAR-10: 184 MB) and
// checked in full; of these only the names are read, and a bad image comes up in
// Decode. The caller closes the set. An unknown name gives an error with the
// nearest ones, a bad file a [*FileError].
func Open(ctx context.Context, spec string, opt OpenOptions) (*Set, error) {
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
	set, err := k.open(ctx, folder{os.DirFS(dir), dir}, opt)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	if c := opt.Channels; c != 0 {
		set.Train, set.Test = asChannels(set.Train, c), asChannels(set.Test, c)
	}
	return set, nil
}

// folder is a folder of files and its name in messages.
type folder struct {
	fs.FS
	name string
}

// named is a file system that knows better where its files are.
type named interface{ path(file string) string }

// path is file's name in messages.
func (d folder) path(file string) string {
	if n, ok := d.FS.(named); ok {
		return n.path(file)
	}
	if strings.Contains(d.name, "embedded") {
		return path.Join(d.name, file)
	}
	return filepath.Join(d.name, filepath.FromSlash(file))
}

// unknownName is the error for a set that Open does not know.
func unknownName(name string) error {
	names := Names()
	near := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return editDistance(name, n) > 1+len(n)/3 && !strings.HasPrefix(n, name+"-")
	})
	slices.SortStableFunc(near, func(a, b string) int { return editDistance(name, a) - editDistance(name, b) })
	if len(near) == 0 {
		return fmt.Errorf("no data set %q: there are %s", name, strings.Join(names, ", "))
	}
	return fmt.Errorf("no data set %q: did you mean %s?", name, strings.Join(near, " or "))
}

// editDistance is the number of bytes to insert, delete or replace to make b of
// a (Levenshtein, 1966).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // distances from a[:i] to every b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
