package interop_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tributary-ml/tributary/interop"
)

// A safetensors file is written and read. Load and Save do this for networks, with the names of
// torchvision and timm.
func Example() {
	dir, err := os.MkdirTemp("", "interop-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "weights.safetensors")
	err = interop.WriteFile(path, []interop.Tensor{{Name: "fc.bias", Shape: []int{3}, Data: []float32{0.1, 0.2, 0.3}}}, map[string]string{"network": "mine"})
	if err != nil {
		panic(err)
	}
	f, err := interop.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	v, err := f.Tensor("fc.bias")
	if err != nil {
		panic(err)
	}
	fmt.Println(f.Metadata["network"], f.Names(), v.Shape)
	// Output:
	// mine [fc.bias] [3]
}
