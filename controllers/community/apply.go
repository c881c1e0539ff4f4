package community

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/internal/tenant"
)

// key names an object of a tenant.
type key struct {
	kind schema.GroupVersionKind
	name client.ObjectKey
}

// record is what is remembered of the last apply of an object: enough to see
// without a request that the object needs none.
type record struct {
	// sent is the hash of what was applied.
	sent [sha256.Size]byte
	// fields is the hash of the fields that the API server then said are
	// ours. A field that anybody else changes or removes stops being ours.
	fields string
	// generation is the object's generation after the apply.
	generation int64
}

// memory holds the records of all communities. It starts empty: after a
// restart everything is applied once, which the API server answers without
// writing anything.
type memory struct {
	mu      sync.Mutex
	records map[string]map[key]record
}

func (m *memory) get(community string, k key) (record, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[community][k]
	return r, ok
}

func (m *memory) set(community string, k key, r record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = map[string]map[key]record{}
	}
	if m.records[community] == nil {
		m.records[community] = map[key]record{}
	}
	m.records[community][k] = r
}

func (m *memory) forget(community string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, community)
}

// apply renders the tenant, applies what differs and prunes what is no longer
// rendered.
func (r *Reconciler) apply(ctx context.Context, s *scope) error {
	c := s.community
	objects, err := tenant.Render(c, s.release)
	if err != nil {
		return refusal{fmt.Errorf("release %s cannot be rendered: %w", s.release.Name, err)}
	}
	wanted := map[key]bool{}
	var errs []error
	for _, o := range objects {
		k := keyOf(o)
		wanted[k] = true
		if ns, ok := o.(*corev1ac.NamespaceApplyConfiguration); ok {
			if s.fresh || intact(ns, s.namespace) {
				continue
			}
			// Exactly the namespace that was judged to be ours, as it was then.
			ns.WithUID(s.namespace.UID).WithResourceVersion(s.namespace.ResourceVersion)
		}
		if err := r.applyObject(ctx, c.Name, k, o); err != nil {
			errs = append(errs, fmt.Errorf("apply %s %s: %w", k.kind.Kind, k.name.Name, err))
			if k.name.Namespace == "" {
				break // without its namespace nothing else can be applied
			}
		}
	}
	return errors.Join(append(errs, r.prune(ctx, c.Name, wanted))...)
}

func keyOf(o tenant.Object) key {
	k := key{
		kind: schema.FromAPIVersionAndKind(*o.GetAPIVersion(), *o.GetKind()),
		name: client.ObjectKey{Name: *o.GetName()},
	}
	if ns := o.GetNamespace(); ns != nil {
		k.name.Namespace = *ns
	}
	return k
}

// applyObject applies an object unless the cache shows that every field that
// was applied last time is still as it was. The answer is metadata only.
func (r *Reconciler) applyObject(ctx context.Context, community string, k key, o tenant.Object) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	sent := sha256.Sum256(body)
	cached := cachedObject(k.kind)
	if err := r.Client.Get(ctx, k.name, cached); err == nil {
		last, ok := r.applied.get(community, k)
		if ok && last.sent == sent && last.fields == ourFields(cached) {
			return nil
		}
	} else if !apierrors.IsNotFound(err) {
		return err
	}
	answer := metadataOf(k.kind)
	answer.Namespace, answer.Name = k.name.Namespace, k.name.Name
	err = r.Client.Patch(ctx, answer, client.RawPatch(types.ApplyPatchType, body), client.FieldOwner(FieldOwner), client.ForceOwnership)
	if err != nil {
		return err
	}
	if err := keepOurFields(answer); err != nil {
		return err
	}
	r.applied.set(community, k, record{sent: sent, fields: ourFields(answer), generation: answer.Generation})
	return nil
}

// prune deletes objects of the prunable kinds that carry the community's label
// and were applied by us, but are not wanted any more.
func (r *Reconciler) prune(ctx context.Context, community string, wanted map[key]bool) error {
	var errs []error
	for _, kind := range ownedKinds {
		if !kind.prune {
			continue
		}
		objects, err := kind.list(ctx, r.Client, community)
		if err != nil {
			errs = append(errs, fmt.Errorf("list %s: %w", kind.gvk.Kind, err))
			continue
		}
		for _, o := range objects {
			k := key{kind: kind.gvk, name: client.ObjectKeyFromObject(o)}
			if wanted[k] || ourFields(o) == "" || !o.GetDeletionTimestamp().IsZero() {
				continue
			}
			uid := o.GetUID()
			doomed := metadataOf(kind.gvk)
			doomed.Namespace, doomed.Name = k.name.Namespace, k.name.Name
			if err := r.Client.Delete(ctx, doomed, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
				errs = append(errs, fmt.Errorf("delete %s %s: %w", kind.gvk.Kind, k.name.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// refusal is an error that trying again cannot mend.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// asRefusal returns err's message as one line if everything in err was refused
// for good: what cannot be rendered, and what the API server calls invalid.
func asRefusal(err error) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var messages []string
		for _, e := range joined.Unwrap() {
			refused := asRefusal(e)
			if refused == nil {
				return nil
			}
			messages = append(messages, refused.Error())
		}
		return errors.New(strings.Join(messages, "; "))
	}
	var refused refusal
	if errors.As(err, &refused) || apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) {
		return err
	}
	return nil
}
