package main

import (
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

func newConfigCmd(a *app) *cobra.Command {
	check := &cobra.Command{
		Use:   "check",
		Short: "Check the config and say what is wrong, with file, line and key",
		Example: `  paytool config check
  paytool config check --config /etc/paytool.yaml`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runConfigCheck(a) },
	}
	show := &cobra.Command{
		Use:   "show",
		Short: "Show the config in force, defaults filled in and passwords masked",
		Example: `  paytool config show
  paytool config show -o json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runConfigShow(a) },
	}
	return group("config", "Check and show the config", check, show)
}

func runConfigCheck(a *app) error {
	cfg, err := a.loadConfig()
	if err != nil {
		return err
	}
	result := struct {
		OK       bool     `json:"ok"`
		Groups   int      `json:"groups"`
		Warnings []string `json:"warnings"`
	}{OK: true, Groups: len(cfg.Groups), Warnings: append([]string{}, cfg.Warnings()...)}
	return a.show(result, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "ok: %d groups\n", result.Groups)
		return err
	})
}

func runConfigShow(a *app) error {
	cfg, err := a.loadConfig()
	if err != nil {
		return err
	}
	masked := cfg.Masked()
	return a.show(masked, func(w io.Writer) error {
		text, err := yaml.Marshal(masked)
		if err != nil {
			return fmt.Errorf("show config: %w", err)
		}
		_, err = w.Write(text)
		return err
	})
}
