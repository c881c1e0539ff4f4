package controlplane

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	kubeconfigutil "k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

// validity of all certificates. They are made once per state directory, and
// nobody renews them.
const validity = 10 * 365 * 24 * time.Hour

// Two authorities: a certificate of the cluster must not open etcd, which knows
// no RBAC.
const (
	clusterCA = "ca"
	etcdCA    = "etcd-ca"
)

// certificate is one leaf: the file's name, who signs it and who it is.
type certificate struct {
	file         string
	authority    string
	name         string
	organization string
	servesLocal  bool // also a server certificate for the loopback address
}

var certificates = []certificate{
	{file: "etcd", authority: etcdCA, name: "etcd", servesLocal: true},
	{file: "apiserver-etcd", authority: etcdCA, name: "kube-apiserver"},
	{file: "apiserver", authority: clusterCA, name: "kube-apiserver", servesLocal: true},
	{file: "apiserver-kubelet", authority: clusterCA, name: "kube-apiserver-kubelet-client", organization: "system:masters"},
	{file: "kubelet", authority: clusterCA, name: "kubelet", servesLocal: true},
}

// Identity is somebody who calls the API server with a client certificate.
type Identity struct {
	User  string
	Group string
}

// NodeName is the name of the only node. It is an address, so that the kubelet
// needs no other way to find out its own.
const NodeName = "127.0.0.1"

// identities by the name of their kubeconfig file.
var identities = map[string]Identity{
	"admin":                   {User: "devcluster:admin", Group: "system:masters"},
	"kube-controller-manager": {User: "system:kube-controller-manager"},
	"kube-scheduler":          {User: "system:kube-scheduler"},
	"node":                    {User: "system:node:" + NodeName, Group: "system:nodes"},
	"storage":                 {User: "devcluster:storage"},
	"gateway":                 {User: "devcluster:gateway"},
}

// EnsurePKI creates what is missing of the certificates, the service account
// keys and the kubeconfig files of a state directory.
func EnsurePKI(l Layout) error {
	dir := l.PKIDir()
	authorities := map[string]authority{}
	for _, name := range []string{clusterCA, etcdCA} {
		a, err := ensureAuthority(dir, name)
		if err != nil {
			return err
		}
		authorities[name] = a
	}
	for _, c := range certificates {
		if err := ensureCertificate(dir, authorities[c.authority], c); err != nil {
			return err
		}
	}
	if err := ensureServiceAccountKeys(dir); err != nil {
		return err
	}
	for name, id := range identities {
		if err := ensureKubeconfig(l, authorities[clusterCA], name, id); err != nil {
			return err
		}
	}
	return nil
}

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func ensureAuthority(dir, name string) (authority, error) {
	if pkiutil.CertOrKeyExist(dir, name) {
		cert, key, err := pkiutil.TryLoadCertAndKeyFromDisk(dir, name)
		if err != nil {
			return authority{}, fmt.Errorf("reading the certificate authority %s: %w; devcluster reset makes a new one and forgets the cluster", name, err)
		}
		return authority{cert, key}, nil
	}
	cert, key, err := pkiutil.NewCertificateAuthority(&pkiutil.CertConfig{
		Config:              certutil.Config{CommonName: "devcluster-" + name},
		NotAfter:            time.Now().Add(validity),
		EncryptionAlgorithm: kubeadm.EncryptionAlgorithmECDSAP256,
	})
	if err != nil {
		return authority{}, fmt.Errorf("making the certificate authority %s: %w", name, err)
	}
	if err := pkiutil.WriteCertAndKey(dir, name, cert, key); err != nil {
		return authority{}, err
	}
	return authority{cert, key}, nil
}

func ensureCertificate(dir string, ca authority, c certificate) error {
	if _, _, err := pkiutil.TryLoadCertAndKeyFromDisk(dir, c.file); err == nil {
		return nil
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	var names certutil.AltNames
	if c.servesLocal {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
		names = certutil.AltNames{
			DNSNames: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
			IPs:      []net.IP{net.IPv4(127, 0, 0, 1)},
		}
	}
	config := &pkiutil.CertConfig{
		Config:              certutil.Config{CommonName: c.name, Usages: usages, AltNames: names},
		NotAfter:            time.Now().Add(validity),
		EncryptionAlgorithm: kubeadm.EncryptionAlgorithmECDSAP256,
	}
	if c.organization != "" {
		config.Organization = []string{c.organization}
	}
	cert, key, err := pkiutil.NewCertAndKey(ca.cert, ca.key, config)
	if err != nil {
		return fmt.Errorf("making the certificate %s: %w", c.file, err)
	}
	return pkiutil.WriteCertAndKey(dir, c.file, cert, key)
}

func ensureServiceAccountKeys(dir string) error {
	if _, _, err := pkiutil.TryLoadPrivatePublicKeyFromDisk(dir, "sa"); err == nil {
		return nil
	}
	key, err := pkiutil.NewPrivateKey(kubeadm.EncryptionAlgorithmECDSAP256)
	if err != nil {
		return fmt.Errorf("making the service account key: %w", err)
	}
	if err := pkiutil.WriteKey(dir, "sa", key); err != nil {
		return err
	}
	return pkiutil.WritePublicKey(dir, "sa", key.Public())
}

// ensureKubeconfig writes the kubeconfig of an identity anew when it is missing
// or names another address than the API server has now.
func ensureKubeconfig(l Layout, ca authority, name string, id Identity) error {
	path := l.Kubeconfig(name)
	if old, err := clientcmd.LoadFromFile(path); err == nil {
		if _, cluster, err := kubeconfigutil.GetClusterFromKubeConfig(old); err == nil && cluster.Server == l.APIServerURL() {
			return nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	config := &pkiutil.CertConfig{
		Config:              certutil.Config{CommonName: id.User, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
		NotAfter:            time.Now().Add(validity),
		EncryptionAlgorithm: kubeadm.EncryptionAlgorithmECDSAP256,
	}
	if id.Group != "" {
		config.Organization = []string{id.Group}
	}
	cert, key, err := pkiutil.NewCertAndKey(ca.cert, ca.key, config)
	if err != nil {
		return fmt.Errorf("making the client certificate of %s: %w", name, err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	kubeconfig := kubeconfigutil.CreateWithCerts(l.APIServerURL(), "devcluster", id.User,
		pkiutil.EncodeCertPEM(ca.cert), keyPEM, pkiutil.EncodeCertPEM(cert))
	if err := kubeconfigutil.WriteToDisk(path, kubeconfig); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
