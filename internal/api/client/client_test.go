package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paytool/internal/api/client"
	"paytool/internal/order"
	"paytool/internal/pay"
)

const (
	number = "2016091212154323221992"
	paid   = `{"order_no":"` + number + `","merchant_id":"m1","merchant_order_no":"A","attempt":1,"group":2,"tag":2,"state":"paid","amount_fen":1250,"refunded_fen":0,"channel":"builtin","account":"","channel_trade_no":"","terminal_id":"","created":"2016-09-12T12:15:43+08:00","paid_at":"2016-09-12T12:15:44+08:00","twin_of":null,"shadow":false}`
)

// instance answers each request with the next of its answers, the last one for ever.
func instance(t *testing.T, answers ...http.HandlerFunc) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1))
		_, _ = io.Copy(io.Discard, r.Body)
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func refuses(status int, code, retry string) http.HandlerFunc {
	return says(status, `{"code":"`+code+`","message":"because","hint":"","retry_after_ms":`+retry+`}`)
}

// breaks cuts the connection after it has read the request.
func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// refusing is an address at which nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

func dial(t *testing.T, patience time.Duration, urls ...string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{URLs: urls, Clock: order.System{}, Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func create(t *testing.T, c *client.Client) (order.Order, *order.Error) {
	t.Helper()
	o, err := c.Create(t.Context(), order.Request{Key: pay.Key{MerchantID: "m1", MerchantOrderNo: "A"}, Amount: 1250})
	if err == nil {
		return o, nil
	}
	var refused *order.Error
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, which is no *order.Error", err)
	}
	return o, refused
}

func TestCreate(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	for _, c := range []struct {
		name    string
		answers []http.HandlerFunc
		code    string // "" for an order
		outcome order.Outcome
		asked   int64 // at least
	}{
		{"an order", []http.HandlerFunc{says(200, paid)}, "", 0, 1},
		{"refused", []http.HandlerFunc{refuses(409, order.CodeAmountMismatch, "0")}, order.CodeAmountMismatch, order.NotCommitted, 1},
		{"no group", []http.HandlerFunc{refuses(503, order.CodeNoGroup, "1000")}, order.CodeNoGroup, order.NotCommitted, 1},
		{"broken after sending, then told", []http.HandlerFunc{breaks, breaks, says(200, paid)}, "", 0, 3},
		{"unknown, then told", []http.HandlerFunc{refuses(504, order.CodeUnknownOutcome, "1000"), refuses(503, order.CodeNoGroup, "1000"), says(200, paid)}, "", 0, 3},
		{"broken, then refused for good", []http.HandlerFunc{breaks, refuses(409, order.CodeAmountMismatch, "0")}, order.CodeUnknownOutcome, order.Unknown, 2},
		{"broken for ever", []http.HandlerFunc{breaks}, order.CodeUnknownOutcome, order.Unknown, 2},
		{"unknown, and then no group for ever", []http.HandlerFunc{breaks, refuses(503, order.CodeNoGroup, "1000")}, order.CodeUnknownOutcome, order.Unknown, 2},
		{"a bug over there", []http.HandlerFunc{refuses(500, "internal", "1000")}, "internal", order.Unknown, 2},
		{"a proxy's page", []http.HandlerFunc{says(502, "<html>")}, order.CodeUnknownOutcome, order.Unknown, 2},
		{"half an order", []http.HandlerFunc{says(200, paid[:40])}, order.CodeUnknownOutcome, order.Unknown, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, asked := instance(t, c.answers...)
			o, refused := create(t, dial(t, patience, url))
			switch {
			case c.code == "":
				if refused != nil || o.No.String() != number || o.Amount != 1250 || o.State != pay.Paid || o.Group != 2 || o.PaidAt.IsZero() {
					t.Errorf("got %+v, %v", o, refused)
				}
			case refused == nil || refused.Code != c.code || refused.Outcome != c.outcome:
				t.Errorf("got %+v, want %s %s", refused, c.outcome, c.code)
			}
			if asked.Load() < c.asked || (c.asked == 1 && asked.Load() > 1) {
				t.Errorf("asked %d times, want %d", asked.Load(), c.asked)
			}
		})
	}
}

// A connection that was refused carried nothing: another instance is asked, once.
func TestInstancesTakeTurns(t *testing.T) {
	t.Parallel()
	one, askedOne := instance(t, says(200, paid))
	two, askedTwo := instance(t, says(200, paid))
	c := dial(t, time.Second, one, refusing(t), two)
	for range 12 {
		if _, err := create(t, c); err != nil {
			t.Fatal(err)
		}
	}
	if askedOne.Load() != 4 || askedTwo.Load() != 8 {
		t.Errorf("asked %d and %d times, want 4 and 8", askedOne.Load(), askedTwo.Load())
	}
	if _, err := create(t, dial(t, time.Second, refusing(t))); err == nil || err.Code != client.CodeUnreachable || err.Outcome != order.NotCommitted {
		t.Errorf("nobody listens, and a create got %+v", err)
	}
}

func TestPayRefundAndTheRest(t *testing.T) {
	t.Parallel()
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Method+" "+r.URL.Path+" "+string(body)+" "+r.Header.Get("Authorization"))
		if strings.HasSuffix(r.URL.Path, "refunds") {
			_, _ = io.WriteString(w, `{"order":`+paid+`,"refund":{"refund_no":"R-1","amount_fen":250,"state":"done"}}`)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, paid)
	}))
	defer s.Close()
	c, err := client.New(client.Options{URLs: []string{s.URL + "/"}, Token: "0123456789abcdef", Clock: order.System{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	no, err := pay.ParseOrderNo(number)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if o, err := c.Pay(ctx, no, order.PayRequest{AuthCode: "secret", ConfirmRisk: true}); err != nil || !o.Recording {
		t.Errorf("pay: %+v, %v; a paid order with 202 is being recorded", o, err)
	}
	if _, r, err := c.Refund(ctx, no, order.RefundRequest{No: "R-1", Amount: 250}); err != nil || r.No != "R-1" || r.Amount != 250 || r.State != pay.RefundDone {
		t.Errorf("refund: %+v, %v", r, err)
	}
	if _, err := c.Revoke(ctx, no); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(ctx, no); err != nil {
		t.Error(err)
	}
	want := []string{
		"POST /v1/orders/" + number + `/pay {"auth_code":"secret","channel":"","confirm_risk":true} Bearer 0123456789abcdef`,
		"POST /v1/orders/" + number + `/refunds {"refund_no":"R-1","amount_fen":250} Bearer 0123456789abcdef`,
		"POST /v1/orders/" + number + `/revoke {} Bearer 0123456789abcdef`,
		"GET /v1/orders/" + number + `  Bearer 0123456789abcdef`,
	}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
}

func TestAddressesAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, token string
	}{
		{"", ""}, {"127.0.0.1:8080", ""}, {"ftp://h", ""}, {"http://h/path", ""}, {"http://user:pw@h", ""}, {"http://h?x=1", ""},
		{"http://shop.example:8080", "0123456789abcdef"},
	} {
		if _, err := client.New(client.Options{URLs: []string{c.url}, Token: c.token, Clock: order.System{}}); err == nil {
			t.Errorf("%q passes", c.url)
		}
	}
	if _, err := client.New(client.Options{Clock: order.System{}}); err == nil {
		t.Error("no address passes")
	}
}
