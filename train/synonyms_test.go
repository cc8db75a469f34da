package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func setting(t *testing.T, c *Config, key string) Setting {
	t.Helper()
	for _, s := range c.Settings() {
		if s.Key == key {
			return s
		}
	}
	t.Fatalf("no setting %s", key)
	return Setting{}
}

// Values in other programs' spelling become ours.
func TestSpelled(t *testing.T) {
	for _, x := range []struct{ key, theirs, ours string }{
		{"optimizer", "SGD", "sgd"}, {"optimizer", "AdamW", "adamw"}, {"optimizer", "rmsprop-tf", "rmsprop_tf"}, {"precision", "float32", "fp32"},
		{"precision", "BFloat16", "bf16"}, {"device", "gpu", "cuda"}, {"device", "GPU:1", "cuda:1"}, {"device", "cuda:3", "cuda:3"},
		{"schedule", "Cosine:0.1", "cosine:0.1"}, {"augment", "Crop_Flip", "crop-flip"}, {"heads", "None", "none"}, {"heads", "inception3a:0.3", "inception3a:0.3"},
		{"out", "SGD", "SGD"}, {"head-balance", "PCGrad", "pcgrad"},
	} {
		c := Default()
		s := setting(t, &c, x.key)
		require.NoError(t, s.Set(x.theirs))
		require.Equal(t, x.ours, s.String(), x)
		require.NoError(t, c.Check(), x)
		c = Default()
		require.NoError(t, c.ReadYAML("run.yaml", []byte(x.key+": "+x.theirs)))
		require.Equal(t, x.ours, setting(t, &c, x.key).String(), "in a file")
	}
}

// Every synonym stands for a setting or flag that exists, and none hides one.
func TestSynonyms(t *testing.T) {
	c := Default()
	known := []string{"checkpoint", "resume", "run", "top", "config", "classes", "exits", "early-exit", "steps"} // flags of commands
	for _, s := range c.Settings() {
		known = append(known, s.Key)
		for theirs, ours := range similar[s.Key] {
			require.Equal(t, theirs, Fold(theirs), "as it is looked up")
			if s.Key == "model" {
				continue
			}
			c := Default()
			s := setting(t, &c, s.Key)
			require.NoError(t, s.Set(ours))
			require.NoError(t, c.Check(), "%s: %s", s.Key, ours)
			require.NotContains(t, append(s.Names, s.Forms...), theirs)
		}
		for theirs := range spelled[s.Key] {
			require.Equal(t, theirs, Fold(theirs), "as it is looked up")
		}
	}
	for theirs := range synonyms {
		ours, ok := Meant(theirs, known)
		require.True(t, ok, theirs)
		require.NotEmpty(t, ours)
	}
	ours, ok := Meant("Learning_Rate", known)
	require.True(t, ok)
	require.Equal(t, "lr", ours)
	_, ok = Meant("learning-rate", []string{"batch"})
	require.False(t, ok, "a command without it")
	ours, _ = Meant("weights", []string{"init"})
	require.Equal(t, "init", ours)
}

func TestFitBatch(t *testing.T) {
	for _, x := range []struct{ batch, accumulate, images, want int }{
		{32, 1, 18, 18}, {32, 1, 32, 32}, {32, 1, 1000, 32}, {32, 4, 18, 4}, {8, 50, 48, 8}, {32, 1, 0, 32},
	} {
		c := Default()
		c.Batch, c.Accumulate = x.batch, x.accumulate
		require.Equal(t, x.want != x.batch, c.FitBatch(x.images) != "", x)
		require.Equal(t, x.want, c.Batch, x)
	}
}
