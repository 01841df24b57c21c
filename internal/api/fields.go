package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"paytool/internal/order"
	"paytool/internal/pay"
)

// maxBody is far above what the longest fields need, in bytes.
const maxBody = 16 << 10

// fields are the members of a JSON object, or the parameters of a query, as they were
// sent. The getters note the first mistake; done tells it. A member that no getter
// asked for is a mistake as well, so a misspelt one is never passed over in silence.
type fields struct {
	members map[string]json.RawMessage
	err     error
}

// readBody reads a JSON object: one object and nothing else, UTF-8, no key twice. An
// empty body is an empty object.
func readBody(w http.ResponseWriter, r *http.Request) (*fields, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, code: CodeTooLarge, message: fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	case err != nil:
		return nil, badRequest("the body did not arrive whole")
	case len(bytes.TrimSpace(body)) == 0:
		return &fields{}, nil
	}
	// A web page can send another type without asking; JSON it cannot.
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, code: CodeMediaType, message: "the body is not said to be JSON", hint: "send Content-Type: application/json"}
	}
	if !utf8.Valid(body) {
		return nil, badRequest("the body is not UTF-8")
	}
	return parseObject(body)
}

func badRequest(format string, args ...any) error {
	return &refusal{status: http.StatusBadRequest, code: CodeInvalidRequest, message: fmt.Sprintf(format, args...), hint: "see /openapi.yaml"}
}

// parseObject reads key by key: encoding/json alone would take the last of two equal
// keys, and any spelling of upper and lower case.
func parseObject(body []byte) (*fields, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, badRequest("the body is not a JSON object")
	}
	f := &fields{members: map[string]json.RawMessage{}}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return nil, badRequest("the body is not sound JSON after %d bytes", d.InputOffset())
		}
		if _, twice := f.members[name]; twice {
			return nil, badRequest("%s is there twice", clip(name))
		}
		f.members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, badRequest("the body is not sound JSON after %d bytes", d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badRequest("there is something behind the JSON object")
	}
	return f, nil
}

// clip keeps what is repeated from a request short.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strconv.Quote(s)
}

// readQuery reads the parameters of a query, each at most once.
func readQuery(r *http.Request) (*fields, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query is not sound")
	}
	f := &fields{members: map[string]json.RawMessage{}}
	for name, all := range values {
		if len(all) > 1 {
			return nil, badRequest("%s is there twice", clip(name))
		}
		if f.members[name], err = json.Marshal(all[0]); err != nil || !utf8.ValidString(all[0]) {
			return nil, badRequest("%s is not UTF-8", clip(name))
		}
	}
	return f, nil
}

// take removes a member and decodes it. It reports false where it is not there.
func (f *fields) take(name, want string, into any) bool {
	raw, ok := f.members[name]
	delete(f.members, name)
	if !ok {
		return false
	}
	if string(raw) == "null" || json.Unmarshal(raw, into) != nil {
		f.refuse(pay.CodeInvalidField, name, "wants "+want)
		return false
	}
	return true
}

func (f *fields) refuse(code, name, reason string) {
	if f.err == nil {
		err := &pay.InputError{Code: code, Field: name, Reason: reason}
		f.err = &order.Error{Code: code, Outcome: order.NotCommitted, Message: err.Error(), Hint: "see /openapi.yaml", Err: err}
	}
}

// text is a member with a text, "" where it is not there.
func (f *fields) text(name string) (s string) {
	f.take(name, "a text", &s)
	return s
}

// flag is a member with true or false, false where it is not there.
func (f *fields) flag(name string) (yes bool) {
	f.take(name, "true or false", &yes)
	return yes
}

// fen is a member with a whole number of fen, which must be there.
func (f *fields) fen(name string) pay.Fen {
	raw, ok := f.members[name]
	delete(f.members, name)
	if !ok {
		f.refuse(pay.CodeInvalidAmount, name, "is missing")
		return 0
	}
	fen, err := pay.ParseFen(string(raw)) // digits alone: no exponent, no fraction
	if err != nil {
		f.refuse(pay.CodeInvalidAmount, name, "wants a whole number of fen, without quotes")
	}
	return fen
}

// done is the first mistake, or that there are members that nobody asked for.
func (f *fields) done() error {
	if f.err != nil {
		return f.err
	}
	if len(f.members) == 0 {
		return nil
	}
	names := make([]string, 0, len(f.members))
	for name := range f.members {
		names = append(names, clip(name))
	}
	slices.Sort(names)
	return badRequest("%s is not known here", strings.Join(names[:min(3, len(names))], ", "))
}
