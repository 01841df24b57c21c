package sim

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Options describe the simulated channels. All but Keys have defaults.
type Options struct {
	Keys Keys
	// Rows and Seed are those of a generated day (1000, 0).
	Rows int
	Seed uint64
	// Recorded is a folder of bills with the names that `bill fetch` gives them; a
	// bill that is there is served in place of a generated one. "": none.
	Recorded string
	// URLLife is how long a download URL lives (30 s).
	URLLife time.Duration
	Now     func() time.Time
}

// Sim is the simulated channels. Safe for concurrent use.
type Sim struct {
	opts   Options
	faults switches

	mu    sync.Mutex
	files map[string]file // by token
}

// file is what a download URL leads to.
type file struct {
	data    []byte
	gzip    bool
	expires time.Time
}

// New makes a simulator. Its keys must be set.
func New(opts Options) *Sim {
	if opts.Rows == 0 {
		opts.Rows = 1000
	}
	if opts.URLLife == 0 {
		opts.URLLife = 30 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Sim{opts: opts, files: map[string]file{}}
}

// Inject switches a fault on for a number of requests, or Forever; 0 switches it
// off.
func (s *Sim) Inject(f Fault, times int) { s.faults.set(f, times) }

// Handler is one host of the channels: 0 is the first, which DeadHost kills.
func (s *Sim) Handler(host int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v3/bill/tradebill", s.v3Bill)
	mux.HandleFunc("GET /v3/bill/fundflowbill", s.v3Bill)
	mux.HandleFunc("GET /v3/billdownload/file", s.v3Download)
	mux.HandleFunc("POST /pay/downloadbill", s.v2Bill)
	mux.HandleFunc("POST /pay/downloadfundflow", s.v2Bill)
	mux.HandleFunc("POST /gateway.do", s.alipayGateway)
	mux.HandleFunc("GET /downloadBillFile.resource", s.alipayDownload)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host == 0 && s.faults.take(DeadHost) {
			panic(http.ErrAbortHandler) // closes the connection and says nothing
		}
		mux.ServeHTTP(w, r)
	})
}

// hang waits until the client has had enough. The request's body must have been
// read: only then does the server notice that the client went.
func (s *Sim) hang(r *http.Request) bool {
	if !s.faults.take(Hang) {
		return false
	}
	<-r.Context().Done()
	return true
}

// keep makes a download token of a file.
func (s *Sim) keep(f file) string {
	token := rand.Text()
	now := s.opts.Now()
	f.expires = now.Add(s.opts.URLLife)
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, f := range s.files {
		if now.After(f.expires) {
			delete(s.files, old)
		}
	}
	s.files[token] = f
	return token
}

// kept is the file of a token that still lives.
func (s *Sim) kept(token string) (file, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.files[token]
	return f, ok && !s.opts.Now().After(f.expires) && !s.faults.take(ExpiredURL)
}

// send writes a bill, whole or as the faults want it.
func (s *Sim) send(w http.ResponseWriter, r *http.Request, data []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	cut, stall := s.faults.take(Cut), s.faults.take(Stall)
	if !cut && !stall {
		_, _ = w.Write(data) // the client may be gone: nobody to tell
		return
	}
	_, _ = w.Write(data[:len(data)/2])
	_ = http.NewResponseController(w).Flush()
	if stall {
		<-r.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

func packed(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("pack the bill: %w", err)
	}
	return b.Bytes(), nil
}

// sign signs as the channel, or as somebody else if that is the fault.
func (s *Sim) sign(text string) (string, error) {
	key := s.opts.Keys.Channel
	if s.faults.take(WrongSignature) {
		key = s.opts.Keys.Merchant
	}
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign the answer: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// signedByMerchant verifies a request.
func (s *Sim) signedByMerchant(text, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	sum := sha256.Sum256([]byte(text))
	return err == nil && rsa.VerifyPKCS1v15(&s.opts.Keys.Merchant.PublicKey, crypto.SHA256, sum[:], raw) == nil
}

func readBody(r *http.Request) ([]byte, error) { return io.ReadAll(io.LimitReader(r.Body, 1<<20)) }
