// Command notice writes NOTICE: the licences of everything that the program contains. These are the
// licences of the modules that its packages are from, of embedded files, and of Go.
//
// Usage, from the repository root: go run ./tools/notice
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run("NOTICE"); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	all, err := components(builds)
	if err != nil {
		return err
	}
	text, err := notice(all)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// component is a part of the program with licences of its own.
type component struct {
	name  string   // the module and its version, or the folder
	files []string // its files of licences
}

// build is a program built from the sources.
type build struct{ system, machine, tags string }

// builds are the programs that NOTICE covers.
var builds = []build{
	{"linux", "amd64", ""}, {"linux", "arm64", ""}, {"darwin", "arm64", ""}, {"windows", "amd64", ""}, {"linux", "amd64", "cuda"},
}

// listed is go list's description of a package.
type listed struct {
	ImportPath, Dir string
	Standard        bool
	EmbedFiles      []string
	Module          *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// components returns the components of some builds of the program, sorted by name.
func components(builds []build) ([]component, error) {
	files := map[string][]string{}
	for _, b := range builds {
		packages, err := b.packages()
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if p.Standard {
				continue
			}
			if p.Module == nil {
				return nil, fmt.Errorf("package %s has no module", p.ImportPath)
			}
			folders := []string{p.Dir}
			for _, f := range p.EmbedFiles {
				folders = append(folders, filepath.Dir(filepath.Join(p.Dir, f)))
			}
			for _, folder := range folders {
				if err := add(files, &p, folder); err != nil {
					return nil, err
				}
			}
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	files["Go"] = []string{filepath.Join(strings.TrimSpace(string(root)), "LICENSE")}
	var out []component
	for name, f := range files {
		slices.Sort(f)
		out = append(out, component{name, slices.Compact(f)})
	}
	slices.SortFunc(out, func(a, b component) int { return cmp.Compare(a.name, b.name) })
	return out, nil
}

func (b build) packages() ([]listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-tags", b.tags, "-json=ImportPath,Dir,Standard,EmbedFiles,Module", "github.com/tributary-ml/tributary/cmd/tributary")
	cmd.Env = append(os.Environ(), "GOOS="+b.system, "GOARCH="+b.machine)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s/%s: %w: %s", b.system, b.machine, err, problems.String())
	}
	var out []listed
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
}

// The names of files that hold licences, and of folders that hold such files.
var (
	licences       = regexp.MustCompile(`(?i)^(un)?(licen[cs]es?|copying|copyright|notice|patents)\b[^/]*$`)
	licenceFolders = regexp.MustCompile(`(?i)^(third_party_)?licen[cs]es$`)
	notText        = regexp.MustCompile(`(?i)\.(go|py|sh|yaml|yml)$`)
	// notChosen matches licences that are offered as an alternative to another one: FreeType's own
	// is chosen.
	notChosen = regexp.MustCompile(`/freetype@[^/]*/licenses/gpl\.txt$`)
)

// add adds the licences in a folder of a module and in the folders above it. Our own licence, in
// the root, is not part of the notice.
func add(files map[string][]string, p *listed, folder string) error {
	name := p.Module.Path + " " + p.Module.Version
	if p.Module.Main {
		from, err := filepath.Rel(p.Module.Dir, folder)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(from)
	} else if _, ok := files[name]; !ok {
		files[name] = nil // so that a module without a licence is noticed
	}
	for ; ; folder = filepath.Dir(folder) {
		if p.Module.Main && folder == p.Module.Dir {
			return nil
		}
		found, err := licencesIn(folder)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			files[name] = append(files[name], found...)
		}
		if folder == p.Module.Dir {
			return nil
		}
	}
}

func licencesIn(folder string) (out []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		switch {
		case e.IsDir() && licenceFolders.MatchString(e.Name()):
			err := filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
				if err == nil && !e.IsDir() && !notChosen.MatchString(filepath.ToSlash(path)) {
					out = append(out, path)
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		case !e.IsDir() && licences.MatchString(e.Name()) && !notText.MatchString(e.Name()):
			out = append(out, path)
		}
	}
	return out, nil
}

const (
	about = `Tributary is licensed under the Apache License 2.0, see LICENSE. The program contains what is listed below, under these licences. This
file is written by "make notice".
`
	rule = "================================================================================"
)

// notice returns each licence once, below the names of the components that it covers.
func notice(all []component) ([]byte, error) {
	var texts []string
	names := map[string][]string{}
	for _, c := range all {
		if len(c.files) == 0 {
			return nil, fmt.Errorf("%s has no licence: no file of that name", c.name)
		}
		for _, f := range c.files {
			raw, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			lines := strings.Split(strings.ReplaceAll(strings.ToValidUTF8(string(raw), "?"), "\r\n", "\n"), "\n")
			for i := range lines {
				lines[i] = strings.TrimRight(lines[i], " \t\f")
			}
			text := strings.Trim(strings.Join(lines, "\n"), "\n")
			if names[text] == nil {
				texts = append(texts, text)
			}
			names[text] = append(names[text], c.name)
		}
	}
	var out bytes.Buffer
	out.WriteString(about)
	for _, t := range texts {
		fmt.Fprintf(&out, "\n%s\n", rule)
		for _, n := range names[t] {
			fmt.Fprintln(&out, n)
		}
		fmt.Fprintf(&out, "%s\n\n%s\n", rule, t)
	}
	return out.Bytes(), nil
}
