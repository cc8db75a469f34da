package train

import "github.com/tributary-ml/tributary/dataset"

// augmentation makes the transform of training images for a source, to images of h×w pixels.
type augmentation struct {
	name string
	make func(info dataset.Info, in Input) dataset.Transform
}

// augmentations are the ways to augment training images. Every one ends with images of h×w pixels.
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

// mirrored flips images that keep their class.
func mirrored(info dataset.Info) dataset.Pipeline {
	if info.Mirror {
		return dataset.Pipeline{dataset.Flip{}}
	}
	return nil
}

// AugmentationNames are the names of the ways to augment training images:
//
//   - auto: crop-flip for small images of one size, inception for others
//   - none: as test images
//   - flip: mirror images that keep their class
//   - crop-flip: and cut at random out of an image with a border of an eighth
//   - crop-flip-cutout: and cover a square of a quarter of the side (DeVries and Taylor 2017)
//   - inception: a random 8 to 100 % of the image, mirrored, with other colours (Szegedy et al. 2014, section 6)
func AugmentationNames() []string {
	var names []string
	for _, a := range augmentations {
		names = append(names, a.name)
	}
	return names
}

// transform is the configuration's augmentation for a source. Check has found its name good.
func (c *Config) transform(info dataset.Info, in Input) dataset.Transform {
	for _, a := range augmentations {
		if a.name == c.Augment {
			return a.make(info, in)
		}
	}
	return in.Fit
}
