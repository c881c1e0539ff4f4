package community

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
)

// ownedKind is a kind of object that tenants are made of.
type ownedKind struct {
	gvk schema.GroupVersionKind
	// prune says that an object no longer rendered is deleted. Claims,
	// Secrets and Namespaces hold data and are never pruned.
	prune bool
}

// ownedKinds are watched. The list is fixed on purpose: pruning must never
// reach a kind that nobody thought of.
var ownedKinds = []ownedKind{
	{gvk: corev1.SchemeGroupVersion.WithKind("Namespace")},
	{gvk: corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim")},
	{gvk: corev1.SchemeGroupVersion.WithKind("ResourceQuota"), prune: true},
	{gvk: corev1.SchemeGroupVersion.WithKind("LimitRange"), prune: true},
	{gvk: networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), prune: true},
	{gvk: corev1.SchemeGroupVersion.WithKind("ServiceAccount"), prune: true},
	{gvk: corev1.SchemeGroupVersion.WithKind("ConfigMap"), prune: true},
	{gvk: corev1.SchemeGroupVersion.WithKind("Service"), prune: true},
	{gvk: deploymentKind, prune: true},
	{gvk: routeKind, prune: true},
}

var (
	deploymentKind = appsv1.SchemeGroupVersion.WithKind("Deployment")
	routeKind      = schema.GroupVersion(gatewayv1.GroupVersion).WithKind("HTTPRoute")
)

// list returns the community's objects of this kind from the cache.
func (k ownedKind) list(ctx context.Context, reader client.Reader, community string) ([]client.Object, error) {
	var list client.ObjectList
	switch k.gvk {
	case deploymentKind:
		list = &appsv1.DeploymentList{}
	case routeKind:
		list = &gatewayv1.HTTPRouteList{}
	default:
		metadata := &metav1.PartialObjectMetadataList{}
		metadata.SetGroupVersionKind(k.gvk.GroupVersion().WithKind(k.gvk.Kind + "List"))
		list = metadata
	}
	err := reader.List(ctx, list, client.InNamespace(v1alpha1.NamespaceOf(community)), client.MatchingLabels{v1alpha1.LabelCommunity: community})
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	err = meta.EachListItem(list, func(o runtime.Object) error {
		objects = append(objects, o.(client.Object))
		return nil
	})
	return objects, err
}

// cachedObject is an empty object of the form in which the cache keeps a kind:
// with status where it is judged, metadata otherwise.
func cachedObject(gvk schema.GroupVersionKind) client.Object {
	switch gvk {
	case deploymentKind:
		return &appsv1.Deployment{}
	case routeKind:
		return &gatewayv1.HTTPRoute{}
	default:
		return metadataOf(gvk)
	}
}

func metadataOf(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(gvk)
	return o
}

// CacheOptions limit the cache to objects of communities, and to what of them
// is looked at.
func CacheOptions() cache.Options {
	exists, err := labels.NewRequirement(v1alpha1.LabelCommunity, selection.Exists, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	ofCommunities := labels.NewSelector().Add(*exists)
	byObject := map[client.Object]cache.ByObject{
		&corev1.Pod{}:                {Label: ofCommunities, Transform: slim},
		&appsv1.ControllerRevision{}: {Namespaces: map[string]cache.Config{v1alpha1.PlatformNamespace: {}}},
	}
	for _, kind := range ownedKinds {
		byObject[cachedObject(kind.gvk)] = cache.ByObject{Label: ofCommunities, Transform: slim}
	}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         byObject,
	}
}

// slim drops what is not looked at before an object enters the cache.
func slim(in any) (any, error) {
	o, ok := in.(client.Object)
	if !ok {
		return in, nil
	}
	if err := keepOurFields(o); err != nil {
		return nil, err
	}
	uid, owned := o.GetAnnotations()[v1alpha1.AnnotationCommunityUID]
	o.SetAnnotations(nil)
	if owned {
		o.SetAnnotations(map[string]string{v1alpha1.AnnotationCommunityUID: uid})
	}
	switch o := o.(type) {
	case *corev1.Pod:
		o.Spec = corev1.PodSpec{}
		o.Status = corev1.PodStatus{Conditions: o.Status.Conditions, ContainerStatuses: o.Status.ContainerStatuses}
	case *appsv1.Deployment:
		o.Spec = appsv1.DeploymentSpec{}
	case *gatewayv1.HTTPRoute:
		o.Spec = gatewayv1.HTTPRouteSpec{}
	}
	return o, nil
}

// keepOurFields replaces an object's managed fields by the hash of those that
// FieldOwner has applied, if any.
func keepOurFields(o client.Object) error {
	for _, entry := range o.GetManagedFields() {
		if entry.Manager != FieldOwner || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" {
			continue
		}
		if entry.FieldsV1 == nil {
			return fmt.Errorf("managed fields of %s are not of the form FieldsV1", o.GetName())
		}
		raw := entry.FieldsV1.GetRawBytes()
		if len(raw) > 0 && raw[0] == '"' {
			return nil // replaced before: a transform may see an object twice
		}
		sum := sha256.Sum256(raw)
		o.SetManagedFields([]metav1.ManagedFieldsEntry{{
			Manager:   FieldOwner,
			Operation: metav1.ManagedFieldsOperationApply,
			FieldsV1:  metav1.NewFieldsV1(`"` + hex.EncodeToString(sum[:]) + `"`),
		}})
		return nil
	}
	o.SetManagedFields(nil)
	return nil
}

// ourFields is the hash that keepOurFields left, empty if FieldOwner has
// applied nothing of the object.
func ourFields(o client.Object) string {
	for _, entry := range o.GetManagedFields() {
		return entry.FieldsV1.GetRawString()
	}
	return ""
}
