package inception

// Input is what a network's weights expect of images. What is zero is left open.
type Input struct {
	Mean, Std     []float32 // of the channels, in units of [0, 1]
	Interpolation string    // by which images are resized: a name of augment's
	// Crop is the share of the resized image's shorter side that the network sees: timm's crop_pct.
	Crop float64
	// Resize is the length of that side in pixels, where the network sees Size.
	Resize, Size int
}

// half maps pixels to [-1, 1], as TF-slim trained its networks. torchvision's pretrained googlenet and inception_v3 come of those:
// its transforms normalise by ImageNet's statistics, and transform_input within the network undoes that.
var half = []float32{0.5, 0.5, 0.5}

// The statistics of ImageNet's images.
var (
	imageNetMean = []float32{0.485, 0.456, 0.406}
	imageNetStd  = []float32{0.229, 0.224, 0.225}
)

var (
	// torchvisionInput is that of torchvision's weights; its transforms resize to 256 for 224 pixels, 342 for 299.
	torchvisionInput = Input{Mean: half, Std: half, Interpolation: "bilinear"}
	// caffeInput is for a network without weights of its own here. Caffe subtracted a mean from BGR pixels of 0 to 255; of RGB pixels
	// that are divided by a standard deviation, too, filters drawn for either learn the same.
	caffeInput = Input{Mean: imageNetMean, Std: imageNetStd, Interpolation: "bilinear"}
)

// timmInput is that of timm's weights.
func timmInput(crop float64) Input {
	return Input{Mean: half, Std: half, Interpolation: "bicubic", Crop: crop}
}
