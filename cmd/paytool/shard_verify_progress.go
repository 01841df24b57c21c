package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/store/chunk"
	"paytool/internal/whole"
)

// verifyProgress is how far `shard verify` is, and what it has found so far: the file of
// --resume.
type verifyProgress struct {
	Legs     []*legProgress   `json:"legs"`
	Searches []searchProgress `json:"searches"`
}

// legProgress is one tag of a run.
type legProgress struct {
	Run         string        `json:"run"`
	Tag         pay.Tag       `json:"tag"`
	Owner       shard.GroupID `json:"owner"`
	Copy        shard.GroupID `json:"copy"`
	Checkpoint  string        `json:"checkpoint"`
	Orders      int64         `json:"orders"`
	Rows        int64         `json:"rows"`
	Done        bool          `json:"done"`
	Differences []difference  `json:"differences"`
}

// searchProgress is one group that was searched.
type searchProgress struct {
	Group  shard.GroupID `json:"group"`
	Strays []chunk.Stray `json:"strays"`
}

// loadVerifyProgress reads the file; one that is not there yet is a beginning.
func loadVerifyProgress(path string) (p verifyProgress, err error) {
	if path == "" {
		return p, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("--resume: read how far an earlier call was: %w; delete %s to begin anew", err, path)
	}
	return p, nil
}

func (p *verifyProgress) save(path string) error {
	if path == "" {
		return nil
	}
	return whole.Write(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(p) })
}

func (p *verifyProgress) remove(path string) error {
	if path == "" {
		return nil
	}
	return os.Remove(path)
}

// leg is a tag's own progress. After a switch the sides have changed over, and it
// begins anew.
func (p *verifyProgress) leg(run string, tag pay.Tag, owner, copied shard.GroupID) *legProgress {
	for _, l := range p.Legs {
		if l.Run == run && l.Tag == tag && l.Owner == owner && l.Copy == copied {
			return l
		}
	}
	l := &legProgress{Run: run, Tag: tag, Owner: owner, Copy: copied}
	p.Legs = append(p.Legs, l)
	return l
}

func (p *verifyProgress) searched(g shard.GroupID) bool {
	for _, s := range p.Searches {
		if s.Group == g {
			return true
		}
	}
	return false
}

func (p *verifyProgress) verdict() shardVerdict {
	v := shardVerdict{Compared: []comparedTag{}, Searched: []shard.GroupID{}, Differences: []difference{}, Strays: []chunk.Stray{}}
	for _, l := range p.Legs {
		v.Compared = append(v.Compared, comparedTag{l.Tag, l.Owner, l.Copy, l.Orders, l.Rows})
		v.Differences = append(v.Differences, l.Differences...)
	}
	for _, s := range p.Searches {
		v.Searched = append(v.Searched, s.Group)
		v.Strays = append(v.Strays, s.Strays...)
	}
	v.OK = len(v.Differences) == 0 && len(v.Strays) == 0
	return v
}
