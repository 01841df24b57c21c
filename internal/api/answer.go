package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"
)

// requestID is what a caller's own id may look like: it goes into logs.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

const idHeader = "X-Request-Id"

// slow is when a request is worth a line in the log though all went well.
const slow = time.Second

// answer runs a handler, writes its error if there is one, and tells the meter and the
// log. Bodies, and with them payment codes, go nowhere else.
func (a *API) answer(pattern string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.Now()
		seen := &watched{ResponseWriter: w}
		id := r.Header.Get(idHeader)
		if !requestID.MatchString(id) {
			id = a.NewID()
		}
		head := w.Header()
		head.Set(idHeader, id)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Cache-Control", "no-store")
		if a.draining.Load() {
			head.Set("Connection", "close")
		}
		err := a.protected(h, seen, r)
		code := ""
		if err != nil && seen.status == 0 {
			status, body := errorAnswer(err)
			code = body.Code
			_ = writeError(seen, status, body) // an errorJSON always marshals
		}
		took := a.Now().Sub(start)
		a.Meter.Answered(knownMethod(r.Method), pattern, seen.status, code, took)
		a.logRequest(r, pattern, id, seen.status, code, took, err)
	})
}

// protected turns a panic into an error: one request must not end the others.
func (a *API) protected(h handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(w, r)
}

// knownMethod keeps what a caller makes up out of the metrics.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "OTHER"
}

func (a *API) logRequest(r *http.Request, pattern, id string, status int, code string, took time.Duration, err error) {
	level, words := slog.LevelDebug, "request" // rejections too: a flood must not fill the disk
	switch {
	case status == http.StatusInternalServerError:
		level, words = slog.LevelError, "request went wrong"
	case status == http.StatusGatewayTimeout:
		level, words = slog.LevelWarn, "outcome unknown"
	case took > slow && pattern != "/v1/orders/{no}/pay": // a buyer types a password
		level, words = slog.LevelInfo, "slow request"
	}
	if !a.Log.Enabled(r.Context(), level) {
		return
	}
	a.Log.Log(r.Context(), level, words, "request_id", id, "method", knownMethod(r.Method), "route", pattern, "status", status, "code", code, "ms", took.Milliseconds(), "err", err)
}

// watched remembers the status.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }
