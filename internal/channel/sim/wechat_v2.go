package sim

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // WeChat's v2 still signs with it
	"crypto/sha1" //nolint:gosec // the digest that WeChat announces
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"paytool/internal/bill"
)

// v2Bill answers with the bill itself, or with XML that says why not.
func (s *Sim) v2Bill(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		return // the client is gone
	}
	if s.hang(r) {
		return
	}
	fund := strings.HasSuffix(r.URL.Path, "downloadfundflow")
	params, err := parseXML(body)
	switch {
	case s.faults.take(ServerError):
		v2Error(w, fund, "SYSTEMERROR", "")
		return
	case err != nil:
		v2Error(w, fund, "data format error", "")
		return
	case !s.v2Signed(params, fund):
		v2Error(w, fund, "SIGN ERROR", "")
		return
	}
	t, known := v3TradeTypes[params["bill_type"]]
	if fund {
		t, known = bill.Fundflow, params["account_type"] == "Basic"
	}
	date := params["bill_date"]
	if !known || len(date) != 8 {
		v2Error(w, fund, "invalid bill_type", "")
		return
	}
	data, err := s.bill(r.Context(), bill.WeChat, date[:4]+"-"+date[4:6]+"-"+date[6:], t)
	switch {
	case errors.Is(err, errNoBill) && fund:
		v2Error(w, fund, "NO_BILL_EXIST", "")
	case errors.Is(err, errNoBill):
		v2Error(w, fund, "No Bill Exist", "20002")
	case errors.Is(err, errNotReady) && fund:
		v2Error(w, fund, "BILL_CREATING", "")
	case errors.Is(err, errNotReady):
		v2Error(w, fund, "Bill Creating", "")
	case errors.Is(err, errDate), errors.Is(err, errNotMade):
		v2Error(w, fund, "data format error", "")
	case err != nil:
		v2Error(w, fund, "SYSTEMERROR", "")
	default:
		s.v2Send(w, r, data, params["tar_type"] == "GZIP", fund)
	}
}

func (s *Sim) v2Send(w http.ResponseWriter, r *http.Request, data []byte, gzip, fund bool) {
	sum := sha1.Sum(data) //nolint:gosec // as above
	if fund {
		if s.faults.take(WrongSHA1) {
			sum[0] ^= 0xff
		}
		w.Header().Set("Digest", "SHA="+hex.EncodeToString(sum[:]))
	}
	if gzip {
		var err error
		if data, err = packed(data); err != nil {
			v2Error(w, fund, "CompressGZip Error", "")
			return
		}
	}
	s.send(w, r, data)
}

// v2Error writes an error as the two endpoints do: one names it in return_msg, the
// other in err_code.
func v2Error(w http.ResponseWriter, fund bool, code, number string) {
	text := "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[" + code + "]]></return_msg>\n"
	if fund {
		text = "<xml><return_code><![CDATA[SUCCESS]]></return_code>\n<result_code><![CDATA[FAIL]]></result_code>\n<err_code><![CDATA[" + code + "]]></err_code>\n"
	}
	if number != "" {
		text += "<error_code><![CDATA[" + number + "]]></error_code>\n"
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, text+"</xml>") // the client may be gone: nobody to tell
}

// parseXML reads the flat XML of v2.
func parseXML(data []byte) (map[string]string, error) {
	var doc struct {
		Items []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	params := map[string]string{}
	for _, item := range doc.Items {
		params[item.XMLName.Local] = item.Text
	}
	return params, nil
}

// v2Signed verifies a request. Fund bills are for HMAC-SHA256 alone.
func (s *Sim) v2Signed(params map[string]string, fund bool) bool {
	if params["mch_id"] != WeChatMerchant || params["appid"] != WeChatAppID || params["nonce_str"] == "" {
		return false
	}
	var parts []string
	for name, value := range params {
		if name != "sign" && value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	slices.Sort(parts)
	text := []byte(strings.Join(parts, "&") + "&key=" + s.opts.Keys.API)
	var sum []byte
	switch params["sign_type"] {
	case "HMAC-SHA256":
		mac := hmac.New(sha256.New, []byte(s.opts.Keys.API))
		_, _ = mac.Write(text) // a hash takes everything
		sum = mac.Sum(nil)
	case "", "MD5":
		if fund {
			return false
		}
		plain := md5.Sum(text) //nolint:gosec // as above
		sum = plain[:]
	default:
		return false
	}
	return params["sign"] == strings.ToUpper(hex.EncodeToString(sum))
}
