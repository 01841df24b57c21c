package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"paytool/internal/whole"
)

// Head is the last link of the chain as it is now.
func (l *Ledger) Head(ctx context.Context) (head Head, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		head, err = headOf(ctx, tx)
		return err
	})
	return head, err
}

func headOf(ctx context.Context, tx *sql.Tx) (head Head, err error) {
	err = tx.QueryRowContext(ctx, `SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1`).Scan(&head.Seq, &head.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Head{}, nil
	}
	return head, err
}

// filed is what head.json says.
type filed struct {
	Head
	known bool // there is such a file
}

// check holds the chain, which ends at head, against head.json. The file may be
// behind, as it is written after each commit, and never ahead: read it before the
// chain, or with the lock of a writer.
func (f filed) check(ctx context.Context, tx *sql.Tx, head Head) error {
	switch {
	case !f.known && head.Seq > 0:
		return fmt.Errorf("%s is gone: %w", headName, ErrTampered)
	case f.Seq > head.Seq:
		return fmt.Errorf("%s knows event %d, and the ledger ends at %d: %w", headName, f.Seq, head.Seq, ErrTampered)
	case f.Seq == 0:
		return nil
	}
	return contains(ctx, tx, f.Head, headName)
}

// contains says that the chain has a head that somebody knows.
func contains(ctx context.Context, tx *sql.Tx, head Head, who string) error {
	var hash string
	err := tx.QueryRowContext(ctx, `SELECT hash FROM events WHERE seq = ?`, head.Seq).Scan(&hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if hash != head.Hash {
		return fmt.Errorf("event %d is not the one that %s knows: %w", head.Seq, who, ErrTampered)
	}
	return nil
}

// settleHead brings head.json up to date. It holds the lock of a writer meanwhile, so
// that of several processes none writes an older head over a newer one.
func (l *Ledger) settleHead(ctx context.Context) error {
	return l.locked(ctx, func(ctx context.Context, tx *sql.Tx) error {
		head, err := headOf(ctx, tx)
		if err != nil {
			return err
		}
		f, err := readHead(l.path(headName))
		if err != nil {
			return err
		}
		if err := f.check(ctx, tx, head); err != nil || f.known && f.Head == head {
			return err
		}
		return l.writeHead(head)
	})
}

// settled reports whether head.json is up to date, without a lock.
func (l *Ledger) settled(ctx context.Context) bool {
	f, err := readHead(l.path(headName))
	if err != nil {
		return false
	}
	head, err := l.Head(ctx)
	return err == nil && f.known && f.Head == head
}

// readHead reads head.json.
func readHead(path string) (filed, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return filed{}, nil
	}
	if err != nil {
		return filed{}, fmt.Errorf("read the ledger's head: %w", err)
	}
	head, err := parseHead(data)
	if err != nil {
		return filed{known: true}, fmt.Errorf("read %s: %w: %w", path, err, ErrTampered)
	}
	return filed{head, true}, nil
}

func parseHead(data []byte) (head Head, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&head); err != nil {
		return Head{}, err
	}
	if d.More() {
		return Head{}, errors.New("there is more than one head")
	}
	return head, head.check()
}

// check refuses what cannot be a head.
func (h Head) check() error {
	digest, err := hex.DecodeString(h.Hash)
	switch {
	case h.Seq < 0:
		return fmt.Errorf("the number %d is below 0", h.Seq)
	case h.Seq == 0 && h.Hash != "":
		return errors.New("there is a hash and no event")
	case h.Seq > 0 && (err != nil || len(digest) != hashSize):
		return fmt.Errorf("the hash %q is not of SHA-256", h.Hash)
	}
	return nil
}

func (l *Ledger) writeHead(head Head) error {
	data, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("write the ledger's head: %w", err)
	}
	return whole.WriteBytes(l.path(headName), append(data, '\n'))
}
