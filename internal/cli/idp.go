package cli

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/idp"
	"github.com/linli-io/linli/internal/telemetry"
)

func idpCommand() *cobra.Command {
	var o idp.Options
	var proxies []string
	cmd := &cobra.Command{
		Use:   "idp",
		Short: "Run the OpenID provider of a county",
		Long: "Signs residents in by mobile number and one-time code, and staff by password and authenticator app on top,\n" +
			"for all communities beneath --domain. Counties that have an OpenID provider do not need it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Clock = clock.RealClock{}
			o.Log = telemetry.NewLogger(os.Stdout, slog.LevelInfo)
			for _, p := range proxies {
				prefix, err := netip.ParsePrefix(p)
				if err != nil {
					return o.ReportEnd(fmt.Errorf("--trusted-proxies: %w; write networks such as 10.244.0.0/16", err))
				}
				o.TrustedProxies = append(o.TrustedProxies, prefix)
			}
			return idp.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Issuer, "issuer", "", "the provider's own address, such as https://id.example.org; http only on localhost")
	f.StringVar(&o.Domain, "domain", "", "the domain beneath which the communities are; they are reached by the issuer's scheme and port")
	f.StringVar(&o.DataDir, "data", "/var/lib/linli", "directory for the database, a SQLite file; unused with --database")
	f.StringVar(&o.DatabaseDir, "database", "", "directory with dsn, the connection string of a PostgreSQL database; "+
		"several processes may then serve the issuer")
	f.StringVar(&o.KeysDir, "keys", "/etc/linli-keys", "directory with idp.key (32 random bytes) and, after a change of it, the former one as idp.previous.key")
	f.StringVar(&o.Address, "address", "127.0.0.1:8080", "where to serve pages and protocol")
	f.StringVar(&o.MetricsAddress, "metrics-address", "127.0.0.1:8081", "where to serve health and metrics")
	f.StringSliceVar(&proxies, "trusted-proxies", nil, "networks, such as 10.244.0.0/16, of the gateways whose X-Forwarded-For is believed")
	f.BoolVar(&o.Demo, "demo", false, "show codes on the page instead of sending them; refused unless the issuer is on localhost")
	f.StringVar(&o.SMSWebhook, "sms-webhook", "", "https address to which codes are posted as JSON, for the county's message gateway")
	f.StringVar(&o.SMSSecretFile, "sms-secret-file", "/etc/linli-keys/sms.secret", "file with the secret that these requests are signed with")
	f.StringVar(&o.Control, "control", "", "socket to make in the file system for close-account; empty for none")
	f.StringVar(&o.TerminationMessage, "termination-message", "", "file to which the reason of a failure is written in one line")
	cmd.AddCommand(closeAccountCommand())
	return cmd
}

func closeAccountCommand() *cobra.Command {
	var control string
	cmd := &cobra.Command{
		Use:   "close-account NUMBER",
		Short: "Close the account of a phone number, in the provider's container",
		Long: "Closes the account of a phone number, for staff who have lost their authenticator app, or whose phone was stolen.\n" +
			"Whoever signs in with the number next is new to every community: managers link and appoint them again.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := idp.CloseAccount(cmd.Context(), control, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "The account is closed.")
			return err
		},
	}
	cmd.Flags().StringVar(&control, "control", "/tmp/linli-idp.sock", "the provider's socket")
	return cmd
}
