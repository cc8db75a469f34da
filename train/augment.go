package train

import "github.com/tributary-ml/tributary/dataset"

// augmentation is a way to augment training images. make returns the transform for a source; it
// produces images of in.Fit.H×in.Fit.W pixels.
type augmentation struct {
	name string
	make func(info dataset.Info, in Input) dataset.Transform
}

// augmentations are the ways to augment training images. Each of them produces images of the
// network's input size.
var augmentations = []augmentation{
	{auto, func(info dataset.Info, in Input) dataset.Transform {
		return dataset.TrainTransform(info, in.Fit.H, in.Fit.W)
	}},
	{"none", func(_ dataset.Info, in Input) dataset.Transform { return in.Fit }},
	{"flip", func(info dataset.Info, in Input) dataset.Transform { return append(mirrored(info), in.Fit) }},
	{"crop-flip", func(info dataset.Info, in Input) dataset.Transform {
		h, w := in.Fit.H, in.Fit.W
		if info.H == 0 {
			return append(mirrored(info), dataset.ResizeShorter{Size: max(h, w) * 8 / 7}, dataset.RandomCrop{H: h, W: w})
		}
		return append(mirrored(info), dataset.RandomCrop{Pad: (max(info.H, info.W) + 7) / 8, H: info.H, W: info.W}, dataset.Resize{H: h, W: w})
	}},
	{"crop-flip-cutout", func(info dataset.Info, in Input) dataset.Transform {
		h, w := in.Fit.H, in.Fit.W
		crop := append(mirrored(info), dataset.RandomCrop{Pad: max(h, w) / 8, H: h, W: w}, dataset.Cutout{Size: max(h, w) / 4, Colour: in.Normalization.Mean})
		return append(dataset.Pipeline{in.Fit}, crop...)
	}},
	{"inception", func(info dataset.Info, in Input) dataset.Transform {
		return append(mirrored(info), dataset.RandomResizedCrop{H: in.Fit.H, W: in.Fit.W}, dataset.Jitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4})
	}},
}

// mirrored returns a random flip if a mirrored image of the source keeps its class, and nothing
// otherwise.
func mirrored(info dataset.Info) dataset.Pipeline {
	if info.Mirror {
		return dataset.Pipeline{dataset.Flip{}}
	}
	return nil
}

// AugmentationNames returns the names of the ways to augment training images:
//
//   - auto: crop-flip for small images of one size, inception for others
//   - none: prepare images as test images
//   - flip: mirror images if they keep their class
//   - crop-flip: flip, and cut at random out of an image with a border of an eighth
//   - crop-flip-cutout: crop-flip, and cover a square of a quarter of the side (DeVries and Taylor
//     2017)
//   - inception: cut out a random 8 to 100 % of the image, mirror it, change its colours (Szegedy
//     et al. 2014, section 6)
func AugmentationNames() []string {
	var names []string
	for _, a := range augmentations {
		names = append(names, a.name)
	}
	return names
}

// transform returns the configuration's augmentation for a source. Check has verified its name.
func (c *Config) transform(info dataset.Info, in Input) dataset.Transform {
	for _, a := range augmentations {
		if a.name == c.Augment {
			return a.make(info, in)
		}
	}
	return in.Fit
}
