package tenant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/linli-io/linli/api/v1alpha1"
)

// NewRelease snapshots a class as it stands for this renderer. A class that
// names no image gets operatorImage. The name is made of the content: the same
// class, image and renderer always give the same Release.
func NewRelease(class *v1alpha1.CommunityClass, operatorImage string) (*v1alpha1.Release, error) {
	r := &v1alpha1.Release{
		ClassName:       class.Name,
		RendererVersion: RendererVersion,
		Class:           *class.Spec.DeepCopy(),
	}
	if r.Class.Image == "" {
		r.Class.Image = operatorImage
	}
	content, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("release of class %s: %w", class.Name, err)
	}
	sum := sha256.Sum256(content)
	r.Name = class.Name + "-" + hex.EncodeToString(sum[:5])
	return r, nil
}
