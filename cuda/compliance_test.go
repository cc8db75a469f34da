//go:build cuda

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph/backendtest"
)

// The suite that every backend passes.
func TestCompliance(t *testing.T) {
	b, err := New(Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	backendtest.RunAll(t, b, 1)
}
