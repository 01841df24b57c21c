package main

import (
	"errors"
	"fmt"
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
