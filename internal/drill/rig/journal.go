package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"paytool/internal/whole"
)

const (
	journalVersion = 1
	journalSuffix  = ".journal"
	maxJournal     = 1 << 20 // bytes; one of a drill on a hundred groups has a tenth
)

// Header opens a journal. Times are instants.
type Header struct {
	Version int       `json:"version"`
	Drill   string    `json:"drill"`
	Who     string    `json:"who"`
	At      time.Time `json:"at"`
	Fault   string    `json:"fault"` // as fault.Parse reads it
	Groups  []int     `json:"groups"`
	// TTLMS is after how many milliseconds the watchdog takes the fault back.
	TTLMS  int64    `json:"ttl_ms"`
	Tool   Identity `json:"tool"`
	Config string   `json:"config"` // file that says how to reach the servers, "" if none
}

// TTL is TTLMS as a duration.
func (h Header) TTL() time.Duration { return time.Duration(h.TTLMS) * time.Millisecond }

// Closing is the last word on a drill's faults.
type Closing struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"` // drill, watchdog or recover, with its reason
	Done []string  `json:"done"`
}

// record is one line of a journal: exactly one field is set.
type record struct {
	Open   *Header  `json:"open,omitempty"`
	Step   *Step    `json:"step,omitempty"`
	Failed *Closing `json:"failed,omitempty"`
	Clean  *Closing `json:"clean,omitempty"`
}

// Journal is what is known of a drill that injected, or was about to. The file is
// appended to and synced before each injection; it holds no passwords.
type Journal struct {
	Path   string
	Header Header
	Steps  []Step
	Clean  *Closing // nil while the journal is dirty
}

// names are what a drill may be called, as it becomes a file's name.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// createJournal makes the journal as a whole or not at all.
func createJournal(dir string, h Header) (*Journal, error) {
	path := filepath.Join(dir, h.Drill+journalSuffix)
	if _, err := os.Lstat(path); err == nil {
		return nil, refuse("there is a drill %s already: %s", h.Drill, path)
	}
	line, err := json.Marshal(record{Open: &h})
	if err != nil {
		return nil, err
	}
	if err := whole.WriteBytes(path, append(line, '\n')); err != nil {
		return nil, fmt.Errorf("begin journal %s: %w", path, err)
	}
	return &Journal{Path: path, Header: h}, nil
}

// add appends a line, and returns once it is on disk.
func (j *Journal) add(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.Path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("write to journal: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write to journal %s: %w", j.Path, err)
	}
	return nil
}

func (j *Journal) step(s *Step) error {
	s.N = len(j.Steps) + 1
	if err := j.add(record{Step: s}); err != nil {
		return err
	}
	j.Steps = append(j.Steps, *s)
	return nil
}

// ReadJournal reads a journal. What follows the last whole line was never relied
// upon: a step is injected only after its line is on disk.
func ReadJournal(path string) (*Journal, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxJournal {
		return nil, fmt.Errorf("read journal %s: %w", path, errForeign)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	j, err := parseJournal(data)
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", path, err)
	}
	j.Path = path
	return j, nil
}

var errForeign = errors.New("it is not a journal of this paytool; look at what it says, see to the groups by hand, and move it away")

func parseJournal(data []byte) (*Journal, error) {
	j := &Journal{}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	for n, line := range slices.Collect(bytes.Lines(whole)) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, errForeign)
		}
		switch {
		case n == 0:
			if r.Open == nil || r.Open.Version != journalVersion {
				return nil, fmt.Errorf("line 1: %w", errForeign)
			}
			j.Header = *r.Open
		case r.Step != nil:
			if !r.Step.sound() {
				return nil, fmt.Errorf("line %d: %w", n+1, errForeign)
			}
			j.Steps = append(j.Steps, *r.Step)
		case r.Clean != nil:
			j.Clean = r.Clean
		}
	}
	if j.Header.Version == 0 {
		return nil, errForeign
	}
	return j, nil
}

// sound reports whether the step can be undone as it stands.
func (s Step) sound() bool {
	return s.Process != nil || s.Kind != Thaw
}

// Journals reads all journals of a directory, the oldest first. One that cannot be
// read is an error, as nobody knows what it left behind.
func Journals(dir string) ([]*Journal, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for journals: %w", err)
	}
	var all []*Journal
	var errs []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), journalSuffix) {
			continue
		}
		j, err := ReadJournal(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b *Journal) int { return a.Header.At.Compare(b.Header.At) })
	return all, errors.Join(errs...)
}

// Dirty are the journals that are not clean: of a drill that runs, or of one that
// may have left something behind. Without a step nothing was injected.
func Dirty(dir string) ([]*Journal, error) {
	all, err := Journals(dir)
	return slices.DeleteFunc(all, func(j *Journal) bool { return j.Clean != nil || len(j.Steps) == 0 }), err
}
