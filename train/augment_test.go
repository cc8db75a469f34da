package train

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
)

// augmenting is a backend that augments images itself.
type augmenting struct{ graph.Backend }

func (b augmenting) Target() graph.Target {
	t := b.Backend.Target()
	t.Augments = true
	return t
}

// snaps are bars cut out of images of several sizes.
type snaps struct{ bars }

func (s snaps) Info() dataset.Info {
	info := s.bars.Info()
	info.H, info.W = 0, 0
	return info
}

func (s snaps) Decode(i int, dst *dataset.Image) (int32, error) {
	var small dataset.Image
	label, err := s.bars.Decode(i, &small)
	if err != nil {
		return 0, err
	}
	dst.Reshape(9+i%7, 8+i%5, 1)
	for y := range dst.H {
		for x := range dst.W {
			dst.Pix[y*dst.W+x] = small.Pix[y*8/dst.H*8+x*8/dst.W]
		}
	}
	return label, nil
}

// A run gives the same losses, evaluations and parameters, bit for bit, whether the host or the
// backend augments its images. It also does so if it is interrupted under one and resumed under the
// other.
func TestAugmentationOnEitherSide(t *testing.T) {
	for name, data := range map[string]*dataset.Set{
		"one size": barsSet(),
		"varying":  {Train: snaps{bars{52, -1}}, Test: snaps{bars{22, -1}}},
		"skipping": {Train: snaps{bars{52, 7}}, Test: snaps{bars{22, -1}}},
	} {
		for _, augment := range AugmentationNames() {
			t.Run(name+" "+augment, func(t *testing.T) {
				c := tinyConfig()
				c.Augment, c.SkipBad = augment, true
				run := func(device bool, dir *Folder, cut int, from *Checkpoint) (*Trainer, *recorder) {
					s, r := setup(t, c)
					s.Data, s.Resume = data, from
					if device {
						s.Backend = augmenting{s.Backend}
					}
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					r.onEvent = func(e Event) {
						if e, ok := e.(Stepped); ok && e.Step == cut {
							cancel()
						}
					}
					tr := trainer(t, s)
					_, err := tr.Run(ctx, dir)
					require.Equal(t, cut > 0, err != nil, "%v", err)
					require.Equal(t, device, ofType[Started](r)[0].Augments)
					return tr, r
				}
				host, hostEvents := run(false, folder(t, c), 0, nil)
				device, deviceEvents := run(true, folder(t, c), 0, nil)
				require.Equal(t, ofType[Stepped](hostEvents), ofType[Stepped](deviceEvents))
				for i, e := range ofType[EpochEnded](hostEvents) {
					require.Equal(t, e.Test, ofType[EpochEnded](deviceEvents)[i].Test)
				}
				requireEqualStates(t, host.state, device.state)

				dir := folder(t, c)
				run(true, dir, 4, nil)
				ck, err := OpenCheckpoint(dir.Last())
				require.NoError(t, err)
				defer ck.Close()
				resumed, _ := run(false, dir, 0, ck)
				requireEqualStates(t, host.state, resumed.state)
			})
		}
	}
}
