package fault

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	latency := New(Latency)
	latency.Delay, latency.Jitter = 20*time.Millisecond, 5*time.Millisecond
	lostCommit := New(LostCommit)
	lostCommit.P = 0.25
	requestLost := New(RequestLost)
	requestLost.On = Commit
	tests := map[string]struct {
		text string
		want List
		back string // canonical, text if empty
	}{
		"name alone":         {text: "hang", want: List{New(Hang)}},
		"default spelled":    {text: "hang:p=1.0", want: List{New(Hang)}, back: "hang"},
		"latency's defaults": {text: "latency:d=0.1s", want: List{New(Latency)}, back: "latency"},
		"order of keys":      {text: "latency:jitter=5ms,d=20ms", want: List{latency}, back: "latency:d=20ms,jitter=5ms"},
		"several":            {text: "latency:d=20ms,jitter=5ms+lost_commit:p=0.25", want: List{latency, lostCommit}},
		"one statement":      {text: "request_lost:on=commit", want: List{requestLost}},
		"bare milliseconds":  {text: "latency:ms=20,jitter=5", want: List{latency}, back: "latency:d=20ms,jitter=5ms"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if tt.back == "" {
				tt.back = tt.text
			}
			if got.String() != tt.back {
				t.Errorf("prints itself as %q, want %q", got, tt.back)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"nothing":           {"", "no fault is named; known are crash, disk_full, flood, hang, lag, latency, lock, lost_commit, partition, read_only, refuse, reply_lost, request_lost, reset, semisync_degrade, semisync_stall, slow_cpu"},
		"unknown name":      {"hnag", `fault "hnag" is not known; known are crash,`},
		"nothing after +":   {"hang+", `fault "" is not known`},
		"spaces":            {"hang + reset", `fault "hang " is not known`},
		"twice":             {"hang+hang:p=0.5", `fault "hang" is named twice`},
		"unknown parameter": {"latency:delay=1s", `fault "latency": there is no parameter "delay"; it takes d, jitter, p`},
		"no parameters":     {"refuse:p=0.5", `fault "refuse": there is no parameter "p"; it takes no parameters`},
		"no value":          {"hang:p", `fault "hang": "p" is not KEY=VALUE; it takes p`},
		"no pair":           {"hang:", `fault "hang": "" is not KEY=VALUE`},
		"parameter twice":   {"hang:p=1,p=1", `fault "hang": p is given twice`},
		"chance of 0":       {"hang:p=0", `fault "hang": p=0: not a chance above 0`},
		"chance above 1":    {"hang:p=1.5", "not a chance above 0 and at most 1"},
		"chance NaN":        {"hang:p=NaN", "not a chance above 0 and at most 1"},
		"chance as word":    {"hang:p=half", "not a chance above 0 and at most 1"},
		"both spellings":    {"latency:ms=20,d=20ms", `fault "latency": d is given twice`},
		"no unit":           {"latency:d=20", "d=20: not a duration from 0s to 1h0m0s, such as 20ms"},
		"negative":          {"latency:d=-1ms", "not a duration from 0s"},
		"too long":          {"latency:d=2h", "not a duration from 0s to 1h0m0s"},
		"no delay":          {"latency:d=0s", "a delay of nothing is no fault"},
		"more jitter":       {"latency:d=10ms,jitter=11ms", "jitter=11ms is more than d=10ms"},
		"other statement":   {"reply_lost:on=begin", "on=begin: neither any nor commit"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestCheckRefusesWhatParseCannotMake(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		f    Fault
		want string
	}{
		"zero":          {Fault{}, "is not known"},
		"no chance":     {Fault{Name: Hang}, "not a chance"},
		"endless":       {Fault{Name: Hang, P: math.Inf(1)}, "not a chance"},
		"foreign field": {Fault{Name: Hang, P: 1, Delay: time.Second}, "a field is set that it does not take; it takes p"},
		"no statement":  {Fault{Name: ReplyLost, P: 1}, "neither any nor commit"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tt.f.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

// Whatever is registered has a meaning, and its defaults stand up to the parser.
func TestSpecs(t *testing.T) {
	t.Parallel()
	all := Specs()
	if !slices.IsSortedFunc(all, func(a, b Spec) int { return strings.Compare(string(a.Name), string(b.Name)) }) {
		t.Error("the specs are not in the order of their names")
	}
	for _, s := range all {
		if s.Meaning == "" || len(s.Scopes) == 0 || s.Needs == "" || s.Undo == "" || s.Class == "" {
			t.Errorf("%s does not say all of: what it does, acts on and needs, how it is undone, its class", s.Name)
		}
		f := New(s.Name)
		if err := f.Check(); err != nil {
			t.Errorf("%s with its defaults: %v", s.Name, err)
		}
		if f.String() != string(s.Name) {
			t.Errorf("%s with its defaults prints itself as %q", s.Name, f)
		}
		for _, p := range s.Params {
			if p.Meaning == "" {
				t.Errorf("%s does not say what %s means", s.Name, p.Name)
			}
		}
	}
}

// anyFault draws from all values of a fault that its Spec allows.
func anyFault(t *rapid.T, s Spec) Fault {
	f := New(s.Name)
	for _, p := range s.Params {
		switch p.Name {
		case "p":
			f.P = rapid.Float64Range(math.SmallestNonzeroFloat64, 1).Draw(t, "p")
		case "d":
			f.Delay = time.Duration(rapid.Int64Range(1, int64(maxDelay)).Draw(t, "d"))
		case "jitter":
			f.Jitter = time.Duration(rapid.Int64Range(0, int64(f.Delay)).Draw(t, "jitter"))
		case "on":
			f.On = rapid.SampledFrom([]Statement{Any, Commit}).Draw(t, "on")
		default:
			t.Fatalf("no way to draw %s of %s", p.Name, s.Name)
		}
	}
	return f
}

func TestEveryFaultReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.Permutation(Specs()).Draw(t, "specs")
		var want List
		for _, s := range drawn[:rapid.IntRange(1, len(drawn)).Draw(t, "n")] {
			want = append(want, anyFault(t, s))
		}
		got, err := Parse(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q reads back as (-want +got):\n%s", want, diff)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range Specs() {
		f.Add(string(s.Name))
	}
	for _, text := range []string{"", "+", ":", "hang:p=0.5+reset", "latency:d=20ms,jitter=5ms,p=1e-9", "reply_lost:on=commit", "hang:p=NaN"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		back, err := Parse(l.String())
		if err != nil {
			t.Fatalf("%q was read, its canonical text %q is refused: %v", text, l, err)
		}
		if !slices.Equal(l, back) || l.String() != back.String() {
			t.Fatalf("%q reads back as %q", l, back)
		}
	})
}
