package mover

import (
	"context"
	"errors"
	"fmt"

	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// prove compares everything once more before the source's rows are deleted: the last
// moment at which something that only the source has can be seen. It belongs to the
// reverse window, from which there is still a way back.
func (s *session) prove(ctx context.Context) error {
	if err := s.catchUp(ctx, s.back()); err != nil {
		return err
	}
	err := s.compare(ctx, s.back(), fmt.Sprintf("proof/%d", s.said(move.Consent)))
	if f := (*fruitless)(nil); errors.As(err, &f) {
		return fmt.Errorf("%w: the source keeps its rows: %s: look at these rows, or `shard reverse`", errStuck, f.note)
	}
	return err
}

// said is the number of the last time that somebody said a word.
func (s *session) said(word move.Mark) (seq int64) {
	for _, e := range s.journal {
		if e.Mark == word {
			seq = e.Seq
		}
	}
	return seq
}

// retire deletes the tags' rows at the source. The claims stay: they are the tags'
// history.
func (s *session) retire(ctx context.Context) error {
	if err := s.stopRecording(ctx, s.target); err != nil {
		return err
	}
	if err := s.deleteAt(ctx, s.back()); err != nil {
		return err
	}
	report, err := s.source.Info(ctx)
	if err != nil {
		return err
	}
	if !s.leaves(report) || report.State == shard.GroupRetired {
		return nil
	}
	return s.setWeight(ctx, 0, shard.GroupRetired)
}
