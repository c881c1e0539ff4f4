package community

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/controllers/communityclass"
	"github.com/linli-io/linli/internal/tenant"
)

const operatorImage = "localhost/linli:test"

// operator is a running manager with both controllers.
type operator struct {
	t           *testing.T
	communities *Reconciler
	requests    *requestLog
	events      *eventLog
	stop        func()
}

// startOperator runs the controllers until the test ends or stop is called.
func startOperator(t *testing.T) *operator {
	t.Helper()
	requests := &requestLog{}
	// What a manager says while it ends may come after the test's end.
	var ending atomic.Bool
	log := funcr.New(func(_, args string) {
		if !ending.Load() {
			t.Log(args)
		}
	}, funcr.Options{})
	cfg := rest.CopyConfig(restConfig)
	cfg.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + v1alpha1.PlatformNamespace + ":linli-operator",
		Groups:   []string{"system:serviceaccounts", "system:authenticated"},
	}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if requests.add(r) {
				return nil, errors.New("the test lets this request fail")
			}
			return next.RoundTrip(r)
		})
	})
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:     scheme,
		Cache:      CacheOptions(),
		Logger:     log,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},

		LeaderElection:                true,
		LeaderElectionID:              "linli-operator",
		LeaderElectionNamespace:       v1alpha1.PlatformNamespace,
		LeaderElectionReleaseOnCancel: true,
		// A machine that is busy with other tests is slow to renew.
		LeaseDuration: ptr.To(2 * time.Minute),
		RenewDeadline: ptr.To(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	events := &eventLog{EventRecorder: mgr.GetEventRecorder("linli-operator"), reasons: map[types.UID][]string{}}
	o := &operator{t: t, requests: requests, events: events, communities: &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: events, Clock: clock.RealClock{},
	}}
	classes := &communityclass.Reconciler{Client: mgr.GetClient(), Events: events, Clock: clock.RealClock{}, Image: operatorImage}
	ctx, cancel := context.WithCancel(t.Context())
	if err := classes.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	if err := o.communities.SetupWithManager(ctx, mgr); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	o.stop = sync.OnceFunc(func() {
		ending.Store(true)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the operator ended with: %v", err)
		}
	})
	t.Cleanup(o.stop)
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		t.Fatal("the cache did not fill")
	}
	return o
}

// requestLog keeps the requests that write, and can let some fail.
type requestLog struct {
	mu     sync.Mutex
	writes []string
	fails  func(*http.Request) bool
}

// add keeps a request and says whether it is to fail.
func (l *requestLog) add(r *http.Request) bool {
	if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/events") || strings.Contains(r.URL.Path, "/leases") {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes = append(l.writes, r.Method+" "+r.URL.Path)
	return l.fails != nil && l.fails(r)
}

// fail lets the writes fail that which picks; nil picks none.
func (l *requestLog) fail(which func(*http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = which
}

// take returns the writes since the last time.
func (l *requestLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	writes := l.writes
	l.writes = nil
	return writes
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// await polls until check returns nil; its last error is what the test fails with.
func await(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		if last == nil || ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: %v", what, last)
	}
}

func createNamespace(ctx context.Context, name string, labels, annotations map[string]string) error {
	return admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations}})
}

func newClass(name string) *v1alpha1.CommunityClass {
	return &v1alpha1.CommunityClass{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.CommunityClassSpec{
			Domain:   "localhost",
			Gateway:  v1alpha1.Gateway{Namespace: "gateway-system", Name: "linli", Scheme: v1alpha1.SchemeHTTP, Port: 8080},
			Identity: v1alpha1.Identity{Issuer: "http://id.localhost:8080"},
		},
	}
}

func newCommunity(name, class string) *v1alpha1.Community {
	return &v1alpha1.Community{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.CommunitySpec{
			ClassName:   class,
			DisplayName: "站前社区",
			Region:      v1alpha1.Region{County: "鱼台县", Subdistrict: "滨湖街道"},
			TimeZone:    "Asia/Shanghai",
			Phone:       "0537-6211234",
			Services: v1alpha1.Services{Booking: &v1alpha1.Booking{Venues: []v1alpha1.Venue{{
				Name: "study", DisplayName: "自习室", Kind: v1alpha1.VenueSeats, Seats: 60, SlotMinutes: 60,
				Hours: []v1alpha1.OpeningHours{{Days: []v1alpha1.Weekday{"Monday"}, From: "08:00", To: "20:00"}},
			}}}},
		},
	}
}

// create makes objects and removes classes and communities when the test ends,
// without waiting for an operator.
func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { abandon(t, o) })
	}
}

// abandon deletes an object whatever its finalizers say.
func abandon(t *testing.T, o client.Object) {
	ctx := context.Background()
	if err := admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return
	}
	if controllerutil.RemoveFinalizer(o, v1alpha1.Finalizer) {
		if err := admin.Update(ctx, o); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			t.Error(err)
		}
	}
	if err := admin.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
}

// change updates an object, again when somebody else did so at the same time.
func change[O client.Object](t *testing.T, o O, edit func(O)) {
	t.Helper()
	await(t, "change "+o.GetName(), func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		edit(o)
		return admin.Update(ctx, o)
	})
}

func tenantKey(community string) client.ObjectKey {
	return client.ObjectKey{Namespace: v1alpha1.NamespaceOf(community), Name: tenant.Name}
}

// condition describes what a community's Ready condition should be.
type condition struct {
	status  metav1.ConditionStatus
	reason  string
	message []string // parts
}

// awaitCondition waits for Ready to be as described and returns the community.
func awaitCondition(t *testing.T, name string, want condition) *v1alpha1.Community {
	t.Helper()
	var c v1alpha1.Community
	await(t, fmt.Sprintf("community %s becomes Ready=%s, %s", name, want.status, want.reason), func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKey{Name: name}, &c); err != nil {
			return err
		}
		got := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
		if got == nil {
			return fmt.Errorf("no Ready condition, status %+v", c.Status)
		}
		if got.Status != want.status || got.Reason != want.reason || got.ObservedGeneration != c.Generation {
			return fmt.Errorf("Ready is %s, %s at generation %d of %d: %s", got.Status, got.Reason, got.ObservedGeneration, c.Generation, got.Message)
		}
		for _, part := range want.message {
			if !strings.Contains(got.Message, part) {
				return fmt.Errorf("message %q lacks %q", got.Message, part)
			}
		}
		return nil
	})
	return &c
}

// playReady plays controller-manager, node and gateway: a Pod that is ready,
// a Deployment that says so, a route that is accepted.
func playReady(t *testing.T, name string) {
	t.Helper()
	playRoute(t, name, metav1.ConditionTrue, "Accepted", "")
	playDeployment(t, name, 1)
	playPod(t, name, corev1.ContainerStatus{Name: tenant.Container, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
}

// playDeployment plays the Deployment controller: so many replicas answer.
func playDeployment(t *testing.T, name string, answering int32) {
	t.Helper()
	await(t, "status of the Deployment of "+name, func(ctx context.Context) error {
		var d appsv1.Deployment
		if err := admin.Get(ctx, tenantKey(name), &d); err != nil {
			return err
		}
		replicas := *d.Spec.Replicas
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation,
			Replicas:           replicas, UpdatedReplicas: replicas,
			ReadyReplicas: answering, AvailableReplicas: answering, UnavailableReplicas: replicas - answering,
		}
		return admin.Status().Update(ctx, &d)
	})
}

// playPod plays the node: one Pod of the community whose container is so.
func playPod(t *testing.T, name string, container corev1.ContainerStatus) {
	t.Helper()
	await(t, "Pod of "+name, func(ctx context.Context) error {
		var d appsv1.Deployment
		if err := admin.Get(ctx, tenantKey(name), &d); err != nil {
			return err
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: "linli-7d4b9c-x2x4q", Labels: d.Spec.Template.Labels},
			Spec:       d.Spec.Template.Spec,
		}
		pod.Spec.ServiceAccountName = ""
		if err := admin.Create(ctx, pod); err != nil {
			if !apierrors.IsAlreadyExists(err) {
				return err
			}
			if err := admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
				return err
			}
		}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{container}
		return admin.Status().Update(ctx, pod)
	})
}

// playRoute plays the gateway: it has looked at the community's route.
func playRoute(t *testing.T, name string, accepted metav1.ConditionStatus, reason, message string) {
	t.Helper()
	await(t, "status of the HTTPRoute of "+name, func(ctx context.Context) error {
		var route gatewayv1.HTTPRoute
		if err := admin.Get(ctx, tenantKey(name), &route); err != nil {
			return err
		}
		route.Status.Parents = []gatewayv1.RouteParentStatus{{
			ParentRef:      route.Spec.ParentRefs[0],
			ControllerName: "linli.io/test",
			Conditions: []metav1.Condition{{
				Type: string(gatewayv1.RouteConditionAccepted), Status: accepted, Reason: reason, Message: message,
				ObservedGeneration: route.Generation, LastTransitionTime: metav1.Now(),
			}},
		}}
		return admin.Status().Update(ctx, &route)
	})
}

// awaitGone waits until the tenant has no such object any more.
func awaitGone(t *testing.T, o client.Object, community string) {
	t.Helper()
	await(t, fmt.Sprintf("%T of %s gone", o, community), func(ctx context.Context) error {
		err := admin.Get(ctx, tenantKey(community), o)
		if err == nil {
			return fmt.Errorf("still there")
		}
		return client.IgnoreNotFound(err)
	})
}

func generationOf(t *testing.T, community string, o client.Object) int64 {
	t.Helper()
	if err := admin.Get(t.Context(), tenantKey(community), o); err != nil {
		t.Fatal(err)
	}
	return o.GetGeneration()
}

// eventLog keeps the reasons of the events that are emitted, before they go
// their own way to the API server.
type eventLog struct {
	events.EventRecorder

	mu      sync.Mutex
	reasons map[types.UID][]string
}

func (l *eventLog) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	l.mu.Lock()
	uid := regarding.(client.Object).GetUID()
	l.reasons[uid] = append(l.reasons[uid], reason)
	l.mu.Unlock()
	l.EventRecorder.Eventf(regarding, related, kind, reason, action, note, args...)
}

// assertEvents waits for exactly these reasons, in this order, to have been
// emitted about a community by this operator.
func (o *operator) assertEvents(c *v1alpha1.Community, reasons ...string) {
	o.t.Helper()
	await(o.t, "events of "+c.Name, func(context.Context) error {
		o.events.mu.Lock()
		defer o.events.mu.Unlock()
		if got := o.events.reasons[c.UID]; !slices.Equal(got, reasons) {
			return fmt.Errorf("events %v, want %v", got, reasons)
		}
		return nil
	})
}

// playVolume plays the volume controller: the claim is bound. (The API server
// writes a claim that it has only ever created once more when it is applied
// again, although nothing in it changes.)
func playVolume(t *testing.T, name string) {
	t.Helper()
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.NamespaceOf(name), Name: tenant.Name}}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(claim), claim); err != nil {
		t.Fatal(err)
	}
	claim.Status.Phase = corev1.ClaimBound
	if err := admin.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
}

// createClass makes a class and waits for its Release.
func createClass(t *testing.T, class *v1alpha1.CommunityClass) {
	t.Helper()
	create(t, class)
	await(t, "release of class "+class.Name, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(class), class); err != nil {
			return err
		}
		if class.Status.Release == "" {
			return fmt.Errorf("none yet")
		}
		return nil
	})
}
