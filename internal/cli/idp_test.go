package cli

import (
	"io"
	"os"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// TestIDPManifest: the manifest for county IT runs the provider with settings
// that it has.
func TestIDPManifest(t *testing.T) {
	text, err := os.ReadFile("../../config/idp/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict(text, &d); err != nil {
		t.Fatal(err)
	}
	args := d.Spec.Template.Spec.Containers[0].Args
	if args[0] != "idp" {
		t.Fatalf("the manifest runs %v", args)
	}
	if err := idpCommand().ParseFlags(args[1:]); err != nil {
		t.Error(err)
	}
}

// TestIDPTrustedProxies: a network that cannot be read stops the provider, in
// words that say which.
func TestIDPTrustedProxies(t *testing.T) {
	cmd := idpCommand()
	cmd.SetArgs([]string{"--trusted-proxies=10.0.0.0/8,gateway"})
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "--trusted-proxies") || !strings.Contains(err.Error(), `"gateway"`) {
		t.Errorf("%v", err)
	}
}
