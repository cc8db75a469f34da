package dataset

// TrainTransform returns the usual augmentation for a source, to images of h×w pixels. Small images
// of one size are padded by an eighth, cut at random, mirrored (except digits), and resized if
// necessary. Other images get the recipe of the Inception papers: [RandomResizedCrop], [Flip],
// [Jitter].
func TrainTransform(info Info, h, w int) Transform {
	if info.H == 0 {
		return Pipeline{
			RandomResizedCrop{h, w},
			Flip{},
			Jitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4},
		}
	}
	t := Pipeline{RandomCrop{Pad: (max(info.H, info.W) + 7) / 8, H: info.H, W: info.W}}
	if info.Mirror {
		t = append(t, Flip{})
	}
	return append(t, Resize{h, w})
}
