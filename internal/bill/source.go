package bill

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

const (
	defaultMaxBytes = 64 << 30
	// A bill shrinks about tenfold. Beyond the first megabytes a file that shrinks
	// a hundred times more than that was made to fill memory or disks.
	maxRatio  = 400
	ratioFrom = 16 << 20
	headSize  = 8 << 10
)

var (
	errTooBig = errors.New("more bytes than the limit")
	errRatio  = errors.New("the file unpacks to over 400 times its size")
)

// source is the plain bytes of one bill, wherever they came from.
type source struct {
	io.Reader
	// companion is the summary that lies beside the detail file in a zip.
	companion []byte
	// unread names the files of a zip that are no bill.
	unread  []string
	packed  bool
	digest  hash.Hash // of the file as it lies there; nil: not wanted
	closers []func() error
}

// sha256 is the digest of the file in hex, once all of it was read.
func (s *source) sha256() string {
	if s.digest == nil {
		return ""
	}
	return hex.EncodeToString(s.digest.Sum(nil))
}

func (s *source) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// openSource looks at the first bytes: a zip, a gzip or the bill itself. A zip
// that does not come from a file is written to a temporary one first, as its list
// of contents is at its end.
func openSource(r io.Reader, limit int64, digest bool) (*source, error) {
	if limit <= 0 {
		limit = defaultMaxBytes
	}
	s := &source{}
	raw := r
	if digest {
		s.digest = sha256.New()
		raw = io.TeeReader(r, s.digest)
	}
	in := bufio.NewReaderSize(raw, readSize)
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read its first bytes: %w", err)
	}
	switch {
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")), bytes.HasPrefix(magic, []byte("PK\x05\x06")):
		s.packed = true
		err = s.openZip(r, in, limit)
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		s.packed = true
		err = s.openGzip(in, limit)
	default:
		s.Reader, err = &limited{r: in, limit: limit}, nil // a file of three bytes is short, not unreadable
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *source) openGzip(r io.Reader, limit int64) error {
	packed := &counted{r: r}
	z, err := gzip.NewReader(packed)
	if err != nil {
		return truncated("gzip", err)
	}
	s.closers = append(s.closers, z.Close)
	s.Reader = &limited{r: z, limit: limit, packed: func() int64 { return packed.n }}
	return nil
}

// seekable is r itself if it is a plain file, else a temporary copy of in.
func (s *source) seekable(r io.Reader, in io.Reader, limit int64) (*os.File, int64, error) {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f, info.Size(), nil
		}
	}
	f, err := os.CreateTemp("", "paytool-bill-*.zip")
	if err != nil {
		return nil, 0, fmt.Errorf("keep the zip while it is read: %w", err)
	}
	s.closers = append(s.closers, f.Close)
	// Its name goes at once: a process that is killed leaves nothing behind.
	if err := os.Remove(f.Name()); err != nil {
		return nil, 0, fmt.Errorf("keep the zip while it is read: %w", err)
	}
	n, err := io.Copy(f, &limited{r: in, limit: limit})
	if err != nil {
		return nil, 0, fmt.Errorf("keep the zip while it is read: %w", err)
	}
	return f, n, nil
}

// truncated is the refusal of packed bytes that end early or contradict their
// checksum.
func truncated(what string, err error) error {
	e := refused(RefusedTruncated, "the %s is cut off or damaged (%v); download it again", what, err)
	e.Err = err
	return e
}

// counted counts what was read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// limited ends in an error once more than limit bytes were read, or far more
// than the packed bytes can honestly hold.
type limited struct {
	r      io.Reader
	n      int64
	limit  int64
	packed func() int64 // nil: not packed
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.n += int64(n)
	switch {
	case l.n > l.limit:
		return 0, errTooBig
	case l.packed != nil && l.n > ratioFrom && l.n/maxRatio > l.packed():
		return 0, errRatio
	}
	return n, err
}
