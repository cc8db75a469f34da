//go:build !linux

package atomicfile

import (
	"errors"
	"os"
)

// createUnnamed returns nil, because only Linux has files without a name.
func createUnnamed(string) *os.File { return nil }

func linkUnnamed(*os.File, string) error { return errors.ErrUnsupported }
