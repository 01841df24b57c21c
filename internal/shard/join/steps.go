package join

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fraction is a part of a group's full weight.
type Fraction struct{ Num, Den int }

// ParseSteps reads fractions such as "1/256,1/2,1". Each has to be more than the one
// before, and the last is 1.
func ParseSteps(text string) ([]Fraction, error) {
	var steps []Fraction
	for part := range strings.SplitSeq(text, ",") {
		num, den, fraction := strings.Cut(strings.TrimSpace(part), "/")
		if !fraction {
			den = "1"
		}
		n, err := strconv.Atoi(num)
		d, err2 := strconv.Atoi(den)
		if err != nil || err2 != nil || n < 1 || d < n || d > maxDen {
			return nil, fmt.Errorf("%q is no part of a weight: write fractions from 1/%d to 1, such as 1/256,1/8,1/2,1", part, maxDen)
		}
		f := Fraction{n, d}
		if len(steps) > 0 && !steps[len(steps)-1].less(f) {
			return nil, fmt.Errorf("step %q is not more than the one before it", part)
		}
		steps = append(steps, f)
	}
	if last := steps[len(steps)-1]; last.Num != last.Den {
		return nil, fmt.Errorf("the last step is %d/%d: the whole weight, 1, has to be the last", last.Num, last.Den)
	}
	return steps, nil
}

const maxDen = 1_000_000

func (f Fraction) less(g Fraction) bool { return f.Num*g.Den < g.Num*f.Den }

// Weights are the weights of the steps to full, each at least 1 and more than the one
// before.
func Weights(full int, steps []Fraction) (weights []int) {
	for _, f := range steps {
		weights = append(weights, max(1, full*f.Num/f.Den))
	}
	return slices.Compact(weights)
}
