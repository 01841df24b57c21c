package sim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The accounts that the simulator knows.
const (
	WeChatMerchant = "1900000109"
	WeChatAppID    = "wx0000000000000109"
	WeChatSerial   = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
	WeChatKeyID    = "PUB_KEY_ID_0119000001092026010100000000000001"
	AlipayMerchant = "2088000000000001"
	AlipayAppID    = "2021000000000001"
)

// The files of Keys in their folder.
const (
	MerchantKeyFile = "merchant_key.pem"   // private: what requests are signed with
	ChannelKeyFile  = "channel_key.pem"    // private: what answers are signed with
	ChannelPubFile  = "channel_public.pem" // what a client verifies answers with
	APIKeyFile      = "wechat_api_key.txt" //nolint:gosec // a file's name; it holds the key of WeChat's v2
)

const keyBits = 2048

// Keys are test keys: both sides' for v3 and Alipay, and the shared one of v2.
type Keys struct {
	Merchant, Channel *rsa.PrivateKey
	API               string
}

// NewKeys makes keys that were never used.
func NewKeys() (Keys, error) {
	merchant, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return Keys{}, fmt.Errorf("make test keys: %w", err)
	}
	channel, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return Keys{}, fmt.Errorf("make test keys: %w", err)
	}
	return Keys{Merchant: merchant, Channel: channel, API: rand.Text()}, nil
}

// OpenKeys reads the keys in a folder; in one without keys it makes and keeps
// them, readable for their owner alone.
func OpenKeys(dir string) (Keys, error) {
	keys, err := readKeys(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if keys, err = NewKeys(); err != nil {
		return Keys{}, err
	}
	return keys, keys.Write(dir)
}

// Write keeps keys in a folder, which is made if it is not there.
func (k Keys) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep test keys: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&k.Channel.PublicKey)
	if err != nil {
		return fmt.Errorf("keep test keys: %w", err)
	}
	private := func(key *rsa.PrivateKey) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{ChannelPubFile, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})},
		{APIKeyFile, []byte(k.API + "\n")},
		{ChannelKeyFile, private(k.Channel)},
		{MerchantKeyFile, private(k.Merchant)}, // read first: with it there all are
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o600); err != nil {
			return fmt.Errorf("keep test keys: %w", err)
		}
	}
	return nil
}

func readKeys(dir string) (Keys, error) {
	var k Keys
	for _, f := range []struct {
		name string
		to   **rsa.PrivateKey
	}{{MerchantKeyFile, &k.Merchant}, {ChannelKeyFile, &k.Channel}} {
		path := filepath.Join(dir, f.name)
		data, err := os.ReadFile(path)
		if err != nil {
			return Keys{}, fmt.Errorf("read test keys: %w", err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			return Keys{}, fmt.Errorf("read test key %s: no PEM; remove it to have new keys made", path)
		}
		if *f.to, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return Keys{}, fmt.Errorf("read test key %s: damaged; remove it to have new keys made", path)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, APIKeyFile))
	if err != nil {
		return Keys{}, fmt.Errorf("read test keys: %w", err)
	}
	k.API = string(trimLine(data))
	return k, nil
}

func trimLine(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}
