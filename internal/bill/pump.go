package bill

import (
	"crypto/sha1" //nolint:gosec // the channels announce SHA-1; it proves a whole download, not an author
	"encoding/hex"
	"hash"
	"io"
	"os"
)

// pump reads a stream ahead, on a goroutine of its own, and takes the digest of
// all bytes there: unpacking and digest are half of the work of reading a bill.
// At most two chunks wait. It is an io.Reader for one goroutine.
type pump struct {
	src    io.Reader
	digest hash.Hash // nil: not wanted
	full   chan chunk
	empty  chan []byte
	stop   chan struct{}
	done   chan struct{}
	now    chunk // what was not handed out yet
	whole  []byte
}

// chunk is the result of one Read.
type chunk struct {
	b   []byte
	err error
}

// startPump starts reading. close must be called.
func startPump(src io.Reader, digest bool) *pump {
	p := &pump{src: src, full: make(chan chunk), empty: make(chan []byte, 2), stop: make(chan struct{}), done: make(chan struct{})}
	if digest {
		p.digest = sha1.New() //nolint:gosec // as above
	}
	p.empty <- make([]byte, readSize)
	p.empty <- make([]byte, readSize)
	go p.run()
	return p
}

// run ends after the first error of the stream, which its end is too, or once the
// pump is closed. The digest is complete before the last chunk is handed over.
func (p *pump) run() {
	defer close(p.done)
	for {
		var c chunk
		select {
		case buf := <-p.empty:
			n, err := p.src.Read(buf)
			c = chunk{buf[:n], err}
		case <-p.stop:
			return
		}
		if p.digest != nil {
			p.digest.Write(c.b)
		}
		select {
		case p.full <- c:
		case <-p.stop:
			return
		}
		if c.err != nil {
			return
		}
	}
}

// Read hands out what has come. After the stream's error it returns that error
// again and again.
func (p *pump) Read(to []byte) (int, error) {
	for len(p.now.b) == 0 {
		if p.now.err != nil {
			return 0, p.now.err
		}
		if p.whole != nil {
			p.empty <- p.whole[:cap(p.whole)]
		}
		select {
		case p.now = <-p.full:
			p.whole = p.now.b
		case <-p.stop:
			return 0, os.ErrClosed
		}
	}
	n := copy(to, p.now.b)
	p.now.b = p.now.b[n:]
	return n, nil
}

// sha1 is the digest in hex, once Read has returned io.EOF; "" where it is not
// wanted.
func (p *pump) sha1() string {
	if p.digest == nil {
		return ""
	}
	return hex.EncodeToString(p.digest.Sum(nil))
}

// close ends the goroutine and waits for it: for a Read of the stream that is
// under way, too.
func (p *pump) close() {
	close(p.stop)
	<-p.done
}
