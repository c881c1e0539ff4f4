package community

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/controllers/release"
)

// workers is how many communities are worked on at the same time. None of them
// ever waits for anything but the API server.
const workers = 8

// indexClass finds communities by the class that they name.
const indexClass = "spec.className"

// SetupWithManager registers the controller. The manager's cache must have been
// made with CacheOptions.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Community{}, indexClass, func(o client.Object) []string {
		return []string{o.(*v1alpha1.Community).Spec.ClassName}
	})
	if err != nil {
		return fmt.Errorf("index communities by class: %w", err)
	}
	byLabel := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: o.GetLabels()[v1alpha1.LabelCommunity]}}}
	})
	b := ctrl.NewControllerManagedBy(mgr).
		Named("community").
		For(&v1alpha1.Community{}, builder.WithPredicates(changed(manifestAndStatus))).
		Watches(&v1alpha1.CommunityClass{}, handler.EnqueueRequestsFromMapFunc(
			func(ctx context.Context, o client.Object) []reconcile.Request {
				return r.ofClass(ctx, o.GetName())
			}), builder.WithPredicates(changed(releaseOfClass))).
		Watches(&appsv1.ControllerRevision{}, handler.EnqueueRequestsFromMapFunc(
			func(ctx context.Context, o client.Object) []reconcile.Request {
				return r.ofClass(ctx, o.GetLabels()[release.LabelClass])
			}), builder.WithPredicates(changed(slimmed))).
		Watches(&corev1.Pod{}, byLabel, builder.WithPredicates(changed(slimmed)))
	for _, kind := range ownedKinds {
		b = b.Watches(cachedObject(kind.gvk), byLabel, builder.WithPredicates(changed(slimmed)))
	}
	return b.WithOptions(controller.Options{MaxConcurrentReconciles: workers}).Complete(r)
}

// ofClass are the communities that name a class.
func (r *Reconciler) ofClass(ctx context.Context, class string) []reconcile.Request {
	var list v1alpha1.CommunityList
	if err := r.Client.List(ctx, &list, client.MatchingFields{indexClass: class}, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "communities of a class", "class", class)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// changed lets an update pass if what view shows of the object differs.
func changed(view func(client.Object) any) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !equality.Semantic.DeepEqual(view(e.ObjectOld), view(e.ObjectNew))
	}}
}

// manifestAndStatus is what people change in a Community, and what we wrote of
// it: a pass that read the cache before our last status had arrived there may
// have taken an older one for the present one, and is made good for by another
// pass when it arrives.
func manifestAndStatus(o client.Object) any {
	c := o.(*v1alpha1.Community)
	return []any{c.Generation, c.Finalizers, c.Status}
}

func releaseOfClass(o client.Object) any {
	return o.(*v1alpha1.CommunityClass).Status.Release
}

// slimmed is all of an object that the cache keeps, except its version, which
// changes with what the cache does not keep.
func slimmed(o client.Object) any {
	o = o.DeepCopyObject().(client.Object)
	o.SetResourceVersion("")
	return o
}
