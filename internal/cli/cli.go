// Package cli is the command line of linli. It wires the rooms together; each
// command has a file of its own.
package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs the command that the arguments name and returns the exit code.
// SIGINT and SIGTERM cancel the command's context; a second one kills.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "linli:", err)
		return 1
	}
	return 0
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "linli",
		Short:         "Linli runs the digital services of neighbourhood communities",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(operatorCommand(), serveCommand(), idpCommand(), tokenCommand(), inviteCommand(), sampleCommand(), auditCommand())
	return cmd
}
