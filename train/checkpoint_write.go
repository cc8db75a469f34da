package train

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/atomicfile"
	"github.com/tributary-ml/tributary/interop"
)

// writeCheckpoint writes a checkpoint of a state to path, atomically. It refuses values that are
// not finite, so a diverged run never replaces a good checkpoint.
func writeCheckpoint(path string, s graph.State, c *Checkpoint) error {
	var tensors []interop.Tensor
	for _, k := range stateKeys(s) {
		v, err := s.Get(k.part, k.param)
		if err != nil {
			return err
		}
		data, err := values(v.Data())
		if err != nil {
			return fmt.Errorf("%s: %w", k.name(), err)
		}
		tensors = append(tensors, interop.Tensor{Name: k.name(), Shape: k.param.Dims, Data: data})
	}
	meta, err := c.metadata()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		if err := interop.Write(w, tensors, meta); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		st, err := f.Stat()
		if err != nil {
			return err
		}
		sum, at, err := fileSum(f, st.Size())
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte(sum), at)
		return err
	})
}

// values returns a tensor's data as a slice. It returns an error if a number is not finite.
func values(data any) (any, error) {
	switch v := data.(type) {
	case float32: // a tensor with one element returns a scalar
		return values([]float32{v})
	case float64:
		return values([]float64{v})
	case []float32:
		return v, allFinite(v)
	case []float64:
		return v, allFinite(v)
	}
	return nil, fmt.Errorf("values are of type %T, not float32 or float64", data)
}

func allFinite[T float32 | float64](v []T) error {
	for i, x := range v {
		if !finite(float64(x)) {
			return fmt.Errorf("value %d is %v: the run has diverged", i, x)
		}
	}
	return nil
}

// metadata returns the metadata of the file. The sum is added later.
func (c *Checkpoint) metadata() (map[string]string, error) {
	progress, err := json.Marshal(c.Progress)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(c.Data)
	if err != nil {
		return nil, err
	}
	config := c.Config
	config.Name = ""
	meta := map[string]string{
		metaFormat: checkpointFormat, metaConfig: string(config.YAML()), metaProgress: string(progress),
		metaData: string(data), metaNetwork: c.Network, metaSum: noSum,
	}
	if c.JPEG != "" {
		meta[metaJPEG] = c.JPEG
	}
	return meta, nil
}
