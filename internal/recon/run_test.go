package recon

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGate: nothing is concluded from an input that cannot be trusted.
func TestGate(t *testing.T) {
	t.Parallel()
	in, _ := madeDay(t, generate.Options{Rows: 50})
	opts := Options{Channel: bill.WeChat, Date: "2026-11-20"}
	for name, c := range map[string]struct {
		in   files
		opts Options
		want string
	}{
		"footer":        {files{strings.Replace(in.bill, "`50,`", "`49,`", 1), "", in.ours}, opts, "总交易单数"},
		"channel":       {files{in.bill, "", in.ours}, Options{Channel: bill.Alipay, Date: opts.Date}, "another channel"},
		"fund as trade": {files{in.fund, "", in.ours}, opts, "another type"},
		"trade as fund": {files{in.bill, in.bill, in.ours}, opts, "another type"},
	} {
		_, err := c.in.try(t, c.opts)
		var gate *GateError
		if !errors.As(err, &gate) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v: want a gate that names %q", name, err, c.want)
		}
	}
	_, err := files{in.bill, "", "kind,order_no\n"}.try(t, opts)
	if err == nil || !strings.Contains(err.Error(), "lacks amount_fen") {
		t.Errorf("our entries without columns: %v", err)
	}
	_, err = Run(context.Background(), opts, Books{Ours: &OurFile{Path: "none"}})
	if err == nil {
		t.Error("a run without a bill went well")
	}
}

// TestRejectedRows: a line of ours that cannot be read is a difference, and the rest
// is compared.
func TestRejectedRows(t *testing.T) {
	t.Parallel()
	in, _ := madeDay(t, generate.Options{Rows: 50})
	in.ours += "pay,x,,,,,,,,12.5,0,paid,2026-11-20T00:00:00+08:00\n"
	res := in.run(t, Options{Channel: bill.WeChat, Date: "2026-11-20"})
	if res.Balanced || res.Counts[RejectedRow] != 1 || len(res.Rejected) != 1 || !strings.Contains(res.Rejected[0].Reason, "12.5") || len(res.Differences) != 0 {
		t.Errorf("rejected %v, differences %v, counts %v", res.Rejected, res.Differences, res.Counts)
	}
}

// TestRunID: the same bytes and settings make the same id, a changed byte another.
func TestRunID(t *testing.T) {
	t.Parallel()
	in, _ := madeDay(t, generate.Options{Rows: 50})
	opts := Options{Channel: bill.WeChat, Date: "2026-11-20", Seed: 1}
	id := in.run(t, opts).RunID
	opts.Seed = 2
	if again := in.run(t, opts).RunID; again != id {
		t.Errorf("run ids %s and %s of the same inputs", id, again)
	}
	in.ours += "\n"
	if other := in.run(t, opts).RunID; other == id {
		t.Error("another file, the same run id")
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	_, err := Run(ctx, Options{Channel: bill.WeChat, Date: "2026-11-20"}, Books{NoBill: true, Ours: &OurFile{Path: "/dev/null"}})
	if err == nil {
		t.Error("a cancelled run went well")
	}
}
