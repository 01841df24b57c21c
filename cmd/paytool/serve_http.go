package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"paytool/internal/api"
	"paytool/internal/order"
)

// Times of a connection. An answer takes as long as the slowest payment.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeader      = 16 << 10
	// finishTimeout is for what was accepted before the port was closed.
	finishTimeout = 30 * time.Second
)

// server is the listening side of `serve`.
type server struct {
	opts   serveOptions
	tokens *api.Tokens
	tls    *tls.Config // nil for plain HTTP on loopback
	api    *api.API
}

// newServer reads the files that the options name.
func newServer(o serveOptions) (s *server, err error) {
	s = &server{opts: o}
	if o.tokenFile != "" {
		if s.tokens, err = api.ReadTokens(o.tokenFile); err != nil {
			return nil, err
		}
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fmt.Errorf("read --tls-cert %s and --tls-key %s: %w", o.cert, o.key, err)
		}
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	}
	return s, nil
}

// run serves until the context ends, then drains and stops. listening hears the URL
// once the port is open.
func (s *server) run(ctx context.Context, log *slog.Logger, listening func(url string)) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.opts.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --listen", s.opts.listen, err)
	}
	scheme := "http"
	if s.tls != nil {
		l, scheme = tls.NewListener(l, s.tls), "https"
	}
	h := &http.Server{
		Handler: s.api.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	listening(scheme + "://" + l.Addr().String())
	select {
	case err := <-ended:
		return fmt.Errorf("serve on %s: %w", s.opts.listen, err)
	case <-ctx.Done():
	}
	log.Info("draining", "for", s.opts.drain)
	s.api.Drain()
	err = s.stop(context.WithoutCancel(ctx), h)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// stop waits while load balancers turn away, closes the port and finishes what was
// accepted.
func (s *server) stop(ctx context.Context, h *http.Server) error {
	_ = order.System{}.Sleep(ctx, s.opts.drain) // the context has no end
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were still under way %s after the port was closed, what became of them is not known to their callers: %w", finishTimeout, errors.Join(err, h.Close()))
	}
	return nil
}
