// Package release keeps Releases as ControllerRevisions in the platform's
// namespace. The API server refuses changes of a ControllerRevision's data,
// which is what makes a Release immutable.
package release

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/linli-io/linli/api/v1alpha1"
)

// LabelClass names the CommunityClass that a ControllerRevision was made of.
const LabelClass = "linli.io/class"

// Revision is the ControllerRevision that keeps r, with its number in the
// class's history. It has no owner: communities live on when their class is
// deleted.
func Revision(r *v1alpha1.Release, number int64) (*appsv1.ControllerRevision, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", r.Name, err)
	}
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.PlatformNamespace,
			Name:      r.Name,
			Labels: map[string]string{
				LabelClass:                     r.ClassName,
				"app.kubernetes.io/managed-by": "linli",
				"app.kubernetes.io/part-of":    "linli",
			},
		},
		Revision: number,
		Data:     runtime.RawExtension{Raw: data},
	}, nil
}

// Of is the Release that a ControllerRevision keeps.
func Of(revision *appsv1.ControllerRevision) (*v1alpha1.Release, error) {
	var r v1alpha1.Release
	if err := json.Unmarshal(revision.Data.Raw, &r); err != nil {
		return nil, fmt.Errorf("ControllerRevision %s/%s holds no release: %w", revision.Namespace, revision.Name, err)
	}
	if r.Name != revision.Name {
		return nil, fmt.Errorf("ControllerRevision %s/%s holds the release %q, not its own", revision.Namespace, revision.Name, r.Name)
	}
	return &r, nil
}
