package communityclass

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
)

// keep is how many of a class's latest Releases stay although no community
// uses them, so that somebody can look up what was in force.
const keep = 10

// conflictDelay is how long a status write waits for the cache after a
// conflict.
const conflictDelay = 50 * time.Millisecond

// collect deletes the Releases of a class that are neither current, nor in
// force anywhere, nor among the latest.
func (r *Reconciler) collect(ctx context.Context, class, current string) error {
	revisions, err := r.revisions(ctx, class)
	if err != nil {
		return err
	}
	if len(revisions) <= keep {
		return nil
	}
	var communities v1alpha1.CommunityList
	if err := r.Client.List(ctx, &communities, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("which releases are in force: %w", err)
	}
	inForce := map[string]bool{current: true}
	for i := range communities.Items {
		inForce[communities.Items[i].Status.Release] = true
	}
	var errs []error
	for _, revision := range superfluous(revisions, inForce, keep) {
		err := r.Client.Delete(ctx, &revision, client.Preconditions{UID: &revision.UID})
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("delete release %s: %w", revision.Name, err))
		}
	}
	return errors.Join(errs...)
}

// superfluous are the revisions not in force, except for the latest keep of
// all.
func superfluous(revisions []appsv1.ControllerRevision, inForce map[string]bool, keep int) []appsv1.ControllerRevision {
	sorted := slices.SortedFunc(slices.Values(revisions), func(a, b appsv1.ControllerRevision) int {
		return cmp.Compare(b.Revision, a.Revision)
	})
	if len(sorted) <= keep {
		return nil
	}
	return slices.DeleteFunc(sorted[keep:], func(revision appsv1.ControllerRevision) bool {
		return inForce[revision.Name]
	})
}
