package fetch

import (
	"crypto"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // WeChat's v2 knows no better for some accounts
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// signRSA is SHA256 with RSA in base64: WeChat's v3 and Alipay's RSA2.
func signRSA(key *rsa.PrivateKey, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign the request: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

func verifyRSA(key *rsa.PublicKey, text, signature string) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return ErrSignature
	}
	sum := sha256.Sum256([]byte(text))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) != nil {
		return ErrSignature
	}
	return nil
}

// pairs are parameters as WeChat's v2 and Alipay sign them: by name, without the
// empty ones and the signature itself.
func pairs(params map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if value := params[name]; value != "" && name != "sign" {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, "&")
}

// signV2 is the signature of WeChat's v2.
func signV2(params map[string]string, signType string, key []byte) string {
	text := append([]byte(pairs(params)+"&key="), key...)
	if signType == MD5 {
		sum := md5.Sum(text) //nolint:gosec // as above
		return strings.ToUpper(hex.EncodeToString(sum[:]))
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(text) // a hash takes everything
	return strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
}
