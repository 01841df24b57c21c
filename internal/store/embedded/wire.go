package embedded

import (
	"bufio"
	"net"
	"time"
)

// stallLimit is how long a client may leave an answer unread.
const stallLimit = 5 * time.Second

// wire gathers the packets of one answer and sends them before the next read: a
// row is some five packets, and each would be a system call.
type wire struct {
	net.Conn
	out *bufio.Writer
}

func newWire(c net.Conn) *wire {
	return &wire{Conn: c, out: bufio.NewWriterSize(boundedWriter{c}, 16<<10)}
}

func (w *wire) Write(p []byte) (int, error) { return w.out.Write(p) }

func (w *wire) Read(p []byte) (int, error) {
	if err := w.out.Flush(); err != nil {
		return 0, err
	}
	return w.Conn.Read(p)
}

// Close sends what is left first: a refusal is followed by a close, not by a read.
func (w *wire) Close() error {
	_ = w.out.Flush() // to a client that may be gone
	return w.Conn.Close()
}

// boundedWriter gives up on a client that does not read.
type boundedWriter struct{ conn net.Conn }

func (b boundedWriter) Write(p []byte) (int, error) {
	if err := b.conn.SetWriteDeadline(time.Now().Add(stallLimit)); err != nil {
		return 0, err
	}
	return b.conn.Write(p)
}
