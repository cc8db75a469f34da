package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// spread returns empty images in class folders: "train/cat:3 train/dog:2" stands for three and two.
func spread(text string) map[string][]byte {
	out := map[string][]byte{}
	for _, item := range strings.Fields(text) {
		var n int
		dir, count, _ := strings.Cut(item, ":")
		fmt.Sscan(count, &n)
		for i := range n {
			out[fmt.Sprintf("%s/%d.png", dir, i)] = nil
		}
	}
	return out
}

// packedTar returns the files of spread in an archive.
func packedTar(t testing.TB, text string) []byte {
	var all []member
	for name := range spread(text) {
		all = append(all, member{strings.TrimPrefix(name, "./"), nil})
	}
	return tarFile(t, all...)
}

// numbers returns the number of images of each class of a source: "cat:3 dog:0".
func numbers(t testing.TB, s Source) string {
	var out []string
	for i, n := range Counts(s) {
		out = append(out, fmt.Sprintf("%s:%d", s.Info().Classes[i], n))
	}
	total := 0
	for _, n := range Counts(s) {
		total += n
	}
	require.Equal(t, s.Len(), total)
	return strings.Join(out, " ")
}

func says(t testing.TB, notes []string, want ...string) {
	t.Helper()
	for _, w := range want {
		require.Contains(t, strings.Join(notes, "\n"), w)
	}
}

// The test shows how the folders of a set are understood.
func TestFolderLayouts(t *testing.T) {
	for name, c := range map[string]struct {
		files       string
		train, test string
		notes       []string
		quiet       bool // there are no notes
	}{
		"plain":             {files: "train/a:3 train/b:2 val/a:1 val/b:2", train: "a:3 b:2", test: "a:1 b:2", quiet: true},
		"Train, VALID":      {files: "Train/a:3 Train/b:2 VALID/a:1", train: "a:3 b:2", test: "a:1 b:0", notes: []string{"training is on DIR/Train, measured is DIR/VALID"}},
		"training, dev":     {files: "training/a:3 training/b:2 dev/b:1", train: "a:3 b:2", test: "a:0 b:1"},
		"training_set":      {files: "training_set/a:3 training_set/b:2 test_set/b:1", train: "a:3 b:2", test: "a:0 b:1"},
		"train, test":       {files: "train/a:3 train/b:2 Testing/b:1", train: "a:3 b:2", test: "a:0 b:1", notes: []string{"measured is DIR/Testing"}},
		"all three":         {files: "train/a:3 train/b:2 val/b:1 test/a:9", train: "a:3 b:2", test: "a:0 b:1", notes: []string{"DIR/test is left for eval"}},
		"only train":        {files: "train/a:20 train/b:10", train: "a:18 b:9", test: "a:2 b:1", notes: []string{"no part to measure: a tenth"}},
		"no parts":          {files: "a:20 b:10", train: "a:18 b:9", test: "a:2 b:1", notes: []string{"no part to measure: a tenth"}},
		"class train":       {files: "car:10 plane:10 train:10", train: "car:9 plane:9 train:9", test: "car:1 plane:1 train:1"},
		"class test":        {files: "breath:10 test/sub:10 valid:10", train: "breath:9 test:9 valid:9", test: "breath:1 test:1 valid:1"},
		"classes test1 2":   {files: "test1:10 test2:10", train: "test1:9 test2:9", test: "test1:1 test2:1"},
		"beside parts":      {files: "train/a:3 train/b:2 val/a:1 extra:4 .:1", train: "a:3 b:2", test: "a:1 b:0", notes: []string{"left out: extra", "left out: 1, such as DIR/0.png"}},
		"strays in train":   {files: "train:1 train/a:3 train/b:2 val/a:1 extra:4", train: "a:3 b:2", test: "a:1 b:0", notes: []string{"1 image lies in no class folder and is left out: DIR/train/0.png"}},
		"unlabelled test":   {files: "train/a:20 train/b:10 test:7", train: "a:18 b:9", test: "a:2 b:1", notes: []string{"the 7 images of DIR/test have no labels and are left out"}},
		"unlabelled test 2": {files: "train/a:20 train/b:10 test/test:7", train: "a:18 b:9", test: "a:2 b:1", notes: []string{"the 7 images of DIR/test have no labels and are left out"}},
		"around":            {files: "flowers/a:20 flowers/b:10", train: "a:18 b:9", test: "a:2 b:1", notes: []string{"DIR/flowers is taken for a folder around the class folders"}},
		"around twice":      {files: "x/y/a:20 x/y/b:10", train: "a:18 b:9", test: "a:2 b:1"},
		"around parts":      {files: "x/train/a:3 x/train/b:2 x/valid/a:1", train: "a:3 b:2", test: "a:1 b:0"},
		"around in parts":   {files: "train/train/a:3 train/train/b:2 test/test/a:1 test/test/b:1", train: "a:3 b:2", test: "a:1 b:1"},
		"one class around":  {files: "train/a:3 train/b:2 val/set/b:1", train: "a:3 b:2", test: "a:0 b:1"},
		"nested":            {files: "a:9 a/x/y:11 b/z:10", train: "a:18 b:9", test: "a:2 b:1"},
		"classes below":     {files: "p1/a:10 p1/b:10 p2/a:5 p2/b:5", train: "p1:18 p2:9", test: "p1:2 p2:1", notes: []string{"the classes are p1, p2, not the folders in them that have names in common: a, b"}},
		"beside classes":    {files: "a:20 b:10 .:3", train: "a:18 b:9", test: "a:2 b:1", notes: []string{"3 images lie in no class folder and are left out, such as DIR/0.png"}},
		"empty val class":   {files: "train/a:3 train/b:2 val/a:1 val/b:0 val/.keep:1", train: "a:3 b:2", test: "a:1 b:0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, spread(c.files))
			for item := range strings.FieldsSeq(c.files) {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, strings.Split(item, ":")[0]), 0o755))
			}
			set, err := openTree(dir, OpenOptions{})
			require.NoError(t, err)
			require.Equal(t, c.train, numbers(t, set.Train))
			require.Equal(t, c.test, numbers(t, set.Test))
			for _, n := range c.notes {
				says(t, set.Notes, strings.ReplaceAll(n, "DIR", dir))
			}
			if c.quiet {
				require.Empty(t, set.Notes)
			}
		})
	}
	for name, c := range map[string]struct{ files, says string }{
		"val and valid":     {"train/a:2 train/b:2 val/a:1 valid/a:1", "val and DIR/valid are folders of the same part"},
		"Train and train":   {"train/a:2 train/b:2 Train/a:1 Train/b:1", "are folders of the same part"},
		"images in parts":   {"train:5 test:5", "DIR/train: has 0 class folders, at least 2 are needed: 5 images lie in none"},
		"images in val":     {"train/a:2 train/b:2 val:3", "DIR/val: holds 3 images but no class folders"},
		"only test":         {"test/a:2 test/b:2", "has no part train"},
		"empty train class": {"train/a:2 train/b:0 train/c:2", "DIR/train/b: the class folder holds no images"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, spread(c.files))
			for item := range strings.FieldsSeq(c.files) {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, strings.Split(item, ":")[0]), 0o755))
			}
			_, err := openTree(dir, OpenOptions{})
			require.ErrorContains(t, err, strings.ReplaceAll(c.says, "DIR", dir))
			require.ErrorAs(t, err, new(*FileError))
		})
	}
}

// The test shows how archives and the folders in them are understood.
func TestTarFolderLayouts(t *testing.T) {
	for name, c := range map[string]struct {
		files       map[string]string
		train, test string
		notes       []string
	}{
		"train.tar, val.tar":  {map[string]string{"train.tar": "train/a:3 train/b:2", "val.tar": "val/a:1 val/b:1"}, "a:3 b:2", "a:1 b:1", []string{"measured is val.tar"}},
		"training_set.tar":    {map[string]string{"training_set.tar": "a:3 b:2", "Validation-000.tar": "a:1 b:1"}, "a:3 b:2", "a:1 b:1", nil},
		"trainset, valset":    {map[string]string{"my-trainset0.tar": "a:3 b:2", "my-valset0.tar": "b:1"}, "a:3 b:2", "a:0 b:1", nil},
		"all three":           {map[string]string{"train.tar": "a:3 b:2", "val.tar": "b:1", "test.tar": "a:9"}, "a:3 b:2", "a:0 b:1", []string{"test.tar is left for eval"}},
		"folders Train, TEST": {map[string]string{"Train/0.tar": "a:3 b:2", "TEST/0.tar": "b:1"}, "a:3 b:2", "a:0 b:1", []string{"measured is DIR/TEST"}},
		"folder of images":    {map[string]string{"train.tar": "a:3 b:2", "val.tar": "b:1", "train/x.txt": ""}, "a:3 b:2", "a:0 b:1", nil},
		"folder around":       {map[string]string{"x/train/0.tar": "a:3 b:2", "x/valid/0.tar": "b:1"}, "a:3 b:2", "a:0 b:1", nil},
		"parts within":        {map[string]string{"0.tar": "data/Training/a:3 data/Training/b:2 data/dev/b:1"}, "a:3 b:2", "a:0 b:1", []string{"0.tar: data is taken for a folder around", "measured is DIR/0.tar: data/dev"}},
		"flower_photos":       {map[string]string{"flower_photos.tar": "flower_photos/a:20 flower_photos/b:10"}, "a:18 b:9", "a:2 b:1", nil},
		"several levels":      {map[string]string{"x.tar": "x/y/z/a:20 x/y/z/b:10"}, "a:18 b:9", "a:2 b:1", nil},
		"one folder in both":  {map[string]string{"x-0.tar": "x/a:12 x/b:6", "x-1.tar": "x/a:8 x/b:4"}, "a:18 b:9", "a:2 b:1", nil},
		"part1, part2":        {map[string]string{"part1.tar": "part1/a:12 part1/b:6", "part2.tar": "part2/a:8 part2/b:4"}, "a:18 b:9", "a:2 b:1", []string{"part1, part2 are taken for folders around the class folders"}},
		"a class in each":     {map[string]string{"part1.tar": "part1/a:20", "part2.tar": "part2/b:10"}, "a:18 b:9", "a:2 b:1", nil},
		"classes with more":   {map[string]string{"cat.tar": "cat/black:10 cat/red:10", "dog.tar": "dog/poodle:5 dog/pug:5"}, "cat:18 dog:9", "cat:2 dog:1", nil},
		"tiny-imagenet":       {map[string]string{"n01.tar": "n01/images:20", "n33.tar": "n33/images:10"}, "n01:18 n33:9", "n01:2 n33:1", nil},
		"archives as classes": {map[string]string{"cat.tar": ".:20", "dog.tar": ".:10"}, "cat:18 dog:9", "cat:2 dog:1", []string{"of the class that the archive is called after: 2 of 2"}},
		"classes train, test": {map[string]string{"train.tar": ".:20", "test.tar": ".:10", "bus.tar": ".:10"}, "bus:9 test:9 train:18", "bus:1 test:1 train:2", nil},
		"images beside":       {map[string]string{"0.tar": "a:20 b:10 .:2"}, "a:18 b:9", "a:2 b:1", []string{"2 images lie in no class folder and are left out, such as DIR/0.tar: "}},
		"class test":          {map[string]string{"0.tar": "car:10 test:10 val:10"}, "car:9 test:9 val:9", "car:1 test:1 val:1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{}
			for file, text := range c.files {
				files[file] = packedTar(t, text)
			}
			dir := tree(t, files)
			set, err := openTars(dir, OpenOptions{})
			require.NoError(t, err)
			defer set.Close()
			require.Equal(t, c.train, numbers(t, set.Train))
			require.Equal(t, c.test, numbers(t, set.Test))
			for _, n := range c.notes {
				says(t, set.Notes, strings.ReplaceAll(n, "DIR", dir))
			}
		})
	}
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"val and valid":   {map[string]string{"train/0.tar": "a:1 b:1", "val/0.tar": "a:1", "valid/0.tar": "a:1"}, "are folders of the same part"},
		"shards":          {map[string]string{"set-000.tar": ".:5", "set-001.tar": ".:5"}, "its images have no classes: beside x.jpg there is no x.cls, no x.json with one of label, class, cls, and no x.txt"},
		"numbered":        {map[string]string{"00000.tar": ".:5", "00001.tar": ".:5"}, "its images have no classes"},
		"imagenet-train":  {map[string]string{"imagenet-train-000017.tar": ".:5"}, "its images have no classes"},
		"folder as shard": {map[string]string{"shard-000.tar": "shard-000:5", "shard-001.tar": "shard-001:5"}, "its images have no classes"},
		"one archive":     {map[string]string{"train.tar": ".:5", "val.tar": ".:5"}, "has 1 class folders"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{}
			for file, text := range c.files {
				files[file] = packedTar(t, text)
			}
			_, err := openTars(tree(t, files), OpenOptions{})
			require.ErrorContains(t, err, c.says)
			require.ErrorAs(t, err, new(*FileError))
		})
	}
}

// A network is measured on all images of a set, or of the named part, with the network's labels.
func TestOpenTest(t *testing.T) {
	classes := []string{"b", "zebra", "a"} // in another order, with one more
	tars := func(files map[string]string) map[string][]byte {
		out := map[string][]byte{}
		for file, text := range files {
			out[file] = packedTar(t, text)
		}
		return out
	}
	for name, c := range map[string]struct {
		files   map[string][]byte
		part    string
		trained bool
		want    string // or an error
		called  string
	}{
		"class folders":        {files: spread("a:20 b:10"), want: "b:10 zebra:0 a:20", called: "DIR, all images"},
		"one class":            {files: spread("a:20"), want: "b:0 zebra:0 a:20"},
		"one class, nested":    {files: spread("a/x:20 a/y:1"), want: "b:0 zebra:0 a:21"},
		"around":               {files: spread("set/a:20"), want: "b:0 zebra:0 a:20"},
		"empty class":          {files: spread("a:20 b:1 docs:0"), want: "b:1 zebra:0 a:20"},
		"only test":            {files: spread("test/a:20 test/b:3"), want: "b:3 zebra:0 a:20", called: "DIR test"},
		"only val":             {files: spread("Valid/a:20"), want: "b:0 zebra:0 a:20", called: "DIR val"},
		"val and test":         {files: spread("val/a:20 test/b:3"), want: "b:3 zebra:0 a:0", called: "DIR test"},
		"all three":            {files: spread("train/a:9 train/b:9 val/a:20 test/b:3"), want: "b:3 zebra:0 a:0"},
		"part val":             {files: spread("train/a:9 train/b:9 val/a:20 test/b:3"), part: "val", want: "b:0 zebra:0 a:20", called: "DIR val"},
		"part train":           {files: spread("train/a:9 train/b:9 val/a:20 test/b:3"), part: "train", want: "b:9 zebra:0 a:9", called: "DIR train"},
		"train and val":        {files: spread("train/a:9 train/b:9 val/a:20"), want: "b:0 zebra:0 a:20"},
		"only train":           {files: spread("train/a:9 train/b:9"), want: "b:9 zebra:0 a:9", called: "DIR train"},
		"no such part":         {files: spread("train/a:9 train/b:9"), part: "test", want: "has no part test (it has train)"},
		"no parts":             {files: spread("a:9 b:9"), part: "val", want: "has no parts, so none is called val"},
		"held out":             {files: spread("a:20 b:10"), trained: true, want: "b:1 zebra:0 a:2", called: "DIR, a tenth held out"},
		"not held out":         {files: spread("a:20 b:10"), trained: true, part: "train", want: "b:9 zebra:0 a:18", called: "DIR train"},
		"held out of train":    {files: spread("train/a:20 train/b:10"), trained: true, want: "b:1 zebra:0 a:2"},
		"own test":             {files: spread("train/a:9 train/b:9 val/a:20 test/b:3"), trained: true, want: "b:3 zebra:0 a:0"},
		"other class":          {files: spread("a:9 zebras:2"), want: `DIR/zebras: "zebras" is no class of the network (rename or remove it; the nearest: zebra)`},
		"far class":            {files: spread("a:9 tremendous:2"), want: "the classes are b, zebra, a"},
		"class called as part": {files: spread("test:9"), want: "holds 9 images but no class folders"},
		"no images":            {files: map[string][]byte{"a/x.txt": nil}, want: "its class folders hold no images"},
		"tar":                  {files: tars(map[string]string{"x.tar": "a:20 b:10"}), want: "b:10 zebra:0 a:20", called: "DIR, all images"},
		"tar, test.tar":        {files: tars(map[string]string{"test.tar": "test/a:20 test/b:10"}), want: "b:10 zebra:0 a:20", called: "DIR test"},
		"tar, test in it":      {files: tars(map[string]string{"x.tar": "test/a:20 test/b:10"}), want: "b:10 zebra:0 a:20", called: "DIR test"},
		"tar, shards around":   {files: tars(map[string]string{"u.tar": "u/a:20", "v.tar": "v/b:10"}), want: "b:10 zebra:0 a:20"},
		"tar, classes":         {files: tars(map[string]string{"a.tar": ".:20", "b.tar": ".:10"}), want: "b:10 zebra:0 a:20"},
		"tar, part":            {files: tars(map[string]string{"train.tar": "a:20 b:1", "val.tar": "b:10"}), part: "train", want: "b:1 zebra:0 a:20"},
		"tar, held out":        {files: tars(map[string]string{"test-photos.tar": "a:20 b:10"}), trained: true, want: "b:1 zebra:0 a:2"},
		"tar, other class":     {files: tars(map[string]string{"x.tar": "a:9 zebras:2"}), want: `x.tar: zebras: "zebras" is no class of the network`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, c.files)
			kind := "folder:"
			if strings.HasPrefix(name, "tar") {
				kind = "tar:"
			}
			if name == "empty class" {
				require.NoError(t, os.Mkdir(filepath.Join(dir, "docs"), 0o755))
			}
			set, err := OpenTest(context.Background(), kind+dir, TestOptions{Classes: classes, Part: c.part, Trained: c.trained})
			if err != nil {
				require.ErrorContains(t, err, strings.ReplaceAll(c.want, "DIR", dir))
				return
			}
			defer set.Close()
			require.Equal(t, c.want, numbers(t, set.Test))
			require.Nil(t, set.Train)
			if c.called != "" {
				require.Equal(t, strings.ReplaceAll(c.called, "DIR", dir), set.Test.Info().Name)
			}
		})
	}
	t.Run("same images", func(t *testing.T) { // the held-out images are those that training measures
		dir := tree(t, spread("a:40 b:25"))
		run, err := openTree(dir, OpenOptions{Seed: 7})
		require.NoError(t, err)
		set, err := OpenTest(context.Background(), "folder:"+dir, TestOptions{OpenOptions: OpenOptions{Seed: 7}, Classes: []string{"a", "b"}, Trained: true})
		require.NoError(t, err)
		require.Equal(t, run.Test.(*imageFolder).files, set.Test.(*imageFolder).files)
	})
	t.Run("known sets", func(t *testing.T) {
		own, err := Open(context.Background(), "", OpenOptions{})
		require.NoError(t, err)
		classes := append([]string{"hat"}, own.Test.Info().Classes...)
		classes[1], classes[10] = classes[10], classes[1]
		for part, from := range map[string]Source{"": own.Test, "test": own.Test, "train": own.Train} {
			set, err := OpenTest(context.Background(), "", TestOptions{Classes: classes, Part: part, OpenOptions: OpenOptions{Channels: 3}})
			require.NoError(t, err)
			require.Equal(t, from.Len(), set.Test.Len())
			require.Equal(t, 0, Counts(set.Test)[0])
			var a, b Image
			for i := range 20 {
				x, err := from.Decode(i, &a)
				require.NoError(t, err)
				y, err := set.Test.Decode(i, &b)
				require.NoError(t, err)
				require.Equal(t, own.Test.Info().Classes[x], set.Test.Info().Classes[y])
			}
		}
		_, err = OpenTest(context.Background(), "", TestOptions{Classes: classes, Part: "val"})
		require.ErrorContains(t, err, "has no part val: it has test and train")
		_, err = OpenTest(context.Background(), "", TestOptions{Classes: []string{"trousers"}})
		require.ErrorContains(t, err, `the class "T-shirt/top", which is no class of the network`)
	})
}

// Everything that is not read is counted and reported.
func TestLeftOut(t *testing.T) {
	files := spread("train/a:4 train/b:4 val/a:2 val/b:2")
	for i := range 3 {
		files[fmt.Sprintf("train/a/%d.HEIC", i)] = nil
		files[fmt.Sprintf("val/b/x/%d.cr2", i)] = nil
	}
	files["train/a/.hidden.png"], files["train/b/README"], files["train/a/one.gz"] = nil, nil, nil
	files["val/b/1/2/3/4/5/6/7/8/9/10.png"] = nil
	files["test/b/no.xyz"] = nil // of a part that is not read
	dir := tree(t, files)
	set, err := openTree(dir, OpenOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{
		dir + "/test is left for eval",
		"3 files end in .cr2 and are left out",
		"3 files end in .heic and are left out",
		"1 file whose name has no ending is left out",
		"1 file ends in .gz and is left out",
		"1 hidden file or folder is left out",
		"1 folder lies too far below its class folder and is left out: " + dir + "/val/b/1/2/3/4/5/6/7/8/9",
	}, set.Notes)
	require.Equal(t, "a:2 b:2", numbers(t, set.Test))

	_, err = openTree(tree(t, map[string][]byte{"a/1.png": nil, "a/2.png": nil, "b/1.heic": nil, "b/2.heic": nil, "b/x": nil}), OpenOptions{})
	require.ErrorContains(t, err, "the class folder holds no images (of its files, 2 end in .heic, 1 have no ending)")

	p, deep := pngFile(t, pattern(6, 4)), strings.Repeat("d/", 9)
	set, err = openTars(tree(t, map[string][]byte{"0.tar": tarFile(t, member{"a/1.png", p}, member{"a/2.png", p}, member{"b/1.png", p}, member{"b/2.png", p},
		member{"b/3.avif", p}, member{"b/._1.png", p}, member{"__MACOSX/b/1.png", p}, member{"a/" + deep + "9.png", p}), "empty.tar": tarFile(t, member{"a/x.nef", nil})}), OpenOptions{})
	require.NoError(t, err)
	defer set.Close()
	says(t, set.Notes, "1 file ends in .avif and is left out", "2 hidden files", "1 folder lies too far below its class folder and is left out: ", "empty.tar holds no images (of its files, 1 end in .nef)")
	require.Equal(t, 4, set.Train.Len()+set.Test.Len())
	both, err := openTars(tree(t, map[string][]byte{"0.tar": tarFile(t, member{"train/a/1.png", p}, member{"train/b/2.png", p}, member{"val/b/1.png", p}, member{"val/b/1.jxl", p})}), OpenOptions{})
	require.NoError(t, err)
	defer both.Close()
	says(t, both.Notes, "1 file ends in .jxl and is left out") // both parts share the archive; the note comes once

	for name, want := range map[string]string{"photos.zip": "it holds photos.zip, a zip file: unzip it", "x.tar": "name it as tar:", "x.tgz": "gunzip x.tgz"} {
		dir := tree(t, map[string][]byte{name: p})
		_, err = openTree(dir, OpenOptions{})
		require.ErrorContains(t, err, want)
		_, err = OpenTest(t.Context(), "folder:"+dir, TestOptions{Classes: []string{"a", "b"}})
		require.ErrorContains(t, err, want, "measuring a network")
	}
}
