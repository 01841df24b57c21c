package fetch

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha1" //nolint:gosec // the digest that WeChat announces
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"paytool/internal/bill"
	"paytool/internal/whole"
)

const (
	// maxBill bounds a bill on disk, in bytes: ten times the largest that a merchant
	// of millions of trades a day has.
	maxBill = 16 << 30
	// staleAfter is the age at which a part is surely nobody's: its process was
	// killed.
	staleAfter = 24 * time.Hour
)

var errTooLarge = errors.New("the bill is larger than 16 GiB; it is not read any further")

// part is a bill that has arrived and was checked, beside its place and without
// its name.
type part struct {
	file         *os.File // nil once it has its name
	origin       string
	sha1, sha256 string
	size         int64
	report       *bill.Report
}

// receive writes a bill beside its place, unpacked if it is gzip, and checks it.
func (p place) receive(ctx context.Context, d *download) (*part, error) {
	if err := os.MkdirAll(p.dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the bills: %w", err)
	}
	file, err := os.CreateTemp(p.dir, p.partPattern())
	if err != nil {
		return nil, fmt.Errorf("write the bill: %w", err)
	}
	whole := &part{file: file, origin: d.origin}
	err = whole.fill(d)
	if err == nil {
		err = whole.check(ctx, d, p)
	}
	if err != nil {
		return nil, errors.Join(err, whole.discard())
	}
	return whole, nil
}

func (w *part) fill(d *download) error {
	in := bufio.NewReaderSize(d, 64<<10)
	magic, err := in.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var plain io.Reader = in
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if plain, err = gzip.NewReader(in); err != nil {
			return cutOff(err)
		}
	}
	sum1, sum256 := sha1.New(), sha256.New() //nolint:gosec // as above
	n, err := io.Copy(io.MultiWriter(w.file, sum1, sum256), io.LimitReader(plain, maxBill+1))
	switch {
	case err != nil:
		return cutOff(err)
	case n > maxBill:
		return errTooLarge
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("write the bill: %w", err)
	}
	w.size, w.sha1, w.sha256 = n, hexSum(sum1), hexSum(sum256)
	return nil
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// cutOff: gzip that ends early came over a connection that did.
func cutOff(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt) {
		return retry("the bill arrived cut off or damaged: %w", err)
	}
	return err
}

// check refuses what is not the bill that was asked for. A bill that disagrees
// with itself is what the channel has: it lands, and its report says so. Only where
// neither a digest nor a zip proves that it is whole, its footer has to.
func (w *part) check(ctx context.Context, d *download, p place) error {
	if d.sha1 != "" && d.sha1 != w.sha1 {
		return retry("%w: announced %s, received %s", ErrDigest, d.sha1, w.sha1)
	}
	report, err := bill.Inspect(ctx, w.file.Name(), nil, p.expected)
	var refused *bill.RefusedError
	if errors.As(err, &refused) {
		err = fmt.Errorf("%w: what came %s", ErrWrongBill, refused.Reason)
		if refused.Code == bill.RefusedExpired || refused.Code == bill.RefusedTruncated {
			err = &retryError{err}
		}
		return err
	}
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		wrongDay := f.Check == bill.CheckDate && f.Line == 0 // not that of single rows
		if wrongDay || f.Check == bill.CheckMerchant || f.Check == bill.CheckType {
			return fmt.Errorf("%w: %s", ErrWrongBill, f)
		}
	}
	if d.sha1 == "" && p.ext != ".zip" && !report.FooterOK {
		return retry("%w: its footer is missing or does not agree with its rows, so that it may be cut off", ErrWrongBill)
	}
	w.report = report
	return nil
}

// discard removes a part that did not get its name.
func (w *part) discard() error {
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.file.Close(), os.Remove(w.file.Name()))
	w.file = nil
	return err
}

// publish gives the part its name, which nobody may have: unlike a rename, a link
// never replaces.
func (w *part) publish(path string) error {
	if err := os.Link(w.file.Name(), path); err != nil {
		return fmt.Errorf("name the bill: %w", err)
	}
	return errors.Join(w.discard(), whole.SyncDir(filepath.Dir(path)))
}
