package train

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tributary-ml/tributary/graph"
)

// point is a number on one of TensorBoard's curves.
type point struct {
	tag  string
	step int
}

// reading is the number at a point, and when it was measured.
type reading struct {
	value float32
	time  float64
}

// fields splits a protobuf message: it returns the values of every field, as unsigned numbers or
// bytes.
func fields(t *testing.T, message []byte) map[protowire.Number][]any {
	t.Helper()
	out := map[protowire.Number][]any{}
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		require.NoError(t, protowire.ParseError(n))
		message = message[n:]
		var v any
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(message)
		case protowire.Fixed32Type:
			v, n = protowire.ConsumeFixed32(message)
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(message)
		default:
			require.Fail(t, "a field of another kind", "%v", kind)
		}
		require.NoError(t, protowire.ParseError(n))
		out[number] = append(out[number], v)
		message = message[n:]
	}
	return out
}

// eventFiles returns TensorBoard's files of a run, in the order in which TensorBoard reads them.
func eventFiles(t *testing.T, f *Folder) []string {
	t.Helper()
	entries, err := os.ReadDir(f.Path)
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "events.out.tfevents.") {
			out = append(out, filepath.Join(f.Path, e.Name()))
		}
	}
	return out
}

// draw reads a run as TensorBoard does. It fails if a number comes twice, or if a step after a
// session start already exists. It also returns the steps of the session starts.
func draw(t *testing.T, f *Folder) (map[point]reading, []int) {
	t.Helper()
	out := map[point]reading{}
	var starts []int
	for _, path := range eventFiles(t, f) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		records, err := readRecords(text)
		require.NoError(t, err, path)
		for i, r := range records {
			e := fields(t, r)
			at := math.Float64frombits(e[1][0].(uint64))
			require.InDelta(t, float64(time.Now().Unix()), at, 3600)
			step := int(e[2][0].(uint64))
			if i == 0 {
				require.Equal(t, "brain.Event:2", string(e[3][0].([]byte)))
				continue
			}
			if i == 1 {
				require.Equal(t, []any{uint64(1)}, fields(t, e[7][0].([]byte))[1], "SessionLog.START")
				starts = append(starts, step)
				for p := range out {
					require.Less(t, p.step, step, "%s is of an update that was made again", p.tag)
				}
				continue
			}
			for _, v := range fields(t, e[5][0].([]byte))[1] {
				v := fields(t, v.([]byte))
				p := point{string(v[1][0].([]byte)), step}
				require.NotContains(t, out, p, "a number is there twice")
				out[p] = reading{math.Float32frombits(v[2][0].(uint32)), at}
			}
		}
	}
	return out, starts
}

// The numbers of a log's lines, by kind and path, and their tags. TensorBoard does not need numbers
// without a tag.
var tags = []struct{ path, tag string }{
	{`\w+ (step|epoch)`, ""},
	{`\w+ (train|test) (images|heads \S+ hits[15])`, ""},
	{`interval train total`, "train/total"},
	{`interval train heads (\S+) (loss|top1|top5)`, "train/$2/$1"},
	{`interval (lr|grad_norm)`, "train/$1"},
	{`interval images_per_second`, "train/images_per_s"},
	{`interval head_weights (\S+)`, "head_weight/$1"},
	{`interval grad_norms (\S+)`, "grad_norm/$1"},
	{`epoch lr`, ""},
	{`epoch train total`, "epoch/total"},
	{`epoch train heads (\S+) (loss|top1|top5)`, "epoch/$2/$1"},
	{`epoch test total`, "test/total"},
	{`epoch test heads (\S+) (loss|top1|top5)`, "test/$2/$1"},
	{`epoch images_per_second`, "epoch/images_per_s"},
	{`epoch seconds`, "epoch/seconds"},
	{`gradflow (images|weights \S+|losses \S+|relus \S+ channels)`, ""},
	{`gradflow places (\S+) gradient (\S+)`, "gradflow/$2/$1"},
	{`gradflow layers (\S+) gradient (\S+)`, "gradflow_layer/$2/$1"},
	{`gradflow layers (\S+) cosine main`, "gradflow_cosine/main-aux1/$1"},
	{`gradflow layers (\S+) (weight|update)`, "gradflow_$2/$1"},
	{`gradflow relus (\S+) (dead|zeros)`, "gradflow_$2/$1"},
}

// tagOf returns the tag of a number in the log.
func tagOf(t *testing.T, path string) string {
	t.Helper()
	for _, rule := range tags {
		if re := regexp.MustCompile("^" + rule.path + "$"); re.MatchString(path) {
			return re.ReplaceAllString(path, rule.tag)
		}
	}
	require.Fail(t, "the log has a number of which this test does not know whether TensorBoard has it, too", path)
	return ""
}

// numbers calls yield with every number of a log line. Elements of lists are named by their own
// name, or by the name of their head.
func numbers(v any, path string, yield func(path string, value float64)) {
	switch v := v.(type) {
	case float64:
		yield(path, v)
	case map[string]any:
		for k, e := range v {
			numbers(e, path+" "+k, yield)
		}
	case []any:
		for i, e := range v {
			name := []string{"main", "aux1"}[min(i, 1)]
			if e, ok := e.(map[string]any); ok {
				name = e["name"].(string)
			}
			numbers(e, path+" "+name, yield)
		}
	}
}

// requireSameNumbers compares the numbers that TensorBoard shows of a run with those in its logs.
// It returns the tags.
func requireSameNumbers(t *testing.T, f *Folder) []string {
	t.Helper()
	got, _ := draw(t, f)
	all := map[string]bool{}
	for _, path := range []string{f.Log(), f.Gradflow()} {
		text, err := os.ReadFile(path)
		if !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
		for line := range bytes.Lines(text) {
			var head struct {
				Kind string
				Time time.Time
				Step int
			}
			require.NoError(t, json.Unmarshal(line, &head))
			if !slices.Contains([]string{"interval", "epoch", "gradflow"}, head.Kind) {
				continue
			}
			if head.Kind == "gradflow" {
				head.Step++ // the update that followed the measurement
			}
			var v any
			require.NoError(t, json.Unmarshal(line, &v))
			numbers(v, head.Kind, func(path string, value float64) {
				tag := tagOf(t, path)
				p := point{tag, head.Step}
				e, ok := got[p]
				if tag == "" || !ok && strings.Contains(tag, "cosine") && value == 0 {
					return
				}
				require.True(t, ok, "TensorBoard lacks %v", p)
				require.Equal(t, float32(value), e.value, p)
				require.Equal(t, head.Time.Unix(), int64(e.time), p)
				all[tag] = true
				delete(got, p)
			})
		}
	}
	require.Empty(t, got, "numbers that no log has")
	return slices.Sorted(maps.Keys(all))
}

func TestTensorBoardHasEveryNumberOfTheLog(t *testing.T) {
	c := tinyConfig()
	c.EMA, c.GradflowEvery = 0.9, 2
	s, _ := setup(t, c)
	s.GradNorms = []string{"conv1/weight"}
	nodes := s.Graph.Nodes()
	s.Graph.Mark("stem", nodes[slices.IndexFunc(nodes, func(n *graph.Node) bool { return n.Name() == "relu1" })])
	f := folder(t, c)
	_, err := trainer(t, s).Run(context.Background(), f)
	require.NoError(t, err)
	require.Len(t, eventFiles(t, f), 1)
	got := requireSameNumbers(t, f)
	for _, want := range []string{
		"train/total", "train/loss/main", "train/top1/aux1", "train/lr", "train/grad_norm", "train/images_per_s", "grad_norm/conv1/weight",
		"head_weight/main", "head_weight/aux1", "test/total", "test/loss/aux1", "test/top1/main", "test/top5/main", "epoch/loss/main",
		"epoch/seconds", "gradflow/main/stem", "gradflow/aux1/stem", "gradflow_layer/aux1/conv1/weight", "gradflow_cosine/main-aux1/conv1/weight", "gradflow_update/fc/weight",
		"gradflow_dead/relu2",
	} {
		require.Contains(t, got, want)
	}
}

// A killed run that goes on has every number once, and the same numbers as a run that was not
// killed.
func TestTensorBoardResumes(t *testing.T) {
	c := tinyConfig()
	c.LogEvery, c.GradflowEvery = 1, 1
	tr, _ := runWhole(t, c)
	want, starts := draw(t, tr.folder)
	require.Equal(t, []int{1}, starts)
	f := folder(t, c)
	s, _ := setup(t, c)
	killed := errors.New("killed")
	func() {
		defer func() { require.Equal(t, killed, recover()) }()
		s.Report = func(e Event) {
			if e, ok := e.(Stepped); ok && e.Step == 10 {
				panic(killed)
			}
		}
		trainer(t, s).Run(context.Background(), f)
	}()
	first := eventFiles(t, f)
	require.Len(t, first, 1)
	file, err := os.OpenFile(first[0], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.Write(appendRecord(nil, []byte("cut"))[:17])
	require.NoError(t, err)
	require.NoError(t, file.Close())
	before, _ := draw(t, f)
	require.Contains(t, before, point{"train/total", 9}, "the updates 7 to 9 are after the checkpoint")
	require.Contains(t, before, point{"gradflow_weight/fc/weight", 10})

	for range 2 { // the second time, nothing is left to do
		s, r := setup(t, c)
		s.Resume, err = OpenCheckpoint(f.Last())
		require.NoError(t, err)
		_, err = trainer(t, s).Run(context.Background(), f)
		require.NoError(t, err)
		require.NoError(t, s.Resume.Close())
		require.True(t, ofType[Started](r)[0].Resumed)
		require.Len(t, eventFiles(t, f), 2)
		require.Equal(t, first[0], eventFiles(t, f)[0], "the new file comes after the old one, in the same second, too")
	}
	got, starts := draw(t, f)
	require.Equal(t, []int{1, 7}, starts)
	require.Len(t, got, len(want))
	for p, e := range want {
		require.Contains(t, got, p)
		if !strings.HasSuffix(p.tag, "_per_s") && p.tag != "epoch/seconds" {
			require.Equal(t, e.value, got[p].value, p)
		}
	}
	requireSameNumbers(t, f)
}

// The measurements of an interrupted run are in the file when Run returns.
func TestTensorBoardAfterInterrupt(t *testing.T) {
	c := tinyConfig()
	s, r := setup(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	r.onEvent = func(e Event) {
		if e, ok := e.(Stepped); ok && e.Step == 5 {
			cancel()
		}
	}
	f := folder(t, c)
	_, err := trainer(t, s).Run(ctx, f)
	require.ErrorIs(t, err, context.Canceled)
	got, _ := draw(t, f)
	require.Contains(t, got, point{"train/loss/main", 4})
	requireSameNumbers(t, f)
}

func TestEventsPath(t *testing.T) {
	dir := t.TempDir()
	host, err := os.Hostname()
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 999)
	for i, want := range []int{1_800_000_000, 1_800_000_001, 1_800_000_002} {
		path, err := eventsPath(dir, now.Add(time.Duration(-i)*time.Hour))
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%d.%s", want, host)), path)
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
	for _, other := range []string{"events.out.tfevents.", "events.out.tfevents.x.y", "9999999999"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, other), nil, 0o644))
	}
	path, err := eventsPath(dir, now.Add(time.Minute))
	require.NoError(t, err)
	require.Contains(t, path, "tfevents.1800000060.")
}

// The bytes are those of tensorflow.Event messages that protobuf's own library wrote.
func TestEventBytes(t *testing.T) {
	at := time.UnixMilli(1500)
	require.Equal(t, "09000000000000f83f10ac022a110a0f0a08747261696e2f6c72150000803e", hex.EncodeToString(scalarsEvent(at, 300, []tagged{{"train/lr", 0.25}})))
	require.Equal(t, "09000000000000f83f10ac023a020801", hex.EncodeToString(startEvent(at, 300)))
}
