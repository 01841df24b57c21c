package fetch

import (
	"context"
	"fmt"

	"paytool/internal/bill"
)

// The protocols of WeChat Pay.
const (
	V2 = "v2"
	V3 = "v3"
)

// The signatures of WeChat's v2. Fund bills always take HMACSHA256.
const (
	HMACSHA256 = "HMAC-SHA256"
	MD5        = "MD5"
)

// Account is who asks, and where.
type Account struct {
	Name        string
	Channel     string // bill.WeChat or bill.Alipay
	Protocol    string // of WeChat: V3 (default) or V2
	Merchant    string // mch_id or pid
	SubMerchant string // "" for all of a service provider's
	AppID       string // Alipay and v2
	Serial      string // v3: of the merchant's certificate
	SignType    string // v2: HMACSHA256 (default) or MD5
	// Hosts are the channel's if empty. With several the first that answers is used.
	Hosts []string
	Keys  Keys
}

// protocol asks for bills in one of the channels' ways. A bill that is not there
// is errNoBill or errNotReady, a definite "no" a *ChannelError; what another try
// may mend is a *retryError.
type protocol interface {
	open(ctx context.Context, call caller, base string, req Request) (*download, error)
}

// newProtocol checks that an account has what its protocol needs.
func newProtocol(o Options) (protocol, []string, error) {
	a := o.Account
	bad := func(what string) error { return fmt.Errorf("account %s: %s", a.Name, what) }
	switch {
	case a.Channel == bill.Alipay:
		if a.Keys.Private == nil || a.Keys.Channel == nil {
			return nil, nil, bad("Alipay needs the app's private key and Alipay's public key")
		}
		return alipay{o}, hostsOr(a.Hosts, "https://openapi.alipay.com"), nil
	case a.Channel != bill.WeChat:
		return nil, nil, bad(fmt.Sprintf("bills of the channel %q cannot be fetched", a.Channel))
	case a.Protocol == V2:
		if len(a.Keys.API) == 0 {
			return nil, nil, bad("WeChat's v2 needs the API key")
		}
		return wechatV2{o}, hostsOr(a.Hosts, wechatHosts...), nil
	case a.Protocol == "" || a.Protocol == V3:
		if a.Keys.Private == nil || a.Keys.Channel == nil {
			return nil, nil, bad("WeChat's v3 needs the merchant's private key and WeChat's public key or platform certificate")
		}
		return wechatV3{o}, hostsOr(a.Hosts, wechatHosts...), nil
	}
	return nil, nil, bad(fmt.Sprintf("WeChat has the protocols v2 and v3, not %q", a.Protocol))
}

var wechatHosts = []string{"https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"}

func hostsOr(hosts []string, usual ...string) []string {
	if len(hosts) > 0 {
		return hosts
	}
	return usual
}

// Types are the bills that an account can fetch.
func (a Account) Types() []bill.Type {
	if a.Channel == bill.Alipay {
		return []bill.Type{bill.AlipayTrade, bill.AlipayAccount}
	}
	return []bill.Type{bill.TradeAll, bill.TradeSuccess, bill.TradeRefund, bill.TradeRechargeRefund, bill.Fundflow}
}
