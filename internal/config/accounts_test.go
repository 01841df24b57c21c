package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const accountsFile = `
accounts:
  - name: shop
    channel: wechat
    merchant: "1900000109"
    serial: "5157F09E"
    private_key_file: keys/shop.pem
    public_key_file: /keys/wechat.pem
    hosts: ["http://127.0.0.1:8080", "https://api2.example"]
  - name: kiosk
    channel: alipay
    merchant: "2088000000000001"
    app_id: "2021"
    private_key_file: kiosk.pem
    public_key_file: alipay.pem
`

func loadAccounts(t *testing.T, text string) (*Config, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "paytool.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadAccounts(path)
	return c, filepath.Dir(path), err
}

func TestAccountsNeedNoGroups(t *testing.T) {
	t.Parallel()
	c, dir, err := loadAccounts(t, accountsFile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Account("shop")
	if err != nil || a.PrivateKeyFile != filepath.Join(dir, "keys/shop.pem") || a.PublicKeyFile != "/keys/wechat.pem" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, name := range []string{"", "nobody"} {
		if _, err := c.Account(name); err == nil || !strings.Contains(err.Error(), "shop, kiosk") {
			t.Errorf("account %q: %v", name, err)
		}
	}
	if _, err := Parse("groups.yaml", []byte(accountsFile)); err == nil {
		t.Error("the engine would start without groups")
	}
}

func TestAccountsRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ from, to, key string }{
		{"channel: wechat", "channel: cash", "accounts[0].channel"},
		{"channel: wechat", "channel: wechat\n    protocol: v4", "accounts[0].protocol"},
		{"channel: wechat", "channel: wechat\n    protocol: v2", "accounts[0].app_id"},
		{"name: kiosk", "name: shop", "accounts[1].name"},
		{`"1900000109"`, `"shop"`, "accounts[0].merchant"},
		{"    private_key_file: kiosk.pem\n", "", "accounts[1].private_key_file"},
		{"app_id: \"2021\"", "app_id: \"2021\"\n    recon: {since: yesterday}", "accounts[1].recon.since"},
		{"app_id: \"2021\"", "app_id: \"2021\"\n    recon: {cut_window: 25h}", "accounts[1].recon.cut_window"},
		{"app_id: \"2021\"", "app_id: \"2021\"\n    recon: {carry_days: 32}", "accounts[1].recon.carry_days"},
		{"app_id: \"2021\"", "app_id: \"2021\"\n    recon: {rates: [{rate: \"0.6\"}]}", "accounts[1].recon.rates[0].rate"},
		{"app_id: \"2021\"", "app_id: \"2021\"\n    recon: {rates: [{rate: \"100.001%\"}]}", "accounts[1].recon.rates[0].rate"},
		{"app_id: \"2021\"", "app_id: \"2021\"\n    recon: {rates: [{rate: 1%}, {rate: 2%}]}", "accounts[1].recon.rates[1].product"},
		{"\naccounts:", "\nrecon: {overdue_after: 0s}\naccounts:", "recon.overdue_after"},
		{"\naccounts:", "\nrecon: {metrics_file: recon.txt}\naccounts:", "recon.metrics_file"},
		{"http://127.0.0.1:8080", "http://example.org", "accounts[0].hosts[0]"},
		{"https://api2.example", "https://api2.example/v3", "accounts[0].hosts[1]"},
		{"https://api2.example", "https://user@api2.example", "accounts[0].hosts[1]"},
	} {
		_, _, err := loadAccounts(t, strings.Replace(accountsFile, tc.from, tc.to, 1))
		var wrong *KeyError
		if !errors.As(err, &wrong) || wrong.Key != tc.key {
			t.Errorf("%s -> %s: %v, want an error at %s", tc.from, tc.to, err, tc.key)
		}
	}
}

func TestRecon(t *testing.T) {
	t.Parallel()
	c, dir, err := loadAccounts(t, strings.Replace(accountsFile, "app_id: \"2021\"",
		"app_id: \"2021\"\n    recon: {since: \"2026-11-01\", rates: [{rate: 0.6%}, {product: face, rate: \"0.375%\"}]}", 1)+"recon: {ledger: books, bills: /bills}\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Recon.Ledger != filepath.Join(dir, "books") || c.Recon.Bills != "/bills" {
		t.Errorf("%+v", c.Recon)
	}
	a := c.Accounts[1].Recon
	if a.Since != "2026-11-01" || a.Rates[0].E5() != 600 || a.Rates[1].E5() != 375 {
		t.Errorf("%+v", a)
	}
}
