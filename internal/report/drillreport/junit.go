package drillreport

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"

	"paytool/internal/drill/result"
)

// junitSuite is a drill as JUnit readers know test suites.
type junitSuite struct {
	XMLName   xml.Name    `xml:"testsuite"`
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"` // seconds
	Timestamp string      `xml:"timestamp,attr"`
	Host      string      `xml:"hostname,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
	Skipped *junitMessage `xml:"skipped"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

// WriteJUnit writes the verdict for machines: a case for everything that a drill is
// judged by. What is broken or not as expected has failed, what was not proven is in
// error, and a drill that was refused is skipped.
func WriteJUnit(w io.Writer, r *result.Result) error {
	s := junitSuite{
		Name: "drill " + r.ID + ": " + r.Title, Host: r.Host,
		Time: fmt.Sprintf("%.3f", r.Ended.Sub(r.Started).Seconds()), Timestamp: r.Started.Format("2006-01-02T15:04:05"),
	}
	for _, code := range result.Codes() {
		if code == result.NotHeld {
			continue // told by the checks
		}
		s.add(junitCase{Class: "drill", Name: string(code)}, r, func(x result.Reason) bool { return x.Code == code })
	}
	for _, c := range r.Checks {
		if c.Decides {
			s.add(junitCase{Class: "hypothesis", Name: string(c.Code)}, r, func(x result.Reason) bool {
				return x.Code == result.NotHeld && x.Detail == string(c.Code)
			})
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add appends a case with the first of the reasons that speak against it.
func (s *junitSuite) add(c junitCase, r *result.Result, speaks func(result.Reason) bool) {
	s.Tests++
	if i := slices.IndexFunc(r.Reasons, speaks); i >= 0 {
		message := &junitMessage{Message: r.Reasons[i].String()}
		switch r.Reasons[i].Verdict {
		case result.Refused:
			c.Skipped = message
			s.Skipped++
		case result.Inconclusive, result.Stopped:
			c.Error = message
			s.Errors++
		default:
			c.Failure = message
			s.Failures++
		}
	}
	s.Cases = append(s.Cases, c)
}
