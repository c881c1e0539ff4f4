package main

import (
	"context"
	"crypto/rand"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/tenant"
)

// bareOwner is the field owner of the reference.
const bareOwner = "linli-bench"

// tenantObjects are the objects that a community's tenant consists of: what
// the operator renders, and the Secret that it creates.
func tenantObjects(c *v1alpha1.Community, r *v1alpha1.Release) ([]tenant.Object, error) {
	objects, err := tenant.Render(c, r)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails, see its documentation
	secret := corev1ac.Secret(tenant.KeysSecret, v1alpha1.NamespaceOf(c.Name)).
		WithData(map[string][]byte{tenant.SessionKey: key})
	return append(objects[:1:1], append([]tenant.Object{secret}, objects[1:]...)...), nil
}

// writeBare applies a tenant's objects one after the other and does nothing
// else: no cache, no status, no condition.
func writeBare(ctx context.Context, c client.Client, objects []tenant.Object) error {
	for _, o := range objects {
		if err := c.Apply(ctx, o, client.FieldOwner(bareOwner), client.ForceOwnership); err != nil {
			return fmt.Errorf("%s: %w", keyOf(o), err)
		}
	}
	return nil
}

// objectKey names an object whatever its type.
type objectKey struct {
	schema.GroupVersionKind
	namespace, name string
}

func (k objectKey) String() string { return fmt.Sprintf("%s %s/%s", k.Kind, k.namespace, k.name) }

func keyOf(o tenant.Object) objectKey {
	k := objectKey{GroupVersionKind: schema.FromAPIVersionAndKind(*o.GetAPIVersion(), *o.GetKind()), name: *o.GetName()}
	if namespace := o.GetNamespace(); namespace != nil {
		k.namespace = *namespace
	}
	return k
}
