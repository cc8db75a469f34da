package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A file is one file of a set and the hash that its content must have.
type file struct {
	path   string // below the data folder
	sha256 string // lower-case hexadecimal
}

// invalid returns the files that do not exist in dir or have another hash.
func invalid(files []file, dir string) ([]file, error) {
	var wrong []file
	for _, f := range files {
		sum, err := hashFile(filepath.Join(dir, f.path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if sum != f.sha256 {
			wrong = append(wrong, f)
		}
	}
	return wrong, nil
}

// hashFile returns the SHA-256 of a file's content.
func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// install syncs from to disk and renames it to to. Both are in the same file system, so that to is
// either unchanged or whole.
func install(from, to string) error {
	f, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = errors.Join(f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// command runs a program in dir. Only an error contains its output.
func command(ctx context.Context, dir, name string, args ...string) error {
	line := strings.Join(append([]string{name}, args...), " ")
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%s is needed (for `%s`) and not in PATH: install it, or run this on a machine that has it and copy the data folder", name, line)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("`%s` failed: %w\n%s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// only returns the single file in dir that matches pattern.
func only(dir, pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the download left %d files %s, 1 expected", len(found), pattern)
	}
	return found[0], nil
}
