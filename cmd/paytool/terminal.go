package main

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// isTerminal reports whether a person looks at the stream.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// statusLine is stderr on a terminal, with one line at the bottom that is drawn
// again and again. Whatever else is written goes above it. On anything but a
// terminal the line is never drawn. Safe for concurrent use.
type statusLine struct {
	out     io.Writer
	visible bool // a person looks

	mu   sync.Mutex
	line string
}

func newStatusLine(out io.Writer) *statusLine {
	return &statusLine{out: out, visible: isTerminal(out)}
}

const clearLine = "\r\x1b[K"

// Set draws the line; "" takes it away.
func (s *statusLine) Set(line string) {
	if !s.visible {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = line
	_, _ = io.WriteString(s.out, clearLine+line) // stderr is the last resort
}

// Write writes above the line.
func (s *statusLine) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.out.Write(p)
	}
	if _, err := io.WriteString(s.out, clearLine); err != nil {
		return 0, err
	}
	n, err := s.out.Write(p)
	if err == nil {
		_, err = io.WriteString(s.out, s.line)
	}
	return n, err
}
