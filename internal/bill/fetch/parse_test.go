package fetch

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

const (
	goodOffer  = `{"hash_type":"SHA1","hash_value":"79BB0F45FC4C42234A918000B2668D689E2BDE04","download_url":"https://api.mch.weixin.qq.com/v3/billdownload/file?token=6XIv5TUPto7pByrTQKhd6kwvyKLG2uY2&tartype=gzip"}`
	goodAlipay = `{"alipay_data_dataservice_bill_downloadurl_query_response":{"code":"10000","msg":"Success","bill_download_url":"http:\/\/dwbillcenter.alipay.com\/x?token=1"},"sign":"c2lnbg=="}`
	noBillXML  = "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[No Bill Exist]]></return_msg>\n<error_code><![CDATA[20002]]></error_code>\n</xml>"
)

func TestParseOffer(t *testing.T) {
	t.Parallel()
	o, err := parseOffer([]byte(goodOffer))
	if err != nil || o.path != "/v3/billdownload/file?token=6XIv5TUPto7pByrTQKhd6kwvyKLG2uY2&tartype=gzip" || o.sha1 != "79bb0f45fc4c42234a918000b2668d689e2bde04" {
		t.Errorf("%+v, %v", o, err)
	}
	for name, text := range map[string]string{
		"no JSON":        "<html>",
		"another digest": strings.Replace(goodOffer, "SHA1", "MD5", 1),
		"short digest":   strings.Replace(goodOffer, "79BB", "", 1),
		"no hex":         strings.Replace(goodOffer, "79BB", "79XX", 1),
		"no URL":         strings.Replace(goodOffer, "https://api.mch.weixin.qq.com", "", 1),
	} {
		if _, err := parseOffer([]byte(text)); !errors.Is(err, ErrWrongBill) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestV2States: the words of v2 come in several spellings, in two places.
func TestV2States(t *testing.T) {
	t.Parallel()
	in := func(field, code string) string {
		return "<xml><" + field + "><![CDATA[" + code + "]]></" + field + "></xml>"
	}
	for text, want := range map[string]error{
		noBillXML:                         errNoBill,
		in("return_msg", "NO Bill Exist"): errNoBill,
		in("err_code", "NO_BILL_EXIST"):   errNoBill,
		in("return_msg", "Bill Creating"): errNotReady,
		in("err_code", "BILL_CREATING"):   errNotReady,
	} {
		if got := parseV2Answer([]byte(text)).state("x"); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	var again *retryError
	if err := parseV2Answer([]byte(in("return_msg", "SYSTEMERROR"))).state("x"); !errors.As(err, &again) {
		t.Errorf("SYSTEMERROR: %v", err)
	}
	var no *ChannelError
	for _, text := range []string{in("return_msg", "SIGN ERROR"), "no XML"} {
		if err := parseV2Answer([]byte(text)).state("x"); !errors.As(err, &no) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseOffer(f *testing.F) {
	f.Add([]byte(goodOffer))
	f.Add([]byte(`{"code":"NO_STATEMENT_EXIST","message":"请求的账单文件不存在"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		parseV3Error(data)
		o, err := parseOffer(data)
		if err != nil {
			return
		}
		// What is joined to a host must stay on that host.
		u, err := url.Parse("https://api.mch.weixin.qq.com" + o.path)
		if err != nil || u.Host != "api.mch.weixin.qq.com" || len(o.sha1) != 40 {
			t.Errorf("%+v: %v", o, err)
		}
	})
}

func FuzzParseV2Answer(f *testing.F) {
	f.Add([]byte(noBillXML))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := parseV2Answer(data).state("x"); err == nil || strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("%q: an error answer became %v", data, err)
		}
	})
}

func FuzzParseAlipay(f *testing.F) {
	f.Add([]byte(goodAlipay))
	f.Add([]byte(`{"error_response":{"code":"40002","sub_code":"isv.invalid-app-id"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseAlipay(data)
		if err == nil && !strings.Contains(string(data), r.signed) {
			t.Errorf("%q: the signed text %q is not as it came", data, r.signed)
		}
		// Without the channel's key nothing is believed.
		if got, err := (alipay{Options{Account: accounts()["alipay"]}}).read(data, "x"); err == nil || got != "" || errors.Is(err, errNoBill) {
			t.Errorf("%q: %q, %v", data, got, err)
		}
	})
}
