package dataset

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// mnistLike describes a set in the form of MNIST's four files.
type mnistLike struct {
	classes   []string
	mean, std float32
	mirror    bool
}

// The mean and the standard deviation are those of all 60,000 training images, as in torchvision's
// examples and in Fashion-MNIST's benchmarks.
var (
	digits = mnistLike{
		classes: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		mean:    0.1307, std: 0.3081,
	}
	fashion = mnistLike{
		classes: []string{
			"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
			"Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
		},
		mean: 0.2860, std: 0.3530,
		mirror: true,
	}
)

// fashionMini holds the first 6,000 training and 1,000 test images of
// Fashion-MNIST, © 2017 Zalando SE, MIT licence: see fashionmini/README.md.
//
//go:embed fashionmini/*.gz
var fashionMini embed.FS

func openFashionMini(ctx context.Context, _ folder, _ OpenOptions) (*Set, error) {
	files, err := fs.Sub(fashionMini, "fashionmini")
	if err != nil {
		return nil, err
	}
	return fashion.open(ctx, "fashion-mnist-mini", folder{files, "embedded fashion-mnist-mini"})
}

func openFashionMNIST(ctx context.Context, d folder, _ OpenOptions) (*Set, error) {
	return fashion.open(ctx, "fashion-mnist", d)
}

func openMNIST(ctx context.Context, d folder, _ OpenOptions) (*Set, error) {
	return digits.open(ctx, "mnist", d)
}

// open reads both parts.
func (m mnistLike) open(ctx context.Context, name string, d folder) (*Set, error) {
	train, err := m.read(ctx, name+" train", d, "train")
	if err != nil {
		return nil, err
	}
	test, err := m.read(ctx, name+" test", d, "t10k")
	if err != nil {
		return nil, err
	}
	if a, b := train.info, test.info; a.H != b.H || a.W != b.W {
		return nil, fileError(d.name, fmt.Errorf("training images measure %d×%d, test images %d×%d", a.H, a.W, b.H, b.W), makeData)
	}
	return &Set{Train: train, Test: test}, nil
}

// read reads one part: its images and its labels.
func (m mnistLike) read(ctx context.Context, name string, d folder, part string) (*memory, error) {
	images := make([]int, 3)
	pix, _, err := openIDX(ctx, d, part+"-images-idx3-ubyte", images)
	if err != nil {
		return nil, err
	}
	count := make([]int, 1)
	labels, labelFile, err := openIDX(ctx, d, part+"-labels-idx1-ubyte", count)
	if err != nil {
		return nil, err
	}
	if count[0] != images[0] {
		return nil, &FileError{File: labelFile, Offset: 4, Record: -1, Err: fmt.Errorf("%d labels for %d images", count[0], images[0]), Remedy: makeData}
	}
	for i, label := range labels {
		if int(label) >= len(m.classes) {
			return nil, &FileError{File: labelFile, Offset: int64(8 + i), Record: i, Err: fmt.Errorf("label %d is not below %d", label, len(m.classes)), Remedy: makeData}
		}
	}
	return &memory{
		info: Info{
			Name: name, Classes: m.classes,
			C: 1, H: images[1], W: images[2],
			Mean: []float32{m.mean}, Std: []float32{m.std},
			Mirror: m.mirror,
		},
		pix: pix, labels: labels,
	}, nil
}

// openIDX reads the file base.gz, or base if that does not exist. It also returns the file's path.
func openIDX(ctx context.Context, d folder, base string, dims []int) ([]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	file := base + ".gz"
	f, err := d.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		file = base
		f, err = d.Open(file)
	}
	if err != nil {
		return nil, "", missingFile(d, base+"[.gz]", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, "", fileError(d.path(file), err, "")
	}
	data, err := readIDX(f, d.path(file), st.Size(), dims)
	return data, d.path(file), err
}

// missingFile returns the error for a file of a known set that cannot be opened.
func missingFile(d folder, file string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return fileError(d.path(file), err, "")
	}
	return fileError(d.path(file), fmt.Errorf("no such file: %w", fs.ErrNotExist),
		"run `make data` to fetch it into data/, or name the folder that has it: NAME:DIR")
}
