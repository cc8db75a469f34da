package train

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A run whose JPEG files are decoded by another program goes on and says so; the checkpoint and the
// log name the decoder. Older checkpoints, which name none, go on as well.
func TestResumeWithAnotherDecoder(t *testing.T) {
	for _, c := range []struct {
		before, now string
		warns       bool
	}{{"libjpeg-turbo a", "libjpeg-turbo b", true}, {"Go", "libjpeg-turbo a", true}, {"Go", "Go", false}, {"", "Go", false}} {
		config := tinyConfig()
		dir := folder(t, config)
		ctx, cancel := context.WithCancel(context.Background())
		s, r := setup(t, config)
		s.Data.JPEG = c.before
		r.onEvent = func(e Event) {
			if e, ok := e.(Stepped); ok && e.Step == 3 {
				cancel()
			}
		}
		_, err := trainer(t, s).Run(ctx, dir)
		var interrupted *InterruptedError
		require.ErrorAs(t, err, &interrupted)

		ck, err := OpenCheckpoint(interrupted.Checkpoint)
		require.NoError(t, err)
		defer ck.Close()
		require.Equal(t, c.before, ck.JPEG)
		s, r = setup(t, config)
		s.Data.JPEG, s.Resume = c.now, ck
		summary, err := trainer(t, s).Run(context.Background(), dir)
		require.NoError(t, err)
		require.True(t, summary.Finished)
		warnings := ofType[Warning](r)
		require.Len(t, warnings, map[bool]int{true: 1}[c.warns])
		if c.warns {
			require.Contains(t, warnings[0].Message, "decoded by "+c.now+" here, by "+c.before+" before")
		}

		text, err := os.ReadFile(dir.Log())
		require.NoError(t, err)
		var named []any
		for line := range bytes.Lines(text) {
			var l map[string]any
			require.NoError(t, json.Unmarshal(line, &l))
			if l["kind"] == "start" {
				named = append(named, l["jpeg"])
			}
		}
		want := []any{c.before, c.now}
		if c.before == "" {
			want[0] = nil
		}
		require.Equal(t, want, named)
	}
}

// The size of decoding is part of a run: a checkpoint without the setting stands for full size, and
// another size is another run.
func TestDecodeIsPartOfTheRun(t *testing.T) {
	c := Default()
	require.NoError(t, c.ReadYAML("old", []byte("model: googlenet\n")))
	require.Equal(t, "full", c.Decode)
	other := c
	other.Decode = "scaled"
	require.NoError(t, other.Check())
	require.Equal(t, []string{"decode: full in the checkpoint, scaled now"}, c.Differences("checkpoint", &other, "now"))
	other.Decode = "half"
	require.ErrorContains(t, other.Check(), "it is one of full or scaled")
}
