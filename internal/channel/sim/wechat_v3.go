package sim

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the digest that WeChat announces
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"paytool/internal/bill"
)

var v3TradeTypes = map[string]bill.Type{
	"": bill.TradeAll, "ALL": bill.TradeAll, "SUCCESS": bill.TradeSuccess, "REFUND": bill.TradeRefund, "RECHARGE_REFUND": bill.TradeRechargeRefund,
}

// v3Bill answers with a download URL.
func (s *Sim) v3Bill(w http.ResponseWriter, r *http.Request) {
	if s.hang(r) {
		return
	}
	if s.faults.take(ServerError) {
		s.v3Error(w, http.StatusInternalServerError, "SYSTEM_ERROR", "系统异常，请稍后重试")
		return
	}
	if !s.v3Signed(r) {
		s.v3Error(w, http.StatusUnauthorized, "SIGN_ERROR", "签名错误，请检查后再试")
		return
	}
	q := r.URL.Query()
	t, known := v3TradeTypes[q.Get("bill_type")]
	if strings.HasSuffix(r.URL.Path, "/fundflowbill") {
		t, known = bill.Fundflow, q.Get("account_type") == "" || q.Get("account_type") == "BASIC"
	}
	if !known {
		s.v3Error(w, http.StatusBadRequest, "PARAM_ERROR", "参数错误")
		return
	}
	data, err := s.bill(r.Context(), bill.WeChat, q.Get("bill_date"), t)
	switch {
	case errors.Is(err, errNoBill):
		s.v3Error(w, http.StatusBadRequest, "NO_STATEMENT_EXIST", "请求的账单文件不存在")
	case errors.Is(err, errNotReady):
		s.v3Error(w, http.StatusBadRequest, "STATEMENT_CREATING", "请求的账单正在生成中，请先检查你的请求参数，若无误请在T+1日上午8点后再重新下载")
	case errors.Is(err, errDate), errors.Is(err, errNotMade):
		s.v3Error(w, http.StatusBadRequest, "PARAM_ERROR", "参数错误: "+err.Error())
	case err != nil:
		s.v3Error(w, http.StatusInternalServerError, "SYSTEM_ERROR", err.Error())
	default:
		s.v3Offer(w, r, data, q.Get("tar_type") == "GZIP")
	}
}

func (s *Sim) v3Offer(w http.ResponseWriter, r *http.Request, data []byte, gzip bool) {
	sum := sha1.Sum(data) //nolint:gosec // as above
	if s.faults.take(WrongSHA1) {
		sum[0] ^= 0xff
	}
	target := "http://" + r.Host + "/v3/billdownload/file?token=" + s.keep(file{data: data, gzip: gzip})
	if gzip {
		target += "&tartype=gzip"
	}
	s.v3Answer(w, http.StatusOK, map[string]string{"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]), "download_url": target})
}

// v3Download serves a bill. The answer is not signed, the request has to be.
func (s *Sim) v3Download(w http.ResponseWriter, r *http.Request) {
	if !s.v3Signed(r) {
		s.v3Error(w, http.StatusUnauthorized, "SIGN_ERROR", "签名错误，请检查后再试")
		return
	}
	f, ok := s.kept(r.URL.Query().Get("token"))
	if !ok {
		s.v3Error(w, http.StatusBadRequest, "INVALID_REQUEST", "下载链接已失效，请重新获取")
		return
	}
	data := f.data
	if f.gzip {
		var err error
		if data, err = packed(data); err != nil {
			s.v3Error(w, http.StatusInternalServerError, "SYSTEM_ERROR", err.Error())
			return
		}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	s.send(w, r, data)
}

func (s *Sim) v3Error(w http.ResponseWriter, status int, code, message string) {
	s.v3Answer(w, status, map[string]string{"code": code, "message": message})
}

// v3Answer writes a signed answer.
func (s *Sim) v3Answer(w http.ResponseWriter, status int, answer map[string]string) {
	data, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	at, nonce := strconv.FormatInt(s.opts.Now().Unix(), 10), rand.Text()
	signature, err := s.sign(at + "\n" + nonce + "\n" + string(data) + "\n")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Wechatpay-Timestamp", at)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", WeChatKeyID)
	h.Set("Wechatpay-Signature", signature)
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client may be gone: nobody to tell
}

var v3Pair = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)

// v3Signed verifies the Authorization header of a request without a body.
func (s *Sim) v3Signed(r *http.Request) bool {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	parts := map[string]string{}
	for _, m := range v3Pair.FindAllStringSubmatch(rest, -1) {
		parts[m[1]] = m[2]
	}
	seconds, err := strconv.ParseInt(parts["timestamp"], 10, 64)
	if scheme != "WECHATPAY2-SHA256-RSA2048" || err != nil || s.opts.Now().Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute ||
		parts["mchid"] != WeChatMerchant || parts["serial_no"] != WeChatSerial || parts["nonce_str"] == "" {
		return false
	}
	text := r.Method + "\n" + r.URL.RequestURI() + "\n" + parts["timestamp"] + "\n" + parts["nonce_str"] + "\n\n"
	return s.signedByMerchant(text, parts["signature"])
}
