package main

import (
	"context"
	"os"
	"path/filepath"
)

// fashionMNIST is Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017; MIT licence) as
// four gzipped IDX files.
var fashionMNIST = set{
	name:  "fashion-mnist",
	about: "Debian package dataset-fashion-mnist (31 MB)",
	files: []file{
		{"fashion-mnist/t10k-images-idx3-ubyte.gz", "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa"},
		{"fashion-mnist/t10k-labels-idx1-ubyte.gz", "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"},
		{"fashion-mnist/train-images-idx3-ubyte.gz", "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"},
		{"fashion-mnist/train-labels-idx1-ubyte.gz", "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"},
	},
	make: makeFashionMNIST,
}

// makeFashionMNIST downloads and unpacks the package, whose files are used unchanged. apt-get
// checks the package's signature.
func makeFashionMNIST(ctx context.Context, tmp, out string) error {
	if err := command(ctx, tmp, "apt-get", "download", "dataset-fashion-mnist"); err != nil {
		return err
	}
	deb, err := only(tmp, "*.deb")
	if err != nil {
		return err
	}
	if err := command(ctx, tmp, "dpkg-deb", "-x", filepath.Base(deb), "unpacked"); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	return os.Rename(filepath.Join(tmp, "unpacked/usr/share/datasets/fashion-mnist"), filepath.Join(out, "fashion-mnist"))
}
