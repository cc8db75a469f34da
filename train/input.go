package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/augment"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
)

// squash is the value of resize for resizing the whole image.
const squash = "squash"

// Input describes how images become a network's input: how they are resized, cut (without
// randomness) and normalised.
type Input struct {
	Normalization graph.Normalization
	Fit           dataset.Fit
	Orientation   bool // turn images as their EXIF says
}

// String describes the input in one line.
func (in Input) String() string {
	s := fmt.Sprintf("%d×%d, mean %s, std %s, ", in.Fit.H, in.Fit.W, joinFloats(in.Normalization.Mean), joinFloats(in.Normalization.Std))
	if in.Fit.Resize == 0 {
		s += "whole images resized " + in.Fit.Interpolation.Name
	} else {
		s += fmt.Sprintf("resize %d %s", in.Fit.Resize, in.Fit.Interpolation.Name)
	}
	if in.Orientation {
		s += ", turned as EXIF says"
	}
	return s
}

// Resize returns the value of the setting resize: the shorter side in pixels, or squash.
func (in Input) Resize() string {
	if in.Fit.Resize == 0 {
		return squash
	}
	return strconv.Itoa(in.Fit.Resize)
}

// Input returns the input of h×w pixels that a configuration describes. ResolveInput must have
// filled in the open settings.
func (c *Config) Input(h, w int) (Input, error) {
	in := Input{Fit: dataset.Fit{H: h, W: w}, Orientation: c.EXIFOrientation}
	var err error
	if in.Normalization.Mean, err = parseFloats(c.Mean); err != nil {
		return in, fmt.Errorf("mean: %w", err)
	}
	if in.Normalization.Std, err = parseFloats(c.Std); err != nil {
		return in, fmt.Errorf("std: %w", err)
	}
	if in.Fit.Resize, err = parseResize(c.Resize); err != nil {
		return in, fmt.Errorf("resize: %w", err)
	}
	if in.Fit.Interpolation, err = augment.ParseInterpolation(c.Interpolation); err != nil {
		return in, fmt.Errorf("interpolation: %w", err)
	}
	return in, nil
}

// ResolveInput fills in the open settings of a network's input of h×w pixels. info describes the
// data set; file is what the file of initial weights says, or nil if there is no file. Each setting
// comes from the first of these that gives it:
//
// 1. the configuration itself; 2. the file of initial weights; 3. the network (inception.Network),
// if images vary in size or the weights come from a file, because weights and input belong
// together; 4. the data set's mean and standard deviation, and bilinear interpolation.
//
// Images of one size are resized as a whole, unless the configuration or the file says which part
// is cut out of them. Other images are resized so that the middle 7/8 are cut out, unless the
// network has another share. The cut follows the image size.
func (c *Config) ResolveInput(file *inception.Input, info dataset.Info, h, w int) error {
	own, said := inception.Input{}, inception.Input{}
	varies := info.H == 0
	if n, err := inception.Lookup(c.Model); err == nil && (varies || file != nil) {
		own = n.Input
	}
	if file != nil {
		said = *file
	}
	set := inception.Input{Mean: info.Mean, Std: info.Std, Interpolation: "bilinear"}
	for _, s := range []struct {
		key   string
		value *string
		of    func(inception.Input) []float32
	}{
		{"mean", &c.Mean, func(in inception.Input) []float32 { return in.Mean }},
		{"std", &c.Std, func(in inception.Input) []float32 { return in.Std }},
	} {
		v, err := parseFloats(*s.value)
		if err != nil {
			return &ValueError{Key: s.key, Value: *s.value, Allowed: err.Error()}
		}
		for _, from := range []inception.Input{said, own, set} {
			if v == nil {
				v = s.of(from)
			}
		}
		if len(v) != 1 && len(v) != 3 {
			return fmt.Errorf("%s: %s has none: set it", s.key, info.Name)
		}
		*s.value = joinFloats(dataset.ChannelStats(v, info.C))
	}
	for _, from := range []inception.Input{said, own, set} {
		if c.Interpolation == auto && from.Interpolation != "" {
			c.Interpolation = from.Interpolation
		}
	}
	if _, err := augment.ParseInterpolation(c.Interpolation); err != nil {
		return fmt.Errorf("interpolation: %w, or set one", err)
	}
	return c.resolveResize(said, own, varies, max(h, w))
}

// resolveResize fills in the shorter side that images are resized to.
func (c *Config) resolveResize(said, own inception.Input, varies bool, size int) error {
	given := -1
	if !c.Crop.IsAuto() {
		given = shorterSide(size, c.Crop.value)
	}
	if c.Resize != auto {
		n, err := parseResize(c.Resize)
		switch {
		case err == nil && given >= 0 && n != given:
			return &ValueError{Key: "crop", Value: c.Crop.String(), Allowed: fmt.Sprintf("resize is %s, which says the same otherwise: leave one of them auto", c.Resize)}
		case err == nil && n > 0 && n < size: // as in the configuration of a run with another image size
			return &ValueError{Key: "resize", Value: c.Resize, Allowed: fmt.Sprintf("the network's input is %d pixels, and what is lacking would be black: at least %[1]d, %s or %s", size, squash, auto)}
		}
		return nil
	}
	pixels := 0 // 0: the whole image
	switch {
	case given >= 0:
		pixels = given
	case said.Crop > 0:
		pixels = shorterSide(size, said.Crop)
	case said.Resize > 0 && said.Size > 0 && said.Size != size && said.Resize != shorterSide(said.Size, own.Crop):
		pixels = int(math.Round(float64(size) * float64(said.Resize) / float64(said.Size)))
	case said.Resize > 0 && said.Size == size:
		pixels = said.Resize
	case said.Resize > 0 || varies:
		pixels = shorterSide(size, own.Crop)
	}
	c.Resize = Input{Fit: dataset.Fit{Resize: pixels}}.Resize()
	return nil
}

// shorterSide returns the shorter side of an image of which size pixels are the share crop, rounded
// down as in timm. For crop 0 it is torchvision's 8/7 of size, rounded: 256 for 224, 342 for 299.
func shorterSide(size int, crop float64) int {
	if crop == 0 {
		return (size*8 + 3) / 7
	}
	return int(math.Floor(float64(size) / crop))
}

// AdoptInput copies another configuration's settings of the input that are open in c.
func (c *Config) AdoptInput(other *Config) {
	if c.ImageSize == 0 {
		c.ImageSize = other.ImageSize
	}
	if c.Resize == auto && c.Crop.IsAuto() {
		c.Resize, c.Crop = other.Resize, other.Crop
	}
	for _, s := range []struct{ mine, theirs *string }{{&c.Mean, &other.Mean}, {&c.Std, &other.Std}, {&c.Interpolation, &other.Interpolation}} {
		if *s.mine == auto {
			*s.mine = *s.theirs
		}
	}
}

// asBefore fills in the input for a configuration from before the settings of the input existed:
// the data set's statistics, and the resizing that was then done with its images.
func (c *Config) asBefore(mean, std []float32) {
	c.Mean, c.Std, c.Interpolation = joinFloats(mean), joinFloats(std), "bilinear-pillow12"
	switch name, _, _ := strings.Cut(c.Data, ":"); {
	case name != "folder" && name != "tar":
		c.Resize = squash
	case c.ImageSize > 0:
		c.Resize = strconv.Itoa(shorterSide(c.ImageSize, 0))
	}
}

// parseFloats reads numbers separated by commas. It returns nil for auto.
func parseFloats(text string) ([]float32, error) {
	if text == auto {
		return nil, nil
	}
	var out []float32
	for item := range strings.SplitSeq(text, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(item), 32)
		if err != nil || !finite(v) {
			return nil, fmt.Errorf("%q is no number", strings.TrimSpace(item))
		}
		out = append(out, float32(v))
	}
	if len(out) != 1 && len(out) != 3 {
		return nil, fmt.Errorf("it is a number for each channel: one or three, with commas between")
	}
	return out, nil
}

// joinFloats writes numbers in the form that parseFloats reads.
func joinFloats(v []float32) string {
	var items []string
	for _, x := range v {
		items = append(items, strconv.FormatFloat(float64(x), 'g', -1, 32))
	}
	return strings.Join(items, ",")
}

// parseMean and parseStd check lists of numbers in units of [0, 1].
func parseMean(text string) error {
	return within(text, func(v float32) bool { return v >= 0 && v <= 1 }, "a mean is from 0 to 1: of pixels divided by 255")
}

func parseStd(text string) error {
	return within(text, func(v float32) bool { return v >= 1e-6 && v <= 16 }, "a standard deviation is from 0.000001 to 16: of pixels divided by 255")
}

func within(text string, ok func(float32) bool, allowed string) error {
	v, err := parseFloats(text)
	for _, x := range v {
		if err == nil && !ok(x) {
			err = fmt.Errorf("%v is not possible: %s", x, allowed)
		}
	}
	return err
}

// maxResize is the largest possible shorter side in pixels.
const maxResize = 1 << 13

// parseResize reads a shorter side in pixels. It returns 0 for squash and for auto.
func parseResize(text string) (int, error) {
	if text == auto || text == squash {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxResize {
		return 0, fmt.Errorf("%q is not possible: it is a number of pixels from 1 to %d, %s, which resizes the whole image, or %s", text, maxResize, squash, auto)
	}
	return n, nil
}
