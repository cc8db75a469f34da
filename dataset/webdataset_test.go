package dataset

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shard returns an archive of samples, each an image and the files beside it: "1.json={"label":3}".
func shard(t testing.TB, p []byte, dir string, from int, ending string, texts ...string) []byte {
	var all []member
	for i, text := range texts {
		key := fmt.Sprintf("%s%05d", dir, from+i)
		all = append(all, member{key + ".png", p})
		if text != "-" {
			all = append(all, member{key + ending, []byte(text)})
		}
	}
	return tarFile(t, all...)
}

// repeat returns the texts n times.
func repeat(n int, texts ...string) (out []string) {
	for range n {
		out = append(out, texts...)
	}
	return out
}

func TestWebDatasetLabels(t *testing.T) {
	p := pngFile(t, pattern(6, 4))
	for name, c := range map[string]struct {
		files       map[string][]byte
		train, test string // or an error
	}{
		"cls names":        {map[string][]byte{"x-000.tar": shard(t, p, "", 0, ".cls", repeat(10, "cat\n", "big dog")...)}, "big dog:9 cat:9", "big dog:1 cat:1"},
		"json label":       {map[string][]byte{"x-000.tar": shard(t, p, "", 0, ".json", repeat(10, `{"label":3,"class":"no"}`, `{"label":12}`)...), "x-001.tar": shard(t, p, "", 50, ".json", repeat(10, `{"label":3}`)...)}, "000003:18 000012:9", "000003:2 000012:1"},
		"json class":       {map[string][]byte{"x-000.tar": shard(t, p, "", 0, ".json", repeat(10, `{"w":1,"class":"cat"}`, `{"class":"dog","label":null}`)...)}, "cat:9 dog:9", "cat:1 dog:1"},
		"json cls":         {map[string][]byte{"train.tar": shard(t, p, "", 0, ".json", repeat(10, `{"cls":"0"}`, `{"cls":1.0}`)...), "val.tar": shard(t, p, "", 0, ".json", repeat(2, `{"cls":1}`)...)}, "000000:10 000001:10", "000000:0 000001:2"},
		"json alone":       {map[string][]byte{"x-000.tar": shard(t, p, "", 0, ".json", repeat(10, `"cat"`, `"dog"`)...)}, "cat:9 dog:9", "cat:1 dog:1"},
		"txt names":        {map[string][]byte{"a.tar": shard(t, p, "", 0, ".txt", repeat(10, "cat", "dog\n")...)}, "cat:9 dog:9", "cat:1 dog:1"},
		"txt numbers":      {map[string][]byte{"x-0.tar": shard(t, p, "", 0, ".txt", repeat(10, "0", "7")...), "x-1.tar": shard(t, p, "", 50, ".txt", repeat(5, "0", "7")...)}, "000000:13 000007:13", "000000:2 000007:2"},
		"txt in val":       {map[string][]byte{"train-0.tar": shard(t, p, "", 0, ".txt", repeat(10, "a", "b", "c")...), "val-0.tar": shard(t, p, "", 50, ".txt", "a", "b", "c")}, "a:10 b:10 c:10", "a:1 b:1 c:1"},
		"a folder":         {map[string][]byte{"s-000.tar": shard(t, p, "images/", 0, ".json", repeat(10, `{"label":"a"}`, `{"label":"b"}`)...)}, "a:9 b:9", "a:1 b:1"},
		"folder as shard":  {map[string][]byte{"s-000.tar": shard(t, p, "s-000/", 0, ".json", repeat(10, `{"label":"a"}`)...), "s-001.tar": shard(t, p, "s-001/", 50, ".json", repeat(10, `{"label":"b"}`)...)}, "a:9 b:9", "a:1 b:1"},
		"parts in it":      {map[string][]byte{"s-000.tar": shard(t, p, "train/", 0, ".json", repeat(10, `{"label":"a"}`, `{"label":"b"}`)...), "s-001.tar": shard(t, p, "Valid/", 50, ".json", repeat(3, `{"label":"b"}`)...)}, "a:10 b:10", "a:0 b:3"},
		"slash in name":    {map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".cls", repeat(10, `T-shirt/top`, "T-shirt")...)}, "T-shirt:9 T-shirt/top:9", "T-shirt:1 T-shirt/top:1"},
		"class folders":    {map[string][]byte{"s-000.tar": shard(t, p, "cat/", 0, ".json", repeat(20, `{"class":"Mammalia"}`)...), "s-001.tar": shard(t, p, "dog/", 0, ".txt", repeat(10, "3 0.1 0.2")...)}, "cat:18 dog:9", "cat:2 dog:1"},
		"class archives":   {map[string][]byte{"cat.tar": shard(t, p, "", 0, ".json", repeat(20, `{"class":"Mammalia"}`)...), "dog.tar": shard(t, p, "", 0, ".txt", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")}, "cat:18 dog:9", "cat:2 dog:1"},
		"json, not txt":    {map[string][]byte{"s-000.tar": tarFile(t, member{"1.png", p}, member{"1.txt", []byte("one cat")}, member{"1.json", []byte(`{"label":1}`)}, member{"2.png", p}, member{"2.txt", []byte("one cat")}, member{"2.json", []byte(`{"label":1}`)}, member{"3.png", p}, member{"3.json", []byte(`{"label":2}`)}, member{"4.png", p}, member{"4.json", []byte(`{"label":2}`)})}, "000001:1 000002:1", "000001:1 000002:1"},
		"captions":         {map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".txt", "a cat", "a dog", "two", "a cat sits")}, "the .txt files beside 4 images say 4 different things: they are no classes but captions", ""},
		"paragraphs":       {map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".txt", repeat(5, "two\nlines", strings.Repeat("long ", 99))...)}, "its images have no classes: beside x.jpg there is no x.cls, no x.json with one of label, class, cls", ""},
		"json without":     {map[string][]byte{"00.tar": shard(t, p, "", 0, ".json", repeat(5, `{"caption":"x","url":"y"}`)...), "01.tar": shard(t, p, "", 9, ".json", repeat(5, `{"caption":"x"`)...)}, "its images have no classes", ""},
		"some without":     {map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".json", `{"label":1}`, `{"label":2}`, "-", `{"label":1}`)}, "00002.png has no class: other images of the archive have one in a .json file beside them (add it to 00002.json)", ""},
		"a shard without":  {map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".cls", "1", "2", "1", "2"), "s-001.tar": shard(t, p, "", 9, ".cls", "-", "-")}, "s-001.tar: its images have no classes", ""},
		"numbers or names": {map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".json", repeat(3, `{"label":1}`, `{"label":"cat"}`)...)}, "some images have numbers for classes, others names: 00000.json says 1, 00001.json says cat", ""},
		"negative":         {map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".cls", "1", "-1")}, `00001.cls: says "-1"`, ""},
		"empty":            {map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".cls", "1", " ")}, `00001.cls: says " "`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := openTars(tree(t, c.files), OpenOptions{})
			if err != nil {
				require.ErrorContains(t, err, c.train)
				require.ErrorAs(t, err, new(*FileError))
				return
			}
			defer set.Close()
			require.Equal(t, c.train, numbers(t, set.Train))
			require.Equal(t, c.test, numbers(t, set.Test))
			for i := range set.Test.Len() {
				_, err := set.Test.Decode(i, new(Image))
				require.NoError(t, err)
			}
		})
	}

	// Labels are the network's, matched by name.
	dir := tree(t, map[string][]byte{"s-000.tar": shard(t, p, "", 0, ".json", `{"label":2}`, `{"label":10}`, `{"label":2}`), "t-000.tar": shard(t, p, "", 5, ".json", `{"label":"x"}`)})
	set, err := OpenTest(context.Background(), "tar:"+dir, TestOptions{Classes: []string{"x", "000010", "000002"}})
	require.NoError(t, err)
	defer set.Close()
	require.Equal(t, "x:1 000010:1 000002:2", numbers(t, set.Test))
	_, err = OpenTest(context.Background(), "tar:"+dir, TestOptions{Classes: []string{"x", "10"}})
	require.ErrorContains(t, err, `"000002" is no class of the network`)
}

// Masks and other images of a sample are left out, and a note says so.
func TestWebDatasetOthers(t *testing.T) {
	p := pngFile(t, pattern(6, 4))
	set, err := openTars(tree(t, map[string][]byte{"s-000.tar": tarFile(t, member{"1.mask.png", p}, member{"1.png", p}, member{"1.cls", []byte("a")}, member{"2.png", p}, member{"2.cls", []byte("a")},
		member{"3.png", p}, member{"3.cls", []byte("b")}, member{"4.png", p}, member{"4.seg.png", p}, member{"4.cls", []byte("b")}, member{"4.npy", nil})}), OpenOptions{})
	require.NoError(t, err)
	defer set.Close()
	says(t, set.Notes, "2 images are others of a sample, such as masks, and are left out, such as ", "s-000.tar: 1.mask.png", "1 file ends in .npy and is left out")
	require.NotContains(t, strings.Join(set.Notes, "\n"), ".cls")
	require.Equal(t, 4, set.Train.Len()+set.Test.Len())
}

// Archives that cannot be read at random are reported with their kind, by their names and by their
// content.
func TestPackedArchives(t *testing.T) {
	good := tarFile(t, member{"a/1.png", nil})
	for file, c := range map[string]struct {
		data []byte
		want string
	}{
		"x.tgz":     {nil, "x.tgz: is compressed by gzip: its images cannot be read in any order (unpack it to a .tar: gunzip x.tgz)"},
		"x.TAR.BZ2": {nil, "bunzip2 x.TAR.BZ2"},
		"x.tar.xz":  {nil, "unxz x.tar.xz"},
		"x.tar.zst": {nil, "unzstd x.tar.zst"},
		"x.zip":     {nil, "is a zip file: its images cannot be read in any order (unzip it, and name the folder as folder:DIR)"},
		"0.tar":     {gzipped(t, good), "0.tar: is compressed by gzip, whatever its name says: its images cannot be read in any order (rename it to 0.tar.gz; unpack it to a .tar: gunzip 0.tar.gz)"},
		"1.tar":     {[]byte("BZh91AY&SY"), "1.tar: is compressed by bzip2, whatever"},
		"2.tar":     {[]byte("\xfd7zXZ\x00\x00"), "2.tar: is compressed by xz"},
		"3.tar":     {[]byte("\x28\xb5\x2f\xfd\x00"), "3.tar: is compressed by zstd"},
		"4.tar":     {[]byte("PK\x03\x04\x14"), "4.tar: is a zip file"},
	} {
		_, err := openTars(tree(t, map[string][]byte{file: c.data, "good.tar": good}), OpenOptions{})
		require.ErrorContains(t, err, c.want)
		require.ErrorAs(t, err, new(*FileError))
	}
}
