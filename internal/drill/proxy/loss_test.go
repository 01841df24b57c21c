package proxy

import (
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/drill/fault"
)

func TestRequestLost(t *testing.T) {
	t.Parallel()
	s, p, db := setUp(t, Options{})
	exec(t, db, "INSERT BEFORE")
	set(t, p, "request_lost")
	answer := inBackground(db, "INSERT LOST")
	awaitStrikes(t, p, fault.RequestLost, 1)
	clearFaults(t, p) // cuts the connection, or the client would wait for ever
	if err := answered(t, answer); !errors.Is(err, mysql.ErrInvalidConn) {
		t.Errorf("error %v, want %v", err, mysql.ErrInvalidConn)
	}
	worksAgain(t, db)
	if s.has("INSERT LOST") {
		t.Error("the statement reached the server")
	}
}

func TestReplyLost(t *testing.T) {
	t.Parallel()
	s, p, db := setUp(t, Options{})
	exec(t, db, "INSERT BEFORE")
	set(t, p, "reply_lost")
	answer := inBackground(db, "INSERT UNANSWERED")
	s.await(t, "INSERT UNANSWERED")
	select {
	case err := <-answer:
		t.Errorf("the answer came: %v", err)
	default:
	}
	clearFaults(t, p)
	if err := answered(t, answer); !errors.Is(err, mysql.ErrInvalidConn) {
		t.Errorf("error %v, want %v", err, mysql.ErrInvalidConn)
	}
	if got := p.Struck()[fault.ReplyLost]; got != 1 {
		t.Errorf("struck %d times, want 1", got)
	}
	worksAgain(t, db)
}

// The three losses of a COMMIT: all fail at the client, who cannot know which of
// them were executed.
func TestLossesOfCommit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault    string
		executed bool
		silent   bool // until the faults are cleared
	}{
		"lost_commit":  {fault: "lost_commit", executed: true},
		"reply_lost":   {fault: "reply_lost:on=commit", executed: true, silent: true},
		"request_lost": {fault: "request_lost:on=commit", silent: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p, db := setUp(t, Options{})
			set(t, p, tt.fault)
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec("INSERT ROW"); err != nil {
				t.Fatalf("a statement before COMMIT is struck: %v", err)
			}
			answer := make(chan error, 1)
			go func() { answer <- tx.Commit() }()
			if tt.executed {
				s.await(t, "COMMIT")
			}
			awaitStrikes(t, p, fault.Name(name), 1)
			if tt.silent {
				clearFaults(t, p)
			}
			if err := answered(t, answer); !errors.Is(err, mysql.ErrInvalidConn) {
				t.Errorf("COMMIT ended with %v, want %v", err, mysql.ErrInvalidConn)
			}
			clearFaults(t, p)
			worksAgain(t, db)
			if got := s.hasCommitted("INSERT ROW"); got != tt.executed {
				t.Errorf("committed is %v, want %v", got, tt.executed)
			}
			if got := p.Struck()[fault.Name(name)]; got != 1 {
				t.Errorf("struck %d times, want 1", got)
			}
		})
	}
}
