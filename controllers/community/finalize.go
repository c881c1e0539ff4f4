package community

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/tenant"
)

// Delays between looks at what is not watched.
const (
	conflictDelay = 50 * time.Millisecond
	// foreignDelay is for a namespace that is not ours to go away.
	foreignDelay = time.Minute
	// terminatingDelay is for what keeps a namespace from going away.
	terminatingDelay = 15 * time.Second
)

// crdName is the definition of Communities themselves.
const crdName = "communities.linli.io"

// finalize ends a deleted Community: with Delete its namespace goes first;
// with Retain the services stop and everything else stays. A Community that
// does not own its namespace leaves it alone.
func (r *Reconciler) finalize(ctx context.Context, s *scope) error {
	c := s.community
	if !controllerutil.ContainsFinalizer(c, v1alpha1.Finalizer) {
		return nil
	}
	// Live, not from the cache: this decides over data.
	ns, err := namespace(ctx, r.Live, c.Name)
	if err != nil {
		return err
	}
	if claimOf(c, ns) == ours {
		remove, err := r.removesData(ctx, c)
		if err != nil {
			return err
		}
		if remove {
			s.result.RequeueAfter = terminatingDelay
			s.verdict, err = r.deleteNamespace(ctx, ns)
			return err
		}
		if ns.DeletionTimestamp.IsZero() {
			if err := r.retain(ctx, ns.Name); err != nil {
				return err
			}
			r.Events.Eventf(c, nil, corev1.EventTypeNormal, "Retained", "Finalize",
				"Namespace %s and its data are kept; a new Community of this name takes them over with spec.adopt: %s", ns.Name, c.UID)
		}
	}
	if err := r.setFinalizer(ctx, c, controllerutil.RemoveFinalizer); err != nil {
		return err
	}
	r.applied.forget(c.Name)
	return nil
}

// removesData says whether the namespace is to be deleted. When the definition
// of Communities goes, all of them are being deleted without anybody having
// asked for it by name: then everything is retained.
func (r *Reconciler) removesData(ctx context.Context, c *v1alpha1.Community) (bool, error) {
	if c.Spec.DeletionPolicy != v1alpha1.DeletionPolicyDelete {
		return false, nil
	}
	crd := metadataOf(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	err := r.Live.Get(ctx, client.ObjectKey{Name: crdName}, crd)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("CustomResourceDefinition %s: %w", crdName, err)
	}
	return crd.DeletionTimestamp.IsZero(), nil
}

// deleteNamespace deletes exactly the namespace that was looked at and says
// what its end is waiting for.
func (r *Reconciler) deleteNamespace(ctx context.Context, ns *metav1.PartialObjectMetadata) (verdict, error) {
	v := progressing(v1alpha1.ReasonDeleting, fmt.Sprintf("Namespace %s is being deleted with everything in it", ns.Name))
	if ns.DeletionTimestamp.IsZero() {
		preconditions := client.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion}
		if err := r.Client.Delete(ctx, ns, preconditions); client.IgnoreNotFound(err) != nil {
			return v, fmt.Errorf("delete namespace %s: %w", ns.Name, err)
		}
		return v, nil
	}
	var full corev1.Namespace
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(ns), &full); err != nil {
		return v, client.IgnoreNotFound(fmt.Errorf("namespace %s: %w", ns.Name, err))
	}
	for _, condition := range full.Status.Conditions {
		if condition.Status == corev1.ConditionTrue {
			v.message = fmt.Sprintf("Namespace %s is being deleted: %s", ns.Name, oneLine(condition.Message))
			break
		}
	}
	return v, nil
}

// retain takes the route away and stops the services. The namespace keeps the
// Community's UID in its annotation, by which it can be adopted.
func (r *Reconciler) retain(ctx context.Context, ns string) error {
	route := metadataOf(routeKind)
	route.Namespace, route.Name = ns, tenant.Name
	if err := r.Client.Delete(ctx, route); client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
		return fmt.Errorf("delete HTTPRoute %s/%s: %w", ns, tenant.Name, err)
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: tenant.Name}}
	stop := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))
	if err := r.Client.Patch(ctx, deployment, stop, client.FieldOwner(FieldOwner)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("stop Deployment %s/%s: %w", ns, tenant.Name, err)
	}
	return nil
}
