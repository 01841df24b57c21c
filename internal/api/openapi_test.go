package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"paytool/internal/api"
	"paytool/internal/api/limit"
	"paytool/internal/order"
	"paytool/internal/pay"
)

// sample is a sound request for each operation.
var samples = []struct{ method, path, body string }{
	{"POST", "/v1/orders", `{"merchant_id":"m1","merchant_order_no":"A-付","amount_fen":1250,"channel":"builtin","terminal_id":"t","subject":"tea","new_attempt":false}`},
	{"GET", "/v1/orders?merchant_id=m1&state=paid&from=2016-09-12&to=2016-09-13T00:00:00%2B08:00&limit=10", ""},
	{"GET", "/v1/orders/" + orderNo, ""},
	{"POST", "/v1/orders/" + orderNo + "/pay", `{"auth_code":"secret-code","confirm_risk":true}`},
	{"POST", "/v1/orders/" + orderNo + "/revoke", ""},
	{"POST", "/v1/orders/" + orderNo + "/refunds", `{"refund_no":"R-1","amount_fen":250}`},
	{"GET", "/v1/orders/" + orderNo + "/trace", ""},
	{"GET", "/openapi.yaml", ""},
	{"GET", "/metrics", ""},
	{"GET", "/healthz", ""},
	{"GET", "/readyz", ""},
}

// description is openapi.yaml, and what of it was seen to be true.
type description struct {
	doc    *openapi3.T
	router routers.Router
	seen   map[string]bool // operation and status
}

func describe(t *testing.T) *description {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Description)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &description{doc: doc, router: router, seen: map[string]bool{}}
}

// check holds one request and its answer against the description. sound says whether
// the description should find the request in order.
func (d *description) check(t *testing.T, method, path, body, mediaType string, sound bool, got *http.Response) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		t.Errorf("%s %s is not described: %v", method, path, err)
		return
	}
	opts := &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: opts}
	if err := openapi3filter.ValidateRequest(t.Context(), in); (err == nil) != sound {
		t.Errorf("%s %s %.60s: the description says of the request: %v", method, path, body, err)
	}
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	got.Body = io.NopCloser(bytes.NewReader(text))
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: got.StatusCode, Header: got.Header, Body: io.NopCloser(bytes.NewReader(text)), Options: opts}
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("%s %s answers %d, which is not as described: %v\n%s", method, path, got.StatusCode, err, text)
	}
	d.seen[fmt.Sprintf("%s %d", route.Operation.OperationID, got.StatusCode)] = true
}

// code reads the code of an error's body.
func code(t *testing.T, got *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), `"code":"`)
	word, _, _ := strings.Cut(after, `"`)
	return word
}

// TestDescription makes every handler give every answer that is described, and holds
// each against the description; nothing may be left over on either side.
func TestDescription(t *testing.T) {
	t.Parallel()
	d := describe(t)
	tokens := writeTokens(t, "0123456789abcdef\n", 0o600)
	for _, q := range samples {
		s := newShop(t)
		d.check(t, q.method, q.path, q.body, "application/json", true, s.ask(q.method, q.path, q.body))
		if strings.HasSuffix(q.path, "z") {
			continue // asked by load balancers: no token, any host
		}
		d.check(t, q.method, q.path, q.body, "application/json", true, s.ask(q.method, q.path, q.body, "Host", "shop.example"))
		s = newShop(t, func(o *api.Options) { o.Tokens = tokens })
		d.check(t, q.method, q.path, q.body, "application/json", true, s.ask(q.method, q.path, q.body))
		if !strings.HasPrefix(q.path, "/v1/") {
			continue
		}
		s = newShop(t)
		s.engine.panics = true
		d.check(t, q.method, q.path, q.body, "application/json", true, s.ask(q.method, q.path, q.body))
	}
	d.underWay(t)
	d.refusedByEngine(t)
	d.refusedInput(t)
	d.turnedAway(t)

	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if !d.seen[op.OperationID+" "+status] {
					t.Errorf("%s %s: the answer %s is described, and this test never saw it", method, path, status)
				}
			}
		}
	}
}

func (d *description) underWay(t *testing.T) {
	for _, q := range samples {
		s := newShop(t)
		s.engine.order.State = pay.Paying
		s.engine.refund.State = pay.RefundProcessing
		d.check(t, q.method, q.path, q.body, "application/json", true, s.ask(q.method, q.path, q.body))
	}
	s := newShop(t, func(o *api.Options) {
		o.Ready = func() error { return refusal(order.CodeNoGroup, order.NotCommitted, time.Second) }
	})
	d.check(t, "GET", "/readyz", "", "", true, s.ask("GET", "/readyz", ""))
}

func (d *description) refusedByEngine(t *testing.T) {
	for _, q := range samples {
		op := d.operation(t, q.method, q.path)
		for _, c := range []struct {
			status string
			err    error
		}{
			{"404", refusal(order.CodeNotFound, order.NotCommitted, 0)},
			{"409", refusal(order.CodeRevokeRefused, order.NotCommitted, 0)},
			{"410", refusal(order.CodeOrderEnded, order.NotCommitted, 0)},
			{"503", refusal(order.CodeGroupDown, order.NotCommitted, time.Second)},
			{"504", refusal(order.CodeUnknownOutcome, order.Unknown, time.Second)},
		} {
			if strings.HasPrefix(q.path, "/v1/") && op.Responses.Value(c.status) != nil {
				s := newShop(t)
				s.engine.err = c.err
				d.check(t, q.method, q.path, q.body, "application/json", true, s.ask(q.method, q.path, q.body))
			}
		}
	}
}

func (d *description) operation(t *testing.T, method, path string) *openapi3.Operation {
	t.Helper()
	route, _, err := d.router.FindRoute(httptest.NewRequest(method, path, nil))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return route.Operation
}

func (d *description) refusedInput(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	for _, q := range samples {
		if q.method == "POST" {
			body := `{"nobody_knows":"this"}`
			d.check(t, q.method, q.path, body, "application/json", false, newShop(t).ask(q.method, q.path, body))
			body = `{"subject":"` + long + `"}`
			d.check(t, q.method, q.path, body, "application/json", false, newShop(t).ask(q.method, q.path, body))
			body = `{}`
			d.check(t, q.method, q.path, body, "text/plain", false, newShop(t).ask(q.method, q.path, body, "Content-Type", "text/plain"))
		}
		if strings.Contains(q.path, orderNo) {
			path := strings.Replace(q.path, orderNo, "12x", 1)
			d.check(t, q.method, path, q.body, "application/json", false, newShop(t).ask(q.method, path, q.body))
		}
	}
	for _, query := range []string{"merchant_id=m1&limit=many"} {
		d.check(t, "GET", "/v1/orders?"+query, "", "", false, newShop(t).ask("GET", "/v1/orders?"+query, ""))
	}
}

func (d *description) turnedAway(t *testing.T) {
	s := newShop(t, func(o *api.Options) {
		o.Throttle.Learn(time.Now(), limit.Rule{Subject: limit.Subject{Kind: limit.Merchant, ID: "m1"}, Version: 1, By: "ann", Reason: "fraud"})
	})
	q := samples[0]
	got := s.ask(q.method, q.path, q.body)
	d.check(t, q.method, q.path, q.body, "application/json", true, got)
	if c := code(t, got); got.StatusCode != http.StatusTooManyRequests || c != api.CodeOverLimit || s.meter.rejected[limit.OverRule] != 1 || len(s.engine.asked) != 0 {
		t.Errorf("a merchant over its limit got %d %s", got.StatusCode, c)
	}
}

// TestRoutesAreDescribed: a path that the handler knows and the description does not
// would go untested.
func TestRoutesAreDescribed(t *testing.T) {
	t.Parallel()
	d := describe(t)
	s := newShop(t)
	for _, q := range samples {
		s.ask(q.method, q.path, q.body)
	}
	operations := 0
	for _, item := range d.doc.Paths.Map() {
		operations += len(item.Operations())
	}
	if operations != len(samples) || len(s.meter.routes) != len(samples) {
		t.Errorf("%d operations are described, %d samples reach %d routes: %v", operations, len(samples), len(s.meter.routes), s.meter.routes)
	}
	for _, path := range s.Paths() {
		if d.doc.Paths.Value(path) == nil {
			t.Errorf("%s is served and not described", path)
		}
	}
}

// writeTokens reads tokens from a file of the given mode.
func writeTokens(t *testing.T, text string, mode os.FileMode) *api.Tokens {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	tokens, err := api.ReadTokens(path)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}
