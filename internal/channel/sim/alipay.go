package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"paytool/internal/bill"
)

const alipayMethod = "alipay.data.dataservice.bill.downloadurl.query"

var alipayTypes = map[string]bill.Type{"trade": bill.AlipayTrade, "signcustomer": bill.AlipayAccount}

// alipayGateway answers with a download URL, or an error, both signed.
func (s *Sim) alipayGateway(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		return // the client is gone
	}
	if s.hang(r) {
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !s.alipaySigned(form) {
		s.alipayAnswer(w, `{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-signature","sub_msg":"验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配"}`)
		return
	}
	if s.faults.take(ServerError) {
		s.alipayAnswer(w, `{"code":"20000","msg":"Service Currently Unavailable","sub_code":"isp.unknow-error","sub_msg":"系统繁忙"}`)
		return
	}
	var content struct {
		Type string `json:"bill_type"`
		Date string `json:"bill_date"`
	}
	t, known := bill.Type(""), json.Unmarshal([]byte(form.Get("biz_content")), &content) == nil && form.Get("method") == alipayMethod
	if known {
		t, known = alipayTypes[content.Type]
	}
	if !known {
		s.alipayAnswer(w, `{"code":"40004","msg":"Business Failed","sub_code":"isv.invalid-arguments","sub_msg":"参数不合法"}`)
		return
	}
	data, err := s.bill(r.Context(), bill.Alipay, content.Date, t)
	switch {
	case errors.Is(err, errNoBill), errors.Is(err, errNotReady): // Alipay has one word for both
		s.alipayAnswer(w, `{"code":"40004","msg":"Business Failed","sub_code":"isp.bill_not_exist","sub_msg":"账单不存在"}`)
	case err != nil:
		s.alipayAnswer(w, `{"code":"40004","msg":"Business Failed","sub_code":"isv.invalid-arguments","sub_msg":"参数不合法"}`)
	default:
		biz := map[bill.Type]string{bill.AlipayTrade: "trade", bill.AlipayAccount: "fnd"}[t]
		target := fmt.Sprintf(`http:\/\/%s\/downloadBillFile.resource?bizType=%s&userId=%s0156&fileType=csv.zip&bizDates=%s&token=%s`,
			r.Host, biz, AlipayMerchant, strings.ReplaceAll(content.Date, "-", ""), s.keep(file{data: data}))
		s.alipayAnswer(w, `{"code":"10000","msg":"Success","bill_download_url":"`+target+`"}`)
	}
}

// alipayAnswer signs an answer as it is written, escapes and all.
func (s *Sim) alipayAnswer(w http.ResponseWriter, answer string) {
	signature, err := s.sign(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8") // Alipay's own
	_, _ = fmt.Fprintf(w,                                     //nolint:gosec // no page: programs read it, whatever Alipay calls it
		`{"alipay_data_dataservice_bill_downloadurl_query_response":%s,"sign":"%s"}`, answer, signature)
}

// alipayDownload serves a zip. A URL that ran out is a page, with status 200.
func (s *Sim) alipayDownload(w http.ResponseWriter, r *http.Request) {
	f, ok := s.kept(r.URL.Query().Get("token"))
	if !ok {
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		_, _ = io.WriteString(w, "<html><body>下载超时，请重新下载</body></html>") // the client may be gone: nobody to tell
		return
	}
	s.send(w, r, f.data)
}

// alipaySigned verifies a request.
func (s *Sim) alipaySigned(form url.Values) bool {
	if form.Get("app_id") != AlipayAppID || form.Get("sign_type") != "RSA2" || form.Get("timestamp") == "" {
		return false
	}
	var parts []string
	for name := range form {
		if value := form.Get(name); name != "sign" && value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	slices.Sort(parts)
	return s.signedByMerchant(strings.Join(parts, "&"), form.Get("sign"))
}
