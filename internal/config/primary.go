package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"paytool/internal/whole"
)

// Path is the file that the configuration was read from, "" for one without a file.
func (c *Config) Path() string { return c.file }

// ErrByHand means that a file is written in a way that is not changed here.
var ErrByHand = errors.New("change it by hand: let the two nodes change places")

// PutFirst lets a group's primary and the replica at that place (from 0) change
// places in the file, comments and all else as they are. A file in which the group
// has changed since it was read, or that is written so that this is more than
// swapping the ends of lines, is left alone: ErrByHand.
func (c *Config) PutFirst(group, replica int) error {
	text, mode, err := readFile(c.file)
	if err != nil {
		return err
	}
	swapped, err := c.swap(text, group, replica)
	if err != nil {
		return fmt.Errorf("put another primary first in %s: %w", c.file, err)
	}
	return whole.WriteMode(c.file, mode.Perm(), func(w io.Writer) error {
		_, err := w.Write(swapped)
		return err
	})
}

// swap is the file's text after the change, which is read back and compared before
// it is believed.
func (c *Config) swap(text []byte, group, replica int) ([]byte, error) {
	now, err := parseText(c.file, text, false)
	if err != nil {
		return nil, ErrByHand
	}
	number := func(g Group) bool { return g.Group == group }
	at, before := slices.IndexFunc(now.Groups, number), slices.IndexFunc(c.Groups, number)
	if at < 0 || before < 0 || !reflect.DeepEqual(now.Groups[at], c.Groups[before]) {
		return nil, ErrByHand
	}
	lines := bytes.Split(text, []byte("\n"))
	for _, key := range []string{"dsn", "monitor_dsn", "admin_dsn"} {
		now.swapLine(lines, fmt.Sprintf("groups[%d].primary.%s", at, key), fmt.Sprintf("groups[%d].replicas[%d].%s", at, replica, key), key)
	}
	swapped := bytes.Join(lines, []byte("\n"))
	g := &now.Groups[at]
	g.Primary, g.Replicas[replica] = g.Replicas[replica], g.Primary
	got, err := parseText(c.file, swapped, false)
	if err != nil {
		return nil, ErrByHand
	}
	got.lines, now.lines = nil, nil // of keys, which may stand elsewhere
	if !reflect.DeepEqual(got, now) {
		return nil, ErrByHand
	}
	return swapped, nil
}

// swapLine swaps what stands after the key in two lines.
func (c *Config) swapLine(lines [][]byte, a, b, key string) {
	at, there := c.lines[a]-1, c.lines[b]-1
	if at < 0 || there < 0 || at >= len(lines) || there >= len(lines) {
		return // the comparison afterwards says whether it was missed
	}
	headA, restA, okA := strings.Cut(string(lines[at]), key+":")
	headB, restB, okB := strings.Cut(string(lines[there]), key+":")
	if okA && okB {
		lines[at], lines[there] = []byte(headA+key+":"+restB), []byte(headB+key+":"+restA)
	}
}
