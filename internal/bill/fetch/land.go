package fetch

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
	"paytool/internal/whole"
)

// State is what became of a fetch.
type State string

// The states.
const (
	Ready    State = "ready"     // the bill is in its place
	NotReady State = "not_ready" // ask again at Result.RetryAt
	NoBill   State = "no_bill"   // there is none for that day, and a note says so
)

// Note is what lies beside a bill, or in place of one where there is none.
type Note struct {
	State    State     `json:"state"`
	Channel  string    `json:"channel"`
	Account  string    `json:"account"`
	Merchant string    `json:"merchant"`
	Type     bill.Type `json:"type"`
	Date     string    `json:"date"`
	File     string    `json:"file"`   // name beside the note; "" without a bill
	Origin   string    `json:"origin"` // what was asked, without tokens
	Size     int64     `json:"size"`   // bytes
	SHA1     string    `json:"sha1"`   // of the plain bytes for WeChat, which announces it
	SHA256   string    `json:"sha256"`
	Time     time.Time `json:"time"` // of fetching, Beijing time
}

// Result is what a fetch comes to.
type Result struct {
	Note
	Path     string `json:"path"`      // of the bill; "" without one
	NotePath string `json:"note_path"` // "" if the bill is not ready
	// Unchanged: the same bill was there already.
	Unchanged bool `json:"unchanged"`
	// Differs names the bill of an earlier fetch that this one differs from; Path is
	// beside it.
	Differs string `json:"differs"`
	// RetryAt is when to ask again for a bill that is not ready, Beijing time; nil for
	// the other states.
	RetryAt *time.Time   `json:"retry_at"`
	Report  *bill.Report `json:"-"` // of a bill that is ready
}

// place is where a bill belongs.
type place struct {
	dir, name, ext string
	note           Note
	expected       bill.Options
}

func newPlace(a Account, req Request) place {
	merchant, ext := a.Merchant, ".csv"
	if a.SubMerchant != "" {
		merchant = a.SubMerchant
	}
	if a.Channel == bill.Alipay {
		ext = ".zip"
	}
	return place{
		dir: req.Dir, ext: ext, name: fmt.Sprintf("%s_%s_%s_%s", a.Channel, merchant, req.Date, req.Type),
		note:     Note{Channel: a.Channel, Account: a.Name, Merchant: merchant, Type: req.Type, Date: req.Date},
		expected: bill.Options{Merchant: merchant, Date: req.Date, Type: req.Type},
	}
}

// Landed is the note of a bill, or of a day without one, that was fetched before and
// is still there. Of the account only what names its files is needed.
func Landed(a Account, req Request) (Note, bool) {
	p := newPlace(a, req)
	n, err := readNote(p.path("", ".json"))
	return n, err == nil && (n.State == NoBill || n.State == Ready && exists(filepath.Join(p.dir, n.File)))
}

func (p place) partPattern() string { return "." + p.name + ".*.part" }

// removeStale removes the parts of processes that were killed long ago. That it
// cannot is no reason not to fetch.
func (p place) removeStale(now time.Time) {
	old, _ := filepath.Glob(filepath.Join(p.dir, p.partPattern()))
	for _, path := range old {
		if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) > staleAfter {
			_ = os.Remove(path)
		}
	}
}

func (p place) path(mark, ext string) string { return filepath.Join(p.dir, p.name+mark+ext) }

func (p place) notReady(d due, now time.Time) Result {
	at := d.ready
	if !now.Before(at) {
		at = now.Add(10 * time.Minute) // it is overdue
	}
	n := p.note
	n.State, n.Time = NotReady, now.In(pay.Beijing).Truncate(time.Second)
	at = at.In(pay.Beijing).Truncate(time.Second)
	return Result{Note: n, RetryAt: &at}
}

// noBill leaves the mark of a day without a bill. A bill of an earlier fetch
// stays, and the channel's change of mind is an error.
func (p place) noBill(now time.Time) (Result, error) {
	if path := p.path("", p.ext); exists(path) {
		return Result{}, fmt.Errorf("%w: %s", ErrVanished, path)
	}
	if err := os.MkdirAll(p.dir, 0o750); err != nil {
		return Result{}, fmt.Errorf("make the folder of the bills: %w", err)
	}
	n := p.note
	n.State, n.Time = NoBill, now.In(pay.Beijing).Truncate(time.Second)
	path := p.path("", ".json")
	return Result{Note: n, NotePath: path}, writeNote(path, n)
}

// land gives a bill its name: its own, or beside an earlier one that differs.
func (p place) land(w *part, now time.Time) (Result, error) {
	n := p.note
	n.State, n.Origin, n.Size, n.SHA1, n.SHA256 = Ready, w.origin, w.size, w.sha1, w.sha256
	n.Time = now.In(pay.Beijing).Truncate(time.Second)
	r := Result{Path: p.path("", p.ext), NotePath: p.path("", ".json"), Report: w.report}
	same, err := sameBytes(r.Path, w)
	if err == nil && !same {
		r.Differs, r.Path = r.Path, p.path("."+w.sha256[:12], p.ext)
		r.NotePath = p.path("."+w.sha256[:12], ".json")
		same, err = sameBytes(r.Path, w)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = w.publish(r.Path)
	case err == nil && !same:
		err = fmt.Errorf("%s has other bytes than its name says; move it away", r.Path)
	}
	if err != nil {
		return Result{}, err
	}
	r.Unchanged = same
	n.File = filepath.Base(r.Path)
	r.Note = n
	if same && noted(r.NotePath) == n.SHA256 {
		return r, nil
	}
	return r, writeNote(r.NotePath, n) // also where a kill came between bill and note
}

// sameBytes compares the file at path with a part.
func sameBytes(path string, w *part) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // only read: nothing can be lost
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return false, fmt.Errorf("read the bill of an earlier fetch: %w", err)
	}
	return n == w.size && hexSum(sum) == w.sha256, nil
}

// noted is the SHA-256 that a note has; "" where it has none or cannot be read, and
// is better written again.
func noted(path string) string {
	n, err := readNote(path)
	if err != nil {
		return ""
	}
	return n.SHA256
}

func readNote(path string) (n Note, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(data, &n); err != nil || n.File != filepath.Base(n.File) && n.File != "" {
		return Note{}, fmt.Errorf("%s is no note of a bill", path)
	}
	return n, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func writeNote(path string, n Note) error {
	data, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return fmt.Errorf("write the note %s: %w", path, err)
	}
	return whole.WriteBytes(path, append(data, '\n'))
}
