package graph

// AugmentStep makes images from the feed's regions of decoded images and recipes, and normalises
// them. The images in bytes are those that augment.Recipe defines, on every backend, so a run gets
// the same images whether the plan or the host augments. Then Y = (bytes/255 - Mean) / Std for
// every channel, as in NormalizeStep. The Y.Zeros channels behind them become zeros.
type AugmentStep struct {
	at
	Normalization
	Regions View // at most Options.Regions bytes
	Pixels  View // memory of the step: the images in bytes
	Y       View
}

// Kind implements Step.
func (*AugmentStep) Kind() string { return "augment" }

// Views implements Step. It counts the regions as if they had the size of the images: how many
// bytes a batch fills depends on the recipes.
func (s *AugmentStep) Views(f func(View, Access)) {
	regions := s.Pixels
	regions.Buffer = s.Regions.Buffer
	f(regions, Read)
	f(s.Pixels, Write)
	f(s.Y, Write)
}

// FLOPs implements Step. It counts one tap of each filter, as for an image that is not resized, and
// the normalisation.
func (s *AugmentStep) FLOPs() int64 { return 6 * int64(s.Y.Elements()) }
