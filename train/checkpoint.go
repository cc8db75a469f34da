package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/plainfile"
	"github.com/tributary-ml/tributary/interop"
)

// Checkpoint is a verified checkpoint file. It holds all that a run needs to go on bit for bit, and
// all that an evaluation needs.
//
// The file is in the safetensors format, so that other programs can read it. Its tensors are called
// PART/PARAMETER, such as "value/stem/conv/weight" or "ema/main/fc/bias", and have the engine's own
// dimensions. Its metadata hold the configuration, the position, and a SHA-256 sum over the whole
// file, computed with zeros in place of the sum's own digits.
type Checkpoint struct {
	Path     string
	Config   Config
	Channels int // of the images
	Network  string
	Data     DataInfo
	JPEG     string // the program that decoded JPEG files (dataset.Set); empty if there were none, and in old checkpoints
	Progress Progress

	file    *interop.File
	closer  io.Closer
	tensors map[string]interop.TensorInfo
}

// The keys of a checkpoint's metadata.
const (
	metaFormat   = "format"
	metaConfig   = "config"
	metaProgress = "progress"
	metaNetwork  = "network"
	metaData     = "data"
	metaJPEG     = "jpeg"
	metaSum      = "sha256"

	checkpointFormat = "tributary checkpoint 1"
)

// DataInfo is what a network must know about the data it was trained on.
type DataInfo struct {
	Name    string   `json:"name"`
	Classes []string `json:"classes"`

	Train Extent `json:"train,omitzero"` // zero in older checkpoints
	Test  Extent `json:"test,omitzero"`
}

// Extent describes which images a source has.
type Extent struct {
	Images int    `json:"images"`
	Files  string `json:"files,omitempty"` // as dataset.Info.Files
}

// infoOf returns the DataInfo of a source.
func infoOf(s dataset.Source) DataInfo {
	i := s.Info()
	return DataInfo{Name: i.Name, Classes: i.Classes}
}

// infoOfSet returns the DataInfo of a run's data set.
func infoOfSet(s *dataset.Set) DataInfo {
	d := infoOf(s.Train)
	d.Train, d.Test = extentOf(s.Train), extentOf(s.Test)
	return d
}

func extentOf(s dataset.Source) Extent { return Extent{s.Len(), s.Info().Files} }

// changes describes how the source now differs from the source of the checkpoint, e. It returns ""
// if they are equal, or if the checkpoint does not record its source.
func (e Extent) changes(now Extent, what string) string {
	switch {
	case e.Images == 0 || e == now:
		return ""
	case e.Images != now.Images:
		return fmt.Sprintf("%d → %d %s images", e.Images, now.Images, what)
	}
	return fmt.Sprintf("other files among the %d %s images", now.Images, what)
}

// Progress is a run's position, together with what the run has measured so far.
type Progress struct {
	Step      int     `json:"step"`  // updates done
	Epoch     int     `json:"epoch"` // epochs done, including their evaluation
	Batch     int     `json:"batch"` // batches done in the current epoch
	Best      float64 `json:"best"`  // highest accuracy of the main head so far
	BestEpoch int     `json:"best_epoch"`
	Seconds   float64 `json:"seconds"`  // duration of the run so far
	Training  Tally   `json:"training"` // of the current epoch
	Interval  Tally   `json:"interval"` // of the current log line

	Uncertainty *gradflow.Uncertainty `json:"uncertainty,omitempty"` // the learnt weights of the heads; nil unless they learn
}

// CheckpointError says what is wrong with a checkpoint file, and how to remedy it.
type CheckpointError struct {
	Path   string
	Err    error
	Remedy string
}

func (e *CheckpointError) Error() string {
	s := fmt.Sprintf("checkpoint %s: %v", e.Path, e.Err)
	if e.Remedy != "" {
		s += " (" + e.Remedy + ")"
	}
	return s
}

// Unwrap returns the underlying error.
func (e *CheckpointError) Unwrap() error { return e.Err }

// damaged is the remedy for a file whose content is not what was written.
const damaged = "the file is damaged: use the other one of last.ckpt and best.ckpt, or a copy"

// OpenCheckpoint reads a checkpoint's description and verifies the whole file.
func OpenCheckpoint(path string) (*Checkpoint, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	var c *Checkpoint
	if err == nil {
		c, err = readCheckpoint(f, st.Size(), path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	c.closer = f
	return c, nil
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.closer.Close() }

// readCheckpoint does what OpenCheckpoint does, on any io.ReaderAt.
func readCheckpoint(r io.ReaderAt, size int64, path string) (*Checkpoint, error) {
	if err := foreign(r, path); err != nil {
		return nil, err
	}
	file, err := interop.Read(path, r, size)
	if err != nil {
		return nil, &CheckpointError{path, err, damaged}
	}
	if f := file.Metadata[metaFormat]; f == "" {
		return nil, &CheckpointError{path, errors.New("is a file of weights alone"), "train --init takes it; otherwise name a run's folder or a .ckpt file in it"}
	} else if f != checkpointFormat {
		return nil, &CheckpointError{path, fmt.Errorf("its format is %q, not %q", f, checkpointFormat), "another version of this program wrote it"}
	}
	if sum, _, err := fileSum(r, size); err != nil {
		return nil, &CheckpointError{path, err, damaged}
	} else if sum != file.Metadata[metaSum] {
		return nil, &CheckpointError{path, errors.New("the checksum is wrong: some byte has changed since it was written"), damaged}
	}
	return describe(file)
}

// describe reads the metadata of a file.
func describe(file *interop.File) (*Checkpoint, error) {
	meta := file.Metadata
	c := &Checkpoint{Path: file.Path, Config: Default(), Network: meta[metaNetwork], JPEG: meta[metaJPEG], file: file, tensors: map[string]interop.TensorInfo{}}
	fail := func(what string, err error) (*Checkpoint, error) {
		return nil, &CheckpointError{file.Path, fmt.Errorf("its %s: %w", what, err), ""}
	}
	for _, t := range file.Tensors() {
		c.tensors[t.Name] = t
	}
	if err := c.Config.ReadYAML("config", []byte(meta[metaConfig])); err != nil {
		return fail(metaConfig, err)
	}
	var before struct{ Mean, Std []float32 } // in files written before the configuration had them
	if err := json.Unmarshal([]byte(meta[metaData]), &before); err != nil {
		return fail(metaData, err)
	}
	if c.Config.Mean == auto {
		c.Config.asBefore(before.Mean, before.Std)
	}
	if err := c.Config.Check(); err != nil {
		return fail(metaConfig, err)
	}
	in, err := c.Input(0, 0)
	if err == nil {
		err = checkNormalization(&in.Normalization, c.Config.Channels)
	}
	if err != nil {
		return fail(metaConfig, err)
	}
	c.Channels = len(in.Normalization.Mean)
	if err := json.Unmarshal([]byte(meta[metaProgress]), &c.Progress); err != nil {
		return fail(metaProgress, err)
	}
	if err := c.Progress.check(&c.Config); err != nil {
		return fail(metaProgress, err)
	}
	if err := json.Unmarshal([]byte(meta[metaData]), &c.Data); err != nil {
		return fail(metaData, err)
	}
	if err := c.Data.check(); err != nil {
		return fail(metaData, err)
	}
	return c, nil
}

// Input returns how images become the checkpoint's network input of h×w pixels.
func (c *Checkpoint) Input(h, w int) (Input, error) {
	config := c.filled(h, w)
	return config.Input(h, w)
}

// Expects returns what the checkpoint's weights expect of images.
func (c *Checkpoint) Expects() (inception.Input, error) {
	in, err := c.Input(c.Config.ImageSize, c.Config.ImageSize)
	return inception.Input{Mean: in.Normalization.Mean, Std: in.Normalization.Std, Interpolation: c.Config.Interpolation,
		Crop: c.Config.Crop.Or(0), Resize: in.Fit.Resize, Size: c.Config.ImageSize}, err
}

// filled returns the configuration with the shorter side filled in if it is open. Checkpoints from
// before the settings of the input leave it open if the image size was the network's.
func (c *Checkpoint) filled(h, w int) Config {
	config := c.Config
	if config.Resize == auto {
		config.Resize = strconv.Itoa(shorterSide(max(h, w, 1), 0))
	}
	return config
}

// Has reports whether the checkpoint holds a part of the parameters' state.
func (c *Checkpoint) Has(part graph.Part) bool {
	for name := range c.tensors {
		if strings.HasPrefix(name, string(part)+"/") {
			return true
		}
	}
	return false
}

// Names returns the sorted names of the parameters whose values the checkpoint holds.
func (c *Checkpoint) Names() []string {
	var names []string
	for name := range c.tensors {
		if p, ok := strings.CutPrefix(name, string(graph.Value)+"/"); ok {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	return names
}

// Restore sets every part of a state except gradients. If the checkpoint is of another network,
// Restore sets nothing and the error lists the differences.
func (c *Checkpoint) Restore(s graph.State) error {
	keys := stateKeys(s)
	if err := c.fits(keys, s.Layout().Params); err != nil {
		return err
	}
	for _, k := range keys {
		v, err := c.Tensor(k.part, k.param.Name)
		if err != nil {
			return err
		}
		if err := s.Set(k.part, k.param, v); err != nil {
			return err
		}
	}
	return nil
}

// Tensor reads one part of a parameter.
func (c *Checkpoint) Tensor(part graph.Part, param string) (*tensor.Dense, error) {
	name := string(part) + "/" + param
	t, err := c.file.Tensor(name)
	if err == nil {
		_, err = values(t.Data)
	}
	if err == nil && slices.Contains(t.Shape, 0) {
		err = fmt.Errorf("it has no elements: its dimensions are %v", t.Shape)
	}
	if err != nil {
		return nil, &CheckpointError{c.Path, fmt.Errorf("%s: %w", name, err), damaged}
	}
	return tensor.New(tensor.WithShape(t.Shape...), tensor.WithBacking(t.Data)), nil
}

// MismatchError says how a checkpoint differs from the network or the configuration that is to
// continue it.
type MismatchError struct {
	Path        string
	Differences []string
}

func (e *MismatchError) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines returns the lines of the message.
func (e *MismatchError) Lines() []string {
	const most = 8
	lines := []string{fmt.Sprintf("checkpoint %s is of another run:", e.Path)}
	for _, d := range e.Differences[:min(most, len(e.Differences))] {
		lines = append(lines, "  "+d)
	}
	if more := len(e.Differences) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return append(lines, fmt.Sprintf("Resume it with its own settings (leave the flags out), or start a new run from its weights with --init %s", e.Path))
}

// stateKey names one tensor of a state.
type stateKey struct {
	part  graph.Part
	param *graph.Param
}

func (k stateKey) name() string { return string(k.part) + "/" + k.param.Name }

// stateKeys returns all tensors of a state except gradients, in a fixed order.
func stateKeys(s graph.State) []stateKey {
	var keys []stateKey
	for _, part := range s.Parts() {
		if part == graph.Gradient {
			continue
		}
		for _, p := range s.Layout().Params {
			if part == graph.Value || part == graph.Average || s.Layout().IsTrained(p) {
				keys = append(keys, stateKey{part, p})
			}
		}
	}
	return keys
}

// IsCheckpoint reports whether a safetensors file's metadata are a checkpoint's.
func IsCheckpoint(metadata map[string]string) bool { return metadata[metaFormat] == checkpointFormat }

// Continues checks whether a run with the given configuration continues the checkpoint's run. It
// returns a *MismatchError if it would be another run, and a *ValueError if it has fewer epochs
// than are done. The number of epochs may change; note then says what follows from the change.
func (c *Checkpoint) Continues(config *Config) (note string, err error) {
	if diff := c.differences(config); len(diff) > 0 {
		return "", &MismatchError{c.Path, diff}
	}
	before, now, done := c.Config.Epochs, config.Epochs, c.Progress.Epoch
	switch {
	case now == before:
		return "", nil
	case now < done || now == done && done < before || now == done && c.Progress.Batch > 0:
		return "", &ValueError{Key: "epochs", Value: fmt.Sprint(now), Allowed: fmt.Sprintf("the run has done %s already: it takes more to train on", position(c.Progress))}
	}
	return c.Config.extension(config), nil
}

// position describes in words how far a run has come.
func position(p Progress) string {
	if p.Batch > 0 {
		return fmt.Sprintf("%d epochs and a part of the next", p.Epoch)
	}
	return fmt.Sprintf("%d epochs", p.Epoch)
}

// differences lists the settings that would make a run with the given configuration another run
// than the checkpoint's. The number of epochs is not among them.
func (c *Checkpoint) differences(config *Config) []string {
	same := c.Config
	same.Epochs = config.Epochs
	now := *config
	now.AdoptInput(&c.Config) // settings that are left open stay as they were
	return same.Differences("checkpoint", &now, "now")
}
