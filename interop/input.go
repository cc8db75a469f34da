package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/inception"
)

// Keys of the metadata that describe what a network expects of images, in exported files.
const (
	InputMean          = "mean"             // JSON array of numbers, of pixels from 0 to 1
	InputStd           = "std"              // likewise
	InputSize          = "image_size"       // side of the input in pixels
	InputResize        = "resize"           // shorter side that images are resized to before the middle is cut out, or squash: the whole image
	InputCrop          = "crop"             // share of that side that is cut out, if the run was given one
	InputInterpolation = "interpolation"    // how images are resized
	InputOrientation   = "exif_orientation" // whether images are turned as their EXIF says: true or false
)

// timmConfig is timm's description of a network's input. It is in "pretrained_cfg" of a file's
// metadata or of the config.json beside it; old versions of timm have it at the top level of
// config.json.
type timmConfig struct {
	Architecture  string      `json:"architecture"`
	Pretrained    *timmConfig `json:"pretrained_cfg"`
	Mean          []float32   `json:"mean"`
	Std           []float32   `json:"std"`
	Interpolation string      `json:"interpolation"`
	Crop          float64     `json:"crop_pct"`
	CropMode      string      `json:"crop_mode"`
}

// maxTimmConfig is the maximum size of a config.json that is read, in bytes.
const maxTimmConfig = 1 << 20

// ReadInput reads what a file of weights for a network says about the images that they expect. The
// description is in the file's metadata (Tributary's, or timm's pretrained_cfg), or in timm's
// config.json beside it if that is about the network. Values that are nowhere are zero. The notes
// say what was found beside the file.
func ReadInput(f *File, network string) (in inception.Input, notes []string, err error) {
	wrong := func(key string, err error) error { return fmt.Errorf("%s: its metadata, %q: %w", f.Path, key, err) }
	m := f.Metadata
	for key, to := range map[string]any{InputMean: &in.Mean, InputStd: &in.Std} {
		if text := m[key]; text != "" {
			if err := json.Unmarshal([]byte(text), to); err != nil {
				return in, nil, wrong(key, err)
			}
		}
	}
	in.Interpolation = m[InputInterpolation]
	if text := m[InputResize]; text != "" && text != "squash" {
		if in.Resize, err = strconv.Atoi(text); err != nil {
			return in, nil, wrong(InputResize, err)
		}
		if in.Size, err = strconv.Atoi(m[InputSize]); err != nil {
			return in, nil, wrong(InputSize, err)
		}
	}
	if text := m[InputCrop]; text != "" {
		if in.Crop, err = strconv.ParseFloat(text, 64); err != nil {
			return in, nil, wrong(InputCrop, err)
		}
	}
	if in.Mean != nil || in.Interpolation != "" {
		return in, nil, nil
	}
	c, where, err := readTimm(f)
	if c == nil || err != nil {
		return in, nil, err
	}
	if name, _, _ := strings.Cut(c.Architecture, "."); name != "" && strings.TrimPrefix(name, "tf_") != network {
		return in, []string{fmt.Sprintf("%s is about %s, not %s: what it says about the input is passed over", where, c.Architecture, network)}, nil
	}
	if c.Pretrained != nil {
		c = c.Pretrained
	}
	in = inception.Input{Mean: c.Mean, Std: c.Std, Interpolation: c.Interpolation, Crop: c.Crop}
	if in.Mean == nil && in.Std == nil && in.Interpolation == "" && in.Crop == 0 {
		return in, nil, nil
	}
	notes = []string{"the input is as " + where + " says"}
	if c.CropMode != "" && c.CropMode != "center" {
		notes = append(notes, fmt.Sprintf("%s has crop_mode %q: it is passed over, and the middle is cut out (--resize squash resizes whole images)", where, c.CropMode))
	}
	return in, notes, nil
}

// readTimm finds timm's description of a file's network.
func readTimm(f *File) (c *timmConfig, where string, err error) {
	text, where := []byte(f.Metadata["pretrained_cfg"]), f.Path+", pretrained_cfg,"
	if len(text) > 0 {
		c = &timmConfig{Pretrained: &timmConfig{}}
		err = json.Unmarshal(text, c.Pretrained)
		c.Architecture = c.Pretrained.Architecture
	} else {
		where = filepath.Join(filepath.Dir(f.Path), "config.json")
		st, err := os.Stat(where)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!st.Mode().IsRegular() || st.Size() > maxTimmConfig) {
			return nil, "", nil
		}
		if err != nil {
			return nil, "", err
		}
		if text, err = os.ReadFile(where); err != nil {
			return nil, "", err
		}
		c = &timmConfig{}
		if json.Unmarshal(text, c) != nil { // a file of another program
			return nil, "", nil
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", where, err)
	}
	return c, where, nil
}
