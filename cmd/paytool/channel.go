package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"paytool/internal/channel/sim"
	"paytool/internal/config"
	"paytool/internal/whole"
)

func newChannelCmd(a *app) *cobra.Command {
	return group("channel", "The payment channels, and a simulator of them", newChannelSimCmd(a), newChannelBillCmd(a))
}

type channelSimOptions struct {
	listen, dir, recorded string
	rows                  int
	seed                  uint64
	urlLife               time.Duration
	faults                []string
}

func newChannelSimCmd(a *app) *cobra.Command {
	var o channelSimOptions
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Answer as WeChat Pay and Alipay do when bills are fetched",
		Long: `Answer the bill endpoints of WeChat Pay (v3 and v2) and Alipay as the real ones do,
with signatures and errors, from days that are generated or, with --recorded, from bills
that were fetched before. For trying "bill fetch" without an account, and for tests.

The folder holds test keys, made at the first start, and a config with the accounts
wechat, wechat_v2 and alipay. WeChat has two hosts, as in life. Faults are switched on
with --fault NAME, for the first N requests with NAME=N:
  not_ready        the bill is not built yet
  no_bill          there is none for that day
  wrong_sha1       the announced digest is another one
  expired_url      the download URL has run out
  wrong_signature  the answer is signed with another key
  hang             no answer at all
  stall            half of the bill, and then nothing
  cut              half of the bill, and the connection ends
  server_error     the server's own error
  dead_host        the first host closes every connection

It runs until it is interrupted.`,
		Example: `  paytool channel sim --dir sim &
  paytool bill fetch --config sim/paytool.yaml --account wechat --date 2026-11-20
  paytool channel sim --dir sim --fault wrong_sha1=1 --fault dead_host`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runChannelSim(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the first host; port 0 is any free one")
	flags.StringVar(&o.dir, "dir", "paytool-channel-sim", "folder of the test keys and of the config for them")
	flags.StringVar(&o.recorded, "recorded", "", "folder of bills to serve, named as bill fetch names them")
	flags.IntVar(&o.rows, "rows", 1000, "rows of a generated day")
	flags.Uint64Var(&o.seed, "seed", 0, "makes the generated days other ones")
	flags.DurationVar(&o.urlLife, "url-life", 30*time.Second, "how long a download URL lives")
	flags.StringArrayVar(&o.faults, "fault", nil, "what goes wrong: NAME, or NAME=TIMES; may be given again")
	return cmd
}

func runChannelSim(ctx context.Context, a *app, o channelSimOptions) error {
	if o.rows < 1 || o.rows > 1_000_000 {
		return usageError(errors.New("--rows is between 1 and 1,000,000: the days are made in memory"))
	}
	faults := map[sim.Fault]int{}
	for _, text := range o.faults {
		f, times, err := sim.ParseFault(text)
		if err != nil {
			return usageError(err)
		}
		faults[f] = times
	}
	keys, err := sim.OpenKeys(o.dir)
	if err != nil {
		return err
	}
	s := sim.New(sim.Options{Keys: keys, Rows: o.rows, Seed: o.seed, Recorded: o.recorded, URLLife: o.urlLife})
	for f, times := range faults {
		s.Inject(f, times)
	}
	first, second, err := listenTwice(ctx, o.listen)
	if err != nil {
		return err
	}
	hosts := []string{"http://" + first.Addr().String(), "http://" + second.Addr().String()}
	if err := writeSimConfig(o.dir, hosts); err != nil {
		return errors.Join(err, first.Close(), second.Close())
	}
	if err := a.showChannelSim(o.dir, hosts); err != nil {
		return errors.Join(err, first.Close(), second.Close())
	}
	return serveAll(ctx, s, first, second)
}

// listenTwice opens both hosts, the second on any free port of the same address.
func listenTwice(ctx context.Context, address string) (first, second net.Listener, err error) {
	var lc net.ListenConfig
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, nil, usageError(fmt.Errorf("--listen %q: want an address of this machine alone, like 127.0.0.1:0", address))
	}
	if first, err = lc.Listen(ctx, "tcp", address); err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	if second, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0")); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listen: %w", err), first.Close())
	}
	return first, second, nil
}

// serveAll serves until the context ends.
func serveAll(ctx context.Context, s *sim.Sim, listeners ...net.Listener) error {
	servers, ctx := errgroup.WithContext(ctx)
	for i, l := range listeners {
		server := &http.Server{Handler: s.Handler(i), ReadHeaderTimeout: 10 * time.Second}
		servers.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", l.Addr(), err)
			}
			return nil
		})
		servers.Go(func() error {
			<-ctx.Done()
			return server.Close() // requests that hang are meant to
		})
	}
	return servers.Wait()
}

// writeSimConfig writes the accounts with which `bill fetch` reaches the simulator.
func writeSimConfig(dir string, hosts []string) error {
	v3 := config.Account{
		Name: "wechat", Channel: config.ChannelWeChat, Protocol: config.ProtocolV3, Merchant: sim.WeChatMerchant, Serial: sim.WeChatSerial,
		PrivateKeyFile: sim.MerchantKeyFile, PublicKeyFile: sim.ChannelPubFile, PublicKeyID: sim.WeChatKeyID, Hosts: hosts,
	}
	v2 := config.Account{
		Name: "wechat_v2", Channel: config.ChannelWeChat, Protocol: config.ProtocolV2, Merchant: sim.WeChatMerchant, AppID: sim.WeChatAppID,
		APIKeyFile: sim.APIKeyFile, Hosts: hosts,
	}
	alipay := config.Account{
		Name: "alipay", Channel: config.ChannelAlipay, Merchant: sim.AlipayMerchant, AppID: sim.AlipayAppID,
		PrivateKeyFile: sim.MerchantKeyFile, PublicKeyFile: sim.ChannelPubFile, Hosts: hosts,
	}
	text, err := yaml.Marshal(struct {
		Accounts []config.Account `yaml:"accounts"`
	}{[]config.Account{v3, v2, alipay}})
	if err != nil {
		return fmt.Errorf("write the simulator's config: %w", err)
	}
	return whole.Write(filepath.Join(dir, "paytool.yaml"), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

func (a *app) showChannelSim(dir string, hosts []string) error {
	file := filepath.Join(dir, "paytool.yaml")
	return a.show(struct {
		Hosts  []string `json:"hosts"`
		Config string   `json:"config"`
	}{hosts, file}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "serving at %s and %s\ntry: paytool bill fetch --config %s --account wechat --date %s\n",
			hosts[0], hosts[1], file, time.Now().AddDate(0, 0, -2).Format(time.DateOnly))
		return err
	})
}
