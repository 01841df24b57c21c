package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"paytool/internal/drill/fault"
)

func TestHangHoldsAndLetsGo(t *testing.T) {
	t.Parallel()
	s, p, db := setUp(t, Options{})
	exec(t, db, "INSERT BEFORE") // the connection that will be frozen
	set(t, p, "hang")
	pooled := inBackground(db, "INSERT POOLED")
	awaitStrikes(t, p, fault.Hang, 1)
	fresh := inBackground(db, "INSERT FRESH") // the pool has no other
	awaitStrikes(t, p, fault.Hang, 2)
	if s.has("INSERT POOLED") || s.has("INSERT FRESH") {
		t.Error("a statement reached the server through a hang")
	}
	if n := s.connections(); n != 1 {
		t.Errorf("the server has %d connections, want the one from before the hang", n)
	}
	clearFaults(t, p)
	for _, answer := range []<-chan error{pooled, fresh} {
		if err := answered(t, answer); err != nil {
			t.Errorf("what was held did not go on: %v", err)
		}
	}
	worksAgain(t, db)
}

// What a client sent before it gave up is executed after the thaw.
func TestHangForwardsWhatItGotFromClientsThatLeft(t *testing.T) {
	t.Parallel()
	s, p, db := setUp(t, Options{})
	exec(t, db, "INSERT BEFORE")
	set(t, p, "hang")
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	answer := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(ctx, "INSERT LATE")
		answer <- err
	}()
	awaitStrikes(t, p, fault.Hang, 1)
	giveUp()
	if err := answered(t, answer); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that of the context", err)
	}
	clearFaults(t, p)
	s.await(t, "INSERT LATE")
	worksAgain(t, db)
}

func TestHangHoldsTheAnswerUnderWay(t *testing.T) {
	t.Parallel()
	s, p, db := setUp(t, Options{})
	exec(t, db, "INSERT BEFORE")
	s.executed = func(string) {
		if err := p.Set(fault.List{fault.New(fault.Hang)}); err != nil {
			t.Error(err)
		}
	}
	answer := inBackground(db, "INSERT EXECUTED")
	awaitStrikes(t, p, fault.Hang, 1)
	select {
	case err := <-answer:
		t.Errorf("the answer came through a hang: %v", err)
	default:
	}
	clearFaults(t, p)
	if err := answered(t, answer); err != nil {
		t.Errorf("the answer was not held but lost: %v", err)
	}
}

func TestHangPressesBack(t *testing.T) {
	t.Parallel()
	_, p, _ := setUp(t, Options{})
	set(t, p, "hang")
	client, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_ = client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	chunk := make([]byte, 1<<20)
	for range 256 { // far beyond what the kernel buffers
		if _, err = client.Write(chunk); err != nil {
			break
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want a write that finds no room", err)
	}
}

// TestPartitionLosesWhatItHeld: unlike a hang, what a client sent meanwhile never
// arrives, and its connection ends with the partition.
func TestPartitionLosesWhatItHeld(t *testing.T) {
	t.Parallel()
	s, p, db := setUp(t, Options{})
	exec(t, db, "INSERT BEFORE")
	set(t, p, "partition")
	pooled := inBackground(db, "INSERT POOLED")
	awaitStrikes(t, p, fault.Partition, 1)
	fresh := inBackground(db, "INSERT FRESH")
	awaitStrikes(t, p, fault.Partition, 2)
	clearFaults(t, p)
	for _, answer := range []<-chan error{pooled, fresh} {
		if err := answered(t, answer); err == nil {
			t.Error("a statement was answered across a partition")
		}
	}
	if s.has("INSERT POOLED") || s.has("INSERT FRESH") {
		t.Error("a statement reached the server across a partition")
	}
	worksAgain(t, db)
}
