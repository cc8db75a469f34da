package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/tributary-ml/tributary/internal/atomicfile"
)

// The kinds of lines that ReadLog reads.
const (
	kindInterval = "interval"
	kindEpoch    = "epoch"
)

// log writes the events of a run as JSON lines.
type log struct{ appender }

// openLog opens a run's log for appending. The first line creates the file. openLog removes lines
// of updates that a resumed run will make again, and lines of epochs that it will end again.
func openLog(path string, step, epoch int) (*log, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		if kept := linesUntil(old, step, epoch); len(kept) < len(old) {
			if err := atomicfile.WriteBytes(path, kept); err != nil {
				return nil, err
			}
		}
	}
	return &log{appender{name: "the log " + path, file: &lateFile{path: path, flags: os.O_APPEND | os.O_CREATE}}}, nil
}

// ReadLog reads the intervals and the epochs of a run's log. It stops at an incomplete line, which
// a power cut may leave.
func (f *Folder) ReadLog() ([]Interval, []EpochEnded, error) {
	text, err := os.ReadFile(f.Log())
	if err != nil {
		return nil, nil, err
	}
	var intervals []Interval
	var epochs []EpochEnded
	for line := range bytes.Lines(text) {
		var head struct{ Kind string }
		if line[len(line)-1] != '\n' {
			break
		}
		err := json.Unmarshal(line, &head)
		switch {
		case err != nil:
		case head.Kind == kindInterval:
			intervals = append(intervals, Interval{})
			err = json.Unmarshal(line, &intervals[len(intervals)-1])
		case head.Kind == kindEpoch:
			epochs = append(epochs, EpochEnded{})
			err = json.Unmarshal(line, &epochs[len(epochs)-1])
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w in the line %.60q", f.Log(), err, line)
		}
	}
	return intervals, epochs, nil
}

// linesUntil returns the lines of a log up to the given update and the end of the given epoch. It
// drops lines that are incomplete or not JSON.
func linesUntil(text []byte, step, epoch int) []byte {
	var kept []byte
	r := bufio.NewReader(bytes.NewReader(text))
	for {
		l, err := r.ReadBytes('\n')
		if err != nil {
			return kept
		}
		var at struct {
			Kind        string
			Step, Epoch int
		}
		if json.Unmarshal(l, &at) == nil && at.Step <= step && (at.Kind != kindEpoch || at.Epoch <= epoch) {
			kept = append(kept, l...)
		}
	}
}

// write appends an event to the log.
func (l *log) write(e kept, at time.Time) error {
	head, err := json.Marshal(map[string]any{"kind": e.kind(), "time": at.UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.pending.Write(head[:len(head)-1])
	l.pending.WriteByte(',')
	l.pending.Write(body[1:])
	l.pending.WriteByte('\n')
	return l.flush()
}
