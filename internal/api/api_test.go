package api_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"paytool/internal/api"
	"paytool/internal/api/limit"
	"paytool/internal/order"
	"paytool/internal/pay"
)

func TestBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, want string
	}{
		{"sound", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1}`, ""},
		{"blanks around it", " {\"merchant_id\":\"m1\",\"merchant_order_no\":\"A\",\"amount_fen\":1}\r\n", ""},
		{"a key twice", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1,"amount_fen":2}`, api.CodeInvalidRequest},
		{"another spelling", `{"Merchant_ID":"m1","merchant_order_no":"A","amount_fen":1}`, api.CodeInvalidRequest},
		{"a key too many", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1,"shadow":true}`, api.CodeInvalidRequest},
		{"a second object", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1}{}`, api.CodeInvalidRequest},
		{"an array", `[]`, api.CodeInvalidRequest},
		{"cut short", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1`, api.CodeInvalidRequest},
		{"no JSON", `merchant_id=m1`, api.CodeInvalidRequest},
		{"not UTF-8", "{\"merchant_id\":\"\xff\",\"merchant_order_no\":\"A\",\"amount_fen\":1}", api.CodeInvalidRequest},
		{"an exponent", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1e3}`, pay.CodeInvalidAmount},
		{"a fraction", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1.0}`, pay.CodeInvalidAmount},
		{"an amount in quotes", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":"1"}`, pay.CodeInvalidAmount},
		{"no amount", `{"merchant_id":"m1","merchant_order_no":"A"}`, pay.CodeInvalidAmount},
		{"a null", `{"merchant_id":null,"merchant_order_no":"A","amount_fen":1}`, pay.CodeInvalidField},
		{"a number for a text", `{"merchant_id":1,"merchant_order_no":"A","amount_fen":1}`, pay.CodeInvalidField},
		{"a text for a flag", `{"merchant_id":"m1","merchant_order_no":"A","amount_fen":1,"new_attempt":"yes"}`, pay.CodeInvalidField},
		{"deep nesting", `{"merchant_id":` + strings.Repeat("[", 15_000), api.CodeInvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			got := s.ask("POST", "/v1/orders", c.body)
			if c.want == "" {
				if got.StatusCode != http.StatusOK || len(s.engine.asked) != 1 {
					t.Errorf("got %d %s", got.StatusCode, code(t, got))
				}
				return
			}
			if word := code(t, got); got.StatusCode != http.StatusBadRequest || word != c.want || len(s.engine.asked) != 0 {
				t.Errorf("got %d %s, want 400 %s and an engine that was not asked", got.StatusCode, word, c.want)
			}
		})
	}
}

func TestCreateAsksForWhatWasSent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.ask("POST", "/v1/orders", `{"merchant_id":"`+pay.ShadowMerchant+`","merchant_order_no":"A-付","amount_fen":1250,"channel":"wechat","terminal_id":"t1","subject":"tea","new_attempt":true}`)
	want := order.Request{Key: pay.Key{MerchantID: pay.ShadowMerchant, MerchantOrderNo: "A-付"}, Amount: 1250, Channel: "wechat", TerminalID: "t1", Subject: "tea", NewAttempt: true, Shadow: true}
	if len(s.engine.asked) != 1 || s.engine.asked[0] != want || s.meter.created != 1 {
		t.Errorf("asked %+v, want %+v", s.engine.asked, want)
	}
}

func TestListAsksForWhatWasSent(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	cursor := order.Cursor{Created: time.UnixMilli(1_700_000_000_123), No: s.engine.order.No}
	s.ask("GET", "/v1/orders?merchant_id=m1&state=paid&from=2026-11-22&to=2026-11-23T08:00:00%2B08:00&limit=7&after="+cursor.String(), "")
	want := order.ListQuery{Merchant: "m1", State: pay.Paid, Limit: 7, After: cursor,
		From: time.Date(2026, 11, 22, 0, 0, 0, 0, pay.Beijing), To: time.Date(2026, 11, 23, 8, 0, 0, 0, pay.Beijing)}
	if len(s.engine.asked) != 1 {
		t.Fatalf("asked %v", s.engine.asked)
	}
	got, _ := s.engine.asked[0].(order.ListQuery)
	if !got.From.Equal(want.From) || !got.To.Equal(want.To) {
		t.Errorf("asked from %s to %s", got.From, got.To)
	}
	got.From, got.To = want.From, want.To
	if got != want {
		t.Errorf("asked %+v, want %+v", got, want)
	}
	for _, query := range []string{"merchant_id=m1&merchant_id=m2", "merchant_id=m1&sort=asc", "merchant_id=m1&after=x", "merchant_id=m1&from=today", "%zz", "merchant_id=%ff"} {
		if got := newShop(t).ask("GET", "/v1/orders?"+query, ""); got.StatusCode != http.StatusBadRequest {
			t.Errorf("?%s got %d", query, got.StatusCode)
		}
	}
}

// TestEveryCodeHasAStatus reads the engine's codes from its source: a new one that
// nobody thought of would be answered as a bug.
func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	codes := append(codesIn(t, "../order/errors.go"), codesIn(t, "../pay/errors.go")...)
	if len(codes) < 25 {
		t.Fatalf("found only %v", codes)
	}
	for _, word := range codes {
		outcome := order.NotCommitted
		if word == order.CodeUnknownOutcome {
			outcome = order.Unknown
		}
		s := newShop(t)
		s.engine.err = refusal(word, outcome, 0)
		got := s.ask("POST", "/v1/orders/"+orderNo+"/pay", `{"auth_code":"1"}`)
		switch {
		case got.StatusCode == http.StatusInternalServerError:
			t.Errorf("code %s has no status", word)
		case got.StatusCode > http.StatusInternalServerError && got.Header.Get("Retry-After") == "":
			t.Errorf("code %s is %d without a word on when to come again", word, got.StatusCode)
		}
		if answered := code(t, got); answered != word {
			t.Errorf("code %s is told as %s", word, answered)
		}
	}
}

// codesIn lists the values of the constants that begin with Code.
func codesIn(t *testing.T, path string) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Code") {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				word, _ := strconv.Unquote(lit.Value)
				codes = append(codes, word)
			}
		}
		return true
	})
	return codes
}

// TestUnknownIsNeverFailed: whoever reads only the status must not take an order for
// failed that may exist.
func TestUnknownIsNeverFailed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, err := range []error{
		refusal(order.CodeUnknownOutcome, order.Unknown, time.Second),
		refusal(order.CodeGroupDown, order.Unknown, time.Second),
	} {
		s.engine.err = err
		if got := s.ask("POST", samples[0].path, samples[0].body); got.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("%v is answered with %d", err, got.StatusCode)
		}
	}
	s.engine.err = errors.New("user:password@tcp(10.0.0.1)")
	got := s.ask("POST", samples[0].path, samples[0].body)
	text, _ := io.ReadAll(got.Body)
	if got.StatusCode != http.StatusInternalServerError || strings.Contains(string(text), "password") || !strings.Contains(string(text), "not known") {
		t.Errorf("a foreign error is answered with %d %s", got.StatusCode, text)
	}
}

func TestPaymentCodesShowNowhere(t *testing.T) {
	t.Parallel()
	const secret = "134567890123456789"
	for name, body := range map[string]string{
		"taken":       `{"auth_code":"` + secret + `"}`,
		"a wrong key": `{"auth_code":"` + secret + `","authcode":"` + secret + `"}`,
		"as a key":    `{"auth_code":"1","x` + secret + `":1}`,
		"too long":    `{"auth_code":"` + strings.Repeat(secret, 10) + `"}`,
		"a number":    `{"auth_code":` + secret + `}`,
		"cut short":   `{"auth_code":"` + secret,
	} {
		s := newShop(t)
		got := s.ask("POST", "/v1/orders/"+orderNo+"/pay", body)
		text, _ := io.ReadAll(got.Body)
		if name != "as a key" && strings.Contains(string(text), secret) {
			t.Errorf("%s: the answer repeats it: %s", name, text)
		}
		if strings.Contains(s.log.String(), secret) && name != "as a key" {
			t.Errorf("%s: the log has it: %s", name, s.log)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	tokens := writeTokens(t, "# old\nold-token-0123456\n\nnew-token-0123456 \n", 0o600)
	s := newShop(t, func(o *api.Options) { o.Tokens = tokens })
	for header, want := range map[string]int{
		"":                         http.StatusUnauthorized,
		"Bearer":                   http.StatusUnauthorized,
		"Bearer wrong":             http.StatusUnauthorized,
		"Bearer # old":             http.StatusUnauthorized,
		"Basic old-token-0123456":  http.StatusUnauthorized,
		"Bearer old-token-0123456": http.StatusOK,
		"bearer new-token-0123456": http.StatusOK,
	} {
		got := s.ask("GET", "/v1/orders/"+orderNo, "", "Authorization", header, "Host", "pay.shop.example")
		if got.StatusCode != want || (want == http.StatusUnauthorized) != (got.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%q got %d, want %d", header, got.StatusCode, want)
		}
	}
	if strings.Contains(s.log.String(), "token-0") {
		t.Errorf("the log has a token: %s", s.log)
	}
}

func TestTokenFilesAreChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"others may read it": {"0123456789abcdef\n", 0o640},
		"short":              {"0123456789abcde\n", 0o600},
		"with a blank":       {"0123456789abcdef x\n", 0o600},
		"empty":              {"# nothing\n", 0o600},
	} {
		path := filepath.Join(t.TempDir(), "tokens")
		if err := errors.Join(os.WriteFile(path, []byte(c.text), c.mode), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		if _, err := api.ReadTokens(path); err == nil || strings.Contains(err.Error(), "0123") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := api.ReadTokens(t.TempDir()); err == nil {
		t.Error("a folder is no file of tokens")
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.8.9.1": true, "localhost:80": true, "localhost": true, "[::1]:8080": true, "[::1]": true, "::1": true,
		":8080": false, "": false, "0.0.0.0:8080": false, "[::]:1": false, "10.0.0.1:8080": false, "localhost.evil.example:80": false, "127.0.0.1.evil.example": false, "8080": false,
	} {
		if got := api.Loopback(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for sent, want := range map[string]string{"": "drawn", "abc-1": "abc-1", "a b": "drawn", strings.Repeat("x", 65): "drawn", "x\"y": "drawn"} {
		if got := s.ask("GET", "/healthz", "", "X-Request-Id", sent).Header.Get("X-Request-Id"); got != want {
			t.Errorf("%q became %q, want %q", sent, got, want)
		}
	}
	s.engine.err = refusal(order.CodeUnknownOutcome, order.Unknown, 0)
	s.ask("POST", samples[0].path, samples[0].body, "X-Request-Id", "find-me")
	if !strings.Contains(s.log.String(), "level=WARN") || !strings.Contains(s.log.String(), "request_id=find-me") {
		t.Errorf("an unknown outcome is not in the log under its id: %s", s.log)
	}
}

func TestOtherMethodsAndPaths(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	got := s.ask("PUT", "/v1/orders", "")
	allow := got.Header.Values("Allow")
	slices.Sort(allow)
	if word := code(t, got); got.StatusCode != http.StatusMethodNotAllowed || word != api.CodeMethod || !slices.Equal(allow, []string{"GET", "POST"}) {
		t.Errorf("got %d %s, allowed %v", got.StatusCode, word, allow)
	}
	if got := s.ask("HEAD", "/healthz", ""); got.StatusCode != http.StatusOK {
		t.Errorf("HEAD got %d", got.StatusCode)
	}
	if got := s.ask("GET", "/v2/orders", ""); got.StatusCode != http.StatusNotFound || code(t, got) != api.CodeNoRoute {
		t.Errorf("got %d", got.StatusCode)
	}
	s.ask("BREW", "/v1/orders", "")
	if s.meter.routes["OTHER /v1/orders"] != 1 || s.meter.routes["GET other"] != 1 {
		t.Errorf("the meter heard of %v: labels that callers can make up", s.meter.routes)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	if got := s.ask("GET", "/readyz", ""); got.StatusCode != http.StatusOK || got.Header.Get("Connection") != "" {
		t.Errorf("ready is %d", got.StatusCode)
	}
	s.Drain()
	if got := s.ask("GET", "/readyz", ""); got.StatusCode != http.StatusServiceUnavailable || code(t, got) != api.CodeDraining {
		t.Errorf("ready is %d while it drains", got.StatusCode)
	}
	if got := s.ask("GET", "/healthz", ""); got.StatusCode != http.StatusOK {
		t.Errorf("health is %d while it drains", got.StatusCode)
	}
	if got := s.ask("POST", samples[0].path, samples[0].body); got.StatusCode != http.StatusOK || got.Header.Get("Connection") != "close" {
		t.Errorf("a create is answered with %d, connection %q", got.StatusCode, got.Header.Get("Connection"))
	}
}

// TestOverload: with the gate full a create is told so, without the engine.
func TestOverload(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(o *api.Options) {
		o.Gate = limit.NewGate(limit.GateOptions{Adaptive: limit.AdaptiveOptions{Start: 1, Min: 1, Max: 1}, Patience: time.Millisecond, Updates: 1})
	})
	for class, q := range map[limit.Class]int{limit.Create: 0, limit.Read: 2, limit.Update: 4} {
		pass, err := s.Gate.Enter(t.Context(), class)
		if err != nil {
			t.Fatal(err)
		}
		got := s.ask(samples[q].method, samples[q].path, samples[q].body)
		if word := code(t, got); got.StatusCode != http.StatusServiceUnavailable || word != order.CodeOverloaded || got.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: got %d %s, Retry-After %s", class, got.StatusCode, word, got.Header.Get("Retry-After"))
		}
		pass.Leave(false)
	}
	if len(s.engine.asked) != 0 || s.meter.rejected[limit.Waited]+s.meter.rejected[limit.QueueFull] != 3 {
		t.Errorf("the engine was asked %v, rejections %v", s.engine.asked, s.meter.rejected)
	}
	if got := s.ask(samples[0].method, samples[0].path, samples[0].body); got.StatusCode != http.StatusOK {
		t.Errorf("with room again it got %d", got.StatusCode)
	}
}

// TestPanic: one request ends, its place is given back, and the others go on.
func TestPanic(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.engine.panics = true
	for _, q := range samples[:7] {
		if got := s.ask(q.method, q.path, q.body); got.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s %s got %d", q.method, q.path, got.StatusCode)
		}
	}
	status := s.Gate.Status()
	for class, n := range status.UnderWay {
		if n != 0 {
			t.Errorf("%d places of class %s are lost", n, class)
		}
	}
}
