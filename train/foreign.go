package train

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/internal/plainfile"
)

// foreigners are files of other programs that users pass in place of a checkpoint. They are
// recognised by their first bytes, or by their names if the format has no magic number.
var foreigners = []struct {
	magic   string
	endings []string
	what    string
	remedy  string
}{
	{"", []string{".onnx"}, "is an ONNX model, which onnxruntime and others run", "name the run that it was exported from"},
	{"PK\x03\x04", nil, "is a PyTorch file", toSafetensors},
	{"\x80\x02", nil, "is a pickle, as of PyTorch or Python", toSafetensors},
	{"\x89HDF\r\n", nil, "is an HDF5 file, as Keras writes them", toSafetensors},
	{"\xff\xd8\xff", nil, "is a JPEG image", nameRun},
	{"\x89PNG", nil, "is a PNG image", nameRun},
	{"", []string{".yaml", ".yml", ".json", ".jsonl"}, "is a text about a run", nameRun},
}

// Remedies for foreign files.
const (
	nameRun       = "name a run's folder or a .ckpt file in it"
	toSafetensors = nameRun + "; for train --init, write the weights as safetensors: safetensors.torch.save_file(model.state_dict(), \"weights.safetensors\")"
)

// Foreign returns an error if a file is of a known kind that holds neither a checkpoint nor
// weights.
func Foreign(path string) error {
	f, err := plainfile.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return foreign(f, path)
}

// foreign does the work of Foreign on an open file; path is its name.
func foreign(r io.ReaderAt, path string) error {
	head := make([]byte, 8)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil // the code that reads the file reports the error
	}
	for _, f := range foreigners {
		if f.magic != "" && bytes.HasPrefix(head[:n], []byte(f.magic)) || slices.Contains(f.endings, strings.ToLower(filepath.Ext(path))) {
			return &CheckpointError{path, errors.New(f.what), f.remedy}
		}
	}
	return nil
}
