package train

import "github.com/tributary-ml/tributary/dataset"

// augmentation makes the transform of training images for a source, to images of h×w pixels.
type augmentation struct {
	name string
	make func(info dataset.Info, h, w int) dataset.Transform
}

// augmentations are the ways to augment training images. Every one ends with images of h×w pixels.
var augmentations = []augmentation{
	{auto, dataset.TrainTransform},
	{"none", dataset.EvalTransform},
	{"flip", func(info dataset.Info, h, w int) dataset.Transform {
		return append(mirrored(info), dataset.EvalTransform(info, h, w))
	}},
	{"crop-flip", func(info dataset.Info, h, w int) dataset.Transform {
		if info.H == 0 {
			return append(mirrored(info), dataset.ResizeShorter{Size: max(h, w) * 8 / 7}, dataset.RandomCrop{H: h, W: w})
		}
		return append(mirrored(info), dataset.RandomCrop{Pad: (max(info.H, info.W) + 7) / 8, H: info.H, W: info.W}, dataset.Resize{H: h, W: w})
	}},
	{"crop-flip-cutout", func(info dataset.Info, h, w int) dataset.Transform {
		crop := append(mirrored(info), dataset.RandomCrop{Pad: max(h, w) / 8, H: h, W: w}, dataset.Cutout{Size: max(h, w) / 4, Colour: info.Mean})
		return append(dataset.Pipeline{dataset.EvalTransform(info, h, w)}, crop...)
	}},
	{"inception", func(info dataset.Info, h, w int) dataset.Transform {
		return append(mirrored(info), dataset.RandomResizedCrop{H: h, W: w}, dataset.Jitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4})
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
//   - none: resize only
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
func (c *Config) transform(info dataset.Info, h, w int) dataset.Transform {
	for _, a := range augmentations {
		if a.name == c.Augment {
			return a.make(info, h, w)
		}
	}
	return dataset.EvalTransform(info, h, w)
}
