package main

import (
	"bytes"
	"testing"
)

func TestStatusLineStaysBelowTheLog(t *testing.T) {
	var out bytes.Buffer
	s := &statusLine{out: &out, visible: true}
	s.Set("1 of 2")
	if _, err := s.Write([]byte("a log line\n")); err != nil {
		t.Fatal(err)
	}
	s.Set("")
	if want := clearLine + "1 of 2" + clearLine + "a log line\n1 of 2" + clearLine; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestStatusLineIsNotDrawnIntoAFile(t *testing.T) {
	var out bytes.Buffer
	s := newStatusLine(&out)
	s.Set("1 of 2")
	if _, err := s.Write([]byte("a log line\n")); err != nil || out.String() != "a log line\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
