package community

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/controllers/release"
	"github.com/linli-io/linli/internal/tenant"
)

// next names the Release that a community is to run: the rollout. inForce is
// the one it runs now, empty before the first; class is nil when it does not
// exist. For now every community moves as soon as its class has a new Release.
func next(inForce string, class *v1alpha1.CommunityClass) string {
	if class == nil || class.Status.Release == "" {
		return inForce
	}
	return class.Status.Release
}

// choose reads the Release to render from. Without its class a community goes
// on with the Release in force.
func (r *Reconciler) choose(ctx context.Context, s *scope) (bool, error) {
	c := s.community
	class := &v1alpha1.CommunityClass{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: c.Spec.ClassName}, class); err != nil {
		if !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("CommunityClass %s: %w", c.Spec.ClassName, err)
		}
		class = nil
		missing := stalled(v1alpha1.ReasonClassNotFound, fmt.Sprintf(
			"There is no CommunityClass %s. Create it, or set spec.className to one that exists (kubectl get communityclasses)", c.Spec.ClassName))
		s.verdict, s.warning = missing, &missing
	}
	name := next(c.Status.Release, class)
	if name == "" {
		if class != nil {
			s.verdict = unchanged(v1alpha1.ReasonWaitingForRelease, fmt.Sprintf("CommunityClass %s has no release yet", class.Name))
		}
		return false, nil
	}
	var revision appsv1.ControllerRevision
	at := client.ObjectKey{Namespace: v1alpha1.PlatformNamespace, Name: name}
	err := r.Client.Get(ctx, at, &revision)
	if apierrors.IsNotFound(err) {
		// The class may have been heard of before its release.
		err = r.Live.Get(ctx, at, &revision)
	}
	if err != nil {
		if !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("release %s: %w", name, err)
		}
		s.verdict = stalled(v1alpha1.ReasonReleaseNotFound, fmt.Sprintf(
			"Release %s (ControllerRevision in %s) does not exist. Restore it, or change the CommunityClass so that a new one is made", name, v1alpha1.PlatformNamespace))
		return false, nil
	}
	chosen, err := release.Of(&revision)
	if err != nil {
		s.verdict = stalled(v1alpha1.ReasonReleaseNotFound, err.Error())
		return false, nil
	}
	if chosen.RendererVersion != tenant.RendererVersion {
		s.verdict = unchanged(v1alpha1.ReasonWaitingForRelease, fmt.Sprintf(
			"Release %s was made for renderer %d, this operator renders %d; its CommunityClass gets a new release", name, chosen.RendererVersion, tenant.RendererVersion))
		return false, nil
	}
	s.release = chosen
	return true, nil
}
