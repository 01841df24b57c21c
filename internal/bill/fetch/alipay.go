package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

const (
	alipayMethod = "alipay.data.dataservice.bill.downloadurl.query"
	alipayAnswer = "alipay_data_dataservice_bill_downloadurl_query_response"
)

// alipay asks the gateway, signed with RSA2, for a URL that lives 30 s, and
// downloads a zip from it without any signature.
type alipay struct{ Options }

var alipayBillTypes = map[bill.Type]string{bill.AlipayTrade: "trade", bill.AlipayAccount: "signcustomer"}

func (a alipay) open(ctx context.Context, call caller, base string, req Request) (*download, error) {
	ask, err := a.request(ctx, base, req)
	if err != nil {
		return nil, err
	}
	from := origin(ask.URL)
	resp, data, err := call.answer(ask)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, retry("call %s: HTTP %d", from, resp.StatusCode)
	}
	target, err := a.read(data, from)
	if err != nil {
		return nil, err
	}
	get, err := newRequest(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	content, err := call.fetchURL(get)
	if err != nil {
		return nil, err
	}
	return &download{ReadCloser: content, origin: from + " " + alipayMethod}, nil
}

func (a alipay) request(ctx context.Context, base string, req Request) (*http.Request, error) {
	content, err := json.Marshal(map[string]string{"bill_type": alipayBillTypes[req.Type], "bill_date": req.Date})
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	params := map[string]string{
		"app_id": a.Account.AppID, "method": alipayMethod, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2",
		"timestamp": a.Now().In(pay.Beijing).Format(time.DateTime), "version": "1.0", "biz_content": string(content),
	}
	if params["sign"], err = signRSA(a.Account.Keys.Private, pairs(params)); err != nil {
		return nil, err
	}
	form := url.Values{}
	for name, value := range params {
		form.Set(name, value)
	}
	post, err := newRequest(ctx, http.MethodPost, base+"/gateway.do?charset=utf-8", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return post, nil
}

// read returns the download URL of an answer. A URL or a state is believed only
// if Alipay signed it; some errors come without a signature.
func (a alipay) read(data []byte, from string) (string, error) {
	answer, err := parseAlipay(data)
	if err != nil {
		return "", fmt.Errorf("call %s: %w", from, err)
	}
	state := error(&ChannelError{Origin: from, Status: http.StatusOK, Code: answer.code(), Message: answer.SubMsg})
	switch {
	case answer.Code == "10000":
		state = nil
	case answer.Code == "20000" || strings.HasSuffix(answer.SubCode, "SYSTEM_ERROR"):
		return "", retry("call %s: %s %s", from, clean(answer.code()), clean(answer.SubMsg))
	case answer.SubCode == "isp.bill_not_exist":
		state = errNoBill
	default:
		return "", state
	}
	if err := verifyRSA(a.Account.Keys.Channel, answer.signed, answer.signature); err != nil {
		return "", fmt.Errorf("call %s: %w; check the account's public key of Alipay (not the app's own)", from, err)
	}
	if state != nil {
		return "", state
	}
	u, err := url.Parse(answer.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("call %s: the answer has no download URL: %w", from, ErrWrongBill)
	}
	return answer.URL, nil
}

// alipayReply is an answer of the gateway.
type alipayReply struct {
	Code    string `json:"code"`
	Msg     string `json:"msg"`
	SubCode string `json:"sub_code"`
	SubMsg  string `json:"sub_msg"`
	URL     string `json:"bill_download_url"`

	signed, signature string
}

func (r alipayReply) code() string {
	if r.SubCode != "" {
		return r.SubCode
	}
	return strings.TrimSpace(r.Code + " " + r.Msg)
}

// parseAlipay keeps the very bytes that the signature is of: another spelling of
// the same JSON would not verify.
func parseAlipay(data []byte) (alipayReply, error) {
	var parts map[string]json.RawMessage
	if json.Unmarshal(data, &parts) != nil {
		return alipayReply{}, fmt.Errorf("the answer is no JSON object: %w", ErrWrongBill)
	}
	raw := parts[alipayAnswer]
	if raw == nil {
		raw = parts["error_response"]
	}
	var r alipayReply
	if raw == nil || json.Unmarshal(raw, &r) != nil {
		return alipayReply{}, fmt.Errorf("the answer is not one to the question: %w", ErrWrongBill)
	}
	r.signed = string(raw)
	if sign := parts["sign"]; sign != nil && json.Unmarshal(sign, &r.signature) != nil {
		return alipayReply{}, fmt.Errorf("the answer's signature is no text: %w", ErrWrongBill)
	}
	return r, nil
}
