package community

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/tenant"
)

// deleted deletes a community and waits until it is gone.
func deleted(t *testing.T, c *v1alpha1.Community) {
	t.Helper()
	if err := admin.Delete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	await(t, "Community "+c.Name+" gone", func(ctx context.Context) error {
		err := admin.Get(ctx, client.ObjectKeyFromObject(c), &v1alpha1.Community{})
		if err == nil {
			return fmt.Errorf("still there")
		}
		return client.IgnoreNotFound(err)
	})
}

// assertRetained checks that the namespace of c and its data are there, with
// nothing running and nothing routed.
func assertRetained(t *testing.T, c *v1alpha1.Community) {
	t.Helper()
	ns := namespaceObject(c.Name)
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(ns), ns); err != nil {
		t.Fatal(err)
	}
	if !ns.DeletionTimestamp.IsZero() || ns.Annotations[v1alpha1.AnnotationCommunityUID] != string(c.UID) {
		t.Errorf("namespace %+v", ns.ObjectMeta)
	}
	var d appsv1.Deployment
	if err := admin.Get(t.Context(), tenantKey(c.Name), &d); err != nil {
		t.Fatal(err)
	}
	if *d.Spec.Replicas != 0 {
		t.Errorf("%d replicas", *d.Spec.Replicas)
	}
	if err := admin.Get(t.Context(), tenantKey(c.Name), &gatewayv1.HTTPRoute{}); !apierrors.IsNotFound(err) {
		t.Errorf("the route is still there: %v", err)
	}
	var claim corev1.PersistentVolumeClaim
	if err := admin.Get(t.Context(), tenantKey(c.Name), &claim); err != nil || !claim.DeletionTimestamp.IsZero() {
		t.Errorf("claim: %v, deleted at %v", err, claim.DeletionTimestamp)
	}
	sessionKey(t, c.Name)
}

func sessionKey(t *testing.T, community string) string {
	t.Helper()
	var keys corev1.Secret
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.NamespaceOf(community), Name: tenant.KeysSecret}, &keys); err != nil {
		t.Fatal(err)
	}
	return string(keys.Data[tenant.SessionKey])
}

// TestRetainAndAdopt: deleting keeps the data; a new Community of the name is
// stalled until it names the UID, and then goes on with the same data.
func TestRetainAndAdopt(t *testing.T) {
	o := startOperator(t)
	old := running(t, "retained")
	keys := sessionKey(t, "retained")
	deleted(t, old)
	assertRetained(t, old)

	for _, adopt := range []string{"", "6f3ad8a1-6e6f-4a2f-9d52-2f6c1c1f0a11"} {
		c := newCommunity("retained", old.Spec.ClassName)
		c.Spec.Adopt = adopt
		create(t, c)
		c = awaitCondition(t, "retained", condition{metav1.ConditionFalse, v1alpha1.ReasonAdoptionRequired, []string{"set spec.adopt to " + string(old.UID)}})
		if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionStalled) || c.Status.ObservedGeneration != 0 {
			t.Errorf("status %+v", c.Status)
		}
		// It never owned the data: deleting it, even with Delete, touches nothing.
		change(t, c, func(c *v1alpha1.Community) { c.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete })
		deleted(t, c)
		assertRetained(t, old)
	}

	c := newCommunity("retained", old.Spec.ClassName)
	create(t, c)
	awaitCondition(t, "retained", condition{metav1.ConditionFalse, v1alpha1.ReasonAdoptionRequired, nil})
	change(t, c, func(c *v1alpha1.Community) { c.Spec.Adopt = string(old.UID) })
	awaitCondition(t, "retained", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	playReady(t, "retained")
	c = awaitCondition(t, "retained", allReady)
	ns := namespaceObject("retained")
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(ns), ns); err != nil {
		t.Fatal(err)
	}
	if uid := ns.Annotations[v1alpha1.AnnotationCommunityUID]; uid != string(c.UID) {
		t.Errorf("the namespace names %s, not the Community that adopted it", uid)
	}
	if sessionKey(t, "retained") != keys {
		t.Error("the keys were made anew")
	}

	o.assertEvents(c, v1alpha1.ReasonAdoptionRequired, "Adopted", v1alpha1.ReasonAllServicesReady)

	// The UID of the one before it no longer opens anything.
	deleted(t, c)
	assertRetained(t, c)
	again := newCommunity("retained", old.Spec.ClassName)
	again.Spec.Adopt = string(old.UID)
	create(t, again)
	awaitCondition(t, "retained", condition{metav1.ConditionFalse, v1alpha1.ReasonAdoptionRequired, []string{string(c.UID)}})
}

// TestAdoptNothing: a Community that expects data does not start without it.
func TestAdoptNothing(t *testing.T) {
	startOperator(t)
	createClass(t, newClass("nothing"))
	c := newCommunity("expectant", "nothing")
	c.Spec.Adopt = "6f3ad8a1-6e6f-4a2f-9d52-2f6c1c1f0a11"
	create(t, c)
	awaitCondition(t, "expectant", condition{metav1.ConditionFalse, v1alpha1.ReasonAdoptionRequired, []string{"remove spec.adopt to start empty"}})
	err := admin.Get(t.Context(), client.ObjectKey{Name: "community-expectant"}, &corev1.Namespace{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("a namespace was made: %v", err)
	}
	change(t, c, func(c *v1alpha1.Community) { c.Spec.Adopt = "" })
	awaitCondition(t, "expectant", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
}

// TestDelete: with deletionPolicy Delete the namespace goes, and the Community
// waits for it without keeping a worker busy.
func TestDelete(t *testing.T) {
	startOperator(t)
	c := running(t, "removed", func(c *v1alpha1.Community) { c.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete })
	if err := admin.Delete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	awaitCondition(t, "removed", condition{metav1.ConditionFalse, v1alpha1.ReasonDeleting, []string{"community-removed"}})
	ns := namespaceObject("removed")
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(ns), ns); err != nil || ns.DeletionTimestamp.IsZero() {
		t.Fatalf("namespace: %v, deleted at %v", err, ns.DeletionTimestamp)
	}
	// Nothing is made again in a namespace that is going.
	running(t, "meanwhile")
	endNamespace(t, "removed")
	await(t, "Community removed gone", func(ctx context.Context) error {
		err := admin.Get(ctx, client.ObjectKeyFromObject(c), c)
		if err == nil {
			return fmt.Errorf("still there: %+v", c.Status.Conditions)
		}
		return client.IgnoreNotFound(err)
	})
}

// endNamespace plays the namespace controller: all content is gone.
func endNamespace(t *testing.T, community string) {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := clientset.CoreV1().Namespaces().Get(t.Context(), v1alpha1.NamespaceOf(community), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ns.Spec.Finalizers = nil
	if _, err := clientset.CoreV1().Namespaces().Finalize(t.Context(), ns, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestNamespaceDeleted: a namespace that somebody deletes under a living
// community is made anew once it is gone.
func TestNamespaceDeleted(t *testing.T) {
	startOperator(t)
	running(t, "swept")
	if err := admin.Delete(t.Context(), namespaceObject("swept")); err != nil {
		t.Fatal(err)
	}
	awaitCondition(t, "swept", condition{metav1.ConditionFalse, v1alpha1.ReasonNamespaceTerminating, nil})
	// The namespace controller would delete the content first.
	for _, o := range []client.Object{&appsv1.Deployment{}, &gatewayv1.HTTPRoute{}} {
		o.SetNamespace("community-swept")
		o.SetName(tenant.Name)
		if err := admin.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	endNamespace(t, "swept")
	await(t, "a new namespace", func(ctx context.Context) error {
		if err := admin.Get(ctx, tenantKey("swept"), &appsv1.Deployment{}); err != nil {
			return err
		}
		ns := namespaceObject("swept")
		if err := admin.Get(ctx, client.ObjectKeyFromObject(ns), ns); err != nil {
			return err
		}
		if !ns.DeletionTimestamp.IsZero() {
			return fmt.Errorf("still going")
		}
		return nil
	})
	playReady(t, "swept")
	awaitCondition(t, "swept", allReady)
}

// TestForeignNamespace: a namespace that is not ours is never touched, not by
// a Community that would like it and not by its deletion.
func TestForeignNamespace(t *testing.T) {
	o := startOperator(t)
	for name, test := range map[string]struct{ labels, annotations map[string]string }{
		"plain":      {nil, nil},
		"other":      {map[string]string{v1alpha1.LabelCommunity: "another"}, map[string]string{v1alpha1.AnnotationCommunityUID: "x"}},
		"unprovable": {map[string]string{v1alpha1.LabelCommunity: "unprovable"}, nil},
		"unlabelled": {nil, map[string]string{v1alpha1.AnnotationCommunityUID: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := createNamespace(t.Context(), v1alpha1.NamespaceOf(name), test.labels, test.annotations); err != nil {
				t.Fatal(err)
			}
			deployment := foreignDeployment(v1alpha1.NamespaceOf(name))
			create(t, deployment)
			createClass(t, newClass("wants-"+name))
			c := newCommunity(name, "wants-"+name)
			c.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete
			create(t, c)
			c = awaitCondition(t, name, condition{metav1.ConditionFalse, v1alpha1.ReasonNamespaceForeign, []string{"community-" + name, "nothing in it was touched"}})
			if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionStalled) {
				t.Error("not Stalled")
			}
			deleted(t, c)

			ns := namespaceObject(name)
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(ns), ns); err != nil || !ns.DeletionTimestamp.IsZero() {
				t.Errorf("namespace: %v, deleted at %v", err, ns.DeletionTimestamp)
			}
			version := deployment.ResourceVersion
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(deployment), deployment); err != nil || deployment.ResourceVersion != version {
				t.Errorf("a Deployment of somebody else was changed: %v", err)
			}
			for _, write := range o.requests.take() {
				if strings.Contains(write, "community-"+name) {
					t.Errorf("the operator sent %s", write)
				}
			}
		})
	}
}

// foreignDeployment has the very name that ours has.
func foreignDeployment(namespace string) *appsv1.Deployment {
	labels := map[string]string{"app": "other"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: tenant.Name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "other"}}},
			},
		},
	}
}

// TestLabelTakenAway: a namespace that loses our label stops being ours.
func TestLabelTakenAway(t *testing.T) {
	startOperator(t)
	running(t, "unmarked")
	ns := namespaceObject("unmarked")
	change(t, ns, func(ns *corev1.Namespace) { delete(ns.Labels, v1alpha1.LabelCommunity) })
	awaitCondition(t, "unmarked", condition{metav1.ConditionFalse, v1alpha1.ReasonNamespaceForeign, []string{"linli.io/community=unmarked"}})
	change(t, ns, func(ns *corev1.Namespace) { ns.Labels[v1alpha1.LabelCommunity] = "unmarked" })
	awaitCondition(t, "unmarked", allReady)
}

// TestDefinitionDeleted: deleting the definition of Communities deletes them
// all; whatever their policy says, all data stays.
func TestDefinitionDeleted(t *testing.T) {
	startOperator(t)
	kept := running(t, "survivor")
	doomed := running(t, "doomed", func(c *v1alpha1.Community) { c.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete })
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: crdName}}
	if err := admin.Delete(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	await(t, "the definition gone", func(ctx context.Context) error {
		err := admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)
		if err == nil {
			return fmt.Errorf("still there")
		}
		return client.IgnoreNotFound(err)
	})
	assertRetained(t, kept)
	assertRetained(t, doomed)

	// The definition is back, the communities adopt what is theirs.
	if _, err := envtest.InstallCRDs(restConfig, envtest.CRDInstallOptions{Paths: []string{crdDirectory}, Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	back := newCommunity("doomed", doomed.Spec.ClassName)
	back.Spec.Adopt = string(doomed.UID)
	await(t, "the definition served again", func(ctx context.Context) error {
		return client.IgnoreAlreadyExists(admin.Create(ctx, back))
	})
	awaitCondition(t, "doomed", condition{metav1.ConditionFalse, v1alpha1.ReasonRollingOut, nil})
	playReady(t, "doomed")
	awaitCondition(t, "doomed", allReady)
	abandon(t, back)
}
