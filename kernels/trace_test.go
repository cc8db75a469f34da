package kernels_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// traced is a launch as emulator/trace.cpp describes it.
type traced struct {
	Kernel  string
	Grid    [3]int
	Block   [3]int
	Module  string
	Sites   []site
	Buffers []buffer
}

type site struct {
	PC                                  uint64
	Access, Space                       string
	Width                               int
	Lanes, Requests, Cost, Least, Worst int64
	Bytes, Again                        int64
	calls                               []call // from the instruction outwards
}

// call is a function and a line in it, such as "gpu/gemm.h:209".
type call struct{ function, line string }

type buffer struct {
	Param               int
	Size, Read, Written int64
	ReadOnce            int64 `json:"read_once"`
	WrittenOnce         int64 `json:"written_once"`
}

// runTraced runs a program of the trace build and returns its launches, with the lines of their
// sites.
func runTraced(t *testing.T, settings []string, program string, args ...string) []traced {
	t.Helper()
	if _, err := exec.LookPath("addr2line"); err != nil {
		t.Skip("no addr2line: install binutils")
	}
	launches := launchesOf(t, settings, program, args...)
	for i := range launches {
		locate(t, &launches[i])
	}
	return launches
}

// launchesOf runs a program of the trace build and returns its launches.
func launchesOf(t *testing.T, settings []string, program string, args ...string) []traced {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace")
	if code, out := run(t, append(settings, "EMULATOR_TRACE="+file), program, args...); code != 0 {
		t.Fatalf("%s: exit code %d\n%s", strings.Join(args, " "), code, lastLines(out, 20))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var launches []traced
	for line := range bytes.Lines(text) {
		var l traced
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		launches = append(launches, l)
	}
	return launches
}

// locate looks up the source lines of a launch's sites.
func locate(t *testing.T, l *traced) {
	t.Helper()
	cmd := exec.Command("addr2line", "-a", "-i", "-f", "-C", "-e", l.Module)
	var in strings.Builder
	for _, s := range l.Sites {
		fmt.Fprintf(&in, "%#x\n", s.PC-1) // the instruction before the return address
	}
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	n := -1
	for i := 0; i < len(lines); i++ {
		if strings.HasPrefix(lines[i], "0x") {
			n++
			continue
		}
		line, _, _ := strings.Cut(lines[i+1], " (discriminator")
		if _, after, ok := strings.Cut(line, "/emulator/../"); ok {
			line = after
		}
		l.Sites[n].calls = append(l.Sites[n].calls, call{lines[i], line})
		i++
	}
}

// where describes a site by the lines from the access up to the kernel's own file.
func (s site) where() string {
	var lines []string
	for _, c := range s.calls {
		if strings.HasPrefix(c.line, "gpu/host.h:") {
			continue
		}
		lines = append(lines, c.line)
		if strings.Contains(c.line, ".cu:") {
			break
		}
	}
	return strings.Join(lines, " < ")
}

// table formats a launch's buffers and lines in columns. Several sites on one line, as in unrolled
// loops, become one row.
func (l traced) table(names map[int]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, grid %v of blocks %v\n", l.Kernel, l.Grid, l.Block)
	for _, m := range l.Buffers {
		size := float64(m.Size)
		fmt.Fprintf(&b, "  %-24s %9d bytes  read %7.3f times, %.3f of it  written %.3f times, %.3f of it\n", m.name(names), m.Size,
			float64(m.Read)/size, float64(m.ReadOnce)/size, float64(m.Written)/size, float64(m.WrittenOnce)/size)
	}
	type row struct {
		site
		sites int
	}
	rows := map[string]*row{}
	var order []string
	for _, s := range l.Sites {
		key := fmt.Sprintf("  %-6s %-5s %2d bytes", s.Space, s.Access, s.Width) + "%s  " + s.where() + "\n"
		r := rows[key]
		if r == nil {
			r = &row{}
			rows[key] = r
			order = append(order, key)
		}
		r.sites++
		r.Requests += s.Requests
		r.Cost += s.Cost
		r.Least += s.Least
		r.Bytes += s.Bytes
		r.Again += s.Again
		r.Worst = max(r.Worst, s.Worst)
	}
	for _, key := range order {
		r := rows[key]
		text := fmt.Sprintf("  %8d requests cost %9d, least %9d", r.Requests, r.Cost, r.Least)
		if r.Worst > 0 {
			text += fmt.Sprintf("  at worst %d-way", r.Worst)
		} else {
			text += fmt.Sprintf("  %9d bytes, %9d again", r.Bytes, r.Again)
		}
		fmt.Fprintf(&b, key, text)
	}
	return b.String()
}

// name returns the field of the parameter struct through which a kernel finds a buffer.
func (m buffer) name(fields map[int]string) string {
	if n, ok := fields[m.Param]; ok {
		return n
	}
	if m.Param < 0 {
		return "by a pointer in memory"
	}
	return "parameter at " + strconv.Itoa(m.Param)
}
