//go:build cuda

package backendtest

import "testing"

// gorgonia needs a build without the tag cuda: Gorgonia uses the tag for its own CUDA code, which
// needs NVIDIA's libraries. The reference that replaces it here is checked against Gorgonia
// wherever the suite runs without the tag.
func (s *suite) gorgonia(t *testing.T) {
	t.Skip("Gorgonia does not build with the tag cuda")
}
