package fetch

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// TestSignV2 holds signatures against the ones that WeChat's documentation works
// out by hand.
func TestSignV2(t *testing.T) {
	t.Parallel()
	params := map[string]string{
		"appid": "wxd930ea5d5a258f4f", "mch_id": "10000100", "device_info": "1000", "body": "test",
		"nonce_str": "ibuaiVcKdpRxkhJA", "empty": "", "sign": "not part of it",
	}
	key := []byte("192006250b4c09247ec02edce69f6a2d")
	for signType, want := range map[string]string{
		MD5:        "9A0A8659F005D6984697E2CA0A9CF3B7",
		HMACSHA256: "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6",
	} {
		if got := signV2(params, signType, key); got != want {
			t.Errorf("%s: %s, want %s", signType, got, want)
		}
	}
}

func TestV3RequestText(t *testing.T) {
	t.Parallel()
	want := "GET\n/v3/bill/tradebill?bill_date=2026-11-20\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
	if got := v3Request(http.MethodGet, "/v3/bill/tradebill?bill_date=2026-11-20", "1554208460", "593BEC0C930BF1AFEB40B4A08C8FB242", ""); got != want {
		t.Errorf("%q", got)
	}
}

// TestVerifyV3: an answer is believed only whole, fresh and from the account's
// channel key.
func TestVerifyV3(t *testing.T) {
	t.Parallel()
	w := wechatV3{Options{Account: accounts()["v3"], Now: func() time.Time { return afterwards }}}
	const text = `{"code":"NO_STATEMENT_EXIST"}`
	header := func(at time.Time, serial string) http.Header {
		stamp := strconv.FormatInt(at.Unix(), 10)
		signature, err := signRSA(testKeys().Channel, stamp+"\nn\n"+text+"\n")
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Wechatpay-Timestamp": {stamp}, "Wechatpay-Nonce": {"n"}, "Wechatpay-Serial": {serial}, "Wechatpay-Signature": {signature}}
	}
	good := w.Account.Keys.ChannelID
	if err := w.verify(header(afterwards.Add(-maxSkew), good), []byte(text)); err != nil {
		t.Error(err)
	}
	unsigned := header(afterwards, good)
	unsigned.Del("Wechatpay-Signature")
	for name, tc := range map[string]struct {
		header http.Header
		text   string
	}{
		"changed":     {header(afterwards, good), text + " "},
		"old":         {header(afterwards.Add(-maxSkew-time.Second), good), text},
		"another key": {header(afterwards, "PUB_KEY_ID_2"), text},
		"unsigned":    {unsigned, text},
	} {
		if err := w.verify(tc.header, []byte(tc.text)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	test := header(afterwards, good)
	test.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/xyz")
	var again *retryError
	if err := w.verify(test, []byte(text)); !errors.As(err, &again) {
		t.Errorf("WeChat's test of merchants: %v", err)
	}
}
