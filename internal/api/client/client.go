// Package client asks a running engine over HTTP.
//
// What happens here: keeping connections, choosing among several instances, telling
// a request that was never sent from one that may have been, and asking again for what
// became of it. What does not: deciding how many requests there are, or what for.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"paytool/internal/order"
)

// Clock is the time that a client waits on. Sleep returns the context's error when
// that ends first.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Options set up a Client.
type Options struct {
	// URLs are the instances, such as http://127.0.0.1:8080. They take turns.
	URLs  []string
	Token string // sent with each request, unless it is empty
	// Patience is how long a create whose outcome is unknown is asked for again (10 s).
	Patience time.Duration
	Clock    Clock
}

// CodeUnreachable says that no instance took the connection: nothing was sent.
const CodeUnreachable = "unreachable"

const (
	requestTimeout = 60 * time.Second // of one request: the slowest payment
	dialTimeout    = time.Second
	againAfter     = 100 * time.Millisecond
	maxAnswer      = 4 << 20 // bytes
	// connections to one instance. Requests beyond that wait for one: where an instance
	// falls behind, opening a connection for each would be what keeps it behind.
	connections = 256
)

// Client asks the instances. It is safe for concurrent use.
type Client struct {
	opts      Options
	urls      []string
	http      *http.Client
	transport *http.Transport
	turn      atomic.Uint64
}

// New checks the URLs and connects to nothing.
func New(o Options) (*Client, error) {
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	c := &Client{opts: o, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second,
	}}
	c.http = &http.Client{Transport: c.transport, Timeout: requestTimeout}
	for _, raw := range o.URLs {
		u, err := url.Parse(raw)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
			return nil, fmt.Errorf("%q is not the address of an engine: want http://host:port", raw)
		}
		if o.Token != "" && u.Scheme == "http" && !isLoopback(u.Hostname()) {
			return nil, fmt.Errorf("%q would send the token unencrypted: use https", raw)
		}
		c.urls = append(c.urls, u.Scheme+"://"+u.Host)
	}
	if len(c.urls) == 0 {
		return nil, errors.New("no address of an engine")
	}
	return c, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Close closes idle connections. Requests under way end by themselves.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// answer is what came back.
type answer struct {
	status int
	body   []byte
}

// send sends one request to the next instance whose turn it is, and to another one only
// where the connection was refused: then nothing was sent. An error is an *order.Error;
// with Outcome Unknown the request may have been carried out.
func (c *Client) send(ctx context.Context, method, path string, body any) (a answer, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return a, fmt.Errorf("write the request: %w", err)
		}
	}
	first := c.turn.Add(1)
	for i := range uint64(len(c.urls)) {
		if a, err = c.sendTo(ctx, c.urls[(first+i)%uint64(len(c.urls))], method, path, text); !neverSent(err) {
			break
		}
	}
	switch {
	case neverSent(err):
		return answer{}, &order.Error{Code: CodeUnreachable, Outcome: order.NotCommitted, Err: err, RetryAfter: time.Second,
			Message: fmt.Sprintf("no engine takes connections: %v", err), Hint: "see that `paytool serve` runs there"}
	case err != nil:
		return answer{}, errBroken(err)
	case a.status >= http.StatusMultipleChoices:
		return a, a.refusal()
	}
	return a, nil
}

func errBroken(err error) error {
	return &order.Error{Code: order.CodeUnknownOutcome, Outcome: order.Unknown, Err: err, RetryAfter: time.Second,
		Message: fmt.Sprintf("the connection broke, what became of the request is not known: %v", err), Hint: "ask again"}
}

// neverSent reports whether a request failed before any of it was sent.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (c *Client) sendTo(ctx context.Context, base, method, path string, text []byte) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(text))
	if err != nil {
		return answer{}, fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.opts.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.opts.Token)
	}
	got, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return answer{got.StatusCode, body}, nil
}

// refusal reads the error of an answer that is not a 2xx.
func (a answer) refusal() error {
	var body struct {
		Code         string `json:"code"`
		Message      string `json:"message"`
		Hint         string `json:"hint"`
		RetryAfterMS int64  `json:"retry_after_ms"`
	}
	e := &order.Error{Outcome: order.NotCommitted}
	if a.status == http.StatusInternalServerError || a.status == http.StatusGatewayTimeout {
		e.Outcome = order.Unknown
	}
	if err := json.Unmarshal(a.body, &body); err != nil || body.Code == "" { // not an engine's answer: a proxy's
		e.Code, e.Outcome = order.CodeUnknownOutcome, order.Unknown
		e.Message = fmt.Sprintf("an answer with status %d that is not an engine's", a.status)
		return e
	}
	e.Code, e.Message, e.Hint = body.Code, body.Message, body.Hint
	e.RetryAfter = time.Duration(body.RetryAfterMS) * time.Millisecond
	return e
}
