package inception

// Input describes what a network's weights expect of images. Zero values are open.
type Input struct {
	Mean, Std     []float32 // of the channels, in units of [0, 1]
	Interpolation string    // how images are resized: a name of package augment
	// Crop is the share of the resized image's shorter side that the network sees, timm's crop_pct.
	Crop float64
	// Resize is the length in pixels of the shorter side of which the network sees Size.
	Resize, Size int
}

// half maps pixels to [-1, 1], as for the networks that TF-slim trained. torchvision's pretrained
// googlenet and inception_v3 derive from those: its transforms normalise with ImageNet's
// statistics, and transform_input within the network undoes that.
var half = []float32{0.5, 0.5, 0.5}

// The statistics of ImageNet's images.
var (
	imageNetMean = []float32{0.485, 0.456, 0.406}
	imageNetStd  = []float32{0.229, 0.224, 0.225}
)

var (
	// torchvisionInput is the input of torchvision's weights. Its transforms resize to 256 for 224
	// pixels, and to 342 for 299.
	torchvisionInput = Input{Mean: half, Std: half, Interpolation: "bilinear"}
	// caffeInput is for a network without pretrained weights here. Caffe subtracted a mean from BGR
	// pixels of 0 to 255. Randomly drawn filters learn the same from RGB pixels that are also
	// divided by a standard deviation.
	caffeInput = Input{Mean: imageNetMean, Std: imageNetStd, Interpolation: "bilinear"}
)

// timmInput returns the input of timm's weights.
func timmInput(crop float64) Input {
	return Input{Mean: half, Std: half, Interpolation: "bicubic", Crop: crop}
}
