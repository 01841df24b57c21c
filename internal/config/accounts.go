package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
)

// The channels of accounts, and WeChat's protocols.
const (
	ChannelWeChat = "wechat"
	ChannelAlipay = "alipay"

	ProtocolV2 = "v2" // XML, signed with the API key
	ProtocolV3 = "v3" // JSON, signed with the merchant's key
)

// Account is a merchant's account with a channel: who it is and where its keys
// lie. Keys are never in the config itself. Paths are relative to the config's
// folder.
type Account struct {
	Name    string `yaml:"name"`
	Channel string `yaml:"channel"` // ChannelWeChat or ChannelAlipay
	// Protocol is WeChat's: ProtocolV3 (default) or ProtocolV2.
	Protocol    string `yaml:"protocol,omitempty"`
	Merchant    string `yaml:"merchant"`               // mch_id or pid
	SubMerchant string `yaml:"sub_merchant,omitempty"` // of a service provider: this one's bills alone
	AppID       string `yaml:"app_id,omitempty"`       // Alipay and v2
	Serial      string `yaml:"serial,omitempty"`       // v3: serial number of the merchant's certificate
	SignType    string `yaml:"sign_type,omitempty"`    // v2: HMAC-SHA256 (default) or MD5

	PrivateKeyFile string `yaml:"private_key_file,omitempty"` // ours: v3, Alipay, the certificate of v2
	// PublicKeyFile is the channel's: Alipay's or WeChat's public key, or the platform
	// certificate. PublicKeyID is WeChat's name of it (PUB_KEY_ID_... or the
	// certificate's serial number).
	PublicKeyFile   string `yaml:"public_key_file,omitempty"`
	PublicKeyID     string `yaml:"public_key_id,omitempty"`
	APIKeyFile      string `yaml:"api_key_file,omitempty"`     // v2
	CertificateFile string `yaml:"certificate_file,omitempty"` // v2 fund bills: the merchant's certificate

	// Hosts are asked instead of the channel's own, such as a proxy or
	// `paytool channel sim`. WeChat's two are raced.
	Hosts []string `yaml:"hosts,omitempty"`

	Recon AccountRecon `yaml:"recon,omitempty"`
}

// Account is the account of that name; with "" the only one.
func (c *Config) Account(name string) (Account, error) {
	var names []string
	for _, a := range c.Accounts {
		if a.Name == name || name == "" && len(c.Accounts) == 1 {
			return c.inFolder(a), nil
		}
		names = append(names, a.Name)
	}
	file := c.file
	if file == "" {
		file = "config"
	}
	switch {
	case len(names) == 0:
		return Account{}, fmt.Errorf("%s has no accounts: list the account under accounts", file)
	case name == "":
		return Account{}, fmt.Errorf("%s has several accounts: choose one of %s", file, strings.Join(names, ", "))
	}
	return Account{}, fmt.Errorf("%s has no account %q: choose one of %s", file, name, strings.Join(names, ", "))
}

// inFolder makes the paths absolute, or relative to the working directory.
func (c *Config) inFolder(a Account) Account {
	for _, path := range []*string{&a.PrivateKeyFile, &a.PublicKeyFile, &a.APIKeyFile, &a.CertificateFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(filepath.Dir(c.file), *path)
		}
	}
	return a
}

// LoadAccounts is Load for what needs the accounts alone: the file may have no
// groups.
func LoadAccounts(path string) (*Config, error) { return load(path, true) }

func (v *validation) accounts() {
	names := map[string]string{} // name -> key of its first account
	for i, a := range v.config.Accounts {
		key := fmt.Sprintf("accounts[%d]", i)
		if first, taken := names[a.Name]; taken {
			v.refuse(key+".name", "the same name as %s", first)
		}
		names[a.Name] = key
		v.account(key, a)
	}
}

func (v *validation) account(key string, a Account) {
	if !instanceName.MatchString(a.Name) {
		v.refuse(key+".name", "want 1 to 64 letters, digits, dots, dashes or underscores")
	}
	v.oneOf(key+".channel", a.Channel, ChannelWeChat, ChannelAlipay)
	v.oneOf(key+".protocol", a.Protocol, "", ProtocolV3, ProtocolV2)
	v.oneOf(key+".sign_type", a.SignType, "", "HMAC-SHA256", "MD5")
	if !isNumber(a.Merchant) {
		v.refuse(key+".merchant", "want the account's number in quotes: WeChat's mch_id, Alipay's pid")
	}
	if a.SubMerchant != "" && !isNumber(a.SubMerchant) {
		v.refuse(key+".sub_merchant", "want a number in quotes")
	}
	for _, need := range a.needs() {
		if *need.value == "" {
			v.refuse(key+"."+need.key, "missing: %s", need.why)
		}
	}
	v.accountRecon(key+".recon", a.Recon)
	for i, host := range a.Hosts {
		if !isBase(host) {
			v.refuse(fmt.Sprintf("%s.hosts[%d]", key, i), "want https://HOST[:PORT], or http:// on this machine, and nothing after it")
		}
	}
}

type accountNeed struct {
	key   string
	value *string
	why   string
}

func (a *Account) needs() []accountNeed {
	private := accountNeed{"private_key_file", &a.PrivateKeyFile, "the file of the merchant's private key"}
	public := accountNeed{"public_key_file", &a.PublicKeyFile, "the file of the channel's public key or certificate, which its answers are verified with"}
	appID := accountNeed{"app_id", &a.AppID, "the app that asks"}
	switch {
	case a.Channel == ChannelAlipay:
		return []accountNeed{appID, private, public}
	case a.Protocol == ProtocolV2:
		return []accountNeed{appID, {"api_key_file", &a.APIKeyFile, "the file of the API key of v2"}}
	default:
		return []accountNeed{private, public, {"serial", &a.Serial, "the serial number of the merchant's certificate"}}
	}
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isBase reports whether s is a host that keys and bills may travel to and from.
func isBase(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}
