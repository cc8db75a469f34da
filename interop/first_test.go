package interop

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
)

// saved returns the tensors of a network's weights file, and its metadata.
func saved(t *testing.T, s graph.State, meta map[string]string) ([]Tensor, map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "w.safetensors")
	require.NoError(t, Save(path, s, graph.Value, meta))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	var out []Tensor
	for _, n := range f.Names() {
		x, err := f.Tensor(n)
		require.NoError(t, err)
		out = append(out, x)
	}
	return out, f.Metadata
}

// fileOf returns a file of tensors in memory.
func fileOf(t *testing.T, tensors []Tensor, meta map[string]string) *File {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, tensors, meta))
	f, err := Read("w.safetensors", bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	return f
}

func prefixed(tensors []Tensor, prefix func(i int) string) []Tensor {
	out := slices.Clone(tensors)
	for i := range out {
		out[i].Name = prefix(i) + out[i].Name
	}
	return out
}

func always(prefix string) func(int) string { return func(int) string { return prefix } }

// A network that was wrapped when it was saved gives the same values as one that was not.
func TestWrappedNames(t *testing.T) {
	g := small(t, "default")
	tensors, meta := saved(t, newMemory(t, g), nil)
	want, notes, err := LoadFirst(fileOf(t, tensors, meta), g)
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Len(t, want, len(g.Params()))
	for _, prefix := range []string{"module.", "_orig_mod.", "model.", "state_dict.", "module._orig_mod.", "_orig_mod.module.", "state_dict.model.module."} {
		with := prefixed(tensors, always(prefix))
		if strings.HasPrefix(prefix, "module") { // as AveragedModel saves it
			with = append(with, Tensor{Name: "n_averaged", Shape: []int{}, Data: []int64{7}})
		}
		got, notes, err := LoadFirst(fileOf(t, with, meta), g)
		require.NoError(t, err, prefix)
		require.Equal(t, []string{`all names in w.safetensors begin with "` + prefix + `": stripped`}, notes)
		require.Equal(t, want, got)
		path := filepath.Join(t.TempDir(), "wrapped.safetensors")
		require.NoError(t, WriteFile(path, with, meta))
		got, _, err = LoadFile(path, g)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	some := func(prefix string) func(int) string {
		return func(i int) string {
			if i%3 == 0 {
				return ""
			}
			return prefix
		}
	}
	_, _, err = LoadFirst(fileOf(t, prefixed(tensors, some("module.")), meta), g)
	require.ErrorContains(t, err, `w.safetensors: not all names of tensors begin alike: some with the prefix "", such as `)
	require.ErrorContains(t, err, `some with the prefix "module.", such as module.`)
	both := append(prefixed(tensors, always("module.")), prefixed(tensors, always("_orig_mod."))...)
	_, _, err = LoadFirst(fileOf(t, both, meta), g)
	require.ErrorContains(t, err, "not all names of tensors begin alike")
	_, _, err = LoadFirst(fileOf(t, prefixed(tensors, always("x.")), nil), g)
	require.ErrorContains(t, err, "unexpected: x.")
}

// A file of a backbone, of other classes (even a single one) or of another number of channels
// starts a network; a note says what is drawn anew.
func TestFirstWeightsThatDiffer(t *testing.T) {
	build := func(classes, channels int) *graph.Graph {
		return model(t, "inception_small", inception.Config{Classes: classes, Channels: channels})
	}
	g := build(10, 3)
	tensors, meta := saved(t, newMemory(t, g), nil)
	load := func(g *graph.Graph, change func(Tensor) (Tensor, bool)) (Values, []string) {
		var list []Tensor
		for _, x := range tensors {
			if x, keep := change(x); keep {
				list = append(list, x)
			}
		}
		v, notes, err := LoadFirst(fileOf(t, list, meta), g)
		require.NoError(t, err)
		return v, notes
	}
	same := func(x Tensor) (Tensor, bool) { return x, true }
	all := len(g.Params())

	v, notes := load(g, func(x Tensor) (Tensor, bool) { return x, !strings.HasPrefix(x.Name, "fc.") })
	assert.Equal(t, []string{"w.safetensors has no classifier: it is a backbone, and the classifier is drawn anew"}, notes)
	assert.Len(t, v, all-2)

	v, notes = load(g, func(x Tensor) (Tensor, bool) {
		return x, !strings.HasPrefix(x.Name, "fc.") && !strings.HasPrefix(x.Name, "aux")
	})
	assert.Len(t, notes, 3)
	assert.Contains(t, notes[1], "has no weights for the head aux1.*: it keeps its initial values")
	assert.Less(t, len(v), all-4)

	for _, classes := range []int{2, 11} {
		v, notes = load(build(classes, 3), same)
		require.Len(t, notes, 3)
		assert.Contains(t, notes[0], "main of w.safetensors tells 10 classes apart, the data have")
		assert.Contains(t, notes[2], "aux2 of w.safetensors tells 10 classes apart")
		assert.Len(t, v, all-6)
	}
	_, notes = load(g, func(x Tensor) (Tensor, bool) { // one class
		if strings.HasPrefix(x.Name, "fc.") {
			n := len(x.Data.([]float32)) / 10
			x.Shape = append([]int{1}, x.Shape[1:]...)
			x.Data = x.Data.([]float32)[:n]
		}
		return x, true
	})
	assert.Contains(t, notes[0], "main of w.safetensors tells 1 classes apart, the data have 10: drawn anew are fc/")

	// Colour filters are summed for grey images, so that a grey image in three channels gives the
	// same result.
	grey := build(10, 1)
	v, notes = load(grey, same)
	require.Equal(t, []string{"conv1.conv.weight in w.safetensors reads 3 channels, the images have 1: its filters are summed over the channels"}, notes)
	first, rgb := FirstConvolution(grey), tensorOf(tensors, "conv1.conv.weight")
	got := v[first].Data().([]float32)
	area := rgb.Shape[2] * rgb.Shape[3]
	for i, sum := range got {
		k, at := i/area, i%area
		w := rgb.Data.([]float32)[k*3*area+at:]
		assert.InDelta(t, w[0]+w[area]+w[2*area], sum, 1e-4)
	}

	// Grey filters are repeated for colour images with a third of their values; their sum is the
	// original.
	greyTensors, greyMeta := saved(t, newMemory(t, grey), nil)
	v, notes, err := LoadFirst(fileOf(t, greyTensors, greyMeta), g)
	require.NoError(t, err)
	require.Contains(t, notes[0], "reads 1 channels, the images have 3: its filters are repeated for the channels, each divided by 3")
	filters := v[FirstConvolution(g)]
	require.Equal(t, FirstConvolution(g).Dims, []int(filters.Shape()))
	back, note := FitChannels("c", first, filters)
	require.Contains(t, note, "summed")
	assert.InDeltaSlice(t, tensorOf(greyTensors, "conv1.conv.weight").Data, back.Data(), 1e-4)
	other, _ := FitChannels("c", first, v[g.Params()[1]])
	assert.Nil(t, other)
}

func tensorOf(list []Tensor, name string) Tensor {
	return list[slices.IndexFunc(list, func(x Tensor) bool { return x.Name == name })]
}

// Values that make a network compute nonsense are errors that name the file and the tensor.
func TestFirstWeightsThatAreNone(t *testing.T) {
	g := small(t, "none")
	tensors, meta := saved(t, newMemory(t, g), nil)
	for want, change := range map[string]func(*Tensor){
		"tensor conv1.conv.weight: element 5 is NaN":   func(x *Tensor) { x.Data.([]float32)[5] = float32(math.NaN()) },
		"tensor conv1.conv.weight: element 0 is +Inf":  func(x *Tensor) { x.Data.([]float32)[0] = float32(math.Inf(1)) },
		"tensor conv1.conv.weight: element 1 is 1e+39": func(x *Tensor) { doubles(x)[1] = 1e39 },
		"tensor conv1.conv.weight has elements of type []int64": func(x *Tensor) {
			x.Data = make([]int64, len(x.Data.([]float32)))
		},
	} {
		list := slices.Clone(tensors)
		i := slices.IndexFunc(list, func(x Tensor) bool { return x.Name == "conv1.conv.weight" })
		list[i].Data = slices.Clone(list[i].Data.([]float32))
		change(&list[i])
		f := fileOf(t, list, meta)
		_, _, err := LoadFirst(f, g)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "w.safetensors")
		require.Equal(t, strings.Contains(want, "int64"), strings.Contains(err.Error(), "build the network with the classes"), err)
		_, _, err = Load(f, g)
		require.ErrorContains(t, err, want)
	}
	list := slices.Clone(tensors)
	i := slices.IndexFunc(list, func(x Tensor) bool { return strings.HasSuffix(x.Name, "running_var") })
	list[i].Data = slices.Clone(list[i].Data.([]float32))
	list[i].Data.([]float32)[2] = -1
	_, _, err := LoadFirst(fileOf(t, list, meta), g)
	require.ErrorContains(t, err, list[i].Name+": element 2 is -1")
	// Doubles are accepted.
	list = slices.Clone(tensors)
	for i := range list {
		if _, ok := list[i].Data.([]float32); ok {
			doubles(&list[i])
		}
	}
	_, notes, err := LoadFirst(fileOf(t, list, meta), g)
	require.NoError(t, err)
	require.Empty(t, notes)
}

func doubles(x *Tensor) []float64 {
	var out []float64
	for _, v := range x.Data.([]float32) {
		out = append(out, float64(v))
	}
	x.Data = out
	return out
}

// The description of a network's input comes from the file's own metadata, from timm's metadata, or
// from timm's config.json beside the file.
func TestReadInput(t *testing.T) {
	tensors := []Tensor{{"w", []int{1}, []float32{1}}}
	timm := `{"architecture":"inception_v4","num_classes":1000,"pretrained_cfg":{"tag":"tf_in1k","input_size":[3,299,299],"crop_pct":0.875,` +
		`"crop_mode":"center","interpolation":"bicubic","mean":[0.5,0.5,0.5],"std":[0.25,0.25,0.25],"classifier":"last_linear"}}`
	want := inception.Input{Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{0.25, 0.25, 0.25}, Interpolation: "bicubic", Crop: 0.875}
	for name, c := range map[string]struct {
		meta   map[string]string
		beside string
		want   inception.Input
		notes  []string
	}{
		"nothing": {nil, "", inception.Input{}, nil},
		"ours": {map[string]string{"mean": "[0.1,0.2,0.3]", "std": "[1,1,1]", "image_size": "224", "resize": "250", "interpolation": "bicubic", "crop": "0.9"}, timm,
			inception.Input{Mean: []float32{0.1, 0.2, 0.3}, Std: []float32{1, 1, 1}, Interpolation: "bicubic", Resize: 250, Size: 224, Crop: 0.9}, nil},
		"ours, whole images":  {map[string]string{"mean": "[0.5]", "resize": "squash"}, "", inception.Input{Mean: []float32{0.5}}, nil},
		"ours of old":         {map[string]string{"mean": "[0.5]", "std": "[0.2]", "image_size": "32"}, "", inception.Input{Mean: []float32{0.5}, Std: []float32{0.2}}, nil},
		"timm's beside":       {nil, timm, want, []string{"config.json says"}},
		"old timm's beside":   {nil, `{"mean":[0.5,0.5,0.5],"std":[0.25,0.25,0.25],"interpolation":"bicubic","crop_pct":0.875}`, want, []string{"config.json says"}},
		"timm's TF":           {nil, strings.Replace(timm, "inception_v4", "tf_inception_v4.tf_in1k", 1), want, []string{"config.json says"}},
		"timm's in metadata":  {map[string]string{"pretrained_cfg": timm[strings.Index(timm, `{"tag`) : len(timm)-1]}, "", want, []string{"pretrained_cfg, says"}},
		"another network's":   {nil, strings.Replace(timm, "inception_v4", "resnet50", 1), inception.Input{}, []string{"is about resnet50, not inception_v4"}},
		"somebody else's":     {nil, `["x"]`, inception.Input{}, nil},
		"another cut":         {nil, strings.Replace(timm, `"center"`, `"border"`, 1), want, []string{"says", `has crop_mode "border"`}},
		"somebody's settings": {nil, `{"lr":3}`, inception.Input{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "model.safetensors")
			require.NoError(t, WriteFile(path, tensors, c.meta))
			if c.beside != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(c.beside), 0o600))
			}
			f, err := Open(path)
			require.NoError(t, err)
			defer f.Close()
			got, notes, err := ReadInput(f, "inception_v4")
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			require.Len(t, notes, len(c.notes), "%v", notes)
			for i, n := range c.notes {
				assert.Contains(t, notes[i], n)
			}
		})
	}
	for key, text := range map[string]string{"mean": "x", "std": "{}", "resize": "x", "crop": "x", "pretrained_cfg": "x"} {
		meta := map[string]string{key: text, "image_size": "3"}
		_, _, err := ReadInput(fileOf(t, tensors, maps.Clone(meta)), "inception_v4")
		assert.ErrorContains(t, err, key)
		assert.ErrorContains(t, err, "w.safetensors")
	}
	require.True(t, json.Valid([]byte(timm)))
}
