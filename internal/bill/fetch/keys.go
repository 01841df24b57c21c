package fetch

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Keys are what an account signs and verifies with. They print as nothing but
// their name.
type Keys struct {
	Private   *rsa.PrivateKey // the merchant's or app's
	Channel   *rsa.PublicKey  // the channel's, for its answers
	ChannelID string          // WeChat's name of the channel's key; "" takes any
	API       []byte          // WeChat's v2
}

// Format keeps keys out of every %v.
func (Keys) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "(keys)") }

// MarshalText keeps keys out of JSON.
func (Keys) MarshalText() ([]byte, error) { return []byte("(keys)"), nil }

// KeyFiles name the files of Keys; an empty name is left out.
type KeyFiles struct {
	Private, Channel, API string
	ChannelID             string
}

const maxKeyFile = 64 << 10

// ReadKeys reads keys as PEM, or as the bare base64 that Alipay's tools write. A
// secret that others can read is refused, and so is a public key that others can
// write.
func ReadKeys(files KeyFiles) (Keys, error) {
	keys := Keys{ChannelID: files.ChannelID}
	if files.Private != "" {
		data, err := readKeyFile(files.Private, 0o077)
		if err != nil {
			return Keys{}, err
		}
		if keys.Private, err = parsePrivate(data); err != nil {
			return Keys{}, fmt.Errorf("read key %s: %w", files.Private, err)
		}
	}
	if files.Channel != "" {
		data, err := readKeyFile(files.Channel, 0o022)
		if err != nil {
			return Keys{}, err
		}
		key, serial, err := parsePublic(data)
		if err != nil {
			return Keys{}, fmt.Errorf("read key %s: %w", files.Channel, err)
		}
		keys.Channel = key
		if keys.ChannelID == "" {
			keys.ChannelID = serial
		}
	}
	if files.API != "" {
		data, err := readKeyFile(files.API, 0o077)
		if err != nil {
			return Keys{}, err
		}
		if keys.API = bytes.TrimSpace(data); len(keys.API) == 0 {
			return Keys{}, fmt.Errorf("read key %s: it is empty; write the API key into it", files.API)
		}
	}
	return keys, nil
}

func readKeyFile(path string, forbidden fs.FileMode) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read: nothing can be lost
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("read key %s: not a file", path)
	case mode.Perm()&forbidden&0o044 != 0:
		return nil, fmt.Errorf("read key %s: mode %04o lets others read it: run chmod 600 on it", path, mode.Perm())
	case mode.Perm()&forbidden != 0:
		return nil, fmt.Errorf("read key %s: mode %04o lets others change it: run chmod go-w on it", path, mode.Perm())
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("read key %s: %d bytes are no key", path, info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	return data, nil
}

var (
	errNoKey  = errors.New("holds no RSA key in PEM or base64")
	errNotRSA = errors.New("is a key, but not one of RSA")
)

// der is the key's own bytes, and the PEM type.
func der(data []byte) ([]byte, string, error) {
	if block, _ := pem.Decode(data); block != nil {
		return block.Bytes, block.Type, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
	if err != nil || len(raw) == 0 {
		return nil, "", errNoKey // the reader's own words would quote the key
	}
	return raw, "", nil
}

func parsePrivate(data []byte) (*rsa.PrivateKey, error) {
	raw, _, err := der(data)
	if err != nil {
		return nil, err
	}
	if key, err := x509.ParsePKCS1PrivateKey(raw); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return nil, errNoKey
	}
	if key, ok := key.(*rsa.PrivateKey); ok {
		return key, nil
	}
	return nil, errNotRSA
}

// parsePublic reads a public key or a certificate, and the latter's serial number
// as WeChat writes it.
func parsePublic(data []byte) (*rsa.PublicKey, string, error) {
	raw, kind, err := der(data)
	if err != nil {
		return nil, "", err
	}
	var key any
	serial := ""
	if kind == "CERTIFICATE" {
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, "", errNoKey
		}
		key, serial = cert.PublicKey, fmt.Sprintf("%X", cert.SerialNumber)
	} else if key, err = x509.ParsePKIXPublicKey(raw); err != nil {
		return nil, "", errNoKey
	}
	if key, ok := key.(*rsa.PublicKey); ok {
		return key, serial, nil
	}
	return nil, "", errNotRSA
}
