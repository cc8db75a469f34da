package graph

// AugmentStep makes images of regions of decoded images and recipes, which are part of the feed, and normalises them: the bytes that
// augment.Recipe defines, on every backend, so that a run gives the same images whether the plan augments or the host does; then
// Y = (bytes/255 - Mean) / Std for every channel, as in NormalizeStep. Y.Zeros channels behind them become zeros.
type AugmentStep struct {
	at
	Normalization
	Regions View // Options.Regions bytes at the most
	Pixels  View // the step's own: images in bytes
	Y       View
}

// Kind implements Step.
func (*AugmentStep) Kind() string { return "augment" }

// Views implements Step. The regions count as if they had the images' size: how much of them a batch fills, the recipes say.
func (s *AugmentStep) Views(f func(View, Access)) {
	regions := s.Pixels
	regions.Buffer = s.Regions.Buffer
	f(regions, Read)
	f(s.Pixels, Write)
	f(s.Y, Write)
}

// FLOPs implements Step: a tap of each filter, as of an image that is not resized, and the normalisation.
func (s *AugmentStep) FLOPs() int64 { return 6 * int64(s.Y.Elements()) }
