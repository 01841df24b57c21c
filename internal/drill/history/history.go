// Package history keeps the results of drills, one JSON file each, and finds what they
// have in common: the list, the last good one, the difference between two.
//
// What happens here: writing a result whole or not at all, reading it back, comparing.
// What does not: judging a drill, which package result has done, and drawing it.
package history

import (
	"cmp"
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

	"paytool/internal/drill/result"
	"paytool/internal/whole"
)

// ErrNotFound says that no result has that id.
var ErrNotFound = errors.New("no such drill")

// Folder is where results lie. Other files beside them are passed over. Several
// processes may use it at once.
type Folder struct{ dir string }

// In is the folder at dir, which Save makes where it is missing.
func In(dir string) Folder { return Folder{dir: dir} }

// suffix is what the file of a result ends in.
const suffix = ".json"

// idForm keeps an id a plain file name.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}$`)

func (f Folder) path(id string) (string, error) {
	if !idForm.MatchString(id) {
		return "", fmt.Errorf("drill %q: %w: an id is up to 80 letters, digits, dots, dashes or underscores; `paytool drill list` shows them", id, ErrNotFound)
	}
	return filepath.Join(f.dir, id+suffix), nil
}

// Save keeps a result under its id, whole or not at all. One that is there already is
// replaced: the path of a report is known only after it was kept once.
func (f Folder) Save(r result.Result) error {
	path, err := f.path(r.ID)
	if err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep drill %s: %w", r.ID, err)
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return fmt.Errorf("keep drill %s: %w", r.ID, err)
	}
	if err := whole.WriteBytes(path, append(text, '\n')); err != nil {
		return fmt.Errorf("keep drill %s: %w", r.ID, err)
	}
	return nil
}

// Load reads a result. The error is an ErrNotFound where there is none.
func (f Folder) Load(id string) (result.Result, error) {
	var r result.Result
	path, err := f.path(id)
	if err != nil {
		return r, err
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, fmt.Errorf("drill %s: %w in %s; `paytool drill list` shows those that there are", id, ErrNotFound, f.dir)
	case err != nil:
		return r, fmt.Errorf("read drill %s: %w", id, err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read drill %s: %s is not a result: %w", id, path, err)
	}
	if r.Format != result.Format {
		return r, fmt.Errorf("read drill %s: %s is a result of version %d, this paytool reads version %d", id, path, r.Format, result.Format)
	}
	return r, nil
}

// Entry is a result without its curves and its timeline.
type Entry struct {
	Format int `json:"drill_result"`
	result.Summary
	Title       string    `json:"title"`
	Environment string    `json:"environment"`
	By          string    `json:"by"`
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended"`
}

// List is all results, the newest first, and the names of the files that should be
// one and cannot be read. A folder that is not there has none.
func (f Folder) List() (entries []Entry, unreadable []string, err error) {
	files, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("list drills: %w", err)
	}
	entries = []Entry{}
	for _, file := range files {
		id, ok := strings.CutSuffix(file.Name(), suffix)
		if !ok || !idForm.MatchString(id) || file.IsDir() {
			continue
		}
		var e Entry
		text, err := os.ReadFile(filepath.Join(f.dir, file.Name()))
		if err != nil || json.Unmarshal(text, &e) != nil || e.Format != result.Format || e.ID != id {
			unreadable = append(unreadable, file.Name())
			continue
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID))
	})
	return entries, unreadable, nil
}

// Before is the id of the newest drill of the same fault that was run before one; ok is
// false where there is none. Refused ones are passed over: they measured nothing.
func Before(entries []Entry, r result.Result) (id string, ok bool) {
	for _, e := range entries {
		if e.Fault == r.Fault && e.Started.Before(r.Started) && e.Verdict != result.Refused {
			return e.ID, true
		}
	}
	return "", false
}
