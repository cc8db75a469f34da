package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pack makes an archive. The same files always make the same bytes: files are sorted, and have no
// times.
func pack(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestCompression) })
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// unpack reads an archive that pack made.
func unpack(archive []byte) (map[string][]byte, error) {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			return nil, err
		}
		if files[f.Name], err = io.ReadAll(in); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// readArchives reads the archives in a folder, by the name of their source without .cu.
func readArchives(folder string) (map[string][]byte, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.zip"))
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, p := range paths {
		if all[strings.TrimSuffix(filepath.Base(p), ".zip")], err = os.ReadFile(p); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// write brings a folder up to date. An archive with the same files stays as it is, whichever
// compressor made it.
func (b *cubins) write(folder string) error {
	archives, err := readArchives(folder)
	if err != nil {
		return err
	}
	for name := range archives {
		if b.archives[name] == nil {
			if err := os.Remove(filepath.Join(folder, name+".zip")); err != nil {
				return err
			}
		}
	}
	for name, files := range b.archives {
		if old, err := unpack(archives[name]); err == nil && maps.EqualFunc(old, files, bytes.Equal) {
			continue
		}
		if archives[name], err = pack(files); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name+".zip"), archives[name], 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "resources.txt"), b.resources(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "manifest.txt"), manifest(b.inputs, archives), 0o644)
}

// compare returns an error that lists everything in a folder that differs from the build.
func (b *cubins) compare(folder string) error {
	archives, err := readArchives(folder)
	if err != nil {
		return err
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(b.archives)) {
		files, err := unpack(archives[name])
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s.zip: %v", name, err))
			continue
		}
		for _, file := range slices.Sorted(maps.Keys(b.archives[name])) {
			if !bytes.Equal(files[file], b.archives[name][file]) {
				wrong = append(wrong, fmt.Sprintf("%s.zip: %s is not what the source compiles to", name, file))
			}
		}
		if len(files) > len(b.archives[name]) {
			wrong = append(wrong, name+".zip has other files, too")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(archives)) {
		if b.archives[name] == nil {
			wrong = append(wrong, name+".zip has no source")
		}
	}
	for file, want := range map[string][]byte{"resources.txt": b.resources(), "manifest.txt": manifest(b.inputs, archives)} {
		got, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		wrong = append(wrong, differentLines(file, string(got), string(want))...)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s is not up to date: run make cubins\n%s", folder, strings.Join(wrong, "\n"))
	}
	return nil
}

// differentLines lists the lines that a text lacks, or says that it has lines too many.
func differentLines(file, got, want string) []string {
	have := map[string]bool{}
	for line := range strings.Lines(got) {
		have[line] = true
	}
	var out []string
	for line := range strings.Lines(want) {
		if !have[line] {
			out = append(out, fmt.Sprintf("%s should have the line: %s", file, strings.TrimSpace(line)))
		}
	}
	if len(out) == 0 && got != want {
		out = append(out, file+" has lines that should not be there")
	}
	return out
}

// summary describes how much was built.
func (b *cubins) summary() string {
	files, size, packed := 0, 0, 0
	for _, archive := range b.archives {
		for _, data := range archive {
			files++
			size += len(data)
		}
		p, err := pack(archive)
		if err != nil {
			return err.Error()
		}
		packed += len(p)
	}
	return fmt.Sprintf("%d cubins of %d sources, %.1f MB, packed %.1f MB", files, len(b.archives), float64(size)/1e6, float64(packed)/1e6)
}
