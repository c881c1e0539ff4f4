package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
)

// Layout says where a cluster keeps its files and on which ports of the
// loopback address it listens.
type Layout struct {
	// State is the absolute path of the state directory.
	State string `json:"state"`
	// APIPort is the API server's port; the two ports after it belong to etcd
	// and to the node.
	APIPort int `json:"apiPort"`
	// GatewayPort is the port on which the gateway serves HTTPRoutes.
	GatewayPort int `json:"gatewayPort"`
}

// Flags are the command line flags of devcluster for this layout.
func (l Layout) Flags() []string {
	return []string{
		"--state=" + l.State,
		fmt.Sprintf("--api-port=%d", l.APIPort),
		fmt.Sprintf("--gateway-port=%d", l.GatewayPort),
	}
}

// Port is a port that the cluster listens on.
type Port struct {
	Number   int
	Of       string // what listens there
	Variable string // the environment variable that moves it
}

// Ports lists all ports of the loopback address that the cluster needs.
func (l Layout) Ports() []Port {
	return []Port{
		{l.APIPort, "the API server", "LINLI_API_PORT"},
		{l.etcdPort(), "etcd (LINLI_API_PORT + 1)", "LINLI_API_PORT"},
		{l.NodePort(), "the node (LINLI_API_PORT + 2)", "LINLI_API_PORT"},
		{l.GatewayPort, "the gateway", "LINLI_GATEWAY_PORT"},
	}
}

func (l Layout) etcdPort() int { return l.APIPort + 1 }

// NodePort is the port of the node's API, from which kubectl logs reads.
func (l Layout) NodePort() int { return l.APIPort + 2 }

// APIServerURL is the address of the API server.
func (l Layout) APIServerURL() string { return fmt.Sprintf("https://127.0.0.1:%d", l.APIPort) }

// PKIDir holds certificates and keys.
func (l Layout) PKIDir() string { return filepath.Join(l.State, "pki") }

// CAFile is the certificate of the authority that signed the API server's.
func (l Layout) CAFile() string { return l.pki(clusterCA + ".crt") }

func (l Layout) pki(file string) string { return filepath.Join(l.PKIDir(), file) }

// AdminKubeconfig is the kubeconfig for people.
func (l Layout) AdminKubeconfig() string { return l.Kubeconfig("admin") }

// Kubeconfig is the kubeconfig of one of the cluster's identities.
func (l Layout) Kubeconfig(identity string) string {
	if identity == "admin" {
		return filepath.Join(l.State, "kubeconfig")
	}
	return filepath.Join(l.PKIDir(), identity+".kubeconfig")
}

// LogDir holds a log file per part of the cluster.
func (l Layout) LogDir() string { return filepath.Join(l.State, "log") }

// ImagesDir holds the images: <name>/<tag>/<name> is the program of
// localhost/<name>:<tag>.
func (l Layout) ImagesDir() string { return filepath.Join(l.State, "images") }

// VolumesDir holds a directory per bound claim.
func (l Layout) VolumesDir() string { return filepath.Join(l.State, "volumes") }

// NodeDir holds what the node keeps of its Pods.
func (l Layout) NodeDir() string { return filepath.Join(l.State, "node") }

// RunDir holds what is only of use while the cluster runs.
func (l Layout) RunDir() string { return filepath.Join(l.State, "run") }

// maxStatePath leaves room for the longest path of a socket that the node makes.
const maxStatePath = 70

// marker is the file that makes a directory a state directory.
const marker = ".devcluster"

// IsState tells whether the state directory is one that Create made.
func (l Layout) IsState() bool {
	_, err := os.Stat(filepath.Join(l.State, marker))
	return err == nil
}

// Create makes the state directory and what belongs into it. It refuses a
// directory that has something else in it, because reset removes it as a whole.
func (l Layout) Create() error {
	if len(l.State) > maxStatePath {
		return fmt.Errorf("the path of the state directory is longer than %d bytes, too long for sockets in it: %s; choose another with LINLI_DEV_DIR", maxStatePath, l.State)
	}
	if !l.IsState() {
		entries, err := os.ReadDir(l.State)
		if err == nil && len(entries) > 0 {
			return fmt.Errorf("%s is not empty and was not made by devcluster; choose another directory with LINLI_DEV_DIR", l.State)
		}
	}
	for _, dir := range []string{l.State, l.PKIDir(), l.LogDir(), l.ImagesDir(), l.VolumesDir(), l.NodeDir(), l.RunDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the state directory: %w", err)
		}
	}
	note := []byte("State of an embedded Kubernetes cluster. devcluster reset removes this directory.\n")
	if err := os.WriteFile(filepath.Join(l.State, marker), note, 0o600); err != nil {
		return fmt.Errorf("marking the state directory: %w", err)
	}
	return EnsurePKI(l)
}
