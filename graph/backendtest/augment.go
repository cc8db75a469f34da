package backendtest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/augment"
	"github.com/tributary-ml/tributary/graph"
)

// augmentation checks that images made from regions and recipes equal the reference's to the bit,
// and that they come out normalised.
func (s *suite) augmentation(t *testing.T) {
	rng := rand.New(rand.NewPCG(s.seed, 6))
	for _, c := range []struct {
		shape graph.Shape
		batch int
	}{
		{graph.Shape{H: 11, W: 13, C: 3}, 4},
		{graph.Shape{H: 1, W: 2, C: 1}, 3},
		{graph.Shape{H: 67, W: 21, C: 1}, 2},
		{graph.Shape{H: 18, W: 130, C: 3}, 3},
	} {
		for _, padded := range []bool{false, true} {
			if padded && !s.b.Target().PadInput {
				continue
			}
			t.Run(fmt.Sprintf("%s, padded %t", c.shape, padded), func(t *testing.T) {
				o := graph.Options{Batch: c.batch, Keep: []string{"image"}, Target: s.b.Target(), Regions: 100 << 10}
				o.PadInput = padded
				g := graph.New("augmented")
				x := g.Input("image", c.shape)
				g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", g.GlobalAvgPool("gap", x), 3, nil), Weight: 1})
				f := s.fixture(t, g, c.batch, rng)

				// A standard deviation of 1/255 leaves the bytes as they are.
				o.Normalize = &graph.Normalization{Mean: make([]float32, c.shape.C), Std: make([]float32, c.shape.C)}
				for i := range o.Normalize.Std {
					o.Normalize.Std[i] = 1.0 / 255
				}
				exact := f.load(s.b, f.state, o)
				z := &graph.Normalization{}
				for range c.shape.C {
					z.Mean = append(z.Mean, rng.Float32())
					z.Std = append(z.Std, 0.1+rng.Float32())
				}
				o.Normalize = z
				normalized := f.load(s.b, f.state, o)
				for run := range 4 {
					feed, want := randomFeed(rng, c.shape, c.batch)
					feed.Labels = f.ref.labels
					got := image(t, exact, feed)
					for i, v := range got {
						require.InDelta(t, float64(want[i]), v, 1e-3, "run %d, value %d of %v: %+v", run, i, c.shape, feed.Recipes[i/c.shape.Elements()])
					}
					floats := make([]float64, len(want))
					for i, v := range want {
						floats[i] = (float64(v)/255 - float64(z.Mean[i%c.shape.C])) / float64(z.Std[i%c.shape.C])
					}
					require.LessOrEqual(t, relativeError(image(t, normalized, feed), floats), s.value)
				}
			})
		}
	}
}

// image runs a program and returns its images.
func image(t *testing.T, p graph.Program, f *graph.Feed) []float64 {
	t.Helper()
	require.NoError(t, p.Run(context.Background(), f))
	d, err := p.Read("image")
	require.NoError(t, err)
	return numbers(t, d)
}

// randomFeed draws regions and recipes, and computes the images that they define. The first recipe
// is zero.
func randomFeed(rng *rand.Rand, s graph.Shape, batch int) (*graph.Feed, []byte) {
	f := &graph.Feed{Recipes: make([]augment.Recipe, batch)}
	for i := range f.Recipes {
		if i == 0 {
			continue
		}
		r := randomRecipe(rng, s)
		r.Offset = len(f.Regions)
		for range r.Rows.Region * r.Cols.Region * s.C {
			f.Regions = append(f.Regions, byte(rng.IntN(256)))
		}
		f.Recipes[i] = r
	}
	var want []byte
	for i := range f.Recipes {
		want = append(want, augmented(s, &f.Recipes[i], f.Regions)...)
	}
	return f, want
}

func randomRecipe(rng *rand.Rand, s graph.Shape) augment.Recipe {
	r := augment.Recipe{Rows: randomAxis(rng, s.H), Cols: randomAxis(rng, s.W)}
	for i, op := range rng.Perm(3) {
		if rng.IntN(4) > 0 {
			r.Adjust[i] = augment.Adjustment{Op: augment.Op(1 + op), Factor: 2 * rng.Float32()}
		}
	}
	if rng.IntN(2) == 0 {
		p := &r.Patch
		p.Y0, p.X0 = rng.IntN(s.H), rng.IntN(s.W)
		p.Y1, p.X1 = p.Y0+rng.IntN(s.H-p.Y0+1), p.X0+rng.IntN(s.W-p.X0+1)
		p.Colour = [3]byte{byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))}
	}
	return r
}

// randomAxis draws a recipe's axis: a cut with more or fewer pixels than the region, resized up,
// down or not at all, and the n pixels of it that show.
func randomAxis(rng *rand.Rand, n int) augment.Axis {
	a := augment.Axis{Region: 1 + rng.IntN(70), Cut: 1 + rng.IntN(70), MirrorCut: rng.IntN(2) == 0, MirrorWindow: rng.IntN(2) == 0}
	switch rng.IntN(4) {
	case 0:
		a.Size = a.Cut
	case 1:
		a.Size = (a.Cut + augment.MaxScale - 1) / augment.MaxScale
	case 2:
		a.Size = (a.Cut+augment.MaxScale-1)/augment.MaxScale + rng.IntN(80)
	default: // mostly as package dataset cuts and resizes
		a.Region, a.Size, a.To = a.Cut, n, n
		if a.Cut > augment.MaxScale*n {
			a.Region, a.Cut = n, n
		}
		return a
	}
	a.At = rng.IntN(a.Region+a.Cut) - a.Region
	a.From, a.To = 0, a.Size
	if rng.IntN(3) == 0 {
		a.From = rng.IntN(a.Size)
		a.To = a.From + rng.IntN(a.Size-a.From+1)
	}
	a.Window = rng.IntN(a.Size+n) - n
	return a
}

// augmented is the definition of a recipe in plain loops: the cut, mirrored; the cut resized along
// its rows, then along its columns; the window; the colours; the patch.
func augmented(s graph.Shape, r *augment.Recipe, regions []byte) []byte {
	rows, cols, c := r.Rows, r.Cols, s.C
	cut := make([]byte, rows.Cut*cols.Cut*c)
	for y := range rows.Cut {
		for x := range cols.Cut {
			ry, rx := y, x
			if rows.MirrorCut {
				ry = rows.Cut - 1 - y
			}
			if cols.MirrorCut {
				rx = cols.Cut - 1 - x
			}
			ry, rx = ry-rows.At, rx-cols.At
			if ry >= 0 && ry < rows.Region && rx >= 0 && rx < cols.Region {
				copy(cut[(y*cols.Cut+x)*c:][:c], regions[r.Offset+(ry*cols.Region+rx)*c:])
			}
		}
	}
	wide := make([]byte, rows.Cut*cols.Size*c)
	for y := range rows.Cut {
		resizeLine(wide[y*cols.Size*c:], cut[y*cols.Cut*c:], cols.Cut, cols.Size, c, c)
	}
	resized := make([]byte, rows.Size*cols.Size*c)
	for x := range cols.Size {
		resizeLine(resized[x*c:], wide[x*c:], rows.Cut, rows.Size, cols.Size*c, c)
	}
	out := make([]byte, s.Elements())
	for y := range s.H {
		for x := range s.W {
			wy, wx := rows.Window+y, cols.Window+x
			if rows.MirrorWindow {
				wy = rows.Window + s.H - 1 - y
			}
			if cols.MirrorWindow {
				wx = cols.Window + s.W - 1 - x
			}
			if wy >= rows.From && wy < rows.To && wx >= cols.From && wx < cols.To {
				copy(out[(y*s.W+x)*c:][:c], resized[(wy*cols.Size+wx)*c:])
			}
		}
	}
	for _, a := range r.Adjust {
		adjusted(out, c, a)
	}
	for y := range s.H {
		for x := range s.W {
			if p := r.Patch; y >= p.Y0 && y < p.Y1 && x >= p.X0 && x < p.X1 {
				copy(out[(y*s.W+x)*c:][:c], p.Colour[:])
			}
		}
	}
	return out
}

// resizeLine resizes pixels of c channels that are step bytes apart, with a triangle filter whose
// weights are in units of 2^-22.
func resizeLine(out, in []byte, from, to, step, c int) {
	scale := float64(from) / float64(to)
	radius := max(scale, 1)
	for i := range to {
		centre := float64((float64(i) + 0.5) * scale)
		weight, sum := make([]float64, from), 0.0
		for k := range weight {
			weight[k] = max(0, 1-math.Abs((float64(k)+0.5-centre)/radius))
			sum += weight[k]
		}
		for ch := range c {
			total := int64(1 << 21)
			for k, w := range weight {
				total += int64(math.Round(w/sum*(1<<22))) * int64(in[k*step+ch])
			}
			out[i*step+ch] = byte(min(max(total>>22, 0), 255))
		}
	}
}

// adjusted blends an image with black or with a uniform grey of its mean brightness, or each pixel
// with its own brightness.
func adjusted(pix []byte, c int, a augment.Adjustment) {
	brightness := func(i int) byte {
		p := pix[i/c*c:][:c]
		if c == 1 {
			return p[0]
		}
		return byte((19595*int(p[0]) + 38470*int(p[1]) + 7471*int(p[2]) + 1<<15) >> 16)
	}
	sum, n := 0, len(pix)/c
	for i := range n {
		sum += int(brightness(i * c))
	}
	out := make([]byte, len(pix))
	for i, v := range pix {
		grey := v
		switch a.Op {
		case augment.Brightness:
			grey = 0
		case augment.Contrast:
			grey = byte((sum + n/2) / n)
		case augment.Saturation:
			grey = brightness(i)
		}
		// The arithmetic is float32: the product is rounded before the sum.
		out[i] = byte(min(max(math.Trunc(float64(float32(float64(grey)+float64(float32(float64(a.Factor)*(float64(v)-float64(grey))))))), 0), 255))
	}
	copy(pix, out)
}
