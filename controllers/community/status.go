package community

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
)

// verdict is how a community is, as its three conditions tell it (kstatus).
type verdict struct {
	ready       metav1.ConditionStatus
	reconciling bool
	stalled     bool
	reason      string
	message     string
	// trouble is an error that may pass; Reconciling tells it, Ready is as
	// it is without it.
	trouble string
}

// ready: all services answer.
func ready(message string) verdict {
	return verdict{ready: metav1.ConditionTrue, reason: v1alpha1.ReasonAllServicesReady, message: message}
}

// suspended: stopped because the manifest says so.
func suspended(message string) verdict {
	return verdict{ready: metav1.ConditionFalse, reason: v1alpha1.ReasonSuspended, message: message}
}

// progressing: on the way, nothing to do but wait.
func progressing(reason, message string) verdict {
	return verdict{ready: metav1.ConditionFalse, reconciling: true, reason: reason, message: message}
}

// failed: the objects are as they should be and yet the services do not
// answer. Kubernetes goes on trying.
func failed(reason, message string) verdict {
	return verdict{ready: metav1.ConditionFalse, reason: reason, message: message}
}

// stalled: somebody has to do what the message says; the operator does not try
// again before something changes.
func stalled(reason, message string) verdict {
	return verdict{ready: metav1.ConditionFalse, stalled: true, reason: reason, message: message}
}

// unchanged: on the way, but how the services do was not seen, so that Ready
// stays as it is.
func unchanged(reason, message string) verdict {
	return verdict{reconciling: true, reason: reason, message: message}
}

// retrying adds an error that may pass to what was seen, if anything was.
func retrying(seen verdict, err error) verdict {
	if seen.reason == "" {
		seen = unchanged(v1alpha1.ReasonRetrying, oneLine(err.Error()))
	}
	seen.reconciling, seen.trouble = true, oneLine(err.Error())
	return seen
}

// conditions of the verdict; without Ready if it does not know.
func (v verdict) conditions(old []metav1.Condition) []metav1.Condition {
	is := func(b bool) metav1.ConditionStatus {
		if b {
			return metav1.ConditionTrue
		}
		return metav1.ConditionFalse
	}
	conditions := []metav1.Condition{
		{Type: v1alpha1.ConditionReconciling, Status: is(v.reconciling), Reason: v.reason, Message: v.message},
		{Type: v1alpha1.ConditionStalled, Status: is(v.stalled), Reason: v.reason, Message: v.message},
	}
	if v.trouble != "" {
		conditions[0].Reason, conditions[0].Message = v1alpha1.ReasonRetrying, v.trouble
	}
	for i := range conditions {
		if conditions[i].Status == metav1.ConditionFalse {
			conditions[i].Message = ""
		}
	}
	switch {
	case v.ready != "":
		conditions = append(conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: v.ready, Reason: v.reason, Message: v.message})
	case meta.FindStatusCondition(old, v1alpha1.ConditionReady) == nil:
		conditions = append(conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v.reason, Message: v.message})
	}
	return conditions
}

// report writes the status if anything changed, and an event if Ready changed
// its status or reason. What is only on its way is no event: it comes to one.
func (r *Reconciler) report(ctx context.Context, s *scope) error {
	old := s.community
	updated := old.DeepCopy()
	status := &updated.Status
	now := metav1.NewTime(r.Clock.Now())
	for _, condition := range s.verdict.conditions(old.Status.Conditions) {
		condition.ObservedGeneration = old.Generation
		condition.LastTransitionTime = now
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	if s.complete {
		status.ObservedGeneration = old.Generation
	}
	if s.release != nil {
		status.Release = s.release.Name
		status.URL = s.release.Class.URL(old.Name)
	}
	if s.services != nil {
		status.Services = s.services
	}
	if equality.Semantic.DeepEqual(old.Status, updated.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, updated,
		client.MergeFromWithOptions(old, client.MergeFromWithOptimisticLock{}), client.FieldOwner(FieldOwner)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("status of Community %s: %w", old.Name, err))
	}
	before := meta.FindStatusCondition(old.Status.Conditions, v1alpha1.ConditionReady)
	after := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if !s.verdict.reconciling && (before == nil || before.Status != after.Status || before.Reason != after.Reason) {
		kind := corev1.EventTypeWarning
		if s.verdict.ready == metav1.ConditionTrue || s.verdict.reason == v1alpha1.ReasonSuspended {
			kind = corev1.EventTypeNormal
		}
		r.Events.Eventf(old, nil, kind, after.Reason, "Reconcile", "%s", after.Message)
	}
	return nil
}
