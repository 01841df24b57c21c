package curve

import (
	"time"

	"paytool/internal/drill"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// FromLoad turns what a load has told of its orders into samples. past is the first
// group that an order went past, 0 if it landed at once.
func FromLoad(start time.Time, told []drill.Sample, past func(pay.OrderNo) shard.GroupID) []Sample {
	samples := make([]Sample, 0, len(told))
	for _, t := range told {
		s := Sample{Due: t.Due.Sub(start), Done: t.Done.Sub(start), Answer: t.Answer}
		switch {
		case t.Dropped():
			s.Answer = Dropped
		case t.Answer == drill.Acked:
			s.Group, s.Past = t.Order.Group, past(t.Order.No)
		}
		samples = append(samples, s)
	}
	return samples
}
