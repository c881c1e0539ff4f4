// Command devcluster is a Kubernetes for one machine: etcd, the API server, the
// controller manager, the scheduler, a node that runs containers as local
// processes, and a small gateway, in one binary that needs neither root nor
// images nor an internet connection. It also is kubectl.
//
// What it does is chosen, as in busybox, by the name it is called by (a link
// named kubectl, etcd or kube-apiserver) or by its first argument.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	_ "time/tzdata" // time zones of CronJobs, on machines without zoneinfo

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

func main() {
	name := filepath.Base(os.Args[0])
	if !controlplane.IsComponent(name) && len(os.Args) > 1 && controlplane.IsComponent(os.Args[1]) {
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	if controlplane.IsComponent(name) {
		os.Exit(controlplane.RunComponent(name))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(1)
	}
}
