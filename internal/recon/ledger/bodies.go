package ledger

import (
	"paytool/internal/pay"
	"paytool/internal/recon"
)

// The types of events.
const (
	eventRun      = "run"
	eventOpened   = "opened"
	eventResolved = "resolved" // by a run
	eventReopened = "reopened" // by a run
	eventProposed = "proposed" // which for carry and reopen is all
	eventApproved = "approved"
	eventRejected = "rejected"
	eventFinished = "finished"
)

// runBody is a recorded run. Its digests vouch for what is kept beside the chain.
type runBody struct {
	Book
	Date   string                `json:"date"`
	RunID  string                `json:"run_id"`
	Inputs []recon.File          `json:"inputs"`
	Counts map[recon.Class]int64 `json:"counts"`
	Ours   recon.Total           `json:"ours"`
	Theirs recon.Total           `json:"theirs"`
	// Carried is the roll-forward.
	Carried recon.RollForward `json:"carried"`
	Opening openingBody       `json:"opening"`
	// Fund is what the fund bill closes with, null without one.
	Fund       *pay.Fen `json:"fund_fen"`
	Supersedes string   `json:"supersedes"`
	Reason     string   `json:"reason"`
	// Findings counts the differences.
	Findings       int    `json:"findings"`
	ResultSHA256   string `json:"result_sha256"`
	FindingsSHA256 string `json:"findings_sha256"`
	ClosingSHA256  string `json:"closing_sha256"`
}

// openingBody is what a run started from.
type openingBody struct {
	Date    string   `json:"date"`
	RunID   string   `json:"run_id"`
	Carried string   `json:"carried_sha256"`
	Fund    *pay.Fen `json:"fund_fen"`
}

// openedBody is a new difference: the finding at Pos of the run at event Run.
type openedBody struct {
	ID  recon.ID `json:"id"`
	Run int64    `json:"run"`
	Pos int      `json:"pos"`
}

// changedBody is a difference that a run ended or reopened.
type changedBody struct {
	ID     recon.ID `json:"id"`
	Reason string   `json:"reason"`
	Other  recon.ID `json:"other"` // the late counterpart, where that is the reason
}

type proposedBody struct {
	Proposal    ProposalID `json:"proposal"`
	Action      Action     `json:"action"`
	Reason      string     `json:"reason"`
	Text        string     `json:"text"`
	Until       string     `json:"until"`
	Count       int        `json:"count"`
	Sum         pay.Fen    `json:"sum_fen"`
	Differences []recon.ID `json:"differences"`
}

// decidedBody is what a second person says. Count and Sum are what was decided on.
type decidedBody struct {
	Proposal ProposalID `json:"proposal"`
	Text     string     `json:"text"`
	Count    int        `json:"count"`
	Sum      pay.Fen    `json:"sum_fen"`
}

// finishedBody is what came of an instruction.
type finishedBody struct {
	Proposal ProposalID `json:"proposal"`
	OK       bool       `json:"ok"`
	Result   string     `json:"result"`
}
