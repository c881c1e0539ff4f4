package up

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
	"github.com/linli-io/linli/hack/devcluster/gateway/crds"
)

//go:embed manifests
var manifests embed.FS

// cluster is a running cluster, seen by its administrator.
type cluster struct {
	layout  controlplane.Layout
	client  kubernetes.Interface
	dynamic dynamic.Interface
}

func newCluster(l controlplane.Layout) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", l.AdminKubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 50, 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &cluster{layout: l, client: client, dynamic: d}, nil
}

// installBase applies what every cluster has.
func (c *cluster) installBase(ctx context.Context, say *progress) error {
	say.step("Installing storage and the gateway")
	base, err := manifests.ReadFile("manifests/base.yaml")
	if err != nil {
		return err
	}
	all := [][]byte{base}
	files, err := fs.Glob(crds.Files, "*.yaml")
	if err != nil {
		return err
	}
	for _, name := range files {
		definition, err := crds.Files.ReadFile(name)
		if err != nil {
			return err
		}
		all = append(all, definition)
	}
	if err := c.apply(ctx, bytes.Join(all, []byte("\n---\n")), "-f", "-"); err != nil {
		return err
	}
	if err := c.awaitDefinitions(ctx); err != nil {
		return err
	}
	gateway, err := template.ParseFS(manifests, "manifests/gateway.yaml")
	if err != nil {
		return err
	}
	var rendered bytes.Buffer
	if err := gateway.Execute(&rendered, c.layout); err != nil {
		return err
	}
	return c.apply(ctx, rendered.Bytes(), "-f", "-")
}

// apply runs kubectl apply on the server, with the given input.
func (c *cluster) apply(ctx context.Context, input []byte, arguments ...string) error {
	command := exec.CommandContext(ctx, "/proc/self/exe")
	command.Args = append([]string{
		"kubectl", "apply", "--server-side", "--force-conflicts", "--field-manager=devcluster",
		"--kubeconfig=" + c.layout.AdminKubeconfig(),
		"--cache-dir=" + filepath.Join(c.layout.RunDir(), "kubectl"),
	}, arguments...)
	command.Stdin = bytes.NewReader(input)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		var lines []string
		for line := range strings.Lines(output.String()) {
			if !strings.HasSuffix(line, " serverside-applied\n") {
				lines = append(lines, "  "+line)
			}
		}
		return fmt.Errorf("kubectl apply: %w\n%s", err, strings.TrimRight(strings.Join(lines, ""), "\n"))
	}
	return nil
}

// awaitDefinitions waits until all custom resources can be used.
func (c *cluster) awaitDefinitions(ctx context.Context) error {
	resource := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		list, err := c.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, definition := range list.Items {
			if status, _, _ := condition(definition.Object, "Established"); status != "True" {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the custom resource definitions: %w", err)
	}
	return nil
}

// applyManifests applies the operator's manifests with the image in place of
// the one that they name.
func (c *cluster) applyManifests(ctx context.Context, dir, image string) error {
	kustomization, err := c.overlay("manifests", dir, manifestsOverlay(image, c.issuer()))
	if err != nil {
		return err
	}
	if err := c.apply(ctx, nil, "-k", kustomization); err != nil {
		return err
	}
	return c.awaitDefinitions(ctx)
}

// issuer is the address of the OpenID provider, if the manifests have one: it
// answers where the gateway is.
func (c *cluster) issuer() string {
	return fmt.Sprintf("http://id.localhost:%d", c.layout.GatewayPort)
}

// manifestsOverlay replaces the image linli, what the operator is told about
// its own image, and what the provider is told about its address.
func manifestsOverlay(image, issuer string) string {
	provider := fmt.Sprintf(`patches:
  - target: {kind: Deployment, name: linli-idp}
    patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: linli-idp}
      spec:
        template:
          spec:
            containers:
            - name: idp
              env:
              - {name: ISSUER, value: %q, valueFrom: null}
`, issuer)
	if image == "" {
		return provider
	}
	name, tag, _ := strings.Cut(image, ":")
	return fmt.Sprintf(`images:
  - {name: %s, newName: %s, newTag: %q}
replacements:
  - source: {kind: Deployment, name: linli-operator, fieldPath: "spec.template.spec.containers.[name=operator].image"}
    targets:
      - select: {kind: Deployment, name: linli-operator}
        fieldPaths: ["spec.template.spec.containers.[name=operator].env.[name=LINLI_IMAGE].value"]
`, filepath.Base(name), name, tag) + provider
}

// ensureSecret makes a Secret with a random key of 32 bytes if there is none.
// where is NAMESPACE/NAME/KEY.
func (c *cluster) ensureSecret(ctx context.Context, where string) error {
	parts := strings.Split(where, "/")
	if len(parts) != 3 {
		return fmt.Errorf("--secret %q is not NAMESPACE/NAME/KEY", where)
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails, see its documentation
	_, err := c.client.CoreV1().Secrets(parts[0]).Create(ctx, &v1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: parts[1]}, Data: map[string][]byte{parts[2]: key},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making Secret %s/%s: %w", parts[0], parts[1], err)
	}
	return nil
}

// applySample applies a sample county, at the port where the gateway is.
func (c *cluster) applySample(ctx context.Context, dir string) error {
	kustomization, err := c.overlay("sample", dir, fmt.Sprintf(`patches:
  - target: {kind: CommunityClass}
    patch: |
      - {op: replace, path: /spec/gateway/port, value: %d}
      - {op: replace, path: /spec/identity/issuer, value: %q}
`, c.layout.GatewayPort, c.issuer()))
	if err != nil {
		return err
	}
	// A definition is established a moment before the API server serves it.
	var applyErr error
	err = wait.PollUntilContextTimeout(ctx, time.Second, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		applyErr = c.apply(ctx, nil, "-k", kustomization)
		if applyErr != nil && strings.Contains(applyErr.Error(), "no matches for kind") {
			return false, nil
		}
		return true, applyErr
	})
	if applyErr != nil {
		return applyErr
	}
	return err
}

// overlay writes a kustomization on top of a directory and returns its path.
func (c *cluster) overlay(name, dir, rest string) (string, error) {
	overlay := filepath.Join(c.layout.RunDir(), name)
	if err := os.MkdirAll(overlay, 0o700); err != nil {
		return "", err
	}
	// kustomize wants relative paths, and follows symbolic links itself.
	from, err := filepath.EvalSymlinks(overlay)
	if err != nil {
		return "", err
	}
	base, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if base, err = filepath.EvalSymlinks(base); err != nil {
		return "", err
	}
	relative, err := filepath.Rel(from, base)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [%q]\n%s", relative, rest)
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("writing the kustomization for %s: %w", dir, err)
	}
	return overlay, nil
}

// communities lists the communities, none if nobody defined what that is.
func (c *cluster) communities(ctx context.Context) ([]unstructured.Unstructured, error) {
	resource := schema.GroupVersionResource{Group: "linli.io", Version: "v1alpha1", Resource: "communities"}
	list, err := c.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the communities: %w", err)
	}
	return list.Items, nil
}

// condition returns status, reason and message of a condition of an object.
func condition(object map[string]any, kind string) (status, reason, message string) {
	conditions, _, _ := unstructured.NestedSlice(object, "status", "conditions")
	for _, entry := range conditions {
		if c, ok := entry.(map[string]any); ok && c["type"] == kind {
			status, _ = c["status"].(string)
			reason, _ = c["reason"].(string)
			message, _ = c["message"].(string)
			return status, reason, message
		}
	}
	return "", "", ""
}
