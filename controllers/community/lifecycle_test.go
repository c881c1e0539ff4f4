package community

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/controllers/release"
	"github.com/linli-io/linli/internal/tenant"
)

var allReady = condition{metav1.ConditionTrue, v1alpha1.ReasonAllServicesReady, nil}

// running creates a class and a community of it and plays it to Ready.
func running(t *testing.T, name string, edits ...func(*v1alpha1.Community)) *v1alpha1.Community {
	t.Helper()
	class := newClass("class-of-" + name)
	c := newCommunity(name, class.Name)
	for _, edit := range edits {
		edit(c)
	}
	createClass(t, class)
	create(t, c)
	playReady(t, name)
	return awaitCondition(t, name, allReady)
}

func TestCreate(t *testing.T) {
	o := startOperator(t)
	createClass(t, newClass("creating"))
	create(t, newCommunity("created", "creating"))

	c := awaitCondition(t, "created", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	assertServices(t, c, v1alpha1.ServiceNotReady, "portal", "booking", "messages", "residents")
	playReady(t, "created")
	c = awaitCondition(t, "created", condition{metav1.ConditionTrue, v1alpha1.ReasonAllServicesReady, []string{"portal, booking, messages, residents", "http://created.localhost:8080"}})

	assertServices(t, c, v1alpha1.ServiceReady, "portal", "booking", "messages", "residents")
	if c.Status.URL != "http://created.localhost:8080" || !strings.HasPrefix(c.Status.Release, "creating-") || c.Status.ObservedGeneration != c.Generation {
		t.Errorf("status %+v", c.Status)
	}
	for kind, want := range map[string]metav1.ConditionStatus{v1alpha1.ConditionReconciling: "False", v1alpha1.ConditionStalled: "False"} {
		if !meta.IsStatusConditionPresentAndEqual(c.Status.Conditions, kind, want) {
			t.Errorf("%s is not %s: %+v", kind, want, c.Status.Conditions)
		}
	}

	var ns corev1.Namespace
	if err := admin.Get(t.Context(), client.ObjectKey{Name: "community-created"}, &ns); err != nil {
		t.Fatal(err)
	}
	if ns.Labels[v1alpha1.LabelCommunity] != "created" || ns.Annotations[v1alpha1.AnnotationCommunityUID] != string(c.UID) || len(ns.OwnerReferences) > 0 {
		t.Errorf("namespace %+v", ns.ObjectMeta)
	}
	var keys corev1.Secret
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: ns.Name, Name: tenant.KeysSecret}, &keys); err != nil {
		t.Fatal(err)
	}
	if len(keys.Data[tenant.SessionKey]) != 32 || slices.Max(keys.Data[tenant.SessionKey]) == 0 {
		t.Errorf("the session key has %d bytes", len(keys.Data[tenant.SessionKey]))
	}
	var d appsv1.Deployment
	if err := admin.Get(t.Context(), tenantKey("created"), &d); err != nil {
		t.Fatal(err)
	}
	if image := d.Spec.Template.Spec.Containers[0].Image; image != operatorImage {
		t.Errorf("a class without an image runs %s", image)
	}
	o.assertEvents(c, v1alpha1.ReasonAllServicesReady)
	await(t, "the event at the API server", func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := admin.List(ctx, &list); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Regarding.UID == c.UID && e.Reason == v1alpha1.ReasonAllServicesReady && strings.Contains(e.Note, c.Status.URL) {
				return nil
			}
		}
		return fmt.Errorf("%d events, not ours among them", len(list.Items))
	})
}

// TestPodSecurity: the API server's own admission finds nothing to say about
// our Pods under the restricted standard, which the namespace enforces.
func TestPodSecurity(t *testing.T) {
	startOperator(t)
	running(t, "secure") // playPod creates a Pod of the template in the namespace
	bad := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "community-secure", Name: "root"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	if err := admin.Create(t.Context(), bad); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "PodSecurity") {
		t.Errorf("a Pod without security context: %v", err)
	}
}

// TestChange: a change of the inventory reaches the ConfigMap and does not
// touch the Deployment.
func TestChange(t *testing.T) {
	o := startOperator(t)
	c := running(t, "changed")
	before := generationOf(t, "changed", &appsv1.Deployment{})

	change(t, c, func(c *v1alpha1.Community) {
		c.Spec.Phone = "0537-7654321"
		c.Spec.Services.Booking.Venues[0].Seats = 61
	})
	await(t, "the change in the ConfigMap", func(ctx context.Context) error {
		var config corev1.ConfigMap
		if err := admin.Get(ctx, tenantKey("changed"), &config); err != nil {
			return err
		}
		for _, part := range []string{"phone: 0537-7654321", "seats: 61", "uid: " + string(c.UID)} {
			if !strings.Contains(config.Data["community.yaml"], part) {
				return fmt.Errorf("no %q in %s", part, config.Data["community.yaml"])
			}
		}
		return nil
	})
	c = awaitCondition(t, "changed", allReady)
	if c.Status.ObservedGeneration != c.Generation {
		t.Errorf("observedGeneration %d of %d", c.Status.ObservedGeneration, c.Generation)
	}
	if after := generationOf(t, "changed", &appsv1.Deployment{}); after != before {
		t.Errorf("the Deployment went from generation %d to %d", before, after)
	}
	// A change that changes nothing of how the services do is no event: the
	// next one comes with the next transition.
	change(t, c, func(c *v1alpha1.Community) { c.Spec.RunPolicy = v1alpha1.RunPolicySuspended })
	awaitCondition(t, "changed", condition{metav1.ConditionFalse, v1alpha1.ReasonSuspending, nil})
	playDeployment(t, "changed", 0)
	awaitCondition(t, "changed", condition{metav1.ConditionFalse, v1alpha1.ReasonSuspended, nil})
	o.assertEvents(c, v1alpha1.ReasonAllServicesReady, v1alpha1.ReasonSuspended)
}

func TestServiceOffAndOn(t *testing.T) {
	startOperator(t)
	c := running(t, "switched")
	args := func() []string {
		var d appsv1.Deployment
		if err := admin.Get(t.Context(), tenantKey("switched"), &d); err != nil {
			t.Fatal(err)
		}
		return d.Spec.Template.Spec.Containers[0].Args
	}
	booking := c.Spec.Services.Booking

	change(t, c, func(c *v1alpha1.Community) { c.Spec.Services.Booking = nil })
	c = awaitCondition(t, "switched", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	assertServices(t, c, v1alpha1.ServiceNotReady, "portal", "messages", "residents")
	if got := args(); got[0] != "serve" || got[1] != "portal" || slices.Contains(got, "booking") {
		t.Errorf("args %q", got)
	}
	playReady(t, "switched")
	c = awaitCondition(t, "switched", allReady)
	assertServices(t, c, v1alpha1.ServiceReady, "portal", "messages", "residents")

	change(t, c, func(c *v1alpha1.Community) { c.Spec.Services.Booking = booking })
	awaitCondition(t, "switched", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	if got := args(); !slices.Contains(got, "booking") {
		t.Errorf("args %q", got)
	}
	playReady(t, "switched")
	c = awaitCondition(t, "switched", allReady)
	assertServices(t, c, v1alpha1.ServiceReady, "portal", "booking", "messages", "residents")
}

func TestSuspend(t *testing.T) {
	startOperator(t)
	c := running(t, "suspended")

	change(t, c, func(c *v1alpha1.Community) { c.Spec.RunPolicy = v1alpha1.RunPolicySuspended })
	awaitCondition(t, "suspended", condition{metav1.ConditionFalse, v1alpha1.ReasonSuspending, nil})
	awaitGone(t, &gatewayv1.HTTPRoute{}, "suspended")
	playDeployment(t, "suspended", 0) // replicas 0 of 0
	c = awaitCondition(t, "suspended", condition{metav1.ConditionFalse, v1alpha1.ReasonSuspended, []string{"spec.runPolicy"}})
	assertServices(t, c, v1alpha1.ServiceSuspended, "portal", "booking", "messages", "residents")
	if meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReconciling) {
		t.Error("still Reconciling")
	}
	for _, kept := range []client.Object{&corev1.PersistentVolumeClaim{}, &corev1.ConfigMap{}, &corev1.Service{}} {
		if err := admin.Get(t.Context(), tenantKey("suspended"), kept); err != nil {
			t.Error(err)
		}
	}

	change(t, c, func(c *v1alpha1.Community) { c.Spec.RunPolicy = v1alpha1.RunPolicyRunning })
	awaitCondition(t, "suspended", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	playReady(t, "suspended")
	awaitCondition(t, "suspended", allReady)
}

// TestFailure: what the service said when it ended is in the condition, in one
// line, and comes and goes without flapping.
func TestFailure(t *testing.T) {
	o := startOperator(t)
	running(t, "failing")
	message := "database /var/lib/linli/booking.db is corrupt:\n\tdisk image is malformed; restore a backup"
	ended := &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: message}
	crashed := condition{metav1.ConditionFalse, v1alpha1.ReasonServiceFailed, []string{"booking.db is corrupt: disk image is malformed; restore a backup"}}

	playPod(t, "failing", corev1.ContainerStatus{Name: tenant.Container, State: corev1.ContainerState{Terminated: ended}})
	playDeployment(t, "failing", 0)
	c := awaitCondition(t, "failing", crashed)
	assertServices(t, c, v1alpha1.ServiceNotReady, "portal", "booking", "messages", "residents")
	version := c.ResourceVersion

	for _, state := range []corev1.ContainerState{
		{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s restarting failed container"}},
		{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 20s restarting failed container"}},
	} {
		playPod(t, "failing", corev1.ContainerStatus{Name: tenant.Container, RestartCount: 1, State: state,
			LastTerminationState: corev1.ContainerState{Terminated: ended}})
	}
	playReady(t, "failing")
	c = awaitCondition(t, "failing", allReady)
	if c.Status.ObservedGeneration != c.Generation {
		t.Errorf("observedGeneration %d of %d", c.Status.ObservedGeneration, c.Generation)
	}
	if c.ResourceVersion == version {
		t.Error("the recovery was not written")
	}
	// One event per transition, none for the tries in between.
	o.assertEvents(c, v1alpha1.ReasonAllServicesReady, v1alpha1.ReasonServiceFailed, v1alpha1.ReasonAllServicesReady)
}

func TestRouteNotAccepted(t *testing.T) {
	startOperator(t)
	create(t, newClass("routing"), newCommunity("routed", "routing"))
	playPod(t, "routed", corev1.ContainerStatus{Name: tenant.Container, Ready: true})
	playDeployment(t, "routed", 1)
	c := awaitCondition(t, "routed", condition{metav1.ConditionFalse, v1alpha1.ReasonRouteNotAccepted, []string{"Gateway gateway-system/linli has not taken the route yet"}})
	assertServices(t, c, v1alpha1.ServiceReady, "portal", "booking", "messages", "residents")
	if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReconciling) {
		t.Error("not Reconciling while the gateway has not looked")
	}
	playRoute(t, "routed", metav1.ConditionFalse, "NotAllowedByListeners", "no listener takes namespace community-routed")
	awaitCondition(t, "routed", condition{metav1.ConditionFalse, v1alpha1.ReasonRouteNotAccepted, []string{"NotAllowedByListeners", "no listener takes"}})
	playRoute(t, "routed", metav1.ConditionTrue, "Accepted", "")
	awaitCondition(t, "routed", allReady)
}

// TestRelease: a changed class gives a new Release that communities move to;
// the old one stays, and one that somebody deletes comes back.
func TestRelease(t *testing.T) {
	startOperator(t)
	c := running(t, "released")
	first := c.Status.Release
	class := newClass("class-of-released")

	change(t, class, func(class *v1alpha1.CommunityClass) { class.Spec.Image = "registry.example.cn/linli:v2" })
	awaitCondition(t, "released", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	playReady(t, "released")
	c = awaitCondition(t, "released", allReady)
	if c.Status.Release == first {
		t.Error("the release in force did not change")
	}
	var d appsv1.Deployment
	if err := admin.Get(t.Context(), tenantKey("released"), &d); err != nil {
		t.Fatal(err)
	}
	if image := d.Spec.Template.Spec.Containers[0].Image; image != "registry.example.cn/linli:v2" {
		t.Errorf("image %s", image)
	}
	old := client.ObjectKey{Namespace: v1alpha1.PlatformNamespace, Name: first}
	var revision appsv1.ControllerRevision
	if err := admin.Get(t.Context(), old, &revision); err != nil {
		t.Error(err)
	}
	revision.Data.Raw = []byte(`{"name":"changed"}`)
	if err := admin.Update(t.Context(), &revision); !apierrors.IsInvalid(err) {
		t.Errorf("a release could be changed: %v", err)
	}

	current := client.ObjectKey{Namespace: v1alpha1.PlatformNamespace, Name: c.Status.Release}
	if err := admin.Get(t.Context(), current, &revision); err != nil {
		t.Fatal(err)
	}
	uid := revision.UID
	if err := admin.Delete(t.Context(), &revision); err != nil {
		t.Fatal(err)
	}
	await(t, "the release made again", func(ctx context.Context) error {
		if err := admin.Get(ctx, current, &revision); err != nil {
			return err
		}
		if revision.UID == uid {
			return fmt.Errorf("not deleted yet")
		}
		return nil
	})
	awaitCondition(t, "released", allReady)
}

// TestReleasesCollected: the history of a class that changes often stays
// short, and never loses a Release in force.
func TestReleasesCollected(t *testing.T) {
	o := startOperator(t)
	c := running(t, "collected")
	class := newClass(c.Spec.ClassName)
	for i := range 15 {
		change(t, class, func(class *v1alpha1.CommunityClass) { class.Spec.Gateway.Port = int32(9000 + i) })
		await(t, "the next release", func(ctx context.Context) error {
			if err := admin.Get(ctx, client.ObjectKeyFromObject(class), class); err != nil {
				return err
			}
			if class.Status.ObservedGeneration != class.Generation {
				return fmt.Errorf("generation %d of %d", class.Status.ObservedGeneration, class.Generation)
			}
			return nil
		})
	}
	awaitCondition(t, c.Name, condition{metav1.ConditionTrue, v1alpha1.ReasonAllServicesReady, []string{":9014"}})
	settle(t, o, c.Name)
	await(t, "a short history", func(ctx context.Context) error {
		var list appsv1.ControllerRevisionList
		if err := admin.List(ctx, &list, client.InNamespace(v1alpha1.PlatformNamespace), client.MatchingLabels{release.LabelClass: class.Name}); err != nil {
			return err
		}
		// Ten, and one while the cache has not seen the latest.
		if n := len(list.Items); n < 10 || n > 11 {
			return fmt.Errorf("%d releases", n)
		}
		return nil
	})
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.PlatformNamespace, Name: class.Status.Release}, &appsv1.ControllerRevision{}); err != nil {
		t.Errorf("the release in force: %v", err)
	}
}

// TestClassMissing: without its class a community cannot start, and one that
// runs goes on with the Release in force, drift repaired.
func TestClassMissing(t *testing.T) {
	startOperator(t)
	create(t, newCommunity("classless", "nowhere"))
	c := awaitCondition(t, "classless", condition{metav1.ConditionFalse, v1alpha1.ReasonClassNotFound, []string{"no CommunityClass nowhere", "kubectl get communityclasses"}})
	if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionStalled) || c.Status.ObservedGeneration != 0 {
		t.Errorf("status %+v", c.Status)
	}
	create(t, newClass("nowhere"))
	awaitCondition(t, "classless", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	playReady(t, "classless")
	awaitCondition(t, "classless", allReady)

	if err := admin.Delete(t.Context(), newClass("nowhere")); err != nil {
		t.Fatal(err)
	}
	c = awaitCondition(t, "classless", condition{metav1.ConditionFalse, v1alpha1.ReasonClassNotFound, nil})
	assertServices(t, c, v1alpha1.ServiceReady, "portal", "booking", "messages", "residents")
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "community-classless", Name: tenant.Name}}
	if err := admin.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	await(t, "the Service made again", func(ctx context.Context) error {
		return admin.Get(ctx, tenantKey("classless"), service)
	})
	create(t, newClass("nowhere"))
	awaitCondition(t, "classless", allReady)
}

// TestRefusedObjects: what the API server refuses for good stalls the
// community with its words, and the rest is applied all the same.
func TestRefusedObjects(t *testing.T) {
	startOperator(t)
	class := newClass("refusing")
	class.Spec.NodeSelector = map[string]string{"linli.io/pool": "not a label value!"}
	create(t, class, newCommunity("refused", class.Name))
	c := awaitCondition(t, "refused", condition{metav1.ConditionFalse, v1alpha1.ReasonApplyRefused, []string{"Deployment", "not a label value!"}})
	if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionStalled) || c.Status.ObservedGeneration != 0 {
		t.Errorf("status %+v", c.Status)
	}
	if err := admin.Get(t.Context(), tenantKey("refused"), &gatewayv1.HTTPRoute{}); err != nil {
		t.Errorf("what comes after the Deployment was not applied: %v", err)
	}
	change(t, class, func(class *v1alpha1.CommunityClass) { class.Spec.NodeSelector = nil })
	awaitCondition(t, "refused", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
}

func assertServices(t *testing.T, c *v1alpha1.Community, state v1alpha1.ServiceState, names ...string) {
	t.Helper()
	var want []v1alpha1.ServiceStatus
	for _, name := range names {
		want = append(want, v1alpha1.ServiceStatus{Name: name, State: state})
	}
	if !slices.Equal(c.Status.Services, want) {
		t.Errorf("services %v, want %v", c.Status.Services, want)
	}
}
