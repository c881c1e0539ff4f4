// Package community turns Communities into tenants: it applies what
// internal/tenant renders, corrects drift, prunes, and reports.
package community

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/linli-io/linli/api/v1alpha1"
)

// FieldOwner is the one field owner of everything that the operator applies.
const FieldOwner = "linli"

// Reconciler makes and keeps the tenants of Communities.
type Reconciler struct {
	// Client reads from the cache, except Secrets, and writes.
	Client client.Client
	// Live reads past the cache: namespaces that may be somebody else's, and
	// what decides over data.
	Live   client.Reader
	Events events.EventRecorder
	Clock  clock.PassiveClock

	applied memory
}

// +kubebuilder:rbac:groups=linli.io,resources=communities,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=linli.io,resources=communities/status,verbs=patch
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=communities.linli.io,verbs=get
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=configmaps;limitranges;resourcequotas;serviceaccounts;services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=linli-keys,verbs=get;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// scope is what the phases of one reconcile share.
type scope struct {
	// community is as it was read; phases change nothing in it.
	community *v1alpha1.Community
	release   *v1alpha1.Release
	// warning takes the place of the final verdict when the tenant is kept
	// as it is although something is missing.
	warning *verdict
	verdict verdict
	// services are reported only when they were looked at.
	services []v1alpha1.ServiceStatus
	// namespace is what was judged to be ours to work in; fresh instead says
	// that this pass made it, empty and as it should be.
	namespace *metav1.PartialObjectMetadata
	fresh     bool
	// adopted is the UID of the former Community whose data is taken over.
	adopted string
	// complete says that every phase ran without an error.
	complete bool
	result   ctrl.Result
}

// Reconcile brings one community's tenant to what its manifest and its Release
// say.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var c v1alpha1.Community
	if err := r.Client.Get(ctx, req.NamespacedName, &c); err != nil {
		if apierrors.IsNotFound(err) {
			r.applied.forget(req.Name)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("community %s: %w", req.Name, err)
	}
	s := &scope{community: &c}
	switch {
	case !c.DeletionTimestamp.IsZero():
		return r.finish(ctx, s, r.finalize(ctx, s))
	case !controllerutil.ContainsFinalizer(&c, v1alpha1.Finalizer):
		return r.settle(r.setFinalizer(ctx, &c, controllerutil.AddFinalizer))
	default:
		return r.finish(ctx, s, r.run(ctx, s))
	}
}

// run goes through the phases. The first two decide whether there is anything
// to do; of the others all run, and their errors are joined.
func (r *Reconciler) run(ctx context.Context, s *scope) error {
	for _, phase := range []func(context.Context, *scope) (bool, error){r.own, r.choose} {
		if goOn, err := phase(ctx, s); err != nil || !goOn {
			return err
		}
	}
	var errs []error
	for _, phase := range []func(context.Context, *scope) error{r.ensureKeys, r.apply, r.observe} {
		errs = append(errs, phase(ctx, s))
	}
	if s.warning != nil {
		s.verdict = *s.warning
	}
	err := errors.Join(errs...)
	s.complete = err == nil && s.warning == nil
	if err == nil && s.adopted != "" {
		r.Events.Eventf(s.community, nil, corev1.EventTypeNormal, "Adopted", "Adopt",
			"Took over namespace %s from the former Community %s", v1alpha1.NamespaceOf(s.community.Name), s.adopted)
	}
	return err
}

// finish writes the status once, whatever came before.
func (r *Reconciler) finish(ctx context.Context, s *scope, err error) (ctrl.Result, error) {
	if err != nil {
		if refused := asRefusal(err); refused != nil {
			s.verdict, err = stalled(v1alpha1.ReasonApplyRefused, refused.Error()), nil
		} else if !apierrors.IsConflict(err) {
			s.verdict = retrying(s.verdict, err)
		}
	}
	if s.verdict.reason != "" {
		err = errors.Join(err, r.report(ctx, s))
	}
	if err != nil {
		return r.settle(err)
	}
	return s.result, nil
}

// settle turns a conflict into a short wait for the cache: somebody wrote
// between our read and our write, which is no error.
func (r *Reconciler) settle(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictDelay}, nil
	}
	return ctrl.Result{}, err
}

// setFinalizer adds or removes the finalizer without touching those of others.
func (r *Reconciler) setFinalizer(ctx context.Context, c *v1alpha1.Community, change func(client.Object, string) bool) error {
	changed := c.DeepCopy()
	if !change(changed, v1alpha1.Finalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(c, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, changed, patch, client.FieldOwner(FieldOwner)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("finalizer of Community %s: %w", c.Name, err))
	}
	return nil
}
