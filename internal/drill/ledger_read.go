package drill

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"paytool/internal/pay"
)

// maxLine bounds the memory of a line, in bytes. The longest that a ledger writes
// is a fifth of it.
const maxLine = 4096

// Run is what a ledger says: who sent which orders, and how they were answered.
type Run struct {
	Header
	Intents map[string]*Intent // by key
}

// Intent is one order that the client sent or was about to send. A key that was
// sent again is one intent.
type Intent struct {
	Amount  pay.Fen
	Attempt int
	Acks    []Ack // what the client was given, each order number once

	open     int    // sent and not answered
	doubted  bool   // answered Unknown at least once
	declined Answer // Failed or Rejected, the last one
}

// Ack is an order as the client was given it.
type Ack struct {
	No     pay.OrderNo
	Amount pay.Fen
}

// Answer is the strongest thing that is known of the intent: an acknowledgement
// stands whatever came before or after, and one try that may have been committed
// is not undone by another that failed.
func (i *Intent) Answer() Answer {
	switch {
	case len(i.Acks) > 0:
		return Acked
	case i.doubted || i.open > 0:
		return Unknown
	}
	return i.declined
}

// ReadLedger reads a ledger. name is the file in errors, which carry the line too.
//
// A last line without its end is left out: a client that was killed tore it, and
// since it was not yet synced its order was not sent. An intent without a result
// is unknown. Anything else that a ledger does not write is refused: a judge who
// guesses is none.
func ReadLedger(r io.Reader, name string) (*Run, error) {
	in := bufio.NewReaderSize(r, maxLine)
	run := &Run{Intents: map[string]*Intent{}}
	for n := 1; ; n++ {
		text, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && n == 1:
			return nil, fmt.Errorf("%s:1: the file has no header line, it is not a ledger", name)
		case errors.Is(err, io.EOF):
			return run, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("%s:%d: the line is longer than %d bytes, no ledger has such a line", name, n, maxLine)
		case err != nil:
			return nil, fmt.Errorf("read ledger %s: %w", name, err)
		}
		if n == 1 {
			err = run.readHeader(text)
		} else {
			err = run.readLine(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
}

func (r *Run) readHeader(text []byte) error {
	if err := json.Unmarshal(text, &r.Header); err != nil {
		return fmt.Errorf("the header is not one of a ledger: %w", err)
	}
	switch {
	case r.Version != ledgerVersion:
		return fmt.Errorf("a ledger of version %d, this paytool reads version %d", r.Version, ledgerVersion)
	case r.Merchant == "" || r.Prefix == "":
		return errors.New("the header names no merchant or no prefix, the run's orders could not be told from others")
	}
	return nil
}

func (r *Run) readLine(text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("not a line of a ledger: %w", err)
	}
	if !strings.HasPrefix(l.Key, r.Prefix) {
		return fmt.Errorf("key %q does not start with the run's prefix %q", l.Key, r.Prefix)
	}
	switch l.T {
	case lineIntent:
		return r.intend(l)
	case lineResult:
		return r.answer(l)
	}
	return fmt.Errorf("a line of type %q, a ledger has intents and results", l.T)
}

func (r *Run) intend(l line) error {
	if l.Amount <= 0 || l.Attempt <= 0 {
		return fmt.Errorf("the intent of key %s is over %d fen, attempt %d; both are at least 1", l.Key, l.Amount, l.Attempt)
	}
	i := r.Intents[l.Key]
	if i == nil {
		i = &Intent{Amount: l.Amount}
		r.Intents[l.Key] = i
	}
	if i.Amount != l.Amount {
		return fmt.Errorf("key %s is sent over %d fen, and was sent over %d fen before", l.Key, l.Amount, i.Amount)
	}
	i.Attempt = l.Attempt
	i.open++
	return nil
}

func (r *Run) answer(l line) error {
	i := r.Intents[l.Key]
	if i == nil || i.open == 0 {
		return fmt.Errorf("a result of key %s, which has no intent that waits for one", l.Key)
	}
	i.open--
	switch l.Answer {
	case Acked:
		return i.acked(l)
	case Unknown:
		i.doubted = true
	case Failed, Rejected:
		i.declined = l.Answer
	default:
		return fmt.Errorf("key %s has the outcome %q, which is none", l.Key, l.Answer)
	}
	return nil
}

func (i *Intent) acked(l line) error {
	if l.OrderNo.IsZero() {
		return fmt.Errorf("key %s is acknowledged without an order number", l.Key)
	}
	ack := Ack{No: l.OrderNo, Amount: l.Amount}
	for _, known := range i.Acks {
		if known == ack {
			return nil
		}
	}
	i.Acks = append(i.Acks, ack)
	return nil
}
