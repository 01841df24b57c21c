package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"paytool/internal/bill"
)

// maxSkew is how far WeChat's clock and ours may be apart: an older answer may be
// a recorded one.
const maxSkew = 5 * time.Minute

// wechatV3 asks with JSON, signed by the merchant's key: first for a URL, whose
// answer WeChat signs, then for the file, which it does not sign but has announced
// the digest of.
type wechatV3 struct{ Options }

var tradeBillTypes = map[bill.Type]string{
	bill.TradeAll: "ALL", bill.TradeSuccess: "SUCCESS", bill.TradeRefund: "REFUND", bill.TradeRechargeRefund: "RECHARGE_REFUND",
}

func (w wechatV3) open(ctx context.Context, call caller, base string, req Request) (*download, error) {
	query := url.Values{"bill_date": {req.Date}, "tar_type": {"GZIP"}}
	path := "/v3/bill/tradebill"
	if req.Type == bill.Fundflow {
		path = "/v3/bill/fundflowbill"
		query.Set("account_type", "BASIC")
	} else {
		query.Set("bill_type", tradeBillTypes[req.Type])
		if w.Account.SubMerchant != "" {
			query.Set("sub_mchid", w.Account.SubMerchant)
		}
	}
	o, err := w.ask(ctx, call, base, path, query)
	if err != nil {
		return nil, err
	}
	// The URL names the main host even where that one is down: the host that
	// answered is the one to download from.
	get, err := w.request(ctx, base, o.path)
	if err != nil {
		return nil, err
	}
	content, err := call.fetchURL(get)
	if err != nil {
		return nil, err
	}
	return &download{ReadCloser: content, origin: base + path, sha1: o.sha1}, nil
}

func (w wechatV3) ask(ctx context.Context, call caller, base, path string, query url.Values) (offer, error) {
	req, err := w.request(ctx, base, path+"?"+query.Encode())
	if err != nil {
		return offer{}, err
	}
	resp, data, err := call.answer(req)
	if err != nil {
		return offer{}, err
	}
	if resp.StatusCode == http.StatusOK {
		if err := w.verify(resp.Header, data); err != nil {
			return offer{}, fmt.Errorf("call %s: %w", base+path, err)
		}
		o, err := parseOffer(data)
		if err != nil {
			return offer{}, fmt.Errorf("call %s: %w", base+path, err)
		}
		return o, nil
	}
	code, message := parseV3Error(data)
	switch {
	case resp.StatusCode >= http.StatusInternalServerError, resp.StatusCode == http.StatusTooManyRequests:
		return offer{}, retry("call %s: HTTP %d %s %s", base+path, resp.StatusCode, clean(code), clean(message))
	case code == "NO_STATEMENT_EXIST":
		err = errNoBill
	case code == "STATEMENT_CREATING":
		err = errNotReady
	default:
		return offer{}, &ChannelError{Origin: base + path, Status: resp.StatusCode, Code: code, Message: message}
	}
	if bad := w.verify(resp.Header, data); bad != nil { // a state is believed, so that it has to be WeChat's
		return offer{}, fmt.Errorf("call %s: %s: %w", base+path, code, bad)
	}
	return offer{}, err
}

// request makes a signed GET; target is path and query.
func (w wechatV3) request(ctx context.Context, base, target string) (*http.Request, error) {
	req, err := newRequest(ctx, http.MethodGet, base+target, nil)
	if err != nil {
		return nil, err
	}
	at, nonce := strconv.FormatInt(w.Now().Unix(), 10), w.Nonce()
	signature, err := signRSA(w.Account.Keys.Private, v3Request(http.MethodGet, target, at, nonce, ""))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		w.Account.Merchant, nonce, at, w.Account.Serial, signature))
	req.Header.Set("Accept", "application/json")
	if id := w.Account.Keys.ChannelID; id != "" {
		req.Header.Set("Wechatpay-Serial", id) // the key that the answer is to be signed with
	}
	return req, nil
}

// v3Request is the text that a request's signature is of.
func v3Request(method, target, at, nonce, content string) string {
	return method + "\n" + target + "\n" + at + "\n" + nonce + "\n" + content + "\n"
}

// verify holds an answer against its signature.
func (w wechatV3) verify(h http.Header, data []byte) error {
	at, nonce, serial := h.Get("Wechatpay-Timestamp"), h.Get("Wechatpay-Nonce"), h.Get("Wechatpay-Serial")
	if want := w.Account.Keys.ChannelID; want != "" && serial != want {
		return fmt.Errorf("%w: it is signed with key %s, the account has %s; get the channel's present key", ErrSignature, clean(serial), want)
	}
	signature := h.Get("Wechatpay-Signature")
	if strings.HasPrefix(signature, "WECHATPAY/SIGNTEST/") {
		return retry("%w: it is one of WeChat's tests of merchants", ErrSignature)
	}
	if err := verifyRSA(w.Account.Keys.Channel, at+"\n"+nonce+"\n"+string(data)+"\n", signature); err != nil {
		return fmt.Errorf("%w; check the channel's public key of the account", err)
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || w.Now().Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
		return fmt.Errorf("%w: its time is more than %s from ours; check this machine's clock", ErrSignature, maxSkew)
	}
	return nil
}

// offer is WeChat's answer that a bill is there.
type offer struct {
	path string // of the download, with its query
	sha1 string // of the plain bytes, in lower case hex
}

func parseOffer(data []byte) (offer, error) {
	var answer struct {
		HashType    string `json:"hash_type"`
		HashValue   string `json:"hash_value"`
		DownloadURL string `json:"download_url"`
	}
	if json.Unmarshal(data, &answer) != nil {
		return offer{}, fmt.Errorf("the answer is no JSON object: %w", ErrWrongBill)
	}
	if answer.HashType != "SHA1" || len(answer.HashValue) != 40 || strings.Trim(strings.ToLower(answer.HashValue), "0123456789abcdef") != "" {
		return offer{}, fmt.Errorf("the answer announces no SHA-1: %w", ErrWrongBill)
	}
	u, err := url.Parse(answer.DownloadURL)
	if err != nil || u.Host == "" || !strings.HasPrefix(u.Path, "/") {
		return offer{}, fmt.Errorf("the answer has no download URL: %w", ErrWrongBill)
	}
	return offer{path: u.RequestURI(), sha1: strings.ToLower(answer.HashValue)}, nil
}

// parseV3Error reads an error answer; what is none has no code.
func parseV3Error(data []byte) (code, message string) {
	var answer struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &answer) != nil {
		return "", "an answer that is no JSON"
	}
	return answer.Code, answer.Message
}
