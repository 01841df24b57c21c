package plan

import (
	"errors"
	"fmt"
	"io"
	"os"

	"paytool/internal/strictyaml"
)

// Read reads the plan file at path. See Parse.
func Read(path string) (Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return Plan{}, fmt.Errorf("read drill plan: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read: nothing can be lost
	// One byte more than is allowed shows a file that is too large; Parse says so.
	data, err := io.ReadAll(io.LimitReader(f, strictyaml.MaxFileSize+1))
	if err != nil {
		return Plan{}, fmt.Errorf("read drill plan: %w", err)
	}
	return Parse(path, data)
}

// Parse reads the text of a plan, fills in the defaults and checks it. name stands for
// the file in errors, which are strictyaml.KeyErrors, all of them at once.
func Parse(name string, data []byte) (Plan, error) {
	p := Defaults()
	p.Environment = "" // a file says where it may run
	lines, err := strictyaml.Decode(name, data, "a plan names at least environment, targets and method; see `paytool drill run --help`", &p)
	if err != nil {
		return Plan{}, err
	}
	p.complete()
	if err := p.refusals(func(key, reason string) error {
		return &strictyaml.KeyError{File: name, Line: lines.Of(key), Key: key, Reason: reason}
	}); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// Complete fills in the defaults of a plan that flags have made and checks it. The
// error says all that is wrong.
func (p *Plan) Complete() error {
	p.complete()
	return p.refusals(func(key, reason string) error { return fmt.Errorf("%s: %s", key, reason) })
}

func (p *Plan) refusals(as func(key, reason string) error) error {
	c := check{plan: p}
	c.all()
	errs := make([]error, len(c.wrong))
	for i, w := range c.wrong {
		errs[i] = as(w.key, w.reason)
	}
	return errors.Join(errs...)
}

// Text is the plan as a file that Parse reads back.
func (p Plan) Text() ([]byte, error) { return strictyaml.Encode(p) }
