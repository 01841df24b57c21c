package api

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
)

// Tokens are the secrets of which a request must bring one. Only their hashes are
// kept.
type Tokens struct{ hashes [][sha256.Size]byte }

const (
	leastToken   = 16      // characters
	maxTokenFile = 1 << 16 // bytes
)

// ReadTokens reads a file with a token on each line, so that a new one can be brought
// in before the old one goes. Blank lines and those that begin with # are passed over.
// A file that others than its owner can read is refused. Errors never hold a token.
func ReadTokens(path string) (*Tokens, error) {
	tokens, err := readTokenFile(path)
	if err != nil {
		return nil, err
	}
	t := &Tokens{}
	for _, token := range tokens {
		t.hashes = append(t.hashes, sha256.Sum256(token))
	}
	return t, nil
}

// FirstToken reads the first token of a file, under the rules of ReadTokens, for a
// client to send.
func FirstToken(path string) (string, error) {
	tokens, err := readTokenFile(path)
	if err != nil {
		return "", err
	}
	return string(tokens[0]), nil
}

func readTokenFile(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read tokens: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read tokens: %s is not a regular file", path)
	case info.Mode().Perm()&(fs.ModePerm&0o077) != 0:
		return nil, fmt.Errorf("read tokens: others may read %s (mode %04o); run chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return parseTokens(path, text)
}

func parseTokens(path string, text []byte) (tokens [][]byte, err error) {
	line := 0
	for l := range bytes.Lines(text) {
		line++
		token := bytes.TrimSpace(l)
		if len(token) == 0 || token[0] == '#' {
			continue
		}
		if len(token) < leastToken || bytes.ContainsAny(token, " \t") {
			return nil, fmt.Errorf("%s:%d: a token has at least %d characters and no blanks; `openssl rand -hex 32` makes one", path, line, leastToken)
		}
		tokens = append(tokens, token)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%s holds no token; `openssl rand -hex 32` makes one", path)
	}
	return tokens, nil
}

// has compares with every token in full, so that the time taken tells nothing.
func (t *Tokens) has(token string) bool {
	asked := sha256.Sum256([]byte(token))
	found := 0
	for _, h := range t.hashes {
		found |= subtle.ConstantTimeCompare(asked[:], h[:])
	}
	return found == 1
}

// admit lets a request in that brings a token; without tokens, one that was sent to
// this machine under its own name.
func (a *API) admit(open bool, h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch {
		case open:
		case a.Tokens == nil:
			if !Loopback(r.Host) {
				return &refusal{status: http.StatusForbidden, code: CodeForeignHost, message: "without a token only requests to localhost are answered", hint: "ask http://127.0.0.1, or run `paytool serve --token-file`"}
			}
		default:
			scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			if !strings.EqualFold(scheme, "Bearer") || !a.Tokens.has(token) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="paytool"`)
				return &refusal{status: http.StatusUnauthorized, code: CodeUnauthorized, message: "no token, or none that is known", hint: "send Authorization: Bearer TOKEN"}
			}
		}
		return h(w, r)
	}
}

// Loopback reports whether an address, host or host:port, is this machine under its
// own name. An empty host, which listens everywhere, is not.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	var shape *net.AddrError
	if errors.As(err, &shape) {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
