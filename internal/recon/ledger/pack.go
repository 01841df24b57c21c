package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// packed is a run in the form in which it is kept.
type packed struct {
	book     Book
	body     runBody
	result   []byte   // without the differences, which are rows of their own
	findings [][]byte // the differences
	closing  [][]byte
	// start is what the run started from, as it was handed in.
	start start
}

// check refuses a run that could not be found again.
func (r *Run) check() error {
	if r.Result == nil {
		return errors.New("there is no result")
	}
	if err := pay.CheckField("channel", r.Result.Channel, 1, maxActor); err != nil {
		return err
	}
	if err := pay.CheckField("account", r.Account, 0, maxActor); err != nil {
		return err
	}
	if err := pay.CheckField("run_id", r.Result.RunID, 1, maxActor); err != nil {
		return err
	}
	if _, err := time.Parse(time.DateOnly, r.Result.Date); err != nil {
		return fmt.Errorf("the date %q is not like 2026-11-20", r.Result.Date)
	}
	if r.Result.Account != "" && r.Result.Account != r.Account {
		return fmt.Errorf("the result is of account %q, not of %q", r.Result.Account, r.Account)
	}
	if err := checkActor(r.Actor); err != nil {
		return err
	}
	return checkText(r.Supersede)
}

// pack brings a run into the form in which it is kept, before any lock is taken.
func pack(r *Run) (*packed, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	p := &packed{book: Book{r.Result.Channel, r.Account}}
	bare := *r.Result
	bare.Differences = []recon.Difference{}
	var err error
	if p.result, err = json.Marshal(&bare); err != nil {
		return nil, err
	}
	if p.findings, err = marshalAll(r.Result.Differences); err != nil {
		return nil, err
	}
	if p.closing, err = marshalAll(r.Result.Closing); err != nil {
		return nil, err
	}
	opening, err := marshalAll(r.Opening.Carried)
	if err != nil {
		return nil, err
	}
	p.start = start{digest(slices.Values(opening)), r.Opening.Fund}
	p.body = runBody{
		Book: p.book, Date: r.Result.Date, RunID: r.Result.RunID, Inputs: r.Result.Files, Counts: r.Result.Counts,
		Ours: r.Result.Ours, Theirs: r.Result.Theirs, Carried: r.Result.Carried, Findings: len(p.findings),
		ResultSHA256: digest(slices.Values([][]byte{p.result})), FindingsSHA256: digest(slices.Values(p.findings)), ClosingSHA256: digest(slices.Values(p.closing)),
	}
	if b := r.Result.FundBalance; b != nil {
		p.body.Fund = &b.Closing
	}
	return p, checkIDs(r.Result.Differences)
}

func marshalAll[T any](all []T) ([][]byte, error) {
	bodies := make([][]byte, len(all))
	for i := range all {
		var err error
		if bodies[i], err = json.Marshal(&all[i]); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// checkIDs refuses differences that could not be told apart.
func checkIDs(all []recon.Difference) error {
	seen := make(map[recon.ID]bool, len(all))
	for i := range all {
		id := all[i].ID
		if id == "" || seen[id] {
			return fmt.Errorf("difference %d of order %s has no id of its own (%q); this is a bug of paytool", i+1, all[i].OrderNo, id)
		}
		seen[id] = true
	}
	return nil
}
