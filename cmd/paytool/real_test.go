package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/drill"
	"paytool/internal/sandbox"
	"paytool/internal/sandbox/sandboxtest"
)

// bench is a sandbox and the commands on it, as an SRE would use them.
type bench struct {
	*testing.T
	config string
	dir    string
	stderr string // of the last command that was asked for JSON
}

func newBench(t *testing.T, groups int) *bench {
	status := sandboxtest.Start(t, groups)
	return &bench{T: t, config: status.Config, dir: filepath.Dir(status.Config)}
}

// paytool runs a command in this process and returns its exit status.
func (b *bench) paytool(args ...string) (status int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	status = run(context.Background(), append([]string{"--config", b.config}, args...), strings.NewReader(""), &out, &errOut)
	return status, out.String(), errOut.String()
}

func (b *bench) json(into any, args ...string) (status int) {
	b.Helper()
	status, stdout, stderr := b.paytool(append(args, "-o", "json")...)
	b.stderr = stderr
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		b.Fatalf("paytool %v: exit %d, %v\nstdout: %s\nstderr: %s", args, status, err, stdout, stderr)
	}
	return status
}

func (b *bench) nodes(group int, role string) (nodes []sandbox.Node) {
	b.Helper()
	status, err := sandbox.Inspect(b.Context(), b.dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range status.Nodes {
		if n.Group == group && n.Role == role {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func (b *bench) signal(group int, sig syscall.Signal) {
	b.Helper()
	if err := b.nodes(group, sandbox.RolePrimary)[0].Signal(sig); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) sql(nodes []sandbox.Node, statement string) {
	b.Helper()
	for _, n := range nodes {
		db, err := n.Admin()
		if err != nil {
			b.Fatal(err)
		}
		_, err = db.ExecContext(b.Context(), statement)
		_ = db.Close()
		if err != nil {
			b.Fatalf("%s on port %d: %v", statement, n.Port, err)
		}
	}
}

func (b *bench) repair() {
	b.Helper()
	if _, err := sandbox.Up(b.Context(), sandbox.Options{Dir: b.dir}); err != nil {
		b.Fatal(err)
	}
}

// verify demands that a ledger is proven in full.
func (b *bench) verify(ledger string) drill.Verify {
	b.Helper()
	var v drill.Verify
	status := b.json(&v, "order", "verify", "--ledger", ledger)
	if status != exitDone || !v.OK || v.Acked == 0 || v.Found != v.Acked || v.DoubtsOpen != 0 {
		b.Errorf("verify ended with %d: %+v", status, v)
	}
	return v
}

// TestFailuresCostNoOrder fails one primary after the other under load, each in
// its own way, and wants every order.
func TestFailuresCostNoOrder(t *testing.T) {
	b := newBench(t, 4)
	for i, fault := range []struct {
		name         string
		inject, heal func(group int)
	}{
		{"hang", func(g int) { b.signal(g, syscall.SIGSTOP) }, func(g int) { b.signal(g, syscall.SIGCONT) }},
		{"crash", func(g int) { b.signal(g, syscall.SIGKILL) }, func(int) { b.repair() }},
		{"read_only", func(g int) { b.sql(b.nodes(g, sandbox.RolePrimary), "SET GLOBAL read_only=1") },
			func(g int) { b.sql(b.nodes(g, sandbox.RolePrimary), "SET GLOBAL read_only=0") }},
		// Probes pass here and creates fail: the group must not come and go.
		{"create_fails", func(g int) {
			b.sql(b.nodes(g, sandbox.RolePrimary), "CREATE TRIGGER pay.refuse BEFORE INSERT ON pay.orders FOR EACH ROW SIGNAL SQLSTATE '45000'")
		}, func(g int) { b.sql(b.nodes(g, sandbox.RolePrimary), "DROP TRIGGER pay.refuse") }},
		{"semisync", func(g int) { b.sql(b.nodes(g, sandbox.RoleReplica), "STOP SLAVE IO_THREAD") },
			func(g int) { b.sql(b.nodes(g, sandbox.RoleReplica), "START SLAVE IO_THREAD") }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			b := &bench{T: t, config: b.config, dir: b.dir}
			group := i%4 + 1
			ledger := filepath.Join(t.TempDir(), "run.jsonl")
			faulted := make(chan struct{})
			timer := time.AfterFunc(2*time.Second, func() { // the load is real time, and so is its fault
				fault.inject(group)
				time.AfterFunc(3*time.Second, func() {
					fault.heal(group)
					close(faulted)
				})
			})
			defer timer.Stop()
			var load drill.LoadResult
			if status := b.json(&load, "load", "--rate", "100", "--for", "8s", "--ledger", ledger); status != exitDone {
				t.Errorf("load ended with %d", status)
			}
			<-faulted
			if load.Attempted != 800 || load.Acked != 800 {
				t.Errorf("not every order was acknowledged: %+v", load)
			}
			if n := strings.Count(b.stderr, fmt.Sprintf("group ejected\" group=%d ", group)); n != 1 {
				t.Errorf("group %d was ejected %d times, want once:\n%s", group, n, b.stderr)
			}
			b.verify(ledger)
		})
	}
}

// TestKilledEngine kills the engine with orders under way, several times, and
// wants every acknowledged order, every doubt settled and no number given twice.
func TestKilledEngine(t *testing.T) {
	b := newBench(t, 2)
	binary := filepath.Join(t.TempDir(), "paytool")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for round := range 3 {
		ledger := filepath.Join(t.TempDir(), fmt.Sprintf("run%d.jsonl", round))
		load := exec.CommandContext(t.Context(), binary, "load", "--config", b.config, "--rate", "200", "--for", "60s", "--ledger", ledger)
		if err := load.Start(); err != nil {
			t.Fatal(err)
		}
		waitForLines(t, ledger, 300)
		if err := load.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = load.Wait() // killed
		b.verify(ledger)
	}
}

// TestOrdersOnRealGroups is the everyday use of the order commands.
func TestOrdersOnRealGroups(t *testing.T) {
	b := newBench(t, 2)
	create := []string{"order", "create", "--merchant", "m1", "--merchant-order", "K-付-1", "--amount", "1250"}
	var first, again, read map[string]any
	if status := b.json(&first, create...); status != exitDone || first["amount_fen"] != 1250.0 || first["state"] != "created" {
		t.Fatalf("exit %d, %v", status, first)
	}
	if b.json(&again, create...); again["order_no"] != first["order_no"] {
		t.Errorf("the same key became %v after %v", again["order_no"], first["order_no"])
	}
	no := fmt.Sprint(first["order_no"])
	if b.json(&read, "order", "get", no); read["merchant_order_no"] != "K-付-1" || read["twin_of"] != nil || read["group"] != first["tag"] {
		t.Errorf("read %v", read)
	}
	for _, c := range []struct {
		code string
		args []string
	}{
		{"amount_mismatch", append(create[:len(create):len(create)], "--amount", "1251")},
		{"attempt_open", append(create[:len(create):len(create)], "--new-attempt")},
		{"not_found", []string{"order", "get", no[:16] + "00000" + no[21:]}},
		{"unknown_tag", []string{"order", "get", no[:21] + "9"}},
	} {
		if status, _, stderr := b.paytool(c.args...); status != exitFailed || !strings.Contains(stderr, "code: "+c.code) {
			t.Errorf("paytool %v: exit %d, %s, want %s", c.args, status, stderr, c.code)
		}
	}

	// With its primary dead, a replica still answers, and the next order hops.
	group := int(first["group"].(float64))
	b.signal(group, syscall.SIGKILL)
	if status := b.json(&read, "order", "get", no); status != exitDone || read["order_no"] != no {
		t.Errorf("get while the primary is dead: exit %d, %v", status, read)
	}
	for i := range 4 {
		var o map[string]any
		if b.json(&o, "order", "create", "--merchant", "m1", "--merchant-order", fmt.Sprint("hop-", i), "--amount", "1"); o["group"] == first["group"] {
			t.Errorf("order %v went into the dead group", o["order_no"])
		}
	}
	var status shardStatus
	if b.json(&status, "shard", "status"); len(status.Groups) != 2 || status.Groups[group-1].Cause != "crash" || status.Groups[2-group].Ejected {
		t.Errorf("status %+v", status)
	}
}

// waitForLines waits until a file has that many lines.
func waitForLines(t *testing.T, path string, lines int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		data, err := os.ReadFile(path)
		if err == nil && bytes.Count(data, []byte("\n")) >= lines {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has no %d lines after a minute: %v", path, lines, err)
		}
	}
}
