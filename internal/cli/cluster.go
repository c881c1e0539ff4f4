package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/tenant"
)

// devDir is where the embedded cluster is, and what belongs to it.
func devDir() string {
	if dir := os.Getenv("LINLI_DEV_DIR"); dir != "" {
		return dir
	}
	return ".dev"
}

// clusterClient reaches the cluster that the kubeconfig names: KUBECONFIG, else
// that of the embedded cluster beneath the current directory, else the user's
// own.
func clusterClient() (client.Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		embedded := filepath.Join(devDir(), "kubeconfig")
		if _, err := os.Stat(embedded); err == nil {
			rules.ExplicitPath = embedded
		}
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to ask (%w): set KUBECONFIG, or start the embedded cluster with make up", err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	cluster, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("cluster at %s: %w; is it running?", config.Host, err)
	}
	return cluster, nil
}

// getCommunity returns a community that has an address.
func getCommunity(ctx context.Context, cluster client.Client, name string) (*v1alpha1.Community, error) {
	var community v1alpha1.Community
	if err := cluster.Get(ctx, client.ObjectKey{Name: name}, &community); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("there is no community %q; kubectl get communities lists them", name)
		}
		return nil, fmt.Errorf("community %q: %w", name, err)
	}
	if community.Status.URL == "" {
		return nil, fmt.Errorf("community %q has no address yet; kubectl describe community %[1]s says why", name)
	}
	return &community, nil
}

// invitation is the code with which a manager whom the manifest names shows
// that county IT means them.
func invitation(ctx context.Context, cluster client.Client, community, manager string) (string, error) {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: v1alpha1.NamespaceOf(community), Name: tenant.KeysSecret}
	if err := cluster.Get(ctx, key, &secret); err != nil {
		return "", fmt.Errorf("keys of community %q: %w", community, err)
	}
	return identity.Keys{Current: secret.Data[tenant.SessionKey]}.Invitation(community, manager)
}
