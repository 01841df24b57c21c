package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Client is an *http.Client, or what a test puts in its place. Safe for
// concurrent use.
type Client interface {
	Do(req *http.Request) (*http.Response, error)
}

// maxAnswer bounds what is read of an answer that is no bill, in bytes.
const maxAnswer = 1 << 20

// caller makes calls.
type caller struct {
	client   Client
	patience time.Duration
}

// do sends a request. A server that is silent for longer than the patience is
// given up, before its answer and in the middle of its body. The body must be
// closed.
func (c caller) do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	b := &body{asked: req.Context(), ctx: ctx, cancel: cancel, patience: c.patience, origin: origin(req.URL)}
	b.silence = time.AfterFunc(c.patience, func() { cancel(ErrSilent) })
	req.Header.Set("User-Agent", "paytool")
	resp, err := c.client.Do(req.WithContext(ctx))
	if err != nil {
		err = b.explain(err) // before Close, which ends ctx for another reason
		return nil, errors.Join(err, b.Close())
	}
	b.ReadCloser = resp.Body
	resp.Body = b
	return resp, nil
}

// answer sends a request and reads its answer whole.
func (c caller) answer(req *http.Request) (*http.Response, []byte, error) {
	resp, err := c.do(req)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp, data, errors.Join(err, resp.Body.Close())
}

// body is an answer's body that notices silence.
type body struct {
	io.ReadCloser
	asked    context.Context // the caller's
	ctx      context.Context // ends with silence too
	cancel   context.CancelCauseFunc
	patience time.Duration
	silence  *time.Timer
	origin   string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && b.ctx.Err() == nil {
		b.silence.Reset(b.patience)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.explain(err)
	}
	return n, err
}

func (b *body) Close() error {
	b.silence.Stop()
	b.cancel(nil)
	if b.ReadCloser == nil {
		return nil
	}
	return b.ReadCloser.Close()
}

// explain says why a call failed: the caller ended it, the server fell silent, or
// the network's own reason, which another try may mend. The URL is left out: it
// may hold a token.
func (b *body) explain(err error) error {
	if b.asked.Err() != nil {
		return context.Cause(b.asked)
	}
	if cause := context.Cause(b.ctx); errors.Is(cause, ErrSilent) {
		return retry("call %s: %w for %s", b.origin, ErrSilent, b.patience)
	}
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	return retry("call %s: %w", b.origin, err)
}

// origin is a URL without its query, where tokens are.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// download is a bill on its way.
type download struct {
	io.ReadCloser
	origin string // host and path that were asked for it
	sha1   string // of the plain bytes, in hex, as announced; "" if it was not
}

// fetchURL opens a download URL. Whatever an answer other than 200 says, the URL
// may have run out, so that a new one is worth a try; only a refused signature is
// not.
func (c caller) fetchURL(req *http.Request) (io.ReadCloser, error) {
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	code, message := parseV3Error(text)
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return nil, &ChannelError{Origin: origin(req.URL), Status: resp.StatusCode, Code: code, Message: message}
	}
	return nil, retry("download from %s: HTTP %d %s %s; the download URL may have run out", origin(req.URL), resp.StatusCode, clean(code), clean(message))
}

func newRequest(ctx context.Context, method, target string, content io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", errors.Unwrap(err)) // the outer error repeats the URL
	}
	return req, nil
}
