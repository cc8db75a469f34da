package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShown(t *testing.T) {
	require.Equal(t, []string{"one", "", "  two", "three"}, shown("one\r\n\r\n\rbar 10%\x1b[K\rbar 20%\x1b[K\r\x1b[K  two\r\nthree\r\n"))
}

func TestPicture(t *testing.T) {
	text := picture("run <x>", []string{"", "  1/8  50.00%", "a & b"})
	require.NotContains(t, text, "<x>")
	var texts []string
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if c, ok := token.(xml.CharData); ok && strings.TrimSpace(string(c)) != "" {
			texts = append(texts, string(c))
		}
	}
	require.Equal(t, []string{"$ run <x>", "1/8  50.00%", "a & b"}, texts)
}
