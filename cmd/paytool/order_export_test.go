package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"paytool/internal/order"
)

func TestSteadyReadsAgainWhileTagsMove(t *testing.T) {
	t.Parallel()
	moving := fmt.Errorf("read the entries: %w", order.ErrTagsMoving)
	other := errors.New("out of order")
	for _, tc := range []struct {
		name  string
		fails []error // of the first readings, in turn
		want  error
		reads int
	}{
		{"nothing moves", nil, nil, 1},
		{"moves twice", []error{moving, moving}, nil, 3},
		{"another error", []error{moving, other}, other, 2},
		{"moves all the time", []error{moving, moving, moving, moving, moving, moving}, order.ErrTagsMoving, steadyTries},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			reads := 0
			err := steady(func() error {
				reads++
				if reads <= len(tc.fails) {
					return tc.fails[reads-1]
				}
				return nil
			})
			if !errors.Is(err, tc.want) || reads != tc.reads {
				t.Errorf("%d readings, %v; want %d, %v", reads, err, tc.reads, tc.want)
			}
		})
	}
}

func TestSpooledIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("a group is out")
	for _, tc := range []struct {
		name  string
		fails []error // of the first readings, in turn
		want  string
		err   error
	}{
		{"at once", nil, "reading 1", nil},
		{"a tag moved", []error{order.ErrTagsMoving, order.ErrTagsMoving}, "reading 3", nil},
		{"a group fails", []error{broken}, "", broken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			reads := 0
			err := spooled(&out, func(w io.Writer) error {
				reads++
				if reads <= len(tc.fails) {
					_, err := fmt.Fprintf(w, "reading %d, longer than it will be", reads)
					return errors.Join(err, tc.fails[reads-1])
				}
				_, err := fmt.Fprintf(w, "reading %d", reads)
				return err
			})
			if out.String() != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("wrote %q, %v; want %q, %v", out.String(), err, tc.want, tc.err)
			}
		})
	}
}
