package community

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/tenant"
)

// claim is what a namespace of a community's name is to that community.
type claim int

const (
	// absent: there is no such namespace.
	absent claim = iota
	// ours: it carries our label and the Community's UID.
	ours
	// kept: it carries our label and the UID of a former Community.
	kept
	// foreign: it is somebody else's and must not be touched.
	foreign
)

// claimOf judges a namespace (nil: there is none) by its label and UID
// annotation, and by nothing else. A namespace with our label but without the
// annotation is foreign: nobody could prove whose data it holds.
func claimOf(c *v1alpha1.Community, ns *metav1.PartialObjectMetadata) claim {
	switch {
	case ns == nil:
		return absent
	case ns.Labels[v1alpha1.LabelCommunity] != c.Name:
		return foreign
	}
	switch uid := ns.Annotations[v1alpha1.AnnotationCommunityUID]; uid {
	case "":
		return foreign
	case string(c.UID):
		return ours
	default:
		return kept
	}
}

// mayOwn decides whether the community may work in its namespace, as a verdict
// to report if it may not.
func mayOwn(c *v1alpha1.Community, ns *metav1.PartialObjectMetadata) *verdict {
	name := v1alpha1.NamespaceOf(c.Name)
	stop := func(v verdict) *verdict { return &v }
	claimed := claimOf(c, ns)
	if (claimed == ours || claimed == kept) && !ns.DeletionTimestamp.IsZero() {
		return stop(progressing(v1alpha1.ReasonNamespaceTerminating, fmt.Sprintf(
			"Namespace %s is being deleted; it is made anew when it is gone", name)))
	}
	switch claimed {
	case foreign:
		return stop(stalled(v1alpha1.ReasonNamespaceForeign, fmt.Sprintf(
			"Namespace %s exists and is not this community's (it lacks the label %s=%s or the annotation %s); nothing in it was touched. Remove that namespace or name the community differently",
			name, v1alpha1.LabelCommunity, c.Name, v1alpha1.AnnotationCommunityUID)))
	case kept:
		former := ns.Annotations[v1alpha1.AnnotationCommunityUID]
		if c.Spec.Adopt == former {
			return nil
		}
		return stop(stalled(v1alpha1.ReasonAdoptionRequired, fmt.Sprintf(
			"Namespace %s and its data were kept from a former Community of this name. To take them over, set spec.adopt to %s; to start empty, delete that namespace",
			name, former)))
	case absent:
		if c.Spec.Adopt != "" && c.Status.Release == "" {
			return stop(stalled(v1alpha1.ReasonAdoptionRequired, fmt.Sprintf(
				"spec.adopt asks for data of the former Community %s, but there is no namespace %s. Restore that namespace, or remove spec.adopt to start empty",
				c.Spec.Adopt, name)))
		}
	}
	return nil
}

// own makes sure that the namespace is this community's, or stops. The cache
// holds only namespaces with our label; what it cannot confirm is tried or
// read live.
func (r *Reconciler) own(ctx context.Context, s *scope) (bool, error) {
	c := s.community
	ns, err := namespace(ctx, r.Client, c.Name)
	if err != nil {
		return false, err
	}
	if ns == nil && mayOwn(c, nil) == nil {
		made, err := r.createNamespace(ctx, c)
		if made || err != nil {
			s.fresh = made
			return made, err
		}
	}
	if claimOf(c, ns) != ours {
		if ns, err = namespace(ctx, r.Live, c.Name); err != nil {
			return false, err
		}
	}
	if stop := mayOwn(c, ns); stop != nil {
		s.verdict = *stop
		if stop.reason == v1alpha1.ReasonNamespaceForeign {
			// Foreign namespaces are not watched.
			s.result.RequeueAfter = foreignDelay
		}
		return false, nil
	}
	switch claimOf(c, ns) {
	case absent:
		return false, fmt.Errorf("namespace %s was there and is gone again", v1alpha1.NamespaceOf(c.Name))
	case kept:
		s.adopted = ns.Annotations[v1alpha1.AnnotationCommunityUID]
	}
	s.namespace = ns
	return true, nil
}

// createNamespace makes the namespace, or says that there is one. It creates
// and does not apply: a namespace that somebody made in the meantime must not
// become ours.
func (r *Reconciler) createNamespace(ctx context.Context, c *v1alpha1.Community) (bool, error) {
	var ns corev1.Namespace
	if err := convert(tenant.Namespace(c), &ns); err != nil {
		return false, err
	}
	err := r.Client.Create(ctx, &ns, client.FieldOwner(FieldOwner))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return false, fmt.Errorf("create namespace %s: %w", ns.Name, err)
	}
	return err == nil, nil
}

// intact says whether a namespace that was created, not applied, is as it is
// to be: it consists of labels and annotations only.
func intact(wanted *corev1ac.NamespaceApplyConfiguration, ns client.Object) bool {
	return contains(ns.GetLabels(), wanted.Labels) && contains(ns.GetAnnotations(), wanted.Annotations)
}

func contains(have, wanted map[string]string) bool {
	for k, v := range wanted {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// namespace reads the metadata of a community's namespace, nil if there is none.
func namespace(ctx context.Context, reader client.Reader, community string) (*metav1.PartialObjectMetadata, error) {
	ns := metadataOf(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := reader.Get(ctx, client.ObjectKey{Name: v1alpha1.NamespaceOf(community)}, ns)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", v1alpha1.NamespaceOf(community), err)
	}
	return ns, nil
}

// convert makes a typed object of an apply configuration.
func convert(from runtime.ApplyConfiguration, to any) error {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(from)
	if err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(u, to)
}
