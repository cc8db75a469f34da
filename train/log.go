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

// The kinds of lines that a log is read for.
const (
	kindInterval = "interval"
	kindEpoch    = "epoch"
)

// log writes the events of a run as JSON lines.
type log struct{ appender }

// openLog opens a run's log for appending: it is made with its first line. Lines after an update that a resumed run will make again
// are taken out, as is the end of an epoch that it will come to.
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

// ReadLog reads the intervals and the epochs of a run's log. A line that is cut, as a power cut may leave it, ends it.
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

// linesUntil returns the lines of a log up to an update and the end of an epoch. A line that is cut or no JSON is left out.
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

// write logs an event.
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
