package fetch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"paytool/internal/bill"
)

// wechatV2 asks with XML, signed by the API key. The answer is the bill itself,
// in gzip, or XML that says why not. Neither is signed: TLS alone says who
// answered.
type wechatV2 struct{ Options }

func (w wechatV2) open(ctx context.Context, call caller, base string, req Request) (*download, error) {
	a := w.Account
	path, signType := "/pay/downloadbill", a.SignType
	if signType == "" {
		signType = HMACSHA256
	}
	params := map[string]string{
		"appid": a.AppID, "mch_id": a.Merchant, "nonce_str": w.Nonce(),
		"bill_date": strings.ReplaceAll(req.Date, "-", ""), "tar_type": "GZIP",
	}
	if req.Type == bill.Fundflow {
		path, signType = "/pay/downloadfundflow", HMACSHA256
		params["account_type"] = "Basic"
	} else {
		params["bill_type"], params["sub_mch_id"] = tradeBillTypes[req.Type], a.SubMerchant
	}
	params["sign_type"] = signType
	params["sign"] = signV2(params, signType, a.Keys.API)
	post, err := newRequest(ctx, http.MethodPost, base+path, bytes.NewReader(encodeV2(params)))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := call.do(post)
	if err != nil {
		return nil, err
	}
	d := &download{origin: base + path, sha1: announcedSHA1(resp.Header.Get("Digest"))}
	if err := d.take(resp); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	return d, nil
}

// take tells a bill from an error answer by its first byte: their HTTP status is
// the same.
func (d *download) take(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return retry("call %s: HTTP %d", d.origin, resp.StatusCode)
	}
	in := bufio.NewReader(resp.Body)
	head, err := in.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \r\n\t"); len(head) == 0 || head[0] == '<' {
		data, err := io.ReadAll(io.LimitReader(in, maxAnswer))
		if err != nil {
			return err
		}
		return parseV2Answer(data).state(d.origin)
	}
	d.ReadCloser = struct {
		io.Reader
		io.Closer
	}{in, resp.Body}
	return nil
}

// announcedSHA1 reads the header "Digest: SHA=...", which fund bills come with.
func announcedSHA1(digest string) string {
	sum, ok := strings.CutPrefix(digest, "SHA=")
	if !ok {
		return ""
	}
	return strings.ToLower(sum)
}

// encodeV2 writes parameters as v2 wants them, the empty ones left out.
func encodeV2(params map[string]string) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if params[name] == "" {
			continue
		}
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, []byte(params[name])) // a buffer takes everything
		b.WriteString("</" + name + ">")
	}
	b.WriteString("</xml>")
	return b.Bytes()
}

// v2Answer is an error answer of v2.
type v2Answer struct {
	ReturnCode string `xml:"return_code"`
	ReturnMsg  string `xml:"return_msg"`
	ErrorCode  string `xml:"error_code"`
	ErrCode    string `xml:"err_code"`
	ErrCodeDes string `xml:"err_code_des"`
}

// parseV2Answer reads an error answer; what is none has no codes.
func parseV2Answer(data []byte) v2Answer {
	var a v2Answer
	if xml.Unmarshal(data, &a) != nil {
		return v2Answer{ReturnMsg: "an answer that is no XML"}
	}
	return a
}

// state is what an error answer says of the bill. Its words come in several
// spellings.
func (a v2Answer) state(origin string) error {
	code := a.ErrCode
	if code == "" {
		code = a.ReturnMsg
	}
	switch strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(code), "_", " ")) {
	case "NO BILL EXIST":
		return errNoBill
	case "BILL CREATING":
		return errNotReady
	case "SYSTEMERROR", "SYSTEM ERROR", "COMPRESSGZIP ERROR", "UNCOMPRESSGZIP ERROR":
		return retry("call %s: %s %s", origin, clean(code), clean(a.ErrCodeDes))
	case "":
		return retry("call %s: an answer without a bill and without a reason", origin)
	}
	return &ChannelError{Origin: origin, Status: http.StatusOK, Code: code, Message: strings.TrimSpace(fmt.Sprint(a.ErrCodeDes, " ", a.ErrorCode))}
}
