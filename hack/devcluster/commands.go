package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
	"github.com/linli-io/linli/hack/devcluster/gateway"
	"github.com/linli-io/linli/hack/devcluster/node"
	"github.com/linli-io/linli/hack/devcluster/storage"
	"github.com/linli-io/linli/hack/devcluster/supervisor"
	"github.com/linli-io/linli/hack/devcluster/up"
)

func command() *cobra.Command {
	var l controlplane.Layout
	root := &cobra.Command{
		Use:           "devcluster",
		Short:         "A Kubernetes for one machine, without root, images or internet. No place for real data.",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) (err error) {
			l.State, err = filepath.Abs(l.State)
			return err
		},
	}
	apiPort, gatewayPort := 16443, 8080
	flags := root.PersistentFlags()
	flags.StringVar(&l.State, "state", fromEnvironment("LINLI_DEV_DIR", ".dev"), "state directory (LINLI_DEV_DIR)")
	flags.IntVar(&l.APIPort, "api-port", portFromEnvironment("LINLI_API_PORT", apiPort), "port of the API server; the two after it are used too (LINLI_API_PORT)")
	flags.IntVar(&l.GatewayPort, "gateway-port", portFromEnvironment("LINLI_GATEWAY_PORT", gatewayPort), "port of the gateway (LINLI_GATEWAY_PORT)")

	var o up.Options
	upCommand := &cobra.Command{
		Use:   "up",
		Short: "Start the cluster in the background, install the operator and a sample, wait until all is ready",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return up.Up(c.Context(), l, o, c.OutOrStdout())
		},
	}
	upCommand.Flags().StringVar(&o.Binary, "binary", "", "program that is the operator's image")
	upCommand.Flags().StringVar(&o.Manifests, "manifests", "", "kustomize directory of the operator")
	upCommand.Flags().StringVar(&o.Secret, "secret", "", "NAMESPACE/NAME/KEY of a Secret with a random key of 32 bytes, made if there is none")
	upCommand.Flags().StringVar(&o.Sample, "sample", "", "directory of manifests to apply when the operator runs")
	upCommand.Flags().DurationVar(&o.Timeout, "timeout", up.DefaultTimeout, "how long all of it may take")
	root.AddCommand(upCommand,
		&cobra.Command{
			Use:   "down",
			Short: "Stop everything that up started; the data stays",
			Args:  cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return up.Down(c.Context(), l, c.OutOrStdout())
			},
		},
		&cobra.Command{
			Use:   "reset",
			Short: "Stop everything and remove the state directory with all data",
			Args:  cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return up.Reset(c.Context(), l, c.OutOrStdout())
			},
		},
		internal("run", "Run the cluster in the foreground (what up starts in the background)", &l, run),
		internal("node", "Run only the node", &l, node.Run),
		internal("storage", "Run only the volume provisioner", &l, storage.Run),
		internal("gateway", "Run only the gateway", &l, gateway.Run),
	)
	return root
}

func internal(name, short string, l *controlplane.Layout, run func(context.Context, controlplane.Layout) error) *cobra.Command {
	return &cobra.Command{
		Use:    name,
		Short:  short,
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE:   func(c *cobra.Command, _ []string) error { return run(c.Context(), *l) },
	}
}

func run(ctx context.Context, l controlplane.Layout) error {
	if err := l.Create(); err != nil {
		return err
	}
	lock, err := supervisor.Lock(ctx, l)
	if err != nil {
		return fmt.Errorf("%s: %w", l.State, err)
	}
	defer lock.Close()
	if err := supervisor.KillLeftovers(ctx, l); err != nil {
		return err
	}
	if err := supervisor.CheckPorts(l); err != nil {
		return err
	}
	processes, err := controlplane.Processes(l)
	if err != nil {
		return err
	}
	binary, err := supervisor.BinaryDigest()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return supervisor.New(l, processes, binary, log).Run(ctx)
}

func fromEnvironment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// portFromEnvironment returns 0, which no check of ports lets pass, when the
// variable is not a number.
func portFromEnvironment(name string, otherwise int) int {
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	port, _ := strconv.Atoi(value)
	return port
}
