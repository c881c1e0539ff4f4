package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/controllers/release"
	"github.com/linli-io/linli/internal/tenant"
	"github.com/linli-io/linli/test/instance"
)

const readyRounds = 5

// measureReady compares the time from applying one Community to Ready with
// that of a client that writes the same objects and waits until the Deployment
// is available, in an embedded cluster of the measurement's own.
func measureReady(ctx context.Context, b *bench) (rows []row, err error) {
	s, down, err := b.cluster(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, down()) }()

	var took, bareTook []float64
	for r := range readyRounds + 1 {
		product, err := s.readyByOperator(ctx, fmt.Sprintf("linli-%d", r))
		if err != nil {
			return nil, err
		}
		bare, err := s.readyByHand(ctx, fmt.Sprintf("bare-%d", r))
		if err != nil {
			return nil, err
		}
		b.say("ready, round %d: %s, bare client %s", r, seconds(product), seconds(bare))
		if r > 0 { // the first round warms up
			took, bareTook = append(took, product), append(bareTook, bare)
		}
	}
	ratio := ratios(took, bareTook)
	return []row{{
		measure:   "1 community, from apply to Ready",
		linli:     seconds(median(took)),
		reference: "bare client, until the Deployment is available: " + seconds(median(bareTook)),
		ratio:     fmt.Sprintf("%s (%s)", times(median(ratio)), spread(ratio)),
		target:    "–",
	}}, nil
}

// cluster starts an embedded cluster with the operator and a class, and
// returns how to stop and forget it.
func (b *bench) cluster(ctx context.Context) (*apiServer, func() error, error) {
	dir := filepath.Join(b.dir, "dev")
	sample := filepath.Join(b.dir, "sample")
	if err := os.Mkdir(sample, 0o700); err != nil {
		return nil, nil, err
	}
	// The API server's is the first of three in a row.
	apiPort, err := instance.FreePorts(4)
	if err != nil {
		return nil, nil, err
	}
	gatewayPort := apiPort + 3
	c := &v1alpha1.CommunityClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "CommunityClass"},
		ObjectMeta: metav1.ObjectMeta{Name: "bench"},
		Spec:       class(),
	}
	c.Spec.Gateway.Port = int32(gatewayPort)
	manifest, err := yaml.Marshal(c)
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(sample, "class.yaml"), manifest, 0o600),
		os.WriteFile(filepath.Join(sample, "kustomization.yaml"), []byte("resources: [class.yaml]\n"), 0o600),
	); err != nil {
		return nil, nil, err
	}

	devcluster := func(ctx context.Context, args ...string) error {
		cmd := exec.CommandContext(ctx, filepath.Join(b.root, "bin", "devcluster"), args...)
		cmd.Env = append(os.Environ(), "LINLI_DEV_DIR="+dir,
			"LINLI_GATEWAY_PORT="+strconv.Itoa(gatewayPort), "LINLI_API_PORT="+strconv.Itoa(apiPort))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("devcluster %s: %w\n%s", args[0], err, out)
		}
		return nil
	}
	b.say("ready: starting an embedded cluster")
	down := func() error { return devcluster(context.WithoutCancel(ctx), "reset") }
	if err := devcluster(ctx, "up", "--binary", b.binary,
		"--manifests", filepath.Join(b.root, "config", "default"), "--sample", sample); err != nil {
		return nil, nil, errors.Join(err, down())
	}
	s, err := clusterClient(filepath.Join(dir, "kubeconfig"))
	if err != nil {
		return nil, nil, errors.Join(err, down())
	}
	return s, down, nil
}

func clusterClient(kubeconfig string) (*apiServer, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return newAPIServer(config)
}

func (s *apiServer) readyByOperator(ctx context.Context, name string) (float64, error) {
	c := communityWith(name, 6)
	c.UID = ""
	c.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete
	began := time.Now()
	if err := s.client.Create(ctx, c); err != nil {
		return 0, err
	}
	if err := s.await(ctx, c, func() bool {
		return meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady)
	}); err != nil {
		return 0, fmt.Errorf("waiting for %s to be Ready: %w", name, err)
	}
	took := time.Since(began).Seconds()
	return took, s.client.Delete(ctx, c)
}

func (s *apiServer) readyByHand(ctx context.Context, name string) (float64, error) {
	c := &v1alpha1.CommunityClass{ObjectMeta: metav1.ObjectMeta{Name: "bench"}}
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
		return 0, err
	}
	revision := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.PlatformNamespace, Name: c.Status.Release}}
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(revision), revision); err != nil {
		return 0, err
	}
	r, err := release.Of(revision)
	if err != nil {
		return 0, err
	}
	objects, err := tenantObjects(communityWith(name, 6), r)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := writeBare(ctx, s.client, objects); err != nil {
		return 0, err
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.NamespaceOf(name), Name: tenant.Name}}
	if err := s.await(ctx, deployment, func() bool { return available(deployment) }); err != nil {
		return 0, fmt.Errorf("waiting for the Deployment of %s to be available: %w", name, err)
	}
	took := time.Since(began).Seconds()
	return took, s.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.NamespaceOf(name)}})
}

func available(d *appsv1.Deployment) bool {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentAvailable {
			return c.Status == corev1.ConditionTrue && d.Status.ObservedGeneration == d.Generation
		}
	}
	return false
}
