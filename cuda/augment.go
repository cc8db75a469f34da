//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/augment"
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// augment makes two launches. The first computes the images in bytes, and the sums of their
// brightness that adjusting contrast needs. The second adjusts colours, normalizes and stores.
func (b *binder) augment(s *graph.AugmentStep) error {
	in := s.Y.Shape
	tiles, blocks := kernels.AugmentTiles(in.H, in.W), kernels.AugmentBlocks(in.H, in.W)
	pixels, sums := b.vector(s.Pixels), b.work.take(4*int64(s.Y.N*tiles))
	err := b.launch("augment_resize", driver.Dim{X: s.Y.N * tiles, Y: 1, Z: 1}, kernels.AugmentResizeParams{
		Regions: b.vector(s.Regions), Recipes: b.recipes, Pixels: pixels, Sums: sums,
		H: int32(in.H), W: int32(in.W), Channels: int32(in.C), Tiles: int32(tiles)})
	if err != nil {
		return err
	}
	b.moves(2 * s.Pixels.Bytes())
	scale, shift := b.normalization(s.Normalization)
	err = b.launchOver("augment_store", driver.Dim{X: s.Y.N * blocks, Y: 1, Z: 1}, kernels.AugmentStoreParams{
		Pixels: pixels, Recipes: b.recipes, Sums: sums, Scale: scale, Shift: shift, Y: b.view(s.Y),
		H: int32(in.H), W: int32(in.W), Channels: int32(in.C), Padded: int32(in.C + s.Y.Zeros), Tiles: int32(tiles), Blocks: int32(blocks)})
	if err != nil {
		return err
	}
	b.moves(s.Pixels.Bytes() + s.Y.Bytes())
	return nil
}

// recipesOf returns a feed's recipes as kernels read them, nil if the plan does not augment.
func recipesOf(p *graph.Plan, f *graph.Feed) []kernels.AugmentRecipe {
	if !p.Regions.Valid() {
		return nil
	}
	out := make([]kernels.AugmentRecipe, len(f.Recipes))
	for i := range f.Recipes {
		r := &f.Recipes[i]
		k := kernels.AugmentRecipe{Offset: int64(r.Offset), Rows: augmentAxis(&r.Rows), Cols: augmentAxis(&r.Cols),
			Y0: int32(r.Patch.Y0), X0: int32(r.Patch.X0), Y1: int32(r.Patch.Y1), X1: int32(r.Patch.X1),
			Colour: uint32(r.Patch.Colour[0]) | uint32(r.Patch.Colour[1])<<8 | uint32(r.Patch.Colour[2])<<16}
		for j, a := range r.Adjust {
			k.Op[j], k.Factor[j] = adjustments[a.Op], a.Factor
		}
		out[i] = k
	}
	return out
}

var adjustments = map[augment.Op]int32{
	augment.None:       kernels.AdjustNone,
	augment.Brightness: kernels.AdjustBrightness,
	augment.Contrast:   kernels.AdjustContrast,
	augment.Saturation: kernels.AdjustSaturation,
}

func augmentAxis(a *augment.Axis) kernels.AugmentAxis {
	return kernels.AugmentAxis{Region: int32(a.Region), At: int32(a.At), Cut: int32(a.Cut), MirrorCut: flag(a.MirrorCut), Size: int32(a.Size),
		Window: int32(a.Window), MirrorWindow: flag(a.MirrorWindow), From: int32(a.From), To: int32(a.To)}
}
