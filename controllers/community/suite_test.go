package community

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
)

// The tests of this package share one control plane: etcd and the real API
// server, and nothing else. There is no controller-manager: namespaces never
// finish being deleted, Deployments get no Pods, claims stay pending. Where a
// test needs one of these, it plays that part itself and says so.
var (
	restConfig   *rest.Config
	scheme       = runtime.NewScheme()
	crdDirectory = filepath.Join("..", "..", "config", "crd", "bases")
	// admin is a client that sees everything, past any cache.
	admin client.Client
)

func TestMain(m *testing.M) {
	code, err := runWithControlPlane(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWithControlPlane(m *testing.M) (int, error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		if os.Getenv("CI") == "true" {
			return 1, fmt.Errorf("the controller tests need the Kubernetes API server; run make test, which builds it and sets KUBEBUILDER_ASSETS")
		}
		fmt.Fprintln(os.Stderr, "LEFT OUT: the controller tests, because KUBEBUILDER_ASSETS is not set. Run make test, or build and set KUBEBUILDER_ASSETS=$PWD/bin/k8s.")
		return 0, nil
	}
	ctrl.SetLogger(logr.Discard()) // managers log to their test
	gatewayAPI, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return 1, fmt.Errorf("find the CRDs of the Gateway API: %w", err)
	}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return 1, err
		}
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths: []string{
			crdDirectory,
			filepath.Join(strings.TrimSpace(string(gatewayAPI)), "config", "crd", "standard", "gateway.networking.k8s.io_httproutes.yaml"),
		},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: 2 * time.Minute,
	}
	if restConfig, err = environment.Start(); err != nil {
		return 1, fmt.Errorf("start the API server: %w", err)
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
		}
	}()
	restConfig.QPS = -1
	if admin, err = client.New(restConfig, client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}
	if err := createNamespace(context.Background(), v1alpha1.PlatformNamespace, nil, nil); err != nil {
		return 1, err
	}
	if err := applyRBAC(context.Background()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// applyRBAC gives the operator what config/rbac gives it, and no more: the
// operator of the tests acts as its service account.
func applyRBAC(ctx context.Context) error {
	for _, file := range []string{"service_account.yaml", "role.yaml", "role_binding.yaml", "leader_election.yaml"} {
		content, err := os.Open(filepath.Join("..", "..", "config", "rbac", file))
		if err != nil {
			return err
		}
		defer content.Close()
		decoder := utilyaml.NewYAMLOrJSONDecoder(content, 4096)
		for {
			u := &unstructured.Unstructured{}
			if err := decoder.Decode(&u.Object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := admin.Create(ctx, u); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}
