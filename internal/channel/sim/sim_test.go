package sim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		fault Fault
		times int
	}{"hang": {Hang, Forever}, "wrong_sha1=2": {WrongSHA1, 2}} {
		if f, n, err := ParseFault(text); err != nil || f != want.fault || n != want.times {
			t.Errorf("%s: %s %d, %v", text, f, n, err)
		}
	}
	for _, text := range []string{"", "rain", "hang=", "hang=0", "hang=-1", "hang=x"} {
		if f, n, err := ParseFault(text); err == nil {
			t.Errorf("%q was taken for %s %d", text, f, n)
		}
	}
}

func TestFaultsCount(t *testing.T) {
	t.Parallel()
	var s switches
	if s.take(Hang) {
		t.Error("a fault that is off strikes")
	}
	s.set(Hang, 2)
	for n, want := range []bool{true, true, false} {
		if s.take(Hang) != want {
			t.Errorf("request %d: the fault of two requests strikes: %v", n+1, !want)
		}
	}
	s.set(Hang, Forever)
	for range 5 {
		if !s.take(Hang) {
			t.Error("a fault without an end has one")
		}
	}
}

func TestOpenKeysKeepsThem(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sim")
	made, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenKeys(dir)
	if err != nil || !again.Merchant.Equal(made.Merchant) || !again.Channel.Equal(made.Channel) || again.API != made.API {
		t.Errorf("the keys changed: %v", err)
	}
	for _, name := range []string{MerchantKeyFile, ChannelKeyFile, APIKeyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, MerchantKeyFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(dir); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a damaged key: %v", err)
	}
}

// TestUnsignedRequests: nobody gets a bill without a signature.
func TestUnsignedRequests(t *testing.T) {
	t.Parallel()
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{Keys: keys}).Handler(0)
	for _, tc := range []struct{ method, target, body, want string }{
		{http.MethodGet, "/v3/bill/tradebill?bill_date=2026-11-20", "", "SIGN_ERROR"},
		{http.MethodGet, "/v3/billdownload/file?token=x", "", "SIGN_ERROR"},
		{http.MethodPost, "/pay/downloadbill", "<xml><mch_id>1900000109</mch_id></xml>", "SIGN ERROR"},
		{http.MethodPost, "/pay/downloadfundflow", "<xml>", "data format error"},
		{http.MethodPost, "/gateway.do", "app_id=2021000000000001&sign=x", "isv.invalid-signature"},
		{http.MethodGet, "/downloadBillFile.resource?token=x", "", "下载超时"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tc.method, tc.target, strings.NewReader(tc.body)))
		body, err := io.ReadAll(w.Result().Body)
		if err != nil || !strings.Contains(string(body), tc.want) {
			t.Errorf("%s: %s, want %s", tc.target, body, tc.want)
		}
	}
}
