package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/interop"
)

// forge writes a checkpoint again with changed metadata and tensors, and with the right checksum.
func forge(t testing.TB, from string, change func(meta map[string]string, tensors []interop.Tensor) []interop.Tensor) string {
	t.Helper()
	f, err := interop.Open(from)
	require.NoError(t, err)
	defer f.Close()
	var tensors []interop.Tensor
	for _, name := range f.Names() {
		v, err := f.Tensor(name)
		require.NoError(t, err)
		tensors = append(tensors, v)
	}
	meta := f.Metadata
	tensors = change(meta, tensors)
	meta[metaSum] = noSum
	path := filepath.Join(t.TempDir(), "forged.ckpt")
	require.NoError(t, interop.WriteFile(path, tensors, meta))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	sum, at, err := fileSum(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	copy(data[at:], sum)
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return path
}

// setField changes a field of a JSON object within metadata; path separates names with slashes.
func setField(t testing.TB, meta map[string]string, key, path string, value any) {
	t.Helper()
	var root map[string]any
	require.NoError(t, json.Unmarshal([]byte(meta[key]), &root))
	at := root
	names := strings.Split(path, "/")
	for _, n := range names[:len(names)-1] {
		at = at[n].(map[string]any)
	}
	at[names[len(names)-1]] = value
	text, err := json.Marshal(root)
	require.NoError(t, err)
	meta[key] = string(text)
}

// A checkpoint whose checksum is right but whose fields or tensors make no sense is refused, and
// the error says what is wrong.
func TestForgedCheckpoint(t *testing.T) {
	c := tinyConfig()
	c.HeadBalance = "uncertainty"
	f := cutRun(t, c, set(52, 22), 8)
	open := func(path string) error {
		ck, err := OpenCheckpoint(path)
		if err != nil {
			return err
		}
		defer ck.Close()
		s, _ := setup(t, ck.Config)
		if err := ck.Check(s.Graph); err != nil {
			return err
		}
		s.Resume = ck
		tr, err := New(s)
		if err == nil {
			require.NoError(t, tr.Close())
		}
		return err
	}
	same := func(_ map[string]string, x []interop.Tensor) []interop.Tensor { return x }
	require.NoError(t, open(forge(t, f.Last(), same)))

	head := map[string]any{"name": "main", "loss": 1, "top1": 1, "top5": 1}
	for _, x := range []struct {
		key, path string
		value     any
		want      string
	}{
		{metaData, "classes", []string{}, "it has 0 classes"},
		{metaData, "classes", nil, "it has 0 classes"},
		{metaData, "classes", []string{"a"}, "it has 1 classes"},
		{metaData, "classes", []string{"a", "b", "c"}, "tells 4 classes apart, its data have 3"},
		{metaData, "classes", []string{"a", "b", "a", "d"}, `two of its classes are called "a"`},
		{metaData, "classes", 7, "its data"},
		{metaData, "train/images", -1, "it has -1 training"},
		{metaProgress, "step", -1, "step -1"},
		{metaProgress, "step", 1 << 62, "step 4611686018427387904"},
		{metaProgress, "epoch", -1, "epoch -1"},
		{metaProgress, "epoch", 3, "epoch 3 of 2"},
		{metaProgress, "batch", -1, "batch -1"},
		{metaProgress, "batch", 7, "its position, batch 7, is in no epoch of 6 updates"},
		{metaProgress, "best", 1.5, "an accuracy of 1.5"},
		{metaProgress, "best_epoch", 2, "after epoch 2 of 1"},
		{metaProgress, "seconds", -2, "-2 seconds"},
		{metaProgress, "training/heads", []any{head}, "it has measured the heads"},
		{metaProgress, "training/heads", []any{head, head}, "it has measured the heads"},
		{metaProgress, "interval/rows", -3, "it has measured -3 images"},
		{metaProgress, "uncertainty", nil, "head-balance is uncertainty"},
		{metaProgress, "uncertainty/log_variance", []float64{1, 2, 3}, "it has learnt 3 variances for 2 heads"},
	} {
		path := forge(t, f.Last(), func(meta map[string]string, all []interop.Tensor) []interop.Tensor {
			setField(t, meta, x.key, x.path, x.value)
			return all
		})
		err := open(path)
		require.ErrorAs(t, err, new(*CheckpointError), "%s %v", x.path, x.value)
		require.ErrorContains(t, err, x.want, "%s %v", x.path, x.value)
		require.Equal(t, 1, strings.Count(err.Error(), path), err)
	}
	for _, x := range []struct{ setting, value, want string }{
		{"batch", "0", "batch"}, {"batch", "-1", "batch"}, {"batch", "70000", "batch"}, {"image-size", "-1", "image-size"}, {"image-size", "100000", "image-size"},
		{"width", "-1", "width"}, {"width", ".inf", "width"}, {"epochs", "0", "epochs"}, {"accumulate", "0", "accumulate"}, {"channels", "3", "means of 1 channels"},
		{"optimizer", "x", "optimizer"}, {"schedule", "x", "schedule"}, {"precision", "int8", "precision"}, {"label-smoothing", "2", "label-smoothing"},
		{"augment", "x", "augment"}, {"head-schedule", "x", "head"}, {"head-balance", "none", "head-balance"}, {"threads", "-1", "threads"}, {"nonsense", "1", "unknown key"},
		{"mean", "auto", `mean: "" is no number`}, {"mean", "0.1,0.2", "mean: it is a number for each channel"}, {"mean", "1e39", "mean"}, {"mean", "-1", "a mean is from 0 to 1"},
		{"std", "0.1,0.2,0.3", "1 means and 3 standard deviations"}, {"std", "0", "std: 0 is not possible"}, {"std", "-1", "std"}, {"std", "1e30", "std"}, {"std", "auto", "0 standard deviations"},
		{"resize", "0", "resize"}, {"crop", "2", "crop"}, {"interpolation", "x", "interpolation"}, {"interpolation", "auto", "interpolation"},
	} {
		path := forge(t, f.Last(), func(meta map[string]string, all []interop.Tensor) []interop.Tensor {
			var lines []string
			for line := range strings.Lines(meta[metaConfig]) {
				if !strings.HasPrefix(line, x.setting+":") {
					lines = append(lines, line)
				}
			}
			meta[metaConfig] = strings.Join(lines, "") + x.setting + ": " + x.value + "\n"
			return all
		})
		err := open(path)
		require.ErrorAs(t, err, new(*CheckpointError), "%s %v", x.setting, x.value)
		require.ErrorContains(t, err, x.want, "%s %v", x.setting, x.value)
	}
	for _, key := range []string{metaConfig, metaProgress, metaData, metaNetwork} {
		for _, text := range []string{"", "[", "{}", "a: b\n---\nc: d"} {
			path := forge(t, f.Last(), func(meta map[string]string, all []interop.Tensor) []interop.Tensor {
				meta[key] = text
				return all
			})
			if err := open(path); key != metaConfig && key != metaProgress || text != "{}" && text != "" {
				require.ErrorAs(t, err, new(*CheckpointError), "%s %q", key, text)
			}
		}
	}
	for name, change := range map[string]func([]interop.Tensor) []interop.Tensor{
		"missing": func(x []interop.Tensor) []interop.Tensor { return x[1:] },
		"one more": func(x []interop.Tensor) []interop.Tensor {
			return append(x, interop.Tensor{Name: "value/more", Shape: []int{1}, Data: []float32{1}})
		},
		"other shape": func(x []interop.Tensor) []interop.Tensor { x[0].Shape = append([]int{1}, x[0].Shape...); return x },
		"empty":       func(x []interop.Tensor) []interop.Tensor { x[0].Shape, x[0].Data = []int{0, 3}, []float32{}; return x },
		"scalar":      func(x []interop.Tensor) []interop.Tensor { x[0].Shape, x[0].Data = nil, []float32{1}; return x },
		"whole numbers": func(x []interop.Tensor) []interop.Tensor {
			x[0].Data = make([]int64, len(x[0].Data.([]float32)))
			return x
		},
		"not finite": func(x []interop.Tensor) []interop.Tensor {
			x[0].Data.([]float32)[0] = float32(math.NaN())
			return x
		},
	} {
		path := forge(t, f.Last(), func(_ map[string]string, all []interop.Tensor) []interop.Tensor { return change(all) })
		err := open(path)
		if !errors.As(err, new(*MismatchError)) { // for an optimizer's slot, which is read only on resuming
			require.ErrorAs(t, err, new(*CheckpointError), name)
		}
	}
	ck, err := OpenCheckpoint(f.Last())
	require.NoError(t, err)
	defer ck.Close()
	ck.Network = "other"
	s, _ := setup(t, c)
	require.ErrorContains(t, ck.Check(s.Graph), `it is of the network "other", its configuration of tiny`)
	ck.Network = "tiny"
	g := graph.New("tiny")
	require.ErrorContains(t, ck.Check(g), "no classifier")
}
