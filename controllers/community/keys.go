package community

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/tenant"
)

// keysLifetime is how long a community's key is in use. For as long again it
// is still read, so that nothing that was begun with it is lost.
const keysLifetime = 90 * 24 * time.Hour

// ensureKeys makes the Secret with the community's keys if there is none, and
// changes the key when its time is over. The Secret is never deleted; its
// content is read only to keep the key that was in use as the previous one.
func (r *Reconciler) ensureKeys(ctx context.Context, s *scope) error {
	name := client.ObjectKey{Namespace: v1alpha1.NamespaceOf(s.community.Name), Name: tenant.KeysSecret}
	now := r.Clock.Now()
	if !s.fresh {
		found := metadataOf(corev1.SchemeGroupVersion.WithKind("Secret"))
		err := r.Live.Get(ctx, name, found)
		if err == nil {
			return r.rotateKeys(ctx, s, name, keysAge(found, now))
		}
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("look for Secret %s: %w", name.Name, err)
		}
	}
	err := r.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   name.Namespace,
			Name:        name.Name,
			Labels:      map[string]string{v1alpha1.LabelCommunity: s.community.Name},
			Annotations: map[string]string{v1alpha1.AnnotationKeysChangedAt: now.UTC().Format(time.RFC3339)},
		},
		Data: map[string][]byte{tenant.SessionKey: newKey()},
	}, client.FieldOwner(FieldOwner))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Secret %s: %w", name.Name, err)
	}
	s.again(keysLifetime)
	return nil
}

// rotateKeys changes the key if it has been in use for its lifetime.
func (r *Reconciler) rotateKeys(ctx context.Context, s *scope, name client.ObjectKey, age time.Duration) error {
	if age < keysLifetime {
		s.again(keysLifetime - age)
		return nil
	}
	var secret corev1.Secret
	if err := r.Live.Get(ctx, name, &secret); err != nil {
		return fmt.Errorf("read Secret %s: %w", name.Name, err)
	}
	changed := secret.DeepCopy()
	if changed.Data == nil {
		changed.Data = map[string][]byte{}
	}
	// Other keys in it, such as that of the gateway for text messages, are the
	// county's.
	changed.Data[tenant.PreviousSessionKey] = secret.Data[tenant.SessionKey]
	changed.Data[tenant.SessionKey] = newKey()
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, v1alpha1.AnnotationKeysChangedAt, r.Clock.Now().UTC().Format(time.RFC3339))
	patch := client.MergeFromWithOptions(&secret, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, changed, patch, client.FieldOwner(FieldOwner)); err != nil {
		return fmt.Errorf("change the key in Secret %s: %w", name.Name, err)
	}
	s.again(keysLifetime)
	return nil
}

// keysAge is how long a community's key has been in use: since its Secret says,
// or was made.
func keysAge(secret *metav1.PartialObjectMetadata, now time.Time) time.Duration {
	changed, err := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.AnnotationKeysChangedAt])
	if err != nil {
		changed = secret.CreationTimestamp.Time
	}
	return now.Sub(changed)
}

func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails, see its documentation
	return key
}

// again has the community looked at again after some time, or earlier if that
// was asked for.
func (s *scope) again(after time.Duration) {
	if s.result.RequeueAfter == 0 || after < s.result.RequeueAfter {
		s.result.RequeueAfter = after
	}
}
