package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// member is a file in an archive. It is a folder if its name ends in /. "x -> y" is a link, and a
// hard link if y begins with /.
type member struct {
	name string
	data []byte
}

func tarFile(t testing.TB, members ...member) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		if strings.HasSuffix(m.name, "/") {
			require.NoError(t, w.WriteHeader(&tar.Header{Name: m.name, Typeflag: tar.TypeDir, Mode: 0o755}))
			continue
		}
		if name, to, ok := strings.Cut(m.name, " -> "); ok {
			kind := byte(tar.TypeSymlink)
			if strings.HasPrefix(to, "/") {
				kind, to = tar.TypeLink, to[1:]
			}
			require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Linkname: to, Typeflag: kind, Mode: 0o644}))
			continue
		}
		require.NoError(t, w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.data))}))
		_, err := w.Write(m.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// withType changes the type of the first file in an archive.
func withType(archive []byte, flag byte) []byte {
	archive = bytes.Clone(archive)
	h := archive[:512]
	h[156] = flag
	copy(h[257:], "ustar  \x00") // GNU's
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return archive
}

func openTars(dir string, opt OpenOptions) (*Set, error) {
	return Open(context.Background(), "tar:"+dir, opt)
}

// contents returns every image of a source as a string, by class and in order.
func contents(t *testing.T, s Source) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for i := range s.Len() {
		var img Image
		label, err := s.Decode(i, &img)
		require.NoError(t, err)
		class := s.Info().Classes[label]
		all[class] = append(all[class], fmt.Sprint(img.H, img.W, img.C, img.Pix))
	}
	return all
}

// Archives have the same images as the same files in folders, in any layout.
func TestTarLayouts(t *testing.T) {
	p, j := pngFile(t, pattern(6, 4)), jpegFile(t, 5, 7)
	files := map[string][]byte{"train/cat/1.png": p, "train/cat/2.jpg": j, "train/dog/1.jpg": j, "train/dog/2.jpg": p, "val/cat/1.jpg": j, "val/dog/1.png": p}
	set, err := openTree(tree(t, files), OpenOptions{})
	require.NoError(t, err)
	train, test := contents(t, set.Train), contents(t, set.Test)
	numbers := map[string]string{"cat": "000002", "dog": "000010"}
	cat1, cat2, dog1, dog2 := member{"cat/1.png", p}, member{"cat/2.jpg", j}, member{"dog/1.jpg", j}, member{"dog/2.jpg", p}
	for name, c := range map[string]struct {
		files   map[string][]byte
		numbers bool
	}{
		"folders in archives": {map[string][]byte{
			"train/0.tar": tarFile(t, member{"./cat/", nil}, cat1, cat2, member{"cat/.hidden.png", p}, member{"cat/notes.txt", nil}), "train/1.TAR": tarFile(t, dog1, dog2),
			"val/0.tar": tarFile(t, member{"/dog/1.png", p}, member{"./cat/deep/1.jpg", j}), "val/notes.txt": nil}, false},
		"names say the part": {map[string][]byte{
			"set-test.tar":    tarFile(t, member{"none/1.png", p}), // left out because val exists
			"set-train-0.tar": tarFile(t, cat1, dog1, dog2), "set-train-1.tar": tarFile(t, member{"cat/2.jpg", j}), "set-val.tar": tarFile(t, member{"cat/1.jpg", j}, member{"dog/1.png", p})}, false},
		"an archive for each class": {map[string][]byte{
			"train/cat.tar": tarFile(t, member{"1.png", p}, member{"2.jpg", j}), "train/dog.tar": tarFile(t, member{"1.jpg", j}, member{"2.jpg", p}),
			"test/cat.tar": tarFile(t, member{"1.jpg", j}), "test/dog.tar": tarFile(t, member{"1.png", p})}, false},
		"links": {map[string][]byte{
			"train/0.tar": tarFile(t, cat1, member{"dog/2.jpg -> ../cat/1.png", nil}, member{"cat/2.jpg -> 3.jpg", nil}, member{"cat/3.jpg -> /dog/1.jpg", nil}, dog1),
			"val/0.tar":   tarFile(t, member{"cat/1.jpg", j}, member{"dog/1.png", p})}, false},
		"parts in archives": {map[string][]byte{
			"0.tar": tarFile(t, member{"train/cat/1.png", p}, member{"validation/dog/1.png", p}, member{"train/dog/1.jpg", j}),
			"1.tar": tarFile(t, member{"train/cat/2.jpg", j}, member{"train/dog/2.jpg", p}, member{"validation/cat/1.jpg", j})}, false},
		"WebDataset": {map[string][]byte{
			"x-train-0.tar": tarFile(t, member{"a1.png", p}, member{"a1.cls", []byte("2\n")}, member{"a2.json", nil}, member{"a2.jpg", j}, member{"a2.cls", []byte("2")}),
			"x-train-1.tar": tarFile(t, member{"in/a1.cls", []byte("10")}, member{"in/a1.jpg", j}, member{"a1.PNG", p}, member{"a1.cls", []byte(" 10")}),
			"x-test-0.tar":  tarFile(t, member{"v.jpg", j}, member{"v.cls", []byte("2")}, member{"v.mask.png", p}, member{"w.seg.png", p}, member{"w.cls", []byte("10")})}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cache := range []int64{0, 1 << 20} {
				set, err := openTars(tree(t, c.files), OpenOptions{Cache: cache})
				require.NoError(t, err)
				for i, want := range []map[string][]string{train, test} {
					s := []Source{set.Train, set.Test}[i]
					for range 2 {
						got := contents(t, s)
						require.Len(t, got, len(want))
						if name == "links" && i == 0 {
							require.Len(t, got["cat"], 3)
							require.Len(t, got["dog"], 2)
							continue
						}
						for class, images := range want {
							if c.numbers {
								class = numbers[class]
							}
							require.ElementsMatch(t, images, got[class])
						}
					}
				}
				require.Equal(t, 3, set.Train.Info().C)
				set.Close()
			}
		})
	}
}

// Archives without parts are split, in the same way for the same seed.
func TestTarSplit(t *testing.T) {
	var all []member
	for i := range 20 {
		all = append(all, member{fmt.Sprintf("%c/%02d.png", 'a'+i%2, i), pngFile(t, pattern(3+i, 2))})
	}
	dir := tree(t, map[string][]byte{"0.tar": tarFile(t, all[:7]...), "1.tar": tarFile(t, all[7:]...)})
	var first []map[string][]string
	for range 2 {
		set, err := openTars(dir, OpenOptions{Seed: 3, Channels: 1})
		require.NoError(t, err)
		require.Equal(t, []int{18, 2}, []int{set.Train.Len(), set.Test.Len()})
		got := []map[string][]string{contents(t, set.Train), contents(t, set.Test)}
		if first == nil {
			first = got
		}
		require.Equal(t, first, got)
		set.Close()
		_, err = set.Train.Decode(0, new(Image))
		require.ErrorIs(t, err, os.ErrClosed)
	}
}

// A class may have the name train.
func TestTarClassTrain(t *testing.T) {
	p := pngFile(t, pattern(6, 4))
	var all []member
	for _, class := range []string{"car", "plane", "train"} {
		for i := range 5 {
			all = append(all, member{fmt.Sprintf("%s/%d.png", class, i), p})
		}
	}
	set, err := openTars(tree(t, map[string][]byte{"0.tar": tarFile(t, all[:8]...), "1.tar": tarFile(t, all[8:]...)}), OpenOptions{})
	require.NoError(t, err)
	defer set.Close()
	require.Equal(t, []string{"car", "plane", "train"}, set.Train.Info().Classes)
	require.Equal(t, 15, set.Train.Len()+set.Test.Len())
}

func TestTarErrors(t *testing.T) {
	p := pngFile(t, pattern(6, 4))
	good := tarFile(t, member{"a/1.png", p}, member{"a/2.png", p}, member{"b/1.png", p}, member{"b/2.png", p})
	for name, c := range map[string]struct {
		files map[string][]byte
		says  []string
	}{
		"none":        {map[string][]byte{"a/1.png": p}, []string{"holds no .tar files", "train and val"}},
		"compressed":  {map[string][]byte{"train/0.tar.gz": good}, []string{"0.tar.gz", "is compressed", "unpack"}},
		"cut":         {map[string][]byte{"0.tar": good[:len(good)/2-100]}, []string{"0.tar: byte ", "damaged tar", "unexpected EOF"}},
		"no tar":      {map[string][]byte{"0.tar": bytes.Repeat([]byte("no tar "), 500)}, []string{"0.tar: byte 512", "damaged tar"}},
		"class":       {map[string][]byte{"0.tar": tarFile(t, member{"1.png", p}, member{"1.cls", []byte("dog\ncat")})}, []string{"0.tar", `1.cls: says "dog\ncat": a class is a name in one line or a number from 0 on`}},
		"no class":    {map[string][]byte{"0.tar": tarFile(t, member{"1.png", p}, member{"2.png", p}, member{"2.cls", []byte("1")})}, []string{"1.png has no class", "add it to 1.cls"}},
		"no train":    {map[string][]byte{"train/part/0.tar": good, "val/0.tar": good, "test/0.tar": good}, []string{"train: holds no .tar files"}},
		"odd name":    {map[string][]byte{"x-train.tar": good, "x-val.tar": good, "x-extra.tar": good}, []string{"x-extra.tar: its name says neither train nor val"}},
		"archives":    {map[string][]byte{"0.tar": tarFile(t, member{"a.tar", good})}, []string{"the archives hold no images", "unpack archives that are in archives"}},
		"dangling":    {map[string][]byte{"0.tar": tarFile(t, member{"a/1.png", p}, member{"a/2.png -> 9.png", nil})}, []string{"a/2.png is a link to a/9.png, which is no image of the archive"}},
		"circle":      {map[string][]byte{"0.tar": tarFile(t, member{"a/1.png -> 2.png", nil}, member{"a/2.png -> 1.png", nil})}, []string{"is a link to a/"}},
		"two images":  {map[string][]byte{"0.tar": tarFile(t, member{"1.png", p}, member{"1.jpg", p}, member{"1.cls", []byte("1")})}, []string{"1.png and 1.jpg are images of one sample"}},
		"other class": {map[string][]byte{"train/0.tar": good, "val/0.tar": tarFile(t, member{"c/1.png", p})}, []string{`class "c" has no folder among the training images`}},
		"sparse":      {map[string][]byte{"0.tar": withType(good, 'S')}, []string{"a/1.png is a sparse file"}},
		"device":      {map[string][]byte{"0.tar": withType(good, tar.TypeChar)}, []string{"a/1.png is a sparse file, or none"}},
		"deep":        {map[string][]byte{"0.tar": tarFile(t, member{strings.Repeat("x/", 8) + "1.png", p})}, []string{"has 1 class folders"}},
		"both":        {map[string][]byte{"0.tar": tarFile(t, member{"a/1.png", p}, member{"a/1.png/2.png", p})}, []string{"is an image and a folder"}},
		"one class":   {map[string][]byte{"0.tar": tarFile(t, member{"a/1.png", p})}, []string{"has 1 class folders"}},
	} {
		_, err := openTars(tree(t, c.files), OpenOptions{})
		var file *FileError
		require.ErrorAs(t, err, &file, name)
		for _, says := range c.says {
			require.ErrorContains(t, err, says, name)
		}
	}
	_, err := openTars(filepath.Join(t.TempDir(), "none"), OpenOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(context.Background(), "tar", OpenOptions{})
	require.EqualError(t, err, "data set tar needs the folder: tar:DIR")

	dir := tree(t, map[string][]byte{"0.tar": tarFile(t, member{"a/1.png", p[:40]}, member{"a/2.png", p[:40]}, member{"b/1.png", p}, member{"b/2.png", p})})
	set, err := openTars(dir, OpenOptions{})
	require.NoError(t, err)
	defer set.Close()
	_, err = set.Train.Decode(0, new(Image))
	require.ErrorContains(t, err, filepath.Join(dir, "0.tar")+": a/")
	require.ErrorContains(t, err, "damaged PNG")
}

// Opening any archive ends with a set or with an error that names the file.
func FuzzTar(f *testing.F) {
	p := pngFile(f, pattern(2, 2))
	f.Add(tarFile(f, member{"a/1.png", p}, member{"a/2.png", p}, member{"b/1.png", p}, member{"b/2.png", p}))
	f.Add(tarFile(f, member{"1.png", p}, member{"1.cls", []byte("1")}, member{"../2.jpg", p}, member{"../2.cls", []byte("0")}))
	f.Add(tarFile(f, member{"train/1.png", p}, member{"train/1.json", []byte(`{"label":1}`)}, member{"val/2.png", p}, member{"val/2.json", []byte(`{"class":"b"}`)}, member{"3.txt", []byte("x")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "0.tar"), data, 0o644))
		set, err := openTars(dir, OpenOptions{})
		if err != nil {
			var file *FileError
			require.ErrorAs(t, err, &file)
			return
		}
		defer set.Close()
		for i := range set.Train.Len() {
			_, _ = set.Train.Decode(i, new(Image))
		}
	})
}
