package daybook

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

func pageOf(t *testing.T, day Day, lang Lang) string {
	t.Helper()
	var out bytes.Buffer
	if err := WritePage(&out, day, lang); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestPage: the page says what the day has, and needs nothing from elsewhere.
func TestPage(t *testing.T) {
	t.Parallel()
	day := full(t)
	for lang, want := range map[Lang][]string{
		Chinese: {"对账日报 · 微信支付 · 2026-11-20", "未平：40 项差异", "我方缺少", "未解释差额", day.Result.RunID, day.Ledger.Head.Hash, `lang="zh-CN"`, "申请补单", "7 天以上"},
		English: {"Reconciliation daybook", "Not balanced: 40 differences", "missing in ours", "Unexplained", `lang="en"`, "over 7 days"},
	} {
		got := pageOf(t, day, lang)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: the page lacks %q", lang, w)
			}
		}
		for _, d := range day.Result.Differences {
			if !strings.Contains(got, d.OrderNo) {
				t.Errorf("%s: the page lacks order %s", lang, d.OrderNo)
			}
		}
		if found := regexp.MustCompile(`<script|<link|@import|url\(|src=|https?:`).FindString(got); found != "" {
			t.Errorf("%s: the page needs %q", lang, found)
		}
	}
	quiet := pageOf(t, balanced(), Chinese)
	for _, w := range []string{"已平", "无事可做", "未使用台账", "本次未提供资金账单"} {
		if !strings.Contains(quiet, w) {
			t.Errorf("the page of a quiet day lacks %q", w)
		}
	}
}

// TestPageHostile: a text of a bill is never markup.
func TestPageHostile(t *testing.T) {
	t.Parallel()
	day := balanced()
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\x00\xff\u202e"
	day.Result.Account, day.Result.Date, day.Result.RunID, day.Tool = evil, evil, evil, evil
	day.Result.Warnings = []string{evil}
	day.Result.Files = []recon.File{{Role: recon.Role(evil), Name: evil, SHA256: evil}}
	for range pageRows + 5 {
		day.Result.Differences = append(day.Result.Differences, recon.Difference{
			Class: recon.Class(evil), Kind: pay.EntryKind(evil), OrderNo: evil, RefundNo: evil, Detail: evil, Advice: evil, File: evil, ID: recon.ID(evil),
		})
	}
	day.Ledger = &Ledger{Head: ledger.Head{Hash: evil}, Ages: []ledger.DayAges{{Date: evil}}}
	for _, lang := range []Lang{Chinese, English} {
		got := pageOf(t, day, lang)
		if strings.Contains(got, "<script") || strings.Contains(got, "<img") || strings.ContainsAny(got, "\x00\u202e") {
			t.Error("a text of the bill became markup")
		}
		if !strings.Contains(got, fmt.Sprint(pageRows+5)) {
			t.Error("the page does not say that there are more differences")
		}
	}
}

// TestPageWhole: every element is closed.
func TestPageWhole(t *testing.T) {
	t.Parallel()
	for _, day := range []Day{full(t), balanced()} {
		d := xml.NewDecoder(strings.NewReader(pageOf(t, day, Chinese)))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		d.AutoClose = append(d.AutoClose, "meta", "!doctype")
		depth := 0
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch token.(type) {
			case xml.StartElement:
				depth++
			case xml.EndElement:
				depth--
			}
		}
		if depth != 0 {
			t.Errorf("%d elements are open at the end", depth)
		}
	}
}

// TestChart: a bar is as high as its rows, and the stacks stay in the drawing.
func TestChart(t *testing.T) {
	t.Parallel()
	if newChart(nil) != nil || newChart(&Ledger{}) != nil {
		t.Error("a chart of nothing")
	}
	at := func(rows int) ledger.AgeTotal { return ledger.AgeTotal{Rows: rows} }
	for _, top := range []int{0, 1, 7, 100, 123456} {
		c := newChart(&Ledger{Ages: []ledger.DayAges{
			{Date: "2026-11-20", Buckets: ledger.Buckets{UpTo1: at(top)}}, {Date: "2026-11-21", Buckets: ledger.Buckets{UpTo3: at(top / 2), Beyond: at(top - top/2)}},
		}})
		if len(c.Bars) != 8 || len(c.Lines) < 2 || len(c.Lines) > 7 {
			t.Fatalf("%d rows: %d bars, %d lines", top, len(c.Bars), len(c.Lines))
		}
		if scale := c.Lines[len(c.Lines)-1].Value; scale < top {
			t.Errorf("%d rows: the drawing ends at %d", top, scale)
		}
		for _, b := range c.Bars {
			if b.H < 0 || b.Y < chartTop || b.Y+b.H > chartTop+chartHeight {
				t.Errorf("%d rows: a bar leaves the drawing: %+v", top, b)
			}
		}
		if whole := c.Bars[4].H + c.Bars[5].H + c.Bars[7].H; whole != c.Bars[0].H {
			t.Errorf("%d rows: stacks of %d and %d", top, c.Bars[0].H, whole)
		}
	}
}
