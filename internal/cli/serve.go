package cli

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/booking"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/portal"
	"github.com/linli-io/linli/internal/telemetry"
)

// services are all services that a community can run, by name.
var services = map[string]func() (host.Service, error){
	"booking": booking.Service,
	"portal":  portal.Service,
}

func serveCommand() *cobra.Command {
	known := strings.Join(slices.Sorted(maps.Keys(services)), ", ")
	var o host.Options
	cmd := &cobra.Command{
		Use:   "serve SERVICE...",
		Short: "Run services of one community",
		Long: "Runs the services that are named, in one process, for the community whose configuration is in --config.\n" +
			"Services: " + known + ".",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range args {
				open, ok := services[name]
				if !ok {
					return fmt.Errorf("there is no service %q; the services are: %s", name, known)
				}
				s, err := open()
				if err != nil {
					return fmt.Errorf("service %s: %w", name, err)
				}
				o.Services = append(o.Services, s)
			}
			o.Clock = clock.RealClock{}
			o.Log = telemetry.NewLogger(os.Stdout, slog.LevelInfo)
			return host.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.ConfigDir, "config", "/etc/linli", "directory with community.yaml and release.yaml")
	f.StringVar(&o.KeysDir, "keys", "/etc/linli-keys", "directory with session.key (32 random bytes)")
	f.StringVar(&o.DataDir, "data", "/var/lib/linli", "directory for the databases")
	f.StringVar(&o.Address, "address", "127.0.0.1:8080", "where to serve pages and APIs")
	f.StringVar(&o.MetricsAddress, "metrics-address", "127.0.0.1:8081", "where to serve health and metrics")
	f.StringVar(&o.TerminationMessage, "termination-message", "", "file to which the reason of a failure is written in one line")
	return cmd
}
