package fetch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paytool/internal/bill"
	"paytool/internal/channel/sim"
)

// childEnv makes the test binary fetch a bill instead: something to kill. Its
// value is the host, the folder and the folder of the keys.
const childEnv = "PAYTOOL_TEST_FETCH"

func runChild() int {
	parts := strings.Split(os.Getenv(childEnv), "\n")
	keys, err := ReadKeys(KeyFiles{
		Private: filepath.Join(parts[2], sim.MerchantKeyFile), Channel: filepath.Join(parts[2], sim.ChannelPubFile), ChannelID: sim.WeChatKeyID,
	})
	if err == nil {
		a := Account{Channel: bill.WeChat, Merchant: sim.WeChatMerchant, Serial: sim.WeChatSerial, Hosts: parts[:1], Keys: keys}
		var f *Fetcher
		if f, err = New(Options{Account: a, Patience: time.Minute, Now: func() time.Time { return afterwards }}); err == nil {
			_, err = f.Fetch(context.Background(), Request{Type: bill.TradeAll, Date: testDate, Dir: parts[1]})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKilledInTheMiddle: kill -9 while the bill arrives leaves nothing under its
// name, and the next fetch lands it.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	b := newBenchOf(t, sim.Options{Rows: longDay})
	keys := t.TempDir()
	if err := testKeys().Write(keys); err != nil {
		t.Fatal(err)
	}
	b.sim.Inject(sim.Stall, 1)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), childEnv+"="+b.hosts[0]+"\n"+b.dir+"\n"+keys)
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() }) // where the test ended early
	waitForPart(t, b.dir)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	stray := b.files()
	if len(stray) != 1 || !strings.HasSuffix(stray[0], ".part") {
		t.Errorf("the folder has %q, want one part", stray)
	}
	// Two days later the part is nobody's.
	old := afterwards.Add(-48 * time.Hour)
	if err := os.Chtimes(filepath.Join(b.dir, stray[0]), old, old); err != nil {
		t.Fatal(err)
	}
	r, err := b.fetch("v3")
	if err != nil || r.Unchanged {
		t.Fatalf("%+v, %v", r, err)
	}
	b.wantFiles(filepath.Base(r.Path), filepath.Base(r.NotePath))
}
