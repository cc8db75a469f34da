package train

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
)

// A setting of the input comes from the first of these that gives it: the configuration, the file
// of initial weights, the network if images vary in size or weights come from a file, the data set.
func TestWhichInputWins(t *testing.T) {
	photos := dataset.Info{Name: "photos", C: 3, Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}}
	grey := photos
	grey.C, grey.Mean, grey.Std = 1, dataset.ChannelStats(photos.Mean, 1), dataset.ChannelStats(photos.Std, 1)
	small := dataset.Info{Name: "small", C: 3, H: 32, W: 32, Mean: []float32{0.49, 0.48, 0.45}, Std: []float32{0.25, 0.24, 0.26}}
	nothing := &inception.Input{}
	timm := &inception.Input{Mean: []float32{0.1, 0.2, 0.3}, Std: []float32{1, 1, 1}, Interpolation: "lanczos", Crop: 0.95}
	ours := &inception.Input{Mean: []float32{0.3}, Std: []float32{0.2}, Interpolation: "bilinear-pillow12", Resize: 300, Size: 224}
	set := func(change func(*Config)) Config {
		c := Default()
		change(&c)
		return c
	}
	type want struct{ mean, std, resize, interpolation string }
	const half, imageNet, imageNetStd = "0.5,0.5,0.5", "0.485,0.456,0.406", "0.229,0.224,0.225"
	for name, c := range map[string]struct {
		model string
		size  int
		info  dataset.Info
		file  *inception.Input
		given Config
		want  want
	}{
		"googlenet":                 {"googlenet", 224, photos, nil, Default(), want{half, half, "256", "bilinear"}},
		"googlenet, smaller":        {"googlenet", 96, photos, nil, Default(), want{half, half, "110", "bilinear"}},
		"inception_v3":              {"inception_v3", 299, photos, nil, Default(), want{half, half, "342", "bilinear"}},
		"inception_v4":              {"inception_v4", 299, photos, nil, Default(), want{half, half, "341", "bicubic"}},
		"inception_resnet_v2":       {"inception_resnet_v2", 299, photos, nil, Default(), want{half, half, "333", "bicubic"}},
		"googlenet2014":             {"googlenet2014", 224, photos, nil, Default(), want{imageNet, imageNetStd, "256", "bilinear"}},
		"a small network on photos": {"inception_small", 64, photos, nil, Default(), want{imageNet, imageNetStd, "73", "bilinear"}},
		"a network of nobody's":     {"mine", 64, photos, nil, Default(), want{imageNet, imageNetStd, "73", "bilinear"}},
		"grey photos":               {"inception_v4", 299, grey, nil, Default(), want{"0.5", "0.5", "341", "bicubic"}},
		"a set of one size":         {"inception_small", 32, small, nil, Default(), want{"0.49,0.48,0.45", "0.25,0.24,0.26", "squash", "bilinear"}},
		"of one size, large network": {"inception_v4", 299, small, nil, Default(),
			want{"0.49,0.48,0.45", "0.25,0.24,0.26", "squash", "bilinear"}},
		"of one size, weights that say nothing": {"inception_v4", 299, small, nothing, Default(), want{half, half, "squash", "bicubic"}},
		"weights that say nothing":              {"inception_v3", 299, photos, nothing, Default(), want{half, half, "342", "bilinear"}},
		"timm's file":                           {"inception_v3", 299, photos, timm, Default(), want{"0.1,0.2,0.3", "1,1,1", "314", "lanczos"}},
		"timm's file, of one size":              {"inception_v3", 299, small, timm, Default(), want{"0.1,0.2,0.3", "1,1,1", "314", "lanczos"}},
		"our file":                              {"googlenet", 224, photos, ours, Default(), want{"0.3,0.3,0.3", "0.2,0.2,0.2", "300", "bilinear-pillow12"}},
		"our file, another size":                {"googlenet", 112, photos, ours, Default(), want{"0.3,0.3,0.3", "0.2,0.2,0.2", "150", "bilinear-pillow12"}},
		"a file of the network's own share, another size": {"inception_v4", 224, photos, &inception.Input{Resize: 341, Size: 299}, Default(),
			want{half, half, "256", "bicubic"}},
		"the configuration's": {"inception_v4", 299, photos, timm, set(func(c *Config) {
			c.Mean, c.Std, c.Resize, c.Interpolation = "0.485, 0.456,0.406", "0.25", "300", "bilinear"
		}), want{imageNet, "0.25,0.25,0.25", "300", "bilinear"}},
		"its share":         {"googlenet", 224, photos, ours, set(func(c *Config) { c.Crop = Num(0.9) }), want{"0.3,0.3,0.3", "0.2,0.2,0.2", "248", "bilinear-pillow12"}},
		"all of an image":   {"googlenet", 224, photos, ours, set(func(c *Config) { c.Resize = squash }), want{"0.3,0.3,0.3", "0.2,0.2,0.2", "squash", "bilinear-pillow12"}},
		"a cut of one size": {"inception_small", 28, small, nil, set(func(c *Config) { c.Crop = Num(0.875) }), want{"0.49,0.48,0.45", "0.25,0.24,0.26", "32", "bilinear"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.given
			got.Model = c.model
			require.NoError(t, got.Check())
			for range 2 { // resolved settings stay
				require.NoError(t, got.ResolveInput(c.file, c.info, c.size, c.size))
				require.Equal(t, c.want, want{got.Mean, got.Std, got.Resize, got.Interpolation})
				require.NoError(t, got.Check())
			}
			in, err := got.Input(c.size, c.size)
			require.NoError(t, err)
			require.Equal(t, c.want.resize, in.Resize())
			require.Len(t, in.Normalization.Mean, c.info.C)
		})
	}
}

func TestInputErrors(t *testing.T) {
	photos := dataset.Info{Name: "photos", C: 3}
	for want, change := range map[string]func(*Config){
		"mean: 123.7 is not possible: a mean is from 0 to 1":            func(c *Config) { c.Mean = "123.7,116.3,103.5" },
		"mean: it is a number for each channel":                         func(c *Config) { c.Mean = "0.5,0.5" },
		`mean: "x" is no number`:                                        func(c *Config) { c.Mean = "x" },
		`mean: "NaN" is no number`:                                      func(c *Config) { c.Mean = "NaN" },
		"std: 0 is not possible":                                        func(c *Config) { c.Std = "0" },
		`resize: "0" is not possible: it is a number of pixels from 1`:  func(c *Config) { c.Resize = "0" },
		`crop: "1.5" is not possible: it is a number above 0`:           func(c *Config) { c.Crop = Num(1.5) },
		`interpolation: "cubic" is not possible: it is one of auto`:     func(c *Config) { c.Interpolation = "cubic" },
		`resize: "200" is not possible: the network's input is 224`:     func(c *Config) { c.Resize = "200" },
		`crop: "0.9" is not possible: resize is 256, which says the`:    func(c *Config) { c.Resize, c.Crop = "256", Num(0.9) },
		`crop: "0.9" is not possible: resize is squash, which says the`: func(c *Config) { c.Resize, c.Crop = squash, Num(0.9) },
		"std: photos has none: set it":                                  func(c *Config) { c.Model = "mine"; c.Mean = "0.5" },
	} {
		c := Default()
		c.Model = "googlenet"
		change(&c)
		err := c.Check()
		if err == nil {
			err = c.ResolveInput(nil, photos, 224, 224)
		}
		require.ErrorContains(t, err, want)
	}
	c := Default()
	c.Model = "googlenet"
	require.ErrorContains(t, c.ResolveInput(&inception.Input{Interpolation: "random"}, photos, 224, 224), `"random" is no interpolation: there are bilinear`)
}

// A configuration file may have lists of numbers.
func TestInputInYAML(t *testing.T) {
	c := Default()
	require.NoError(t, c.ReadYAML("c", []byte("mean: [0.485, 0.456, 0.406]\nstd: 0.5\nresize: 256\n")))
	require.Equal(t, []string{"0.485,0.456,0.406", "0.5", "256"}, []string{c.Mean, c.Std, c.Resize})
	again := Default()
	require.NoError(t, again.ReadYAML("c", c.YAML()))
	require.Equal(t, c, again)
	require.ErrorContains(t, c.ReadYAML("c", []byte("model: [a, b]")), "not a list")
	require.NoError(t, c.ReadYAML("c", []byte("mean: [[1], 2]")))
	require.Error(t, c.Check())
}

// older turns a checkpoint into one from before the settings of the input existed, when the data
// held the statistics.
func older(t *testing.T, path, data string) {
	t.Helper()
	f, err := interop.Open(path)
	require.NoError(t, err)
	var tensors []interop.Tensor
	for _, name := range f.Names() {
		x, err := f.Tensor(name)
		require.NoError(t, err)
		tensors = append(tensors, x)
	}
	meta := f.Metadata
	require.NoError(t, f.Close())
	var c Config
	require.NoError(t, c.ReadYAML("config", []byte(meta[metaConfig])))
	c.Data = data
	var lines [][]byte
	for line := range bytes.Lines(c.YAML()) {
		switch key, _, _ := bytes.Cut(line, []byte(":")); string(key) {
		case "mean", "std", "resize", "crop", "interpolation", "exif-orientation":
		default:
			lines = append(lines, line)
		}
	}
	meta[metaConfig] = string(bytes.Join(lines, nil))
	info := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(meta[metaData]), &info))
	info["mean"], info["std"] = []float32{0.4}, []float32{0.3}
	text, err := json.Marshal(info)
	require.NoError(t, err)
	meta[metaData], meta[metaSum] = string(text), noSum
	require.NoError(t, interop.WriteFile(path, tensors, meta))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	st, err := file.Stat()
	require.NoError(t, err)
	sum, at, err := fileSum(file, st.Size())
	require.NoError(t, err)
	_, err = file.WriteAt([]byte(sum), at)
	require.NoError(t, err)
}

// A checkpoint from before the settings of the input existed prepares images as its run did, and
// that run goes on with them.
func TestInputOfOlderCheckpoints(t *testing.T) {
	for data, resize := range map[string]string{"bars": squash, "folder:x": "9", "tar:x": "9"} {
		c := tinyConfig()
		c.ImageSize, c.Data, c.Resize, c.Interpolation = 8, data, resize, "bilinear-pillow12" // as such a run had them
		s, _ := setup(t, c)
		if resize != squash {
			s.Data = &dataset.Set{Train: snaps{bars{52, -1}}, Test: snaps{bars{22, -1}}}
		}
		dir := folder(t, c)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s.Report = func(e Event) {
			if e, ok := e.(Stepped); ok && e.Step == 3 {
				cancel()
			}
		}
		whole := trainer(t, s)
		_, err := whole.Run(ctx, dir)
		require.ErrorAs(t, err, new(*InterruptedError))
		older(t, dir.Last(), data)
		ck, err := OpenCheckpoint(dir.Last())
		require.NoError(t, err)
		defer ck.Close()
		in, err := ck.Input(8, 8)
		require.NoError(t, err)
		require.Equal(t, whole.input, in)
		require.Equal(t, 1, ck.Channels)

		uncut, _ := setup(t, c)
		uncut.Data = s.Data
		first := trainer(t, uncut)
		_, err = first.Run(context.Background(), folder(t, c))
		require.NoError(t, err)
		open := c
		open.Mean, open.Std, open.Resize, open.Interpolation = auto, auto, auto, auto
		for _, config := range []Config{ck.Config, open} {
			resumed, r := setup(t, config)
			resumed.Data, resumed.Resume = s.Data, ck
			tr := trainer(t, resumed)
			_, err = tr.Run(context.Background(), &Folder{Path: copyOf(t, dir.Path)})
			require.NoError(t, err)
			requireEqualStates(t, first.state, tr.state)
			require.Equal(t, first.last.Test, ofType[EpochEnded](r)[len(ofType[EpochEnded](r))-1].Test)
			require.Equal(t, "bilinear-pillow12", tr.Config.Interpolation)
		}
		other := ck.Config
		other.Interpolation = "bicubic"
		_, err = ck.Continues(&other)
		require.ErrorContains(t, err, "interpolation: bilinear-pillow12 in the checkpoint, bicubic now")
	}
}

// copyOf copies a run's folder.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// The checkpoints of a run have its resolved input, and an evaluation prepares images accordingly,
// whatever data they are from.
func TestInputIsKept(t *testing.T) {
	c := tinyConfig()
	c.Mean, c.Std, c.Crop, c.Interpolation, c.EXIFOrientation, c.Epochs = "0.1", "0.7", Num(0.8), "bicubic", true, 1
	tr, r := runWhole(t, c)
	ck, err := OpenCheckpoint(tr.folder.Best())
	require.NoError(t, err)
	defer ck.Close()
	in, err := ck.Input(8, 8)
	require.NoError(t, err)
	require.Equal(t, ofType[Started](r)[0].Input, in)
	require.Equal(t, "8×8, mean 0.1, std 0.7, resize 10 bicubic, turned as EXIF says", in.String())
	said, err := ck.Expects()
	require.NoError(t, err)
	require.Equal(t, inception.Input{Mean: []float32{0.1}, Std: []float32{0.7}, Interpolation: "bicubic", Crop: 0.8, Resize: 10, Size: 0}, said)

	s, _ := setup(t, c)
	e := Evaluation{Graph: s.Graph, Backend: s.Backend, Test: s.Data.Test, Checkpoint: ck, Config: c}
	got, err := e.Run(context.Background())
	require.NoError(t, err)
	require.Equal(t, ofType[EpochEnded](r)[0].Test, got)
	for _, change := range []func(*Config){
		func(c *Config) { c.Mean = "0.2" }, func(c *Config) { c.Std = "0.6" }, func(c *Config) { c.Resize = squash },
		func(c *Config) { c.Interpolation = "bilinear" },
	} {
		e.Checkpoint = &Checkpoint{}
		*e.Checkpoint = *ck
		change(&e.Checkpoint.Config)
		other, err := e.Run(context.Background())
		require.NoError(t, err)
		require.NotEqual(t, got.Heads[0].Loss, other.Heads[0].Loss)
		_, err = ck.Continues(&e.Checkpoint.Config)
		require.Error(t, err)
	}
}

// Augmentations without random cuts prepare images as test images are prepared; covered pixels
// become 0.
func TestAugmentationsPrepareAsTests(t *testing.T) {
	c := tinyConfig()
	c.Mean, c.Std, c.Resize, c.Interpolation = "0.1,0.2,0.3", "1", "11", "bicubic"
	in, err := c.Input(8, 8)
	require.NoError(t, err)
	for _, info := range []dataset.Info{{C: 3}, {C: 3, H: 8, W: 8, Mean: []float32{0.9, 0.9, 0.9}}} {
		for name, want := range map[string]dataset.Transform{
			"none": in.Fit, "flip": dataset.Pipeline{in.Fit},
			"crop-flip-cutout": dataset.Pipeline{in.Fit, dataset.RandomCrop{Pad: 1, H: 8, W: 8}, dataset.Cutout{Size: 2, Colour: []float32{0.1, 0.2, 0.3}}},
		} {
			c.Augment = name
			require.Equal(t, want, c.transform(info, in), name)
		}
	}
}

// Without a share, the shorter side is torchvision's: 8/7 of the input, rounded; with one, it is
// rounded down.
func TestShorterSides(t *testing.T) {
	for size := 1; size <= 1000; size++ {
		require.Equal(t, int(math.Round(8*float64(size)/7)), shorterSide(size, 0), "%d", size)
		for _, crop := range []float64{0.5, 0.875, 0.9, 1} {
			n := shorterSide(size, crop)
			require.True(t, float64(n)*crop <= float64(size)+1e-9 && float64(n+1)*crop > float64(size)-1e-9, "%d of %v: %d", size, crop, n)
		}
	}
}
