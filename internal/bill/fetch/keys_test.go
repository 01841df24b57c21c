package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func keyFile(t *testing.T, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // umask has no say here
		t.Fatal(err)
	}
	return path
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestReadKeys(t *testing.T) {
	t.Parallel()
	key := testKeys().Merchant
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	private := map[string][]byte{
		"PKCS#1": inPEM("RSA PRIVATE KEY", pkcs1), "PKCS#8": inPEM("PRIVATE KEY", pkcs8),
		"bare": []byte(base64.StdEncoding.EncodeToString(pkcs8) + "\n"),
	}
	for name, data := range private {
		keys, err := ReadKeys(KeyFiles{Private: keyFile(t, data, 0o600)})
		if err != nil || !keys.Private.Equal(key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keys, err := ReadKeys(KeyFiles{Channel: keyFile(t, inPEM("PUBLIC KEY", pkix), 0o644), ChannelID: "PUB_KEY_ID_1", API: keyFile(t, []byte("abc\n"), 0o400)})
	if err != nil || !keys.Channel.Equal(&key.PublicKey) || keys.ChannelID != "PUB_KEY_ID_1" || string(keys.API) != "abc" {
		t.Errorf("%v", err)
	}
	if keys, err = ReadKeys(KeyFiles{Channel: keyFile(t, certificate(t), 0o644)}); err != nil || keys.ChannelID != "1BC" {
		t.Errorf("certificate: serial %q, %v", keys.ChannelID, err)
	}
}

// certificate is one of testKeys with the serial number 1BC.
func certificate(t *testing.T) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(0x1bc), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &testKeys().Merchant.PublicKey, testKeys().Merchant)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("CERTIFICATE", der)
}

func TestReadKeysRefuses(t *testing.T) {
	t.Parallel()
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(elliptic)
	if err != nil {
		t.Fatal(err)
	}
	private := inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(testKeys().Merchant))
	for name, tc := range map[string]struct {
		files KeyFiles
		words string
	}{
		"readable by the group":      {KeyFiles{Private: keyFile(t, private, 0o640)}, "chmod 600"},
		"readable by all":            {KeyFiles{API: keyFile(t, []byte("secretkey"), 0o604)}, "chmod 600"},
		"public, writable by others": {KeyFiles{Channel: keyFile(t, private, 0o622)}, "chmod go-w"},
		"not a key":                  {KeyFiles{Private: keyFile(t, []byte("secretkey!"), 0o600)}, "no RSA key"},
		"another algorithm":          {KeyFiles{Private: keyFile(t, inPEM("PRIVATE KEY", other), 0o600)}, "not one of RSA"},
		"private in place of public": {KeyFiles{Channel: keyFile(t, private, 0o600)}, "no RSA key"},
		"empty":                      {KeyFiles{API: keyFile(t, []byte(" \n"), 0o600)}, "empty"},
		"a folder":                   {KeyFiles{Private: t.TempDir()}, "not a file"},
		"missing":                    {KeyFiles{Private: "nowhere.pem"}, "nowhere.pem"},
	} {
		_, err := ReadKeys(tc.files)
		if err == nil || !strings.Contains(err.Error(), tc.words) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	t.Parallel()
	a := Account{Keys: Keys{API: []byte("secretkey"), Private: testKeys().Merchant}}
	asJSON, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(asJSON), fmt.Sprintf("%v %+v %#v %s", a, a, a, a)} {
		if !strings.Contains(text, "(keys)") || strings.Contains(text, "secretkey") || strings.Contains(text, "115 101 99") {
			t.Errorf("%s", text)
		}
	}
}
