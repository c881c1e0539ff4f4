// Package communityclass makes a Release of every CommunityClass as it stands.
package communityclass

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/controllers/release"
	"github.com/linli-io/linli/internal/tenant"
)

// Reconciler makes Releases and removes those that nobody needs any more.
type Reconciler struct {
	Client client.Client
	Events events.EventRecorder
	Clock  clock.PassiveClock
	// Image is what a class that names no image runs.
	Image string
}

// +kubebuilder:rbac:groups=linli.io,resources=communityclasses,verbs=get;list;watch
// +kubebuilder:rbac:groups=linli.io,resources=communityclasses/status,verbs=patch
// +kubebuilder:rbac:groups=apps,namespace=linli-system,resources=controllerrevisions,verbs=get;list;watch;create;delete

// SetupWithManager registers the controller. A Release that somebody deletes
// is made again.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	deleted := predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(event.UpdateEvent) bool { return false },
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("communityclass").
		For(&v1alpha1.CommunityClass{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&appsv1.ControllerRevision{}, handler.EnqueueRequestsFromMapFunc(
			func(_ context.Context, o client.Object) []reconcile.Request {
				class := o.GetLabels()[release.LabelClass]
				if class == "" {
					return nil
				}
				return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: class}}}
			}), builder.WithPredicates(deleted)).
		Complete(r)
}

// Reconcile makes the Release of a class as it stands and names it in the
// class's status. What communities do with it is the rollout's business.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var class v1alpha1.CommunityClass
	if err := r.Client.Get(ctx, req.NamespacedName, &class); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, r.collect(ctx, req.Name, "")
		}
		return ctrl.Result{}, fmt.Errorf("CommunityClass %s: %w", req.Name, err)
	}
	made, err := r.ensure(ctx, &class)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := errors.Join(r.report(ctx, &class, made.Name), r.collect(ctx, class.Name, made.Name)); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: conflictDelay}, nil
		}
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, nil
}

// ensure returns the Release of the class as it stands, making it if need be.
func (r *Reconciler) ensure(ctx context.Context, class *v1alpha1.CommunityClass) (*v1alpha1.Release, error) {
	made, err := tenant.NewRelease(class, r.Image)
	if err != nil {
		return nil, err
	}
	revisions, err := r.revisions(ctx, class.Name)
	if err != nil {
		return nil, err
	}
	number := int64(1)
	for _, revision := range revisions {
		if revision.Name == made.Name {
			return made, nil
		}
		number = max(number, revision.Revision+1)
	}
	revision, err := release.Revision(made, number)
	if err != nil {
		return nil, err
	}
	if err := r.Client.Create(ctx, revision); err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, fmt.Errorf("keep release %s: %w", made.Name, err)
	}
	return made, nil
}

func (r *Reconciler) report(ctx context.Context, class *v1alpha1.CommunityClass, name string) error {
	updated := class.DeepCopy()
	status := &updated.Status
	status.ObservedGeneration = class.Generation
	status.Release = name
	now := metav1.NewTime(r.Clock.Now())
	for _, condition := range []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Message: "Communities of this class are rendered from release " + name},
		{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionFalse},
		{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionFalse},
	} {
		condition.Reason = v1alpha1.ReasonReleaseMade
		condition.ObservedGeneration = class.Generation
		condition.LastTransitionTime = now
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	if equality.Semantic.DeepEqual(class.Status, updated.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, updated, client.MergeFromWithOptions(class, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("status of CommunityClass %s: %w", class.Name, err)
	}
	if class.Status.Release != name {
		r.Events.Eventf(class, nil, "Normal", v1alpha1.ReasonReleaseMade, "Release", "Made release %s", name)
	}
	return nil
}

func (r *Reconciler) revisions(ctx context.Context, class string) ([]appsv1.ControllerRevision, error) {
	var list appsv1.ControllerRevisionList
	if err := r.Client.List(ctx, &list, client.InNamespace(v1alpha1.PlatformNamespace), client.MatchingLabels{release.LabelClass: class}); err != nil {
		return nil, fmt.Errorf("releases of CommunityClass %s: %w", class, err)
	}
	return list.Items, nil
}
