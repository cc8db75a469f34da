package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// NOTICE names every module that the program contains, with its version, and the embedded files.
func TestNotice(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "NOTICE"))
	require.NoError(t, err)
	_, err = os.ReadFile(filepath.Join("..", "..", "go.mod")) // reading it makes go test run again after a change
	require.NoError(t, err)
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		named[strings.TrimSpace(line)] = true
	}
	all, err := components([]build{{runtime.GOOS, runtime.GOARCH, ""}})
	require.NoError(t, err)
	require.Greater(t, len(all), 10)
	for _, c := range all {
		require.True(t, named[c.name], "NOTICE lacks %s: run make notice, and commit what it writes", c.name)
	}
	for _, want := range []string{"Go", "dataset/fashionmini", "Copyright © 2017 Zalando SE, https://tech.zalando.com", "SIL OPEN FONT LICENSE Version 1.1 - 26 February 2007"} {
		require.True(t, named[want], want)
	}
}

// A component without a licence is an error. A licence of several components is written once.
func TestNoticeText(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "LICENSE"), filepath.Join(dir, "COPYING.txt")
	require.NoError(t, os.WriteFile(one, []byte("\n Do what you like. \r\n"), 0o644))
	require.NoError(t, os.WriteFile(two, []byte(" Do what you like.\n\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "license.go"), nil, 0o644))
	found, err := licencesIn(dir)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{one, two}, found)
	text, err := notice([]component{{"a v1", []string{one}}, {"b v2", []string{two}}})
	require.NoError(t, err)
	require.Equal(t, about+"\n"+rule+"\na v1\nb v2\n"+rule+"\n\n Do what you like.\n", string(text))
	_, err = notice([]component{{"c v3", nil}})
	require.ErrorContains(t, err, "c v3 has no licence")
}
