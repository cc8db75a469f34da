package train

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tributary-ml/tributary/internal/atomicfile"
)

// eventsPrefix is the prefix of the names of TensorBoard's files.
const eventsPrefix = "events.out.tfevents."

// board writes the events of a run as scalars for TensorBoard.
type board struct{ appender }

// openBoard begins a new file for a run that goes on after the update of p. It removes the numbers
// of later updates from older files, because those updates will be made again. The new file begins
// with a session start: a TensorBoard that has already read the later numbers forgets them when it
// reads the start, as far as its loader supports that. TensorBoard takes the first start it reads
// for the start of the run, so every file has one.
func openBoard(folder string, p *Progress) (*board, error) {
	now := time.Now()
	if err := cutBoards(folder, p); err != nil {
		return nil, err
	}
	path, err := eventsPath(folder, now)
	if err != nil {
		return nil, err
	}
	b := &board{appender{name: "TensorBoard's file " + path, file: &lateFile{path: path, flags: os.O_APPEND | os.O_CREATE | os.O_EXCL}}}
	b.add(versionEvent(now))
	b.add(startEvent(now, p.Step+1))
	return b, nil
}

// cutBoards removes from the files of a folder the numbers of all updates after a position, the
// numbers of the end of an epoch that has not ended at that position, and damaged or incomplete
// records. It deletes files without numbers.
func cutBoards(folder string, p *Progress) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range entries {
		if !strings.HasPrefix(f.Name(), eventsPrefix) {
			continue
		}
		path := filepath.Join(folder, f.Name())
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		events, _ := readRecords(old) // the records before the damage
		var kept []byte
		numbers := false
		for _, e := range events {
			step, summary := eventStepOf(e), hasSummary(e)
			numbers = numbers || summary
			if summary && (step > p.Step || step == p.Step && p.Batch > 0 && endsEpoch(e)) {
				continue
			}
			kept = appendRecord(kept, e)
		}
		switch {
		case !numbers:
			if err := os.Remove(path); err != nil {
				return err
			}
		case len(kept) < len(old):
			if err := atomicfile.WriteBytes(path, kept); err != nil {
				return err
			}
		}
	}
	return nil
}

// eventField returns the rest of an event from the tag of its first field with the given number, or
// nothing if there is none.
func eventField(event []byte, number protowire.Number) []byte {
	for len(event) > 0 {
		n, kind, size := protowire.ConsumeTag(event)
		if size < 0 || n == number {
			return event
		}
		value := protowire.ConsumeFieldValue(n, kind, event[size:])
		if value < 0 {
			return nil
		}
		event = event[size+value:]
	}
	return nil
}

func hasSummary(event []byte) bool { return eventField(event, eventSummary) != nil }

// endsEpoch reports whether an event's numbers are those of an EpochEnded.
func endsEpoch(event []byte) bool {
	field := func(message []byte, number protowire.Number) []byte {
		f := eventField(message, number)
		_, _, size := protowire.ConsumeTag(f)
		if size < 0 {
			return nil
		}
		inner, _ := protowire.ConsumeBytes(f[size:])
		return inner
	}
	tag := string(field(field(field(event, eventSummary), summaryValue), valueTag))
	return strings.HasPrefix(tag, "test/") || strings.HasPrefix(tag, "epoch/")
}

func eventStepOf(event []byte) int {
	f := eventField(event, eventStep)
	if _, _, size := protowire.ConsumeTag(f); size > 0 {
		step, _ := protowire.ConsumeVarint(f[size:])
		return int(step)
	}
	return 0
}

// eventsPath returns a name for a new file. TensorBoard reads the files of a folder in the order of
// their names. The new name comes after all others, even if two files begin in the same second or
// the clock was set back.
func eventsPath(folder string, now time.Time) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	second := now.Unix()
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), eventsPrefix)
		before, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.ParseInt(before, 10, 64); ok && err == nil {
			second = max(second, n+1)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return filepath.Join(folder, fmt.Sprintf("%s%010d.%s", eventsPrefix, second, host)), nil
}

// write appends an event's scalars, if it has any.
func (b *board) write(e kept, at time.Time) error {
	if step, all := e.scalars(); len(all) > 0 {
		b.add(scalarsEvent(at, step, all))
	}
	return b.flush()
}

func (b *board) add(event []byte) { b.pending.Write(appendRecord(nil, event)) }

// The events are tensorflow.Event messages (tensorflow/core/util/event.proto). These are the
// numbers of their fields.
const (
	eventTime    = 1 // double
	eventStep    = 2 // int64
	eventVersion = 3 // string
	eventSummary = 5 // Summary
	eventSession = 7 // SessionLog

	summaryValue = 1 // repeated Summary.Value
	valueTag     = 1 // string
	valueSimple  = 2 // float
	sessionState = 1 // SessionLog.SessionStatus
	sessionStart = 1 // SessionLog.START
)

// versionEvent returns the first event of every file.
func versionEvent(at time.Time) []byte {
	return protowire.AppendString(protowire.AppendTag(eventAt(at, 0), eventVersion, protowire.BytesType), "brain.Event:2")
}

// startEvent says that all updates from step on are made from here on.
func startEvent(at time.Time, step int) []byte {
	session := protowire.AppendVarint(protowire.AppendTag(nil, sessionState, protowire.VarintType), sessionStart)
	return protowire.AppendBytes(protowire.AppendTag(eventAt(at, step), eventSession, protowire.BytesType), session)
}

func scalarsEvent(at time.Time, step int, all []tagged) []byte {
	var summary, value []byte
	for _, s := range all {
		value = protowire.AppendString(protowire.AppendTag(value[:0], valueTag, protowire.BytesType), s.tag)
		value = protowire.AppendFixed32(protowire.AppendTag(value, valueSimple, protowire.Fixed32Type), math.Float32bits(float32(s.value)))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, summaryValue, protowire.BytesType), value)
	}
	return protowire.AppendBytes(protowire.AppendTag(eventAt(at, step), eventSummary, protowire.BytesType), summary)
}

// eventAt returns the time and the step with which an event begins.
func eventAt(at time.Time, step int) []byte {
	e := protowire.AppendFixed64(protowire.AppendTag(nil, eventTime, protowire.Fixed64Type), math.Float64bits(float64(at.UnixMicro())/1e6))
	return protowire.AppendVarint(protowire.AppendTag(e, eventStep, protowire.VarintType), uint64(step))
}
