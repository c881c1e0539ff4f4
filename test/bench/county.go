package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/tenant"
)

const (
	countySize   = 100
	countyRounds = 3
	// parallelism is how many communities the operator works on at once, and
	// so how many the reference does.
	parallelism  = 8
	countyWithin = 3 * time.Minute
)

// measureCounty compares the operator with a client that writes the same
// objects with the same parallelism, against an API server without
// controllers and nodes. The operator runs only while it is measured.
func measureCounty(ctx context.Context, b *bench) (rows []row, err error) {
	server, stop, err := b.apiServer(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	var took, bareTook []float64
	for r := range countyRounds + 1 {
		product, err := server.countyByOperator(ctx, b, fmt.Sprintf("linli-%d", r))
		if err != nil {
			return nil, err
		}
		bare, err := server.countyByHand(ctx, fmt.Sprintf("bare-%d", r))
		if err != nil {
			return nil, err
		}
		b.say("county, round %d: %d communities in %s, bare client %s", r, countySize, seconds(product), seconds(bare))
		if r > 0 { // the first round warms up
			took, bareTook = append(took, product), append(bareTook, bare)
		}
	}
	ratio := ratios(took, bareTook)
	return []row{{
		measure:   fmt.Sprintf("%d communities, from apply to all objects written", countySize),
		linli:     seconds(median(took)),
		reference: "bare client, same objects: " + seconds(median(bareTook)),
		ratio:     fmt.Sprintf("%s (%s)", times(median(ratio)), spread(ratio)),
		target:    "≤ 1.25 ×",
		met:       judge(median(ratio) <= 1.25),
	}}, nil
}

// apiServer is a real API server with the custom resources installed.
type apiServer struct {
	client     client.Client
	metadata   metadata.Interface
	kubeconfig string
}

func (b *bench) apiServer(ctx context.Context) (*apiServer, func() error, error) {
	gatewayAPI, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("where the Gateway API's module is: %w", err)
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory: filepath.Join(b.root, "bin", "k8s"),
		CRDDirectoryPaths: []string{
			filepath.Join(b.root, "config", "crd", "bases"),
			filepath.Join(strings.TrimSpace(string(gatewayAPI)), "config", "crd", "standard", "gateway.networking.k8s.io_httproutes.yaml"),
		},
		ErrorIfCRDPathMissing: true,
	}
	// Eight counties have more Services than the default range has addresses.
	env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.96.0.0/16")
	config, err := env.Start()
	if err != nil {
		return nil, nil, fmt.Errorf("starting the API server: %w (make build makes bin/k8s)", err)
	}
	kubeconfig := filepath.Join(b.dir, "kubeconfig")
	if err := userOf(env, config, kubeconfig); err != nil {
		return nil, nil, errors.Join(err, env.Stop())
	}
	s, err := newAPIServer(config)
	if err != nil {
		return nil, nil, errors.Join(err, env.Stop())
	}
	s.kubeconfig = kubeconfig
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.PlatformNamespace}}
	if err := s.client.Create(ctx, namespace); err != nil {
		return nil, nil, errors.Join(err, env.Stop())
	}
	return s, env.Stop, nil
}

// userOf writes a kubeconfig file for an administrator of the API server.
func userOf(env *envtest.Environment, config *rest.Config, path string) error {
	admin, err := env.AddUser(envtest.User{Name: "bench", Groups: []string{"system:masters"}}, config)
	if err != nil {
		return err
	}
	kubeconfig, err := admin.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(path, kubeconfig, 0o600)
}

func newAPIServer(config *rest.Config) (*apiServer, error) {
	// No limit of its own: the reference is as fast as the API server.
	config = rest.CopyConfig(config)
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), gatewayv1.Install(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	m, err := metadata.NewForConfig(config)
	return &apiServer{client: c, metadata: m}, err
}

// countyByHand writes the Communities of a county and their tenants with the
// bare client.
func (s *apiServer) countyByHand(ctx context.Context, prefix string) (_ float64, err error) {
	r := benchRelease()
	r.RendererVersion, r.Class.Image = tenant.RendererVersion, "localhost/linli:bench"
	communities, tenants, err := county(prefix, r)
	if err != nil {
		return 0, err
	}
	// Nothing may be left for the operator to work on when it is measured next.
	defer func() { err = errors.Join(err, s.deleteAll(ctx, communities)) }()
	return s.untilWritten(ctx, tenants, func() error {
		return concurrently(parallelism, countySize, func(_, i int) error {
			if err := s.client.Create(ctx, communities[i]); err != nil {
				return err
			}
			return writeBare(ctx, s.client, tenants[i])
		})
	})
}

// county makes the Communities of a county, and their tenants as they will be.
func county(prefix string, r *v1alpha1.Release) ([]*v1alpha1.Community, [][]tenant.Object, error) {
	communities := make([]*v1alpha1.Community, countySize)
	tenants := make([][]tenant.Object, countySize)
	for i := range communities {
		c := communityWith(fmt.Sprintf("%s-%d", prefix, i), 6)
		var err error
		if tenants[i], err = tenantObjects(c, r); err != nil {
			return nil, nil, err
		}
		c.UID = "" // the API server gives it
		c.Spec.ClassName = prefix
		communities[i] = c
	}
	return communities, tenants, nil
}

// deleteAll deletes Communities and returns when they are gone. Their tenants
// stay.
func (s *apiServer) deleteAll(ctx context.Context, communities []*v1alpha1.Community) error {
	return concurrently(parallelism, len(communities), func(_, i int) error {
		if err := s.client.Delete(ctx, communities[i]); err != nil {
			return client.IgnoreNotFound(err)
		}
		return client.IgnoreNotFound(s.await(ctx, communities[i], func() bool { return false }))
	})
}

// countyByOperator starts the operator, applies the communities of a county
// and stops the operator when it has written all objects.
func (s *apiServer) countyByOperator(ctx context.Context, b *bench, prefix string) (_ float64, err error) {
	operator := exec.Command(b.binary, "operator", "--health-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0")
	operator.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "LINLI_IMAGE=localhost/linli:bench")
	log, err := os.Create(filepath.Join(b.dir, prefix+".log"))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	operator.Stdout, operator.Stderr = log, log
	if err := operator.Start(); err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, operator.Process.Signal(syscall.SIGTERM), operator.Wait())
	}()

	// A class of the round's own: when its Release is made, the operator is at work.
	class := &v1alpha1.CommunityClass{ObjectMeta: metav1.ObjectMeta{Name: prefix}, Spec: class()}
	if err := s.client.Create(ctx, class); err != nil {
		return 0, err
	}
	if err := s.await(ctx, class, func() bool {
		return meta.IsStatusConditionTrue(class.Status.Conditions, v1alpha1.ConditionReady)
	}); err != nil {
		return 0, fmt.Errorf("waiting for the class %s: %w", prefix, err)
	}
	r := benchRelease()
	r.RendererVersion = tenant.RendererVersion
	communities, tenants, err := county(prefix, r)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.deleteAll(ctx, communities)) }()
	return s.untilWritten(ctx, tenants, func() error {
		return concurrently(parallelism, countySize, func(_, i int) error { return s.client.Create(ctx, communities[i]) })
	})
}

// untilWritten calls write and returns the seconds from then until the API
// server has told a watch of the last of the tenants' objects.
func (s *apiServer) untilWritten(ctx context.Context, tenants [][]tenant.Object, write func() error) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, countyWithin)
	defer cancel()
	missing := map[objectKey]bool{}
	kinds := map[schema.GroupVersionKind]bool{}
	for _, objects := range tenants {
		for _, o := range objects {
			key := keyOf(o)
			missing[key] = true
			kinds[key.GroupVersionKind] = true
		}
	}
	seen := make(chan objectKey, len(missing))
	for kind := range kinds {
		w, err := s.watch(ctx, kind)
		if err != nil {
			return 0, err
		}
		defer w.Stop()
		go forward(ctx, kind, w, seen)
	}

	began := time.Now()
	if err := write(); err != nil {
		return 0, err
	}
	for len(missing) > 0 {
		select {
		case key := <-seen:
			delete(missing, key)
		case <-ctx.Done():
			return 0, fmt.Errorf("%d objects were not written within %s, such as %s", len(missing), countyWithin, first(missing))
		}
	}
	return time.Since(began).Seconds(), nil
}

func first(keys map[objectKey]bool) objectKey {
	for k := range keys {
		return k
	}
	return objectKey{}
}

// watch tells of the metadata of all objects of a kind that change from now on.
func (s *apiServer) watch(ctx context.Context, kind schema.GroupVersionKind) (watch.Interface, error) {
	mapping, err := s.client.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	resource := s.metadata.Resource(mapping.Resource)
	list, err := resource.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	return resource.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
}

func forward(ctx context.Context, kind schema.GroupVersionKind, w watch.Interface, seen chan<- objectKey) {
	for event := range w.ResultChan() {
		o, ok := event.Object.(*metav1.PartialObjectMetadata)
		if !ok || event.Type != watch.Added {
			continue
		}
		select {
		case seen <- objectKey{kind, o.Namespace, o.Name}:
		case <-ctx.Done():
			return
		}
	}
}

// await reads an object again and again until it is as it should be.
func (s *apiServer) await(ctx context.Context, o client.Object, good func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, countyWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		if good() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
