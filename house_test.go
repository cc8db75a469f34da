package tributary_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/tributary-ml/tributary"

// room is a row of the table in CONTRIBUTING.md.
type room struct {
	folder  string
	imports []string // nil: all rows below it
}

// house reads the table of packages.
func house(t *testing.T) []room {
	text, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	var all []room
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]* \\| ([^|]*) \\|$").FindAllStringSubmatch(string(text), -1) {
		r := room{folder: row[1]}
		if !strings.Contains(row[2], "all below") {
			r.imports = []string{}
			for _, m := range quoted.FindAllStringSubmatch(row[2], -1) {
				r.imports = append(r.imports, m[1])
			}
		}
		all = append(all, r)
	}
	require.Greater(t, len(all), 15)
	return all
}

// find returns the row for a package: the row of its folder, or of the nearest folder above. -1
// means that there is none.
func find(rooms []room, folder string) int {
	for ; ; folder = path.Dir(folder) {
		if i := slices.IndexFunc(rooms, func(r room) bool { return r.folder == folder }); i >= 0 || folder == "." {
			return i
		}
		if path.Dir(folder) == "." {
			return -1
		}
	}
}

// In every build, imports run down the table in CONTRIBUTING.md.
func TestImportsRunDown(t *testing.T) {
	rooms := house(t)
	for _, tags := range []string{"", "cuda"} {
		out, err := exec.Command("go", "list", "-e", "-tags", tags, "-json=ImportPath,Imports,GoFiles,CgoFiles", "./...").Output()
		require.NoError(t, err)
		folder := func(path string) string {
			if path == module {
				return "."
			}
			return strings.TrimPrefix(path, module+"/")
		}
		packages := 0
		d := json.NewDecoder(strings.NewReader(string(out)))
		for {
			var p struct {
				ImportPath string
				Imports    []string
			}
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err)
			}
			from := folder(p.ImportPath)
			at := find(rooms, from)
			if at < 0 {
				require.True(t, strings.HasPrefix(from, "bench") || strings.HasPrefix(from, "tools/"), "%s has no row in CONTRIBUTING.md", from)
				continue
			}
			packages++
			for _, q := range p.Imports {
				if !strings.HasPrefix(q, module) {
					continue
				}
				to := find(rooms, folder(q))
				require.GreaterOrEqual(t, to, 0, "%s imports %s, which has no row in CONTRIBUTING.md", from, q)
				if to == at {
					continue // within the same folder
				}
				require.Greater(t, to, at, "%s imports %s: that runs up the table in CONTRIBUTING.md", from, q)
				if rooms[at].imports != nil {
					require.Contains(t, rooms[at].imports, rooms[to].folder, "%s imports %s, which its row in CONTRIBUTING.md does not name", from, q)
				}
			}
		}
		require.Greater(t, packages, 30)
	}
}

// Every row is of a folder with Go code, and names only rows below it.
func TestHouseIsThere(t *testing.T) {
	rooms := house(t)
	for i, r := range rooms {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(r.folder), "*"))
		require.NoError(t, err)
		require.NotEmpty(t, files, r.folder)
		for _, q := range r.imports {
			require.Greater(t, find(rooms, q), i, "%s: %s", r.folder, q)
		}
	}
}

// A function for AVX2 uses only the registers of AVX2. A machine with AVX-512 would run one that
// uses others, and so would not find the fault.
func TestRegisters(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*/*_amd64.s", "*/internal/*/*_amd64.s"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	beyond := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7])\b`)
	functions := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for i, body := range strings.Split(string(text), "\nTEXT ·") {
			name, body, _ := strings.Cut(body, "(")
			if i == 0 || strings.HasSuffix(name, "AVX512") {
				continue
			}
			functions++
			require.Empty(t, beyond.FindString(body), "%s in %s", name, file)
		}
	}
	require.Greater(t, functions, 50)
}
