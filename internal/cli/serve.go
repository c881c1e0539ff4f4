package cli

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/accounts"
	"github.com/linli-io/linli/internal/booking"
	"github.com/linli-io/linli/internal/canteen"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/messages"
	"github.com/linli-io/linli/internal/portal"
	"github.com/linli-io/linli/internal/residents"
	"github.com/linli-io/linli/internal/telemetry"
)

// services are all services that a community can run, by name.
var services = map[string]func() (host.Service, error){
	"accounts":  accounts.Service,
	"booking":   booking.Service,
	"canteen":   canteen.Service,
	"messages":  messages.Service,
	"portal":    portal.Service,
	"residents": residents.Service,
}

// knownServices is what people may choose from.
func knownServices() string { return strings.Join(slices.Sorted(maps.Keys(services)), ", ") }

func openServices(names []string) ([]host.Service, error) {
	var opened []host.Service
	for _, name := range names {
		open, ok := services[name]
		if !ok {
			return nil, fmt.Errorf("this image has no service %q, it has %s; switch the service off, or set the class's image to a release that has it", name, knownServices())
		}
		s, err := open()
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
		opened = append(opened, s)
	}
	return opened, nil
}

// openPeers reads what --peer says: name=URL.
func openPeers(named []string) ([]host.Peer, error) {
	var peers []host.Peer
	for _, text := range named {
		name, address, _ := strings.Cut(text, "=")
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
			return nil, fmt.Errorf("--peer %q: write the service's name and where its process serves pages and APIs, without a path: accounts=http://accounts:8080", text)
		}
		opened, err := openServices([]string{name})
		if err != nil {
			return nil, fmt.Errorf("--peer %q: %w", text, err)
		}
		peers = append(peers, host.Peer{Service: opened[0], URL: u})
	}
	return peers, nil
}

func serveCommand() *cobra.Command {
	var o host.Options
	var peers []string
	cmd := &cobra.Command{
		Use:   "serve SERVICE...",
		Short: "Run services of one community",
		Long: "Runs the services that are named, in one process, for the community whose configuration is in --config.\n" +
			"Services: " + knownServices() + ".\n" +
			"The others of the community may run in other processes with the same configuration and keys: name each with --peer. " +
			"What a browser knows of being signed in is shared by those that use the same PostgreSQL database.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Clock = clock.RealClock{}
			o.Log = telemetry.NewLogger(os.Stdout, slog.LevelInfo)
			var err error
			if o.Services, err = openServices(args); err == nil {
				o.Peers, err = openPeers(peers)
			}
			if err != nil {
				o.ReportEnd(err)
				return err
			}
			return host.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.ConfigDir, "config", "/etc/linli", "directory with community.yaml and release.yaml")
	f.StringVar(&o.KeysDir, "keys", "/etc/linli-keys", "directory with session.key (32 random bytes)")
	f.StringVar(&o.DataDir, "data", "/var/lib/linli", "directory for the databases, SQLite files; unused with --database")
	f.StringVar(&o.DatabaseDir, "database", "", "directory with dsn, the connection string of a PostgreSQL database; "+
		"several processes may then serve one community")
	f.StringArrayVar(&peers, "peer", nil, "a service of the community that runs in another process, and where that serves pages and APIs, "+
		"such as accounts=http://accounts:8080; once for each")
	f.StringVar(&o.Address, "address", "127.0.0.1:8080", "where to serve pages and APIs")
	f.StringVar(&o.MetricsAddress, "metrics-address", "127.0.0.1:8081", "where to serve health and metrics")
	f.StringVar(&o.TerminationMessage, "termination-message", "", "file to which the reason of a failure is written in one line")
	return cmd
}
