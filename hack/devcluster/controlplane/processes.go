package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Process is one process of the cluster: devcluster called with Args.
type Process struct {
	Name string
	Args []string
	// Ready returns nil as soon as the process does its work; the processes
	// after it start then. Nil means at once.
	Ready func(context.Context) error
	// Grace is how long the process may take to stop before it is killed.
	Grace time.Duration
}

// serviceRange are the addresses of Services. Nothing listens there: there is
// no kube-proxy.
const serviceRange = "10.96.0.0/16"

// Processes lists what makes up a cluster, in the order of starting.
func Processes(l Layout) ([]Process, error) {
	schedulerConfig := filepath.Join(l.RunDir(), "scheduler.yaml")
	config := fmt.Sprintf(`apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: %q}
`, l.Kubeconfig("kube-scheduler"))
	if err := os.WriteFile(schedulerConfig, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("writing the scheduler's configuration: %w", err)
	}
	own := func(name string) Process {
		return Process{Name: name, Grace: 5 * time.Second, Args: append([]string{"devcluster", name}, l.Flags()...)}
	}
	node := own("node")
	node.Grace = time.Minute // its Pods may take their time

	return []Process{
		{Name: "etcd", Args: etcdArgs(l), Grace: 10 * time.Second},
		{Name: "kube-apiserver", Args: apiserverArgs(l), Ready: apiserverReady(l), Grace: 10 * time.Second},
		{Name: "kube-controller-manager", Args: controllerManagerArgs(l), Grace: 5 * time.Second},
		{Name: "kube-scheduler", Args: []string{
			"kube-scheduler", "--config=" + schedulerConfig, "--secure-port=0",
		}, Grace: 5 * time.Second},
		own("storage"),
		own("gateway"),
		node,
	}, nil
}

func etcdArgs(l Layout) []string {
	client := fmt.Sprintf("https://127.0.0.1:%d", l.etcdPort())
	return []string{
		"etcd",
		"--name=devcluster",
		"--data-dir=" + filepath.Join(l.State, "etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--cert-file=" + l.pki("etcd.crt"),
		"--key-file=" + l.pki("etcd.key"),
		"--trusted-ca-file=" + l.pki(etcdCA+".crt"),
		"--client-cert-auth",
		// There are no peers, but etcd insists on listening for them.
		"--listen-peer-urls=https://127.0.0.1:0",
		"--initial-advertise-peer-urls=https://127.0.0.1:0",
		"--initial-cluster=devcluster=https://127.0.0.1:0",
		"--peer-cert-file=" + l.pki("etcd.crt"),
		"--peer-key-file=" + l.pki("etcd.key"),
		"--peer-trusted-ca-file=" + l.pki(etcdCA+".crt"),
		"--peer-client-cert-auth",
		"--auto-compaction-mode=periodic",
		"--auto-compaction-retention=1h",
		"--log-level=warn",
	}
}

func apiserverArgs(l Layout) []string {
	return []string{
		"kube-apiserver",
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		// A loopback address must not stand in Endpoints.
		"--endpoint-reconciler-type=none",
		fmt.Sprintf("--secure-port=%d", l.APIPort),
		"--tls-cert-file=" + l.pki("apiserver.crt"),
		"--tls-private-key-file=" + l.pki("apiserver.key"),
		"--client-ca-file=" + l.CAFile(),
		fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", l.etcdPort()),
		"--etcd-cafile=" + l.pki(etcdCA+".crt"),
		"--etcd-certfile=" + l.pki("apiserver-etcd.crt"),
		"--etcd-keyfile=" + l.pki("apiserver-etcd.key"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + l.pki("sa.pub"),
		"--service-account-signing-key-file=" + l.pki("sa.key"),
		"--kubelet-certificate-authority=" + l.CAFile(),
		"--kubelet-client-certificate=" + l.pki("apiserver-kubelet.crt"),
		"--kubelet-client-key=" + l.pki("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--profiling=false",
	}
}

func controllerManagerArgs(l Layout) []string {
	return []string{
		"kube-controller-manager",
		"--kubeconfig=" + l.Kubeconfig("kube-controller-manager"),
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--root-ca-file=" + l.CAFile(),
		"--service-account-private-key-file=" + l.pki("sa.key"),
		"--cluster-signing-cert-file=" + l.CAFile(),
		"--cluster-signing-key-file=" + l.pki(clusterCA+".key"),
		"--profiling=false",
		"--flex-volume-plugin-dir=" + filepath.Join(l.RunDir(), "flexvolume"),
		// The Pods' addresses are loopback addresses, which Kubernetes refuses in
		// Endpoints and EndpointSlices. The gateway finds Pods without them.
		"--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller",
	}
}

// apiserverReady asks the API server whether it is ready.
func apiserverReady(l Layout) func(context.Context) error {
	return func(ctx context.Context) error {
		config, err := clientcmd.BuildConfigFromFlags("", l.AdminKubeconfig())
		if err != nil {
			return err
		}
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.APIServerURL()+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s says %s", request.URL, response.Status)
		}
		return nil
	}
}
