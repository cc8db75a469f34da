package nearest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		require.Equal(t, c.want, distance(c.a, c.b))
		require.Equal(t, c.want, distance(c.b, c.a))
	}
}

func TestNames(t *testing.T) {
	known := []string{"inception3a", "inception3b", "conv1", "conv1", "main"}
	require.Equal(t, []string{"inception3b", "inception3a"}, Names("Inception3B", known, 2))
	require.Equal(t, []string{"conv1"}, Names("CONV", known, 1))
	require.Len(t, Names("zzzzzz", known, 9), 4, "each once, however far")
	require.Empty(t, Close("zzzzzz", known, 9))
	require.Equal(t, []string{"main"}, Close("mian", known, 3))
	require.Empty(t, Names("x", nil, 3))
}
