package community

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1ac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/controllers/release"
	"github.com/linli-io/linli/internal/tenant"
)

// TestDriftEdited: whatever somebody changes of what we applied is put back,
// and what they added beside it stays.
func TestDriftEdited(t *testing.T) {
	startOperator(t)
	c := running(t, "edited")
	for name, test := range map[string]struct {
		object client.Object
		patch  string
		intact func(client.Object) bool
	}{
		"image": {&appsv1.Deployment{}, `{"spec":{"template":{"spec":{"containers":[{"name":"linli","image":"evil"}]}}}}`, func(o client.Object) bool {
			return o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image == operatorImage
		}},
		"scale": {&appsv1.Deployment{}, `{"spec":{"replicas":3}}`, func(o client.Object) bool {
			return *o.(*appsv1.Deployment).Spec.Replicas == 1
		}},
		"label removed": {&appsv1.Deployment{}, `{"metadata":{"labels":{"app.kubernetes.io/part-of":null}}}`, func(o client.Object) bool {
			return o.GetLabels()["app.kubernetes.io/part-of"] == "linli"
		}},
		"selector": {&corev1.Service{}, `{"spec":{"selector":{"linli.io/service":"none"}}}`, func(o client.Object) bool {
			return o.(*corev1.Service).Spec.Selector[v1alpha1.LabelService] == "all"
		}},
		"configuration": {&corev1.ConfigMap{}, `{"data":{"community.yaml":"{}"}}`, func(o client.Object) bool {
			return strings.Contains(o.(*corev1.ConfigMap).Data["community.yaml"], "站前社区")
		}},
		"quota": {&corev1.ResourceQuota{}, `{"spec":{"hard":{"pods":"1000"}}}`, func(o client.Object) bool {
			return o.(*corev1.ResourceQuota).Spec.Hard.Pods().Value() == 8
		}},
		"limits": {&corev1.LimitRange{}, `{"spec":{"limits":null}}`, func(o client.Object) bool {
			return len(o.(*corev1.LimitRange).Spec.Limits) == 1
		}},
		"token": {&corev1.ServiceAccount{}, `{"automountServiceAccountToken":true}`, func(o client.Object) bool {
			return !*o.(*corev1.ServiceAccount).AutomountServiceAccountToken
		}},
		"host name": {&gatewayv1.HTTPRoute{}, `{"spec":{"hostnames":["www.localhost"]}}`, func(o client.Object) bool {
			return slices.Equal(o.(*gatewayv1.HTTPRoute).Spec.Hostnames, []gatewayv1.Hostname{"edited.localhost"})
		}},
		"open network": {policyObject("default-deny"), `{"spec":{"policyTypes":["Ingress"]}}`, func(o client.Object) bool {
			return len(o.(*networkingv1.NetworkPolicy).Spec.PolicyTypes) == 2
		}},
		"wider network": {policyObject("allow-gateway"), `{"spec":{"ingress":[{}]}}`, func(o client.Object) bool {
			ingress := o.(*networkingv1.NetworkPolicy).Spec.Ingress
			return len(ingress) == 1 && len(ingress[0].From) == 1
		}},
		"pod security": {namespaceObject("edited"), `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`, func(o client.Object) bool {
			return o.GetLabels()["pod-security.kubernetes.io/enforce"] == "restricted"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.object
			if o.GetName() == "" {
				o.SetName(tenant.Name)
			}
			if _, cluster := o.(*corev1.Namespace); !cluster {
				o.SetNamespace("community-edited")
			}
			kind := types.StrategicMergePatchType
			if _, custom := o.(*gatewayv1.HTTPRoute); custom {
				kind = types.MergePatchType
			}
			for _, patch := range []string{`{"metadata":{"annotations":{"example.cn/note":"kept"}}}`, test.patch} {
				if err := admin.Patch(t.Context(), o, client.RawPatch(kind, []byte(patch)), client.FieldOwner("kubectl-edit")); err != nil {
					t.Fatal(err)
				}
			}
			if test.intact(o) {
				t.Fatal("the edit did nothing")
			}
			await(t, "the edit undone", func(ctx context.Context) error {
				if err := admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
					return err
				}
				if !test.intact(o) {
					return fmt.Errorf("still edited: %+v", o)
				}
				return nil
			})
			if o.GetAnnotations()["example.cn/note"] != "kept" {
				t.Error("what somebody else added was taken away")
			}
		})
	}
	if c.Generation != 1 {
		t.Error("the Community itself was changed")
	}
}

func policyObject(name string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func namespaceObject(community string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.NamespaceOf(community)}}
}

// TestDriftDeleted: every object that is deleted is made again.
func TestDriftDeleted(t *testing.T) {
	startOperator(t)
	c := running(t, "deleted")
	objects, err := tenant.Render(c, releaseInForce(t, c))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		k := keyOf(o)
		if k.kind.Kind == "Namespace" || k.kind.Kind == "PersistentVolumeClaim" {
			continue // without a controller-manager their deletion never ends
		}
		assertMadeAgain(t, k)
	}
	assertMadeAgain(t, key{corev1.SchemeGroupVersion.WithKind("Secret"), client.ObjectKey{Namespace: "community-deleted", Name: tenant.KeysSecret}}, func() {
		// Secrets are not watched: anything that wakes the reconciler will do.
		change(t, c, func(c *v1alpha1.Community) { c.Spec.Phone = "0537-1111111" })
	})
}

func assertMadeAgain(t *testing.T, k key, wake ...func()) {
	t.Helper()
	o := metadataOf(k.kind)
	if err := admin.Get(t.Context(), k.name, o); err != nil {
		t.Fatal(err)
	}
	uid := o.UID
	if err := admin.Delete(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, f := range wake {
		f()
	}
	await(t, fmt.Sprintf("%s %s made again", k.kind.Kind, k.name.Name), func(ctx context.Context) error {
		if err := admin.Get(ctx, k.name, o); err != nil {
			return err
		}
		if o.UID == uid {
			return fmt.Errorf("not deleted yet")
		}
		return nil
	})
}

// TestPrune: objects that we applied and render no more go; those of others
// stay even with our label, and so do claims, Secrets and namespaces.
func TestPrune(t *testing.T) {
	o := startOperator(t)
	c := running(t, "pruned")
	ns := v1alpha1.NamespaceOf(c.Name)
	label := map[string]string{v1alpha1.LabelCommunity: c.Name}

	leftover := gatewayv1ac.HTTPRoute("former", ns).WithLabels(label).WithSpec(gatewayv1ac.HTTPRouteSpec().WithHostnames("former.localhost"))
	if err := admin.Apply(t.Context(), leftover, client.FieldOwner(FieldOwner)); err != nil {
		t.Fatal(err)
	}
	metadata := metav1.ObjectMeta{Namespace: ns, Name: "not-ours", Labels: label}
	others := []client.Object{
		&corev1.ConfigMap{ObjectMeta: metadata},
		&corev1.Secret{ObjectMeta: metadata},
		&corev1.PersistentVolumeClaim{ObjectMeta: metadata, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}},
		}},
	}
	create(t, others...)
	await(t, "the leftover pruned", func(ctx context.Context) error {
		err := admin.Get(ctx, client.ObjectKey{Namespace: ns, Name: "former"}, &gatewayv1.HTTPRoute{})
		if err == nil {
			return fmt.Errorf("still there")
		}
		return client.IgnoreNotFound(err)
	})
	settle(t, o, c.Name)
	for _, other := range others {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(other), other); err != nil || other.GetDeletionTimestamp() != nil {
			t.Errorf("%T of somebody else: %v", other, err)
		}
	}
}

// settle reconciles until a pass writes nothing.
func settle(t *testing.T, o *operator, community string) {
	t.Helper()
	await(t, community+" at rest", func(ctx context.Context) error {
		o.requests.take()
		result, err := o.communities.Reconcile(ctx, request(community))
		if err != nil {
			return err
		}
		if writes := o.requests.take(); len(writes) > 0 || result.RequeueAfter < keysLifetime/2 {
			return fmt.Errorf("still writing %q, again after %v", writes, result.RequeueAfter)
		}
		return nil
	})
}

func request(community string) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKey{Name: community}}
}

// TestAtRest: a community at which nothing changes causes no write, however
// often it is looked at.
func TestAtRest(t *testing.T) {
	o := startOperator(t)
	c := running(t, "resting")
	settle(t, o, c.Name)
	before := versions(t, c)
	for range 20 {
		if _, err := o.communities.Reconcile(t.Context(), request(c.Name)); err != nil {
			t.Fatal(err)
		}
	}
	if writes := o.requests.take(); len(writes) > 0 {
		t.Errorf("writes at rest: %q", writes)
	}
	if after := versions(t, c); !maps.Equal(before, after) {
		t.Errorf("objects changed at rest:\n%v\n%v", before, after)
	}
}

// TestRestart: a restarted operator sends its applies once, and the API server
// finds nothing to write.
func TestRestart(t *testing.T) {
	o := startOperator(t)
	c := running(t, "restarted")
	playVolume(t, c.Name)
	settle(t, o, c.Name)
	o.stop()
	before := versions(t, c)
	again := startOperator(t)
	settle(t, again, c.Name)
	if after := versions(t, c); !maps.Equal(before, after) {
		t.Errorf("a restart changed objects:\n%v\n%v", before, after)
	}
	again.assertEvents(c)
}

// versions are the resource versions of a community and all of its tenant.
func versions(t *testing.T, c *v1alpha1.Community) map[string]string {
	t.Helper()
	objects, err := tenant.Render(c, releaseInForce(t, c))
	if err != nil {
		t.Fatal(err)
	}
	keys := []key{
		{v1alpha1.GroupVersion.WithKind("Community"), client.ObjectKey{Name: c.Name}},
		{corev1.SchemeGroupVersion.WithKind("Secret"), client.ObjectKey{Namespace: v1alpha1.NamespaceOf(c.Name), Name: tenant.KeysSecret}},
	}
	for _, o := range objects {
		keys = append(keys, keyOf(o))
	}
	all := map[string]string{}
	for _, k := range keys {
		o := metadataOf(k.kind)
		if err := admin.Get(t.Context(), k.name, o); err != nil {
			t.Fatal(err)
		}
		all[k.kind.Kind+" "+k.name.String()] = o.ResourceVersion
	}
	return all
}

// TestErrorsThatPass: an error of the API server is told, does not move
// observedGeneration, and keeps nothing else from being applied and seen.
func TestErrorsThatPass(t *testing.T) {
	o := startOperator(t)
	c := running(t, "troubled")
	o.requests.fail(func(r *http.Request) bool {
		return r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/community-troubled/configmaps/linli")
	})
	change(t, c, func(c *v1alpha1.Community) { c.Spec.Phone = "0537-2222222" })
	await(t, "the error told", func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		reconciling := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReconciling)
		if reconciling.Reason != v1alpha1.ReasonRetrying || !strings.Contains(reconciling.Message, "apply ConfigMap linli") {
			return fmt.Errorf("%+v", reconciling)
		}
		return nil
	})
	if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady) || c.Status.ObservedGeneration != 1 {
		t.Errorf("status %+v", c.Status)
	}
	// The Deployment comes after the ConfigMap and is applied all the same.
	change(t, c, func(c *v1alpha1.Community) { c.Spec.Services.Booking = nil })
	c = awaitCondition(t, "troubled", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	assertServices(t, c, v1alpha1.ServiceNotReady, "portal", "messages", "residents")
	if reconciling := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReconciling); reconciling.Reason != v1alpha1.ReasonRetrying || c.Status.ObservedGeneration != 1 {
		t.Errorf("status %+v", c.Status)
	}
	o.requests.fail(nil)
	playReady(t, "troubled")
	awaitCondition(t, "troubled", allReady)
}

func releaseInForce(t *testing.T, c *v1alpha1.Community) *v1alpha1.Release {
	t.Helper()
	var revision appsv1.ControllerRevision
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.PlatformNamespace, Name: c.Status.Release}, &revision); err != nil {
		t.Fatal(err)
	}
	r, err := release.Of(&revision)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
