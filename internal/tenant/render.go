// Package tenant renders a Community and its Release to the Kubernetes objects
// of a tenant namespace. It is pure: no client, no clock, no environment.
package tenant

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
)

// RendererVersion rises with every change of what Render makes of the same
// input. It is part of a Release, so that a new renderer reaches communities
// by a rollout.
const RendererVersion = 2

// Names of objects in every tenant namespace.
const (
	// Name is the name of the Deployment, Service, HTTPRoute, ConfigMap,
	// claim, ServiceAccount, ResourceQuota and LimitRange.
	Name = "linli"
	// KeysSecret holds the keys that services generate tokens and cookies
	// with. The operator creates it once and Render never names its content.
	KeysSecret = "linli-keys"
	// SessionKey is the key of KeysSecret with 32 random bytes.
	SessionKey = "session.key"
	// PreviousSessionKey is the key of KeysSecret with what was SessionKey
	// before it was changed.
	PreviousSessionKey = "session.previous.key"
	// Container is the name of the container that runs the services.
	Container = "linli"
)

// serviceAll stands in LabelService where one Pod runs all services.
const serviceAll = "all"

// configLimit keeps a tenant's ConfigMap within what Kubernetes stores, which
// is 1 MiB.
const configLimit = 1_000_000

// Object is one rendered object.
type Object interface {
	runtime.ApplyConfiguration
	GetAPIVersion() *string
	GetKind() *string
	GetName() *string
	GetNamespace() *string
}

// ErrOtherRenderer says that a Release was made for another version of Render.
var ErrOtherRenderer = errors.New("the release was made for another version of the renderer")

// ErrTooLarge says that a Community does not fit into its ConfigMap.
var ErrTooLarge = errors.New("the community's configuration is too large")

// Render returns the objects of a community's tenant in the order in which
// they are to be applied, the Namespace first. A suspended community has no
// HTTPRoute and no Pods. Render reads name, UID and spec of the Community.
func Render(c *v1alpha1.Community, r *v1alpha1.Release) ([]Object, error) {
	if r.RendererVersion != RendererVersion {
		return nil, fmt.Errorf("release %s, renderer %d, this is renderer %d: %w", r.Name, r.RendererVersion, RendererVersion, ErrOtherRenderer)
	}
	config, err := configMap(c, r)
	if err != nil {
		return nil, err
	}
	objects := []Object{
		Namespace(c),
		resourceQuota(c, r),
		limitRange(c, r),
	}
	for _, policy := range networkPolicies(c, r) {
		objects = append(objects, policy)
	}
	objects = append(objects,
		serviceAccount(c),
		config,
		claim(c, r),
		deployment(c, r),
		service(c),
	)
	if c.Spec.RunPolicy != v1alpha1.RunPolicySuspended {
		objects = append(objects, httpRoute(c, r))
	}
	return objects, nil
}

// Namespace is the tenant's namespace. It belongs to the Community by label
// and UID annotation, never by ownerReference: data must outlive a Community
// that is deleted by mistake.
func Namespace(c *v1alpha1.Community) *corev1ac.NamespaceApplyConfiguration {
	const restricted = "restricted"
	l := labels(c)
	for _, mode := range []string{"enforce", "audit", "warn"} {
		l["pod-security.kubernetes.io/"+mode] = restricted
	}
	return corev1ac.Namespace(v1alpha1.NamespaceOf(c.Name)).
		WithLabels(l).
		WithAnnotations(map[string]string{v1alpha1.AnnotationCommunityUID: string(c.UID)})
}

// labels stand on every object of a tenant.
func labels(c *v1alpha1.Community) map[string]string {
	return map[string]string{
		v1alpha1.LabelCommunity:        c.Name,
		"app.kubernetes.io/managed-by": "linli",
		"app.kubernetes.io/part-of":    "linli",
	}
}

// selector picks the Pods that run services. A Deployment's selector can never
// be changed, hence LabelService: it tells these Pods from those of a
// Deployment per service.
func selector(c *v1alpha1.Community) map[string]string {
	return map[string]string{
		v1alpha1.LabelCommunity: c.Name,
		v1alpha1.LabelService:   serviceAll,
	}
}

// podLabels stand on Pods, and on the Service that monitoring finds them by.
func podLabels(c *v1alpha1.Community) map[string]string {
	l := labels(c)
	maps.Copy(l, selector(c))
	l["app.kubernetes.io/name"] = Name
	return l
}

func serviceAccount(c *v1alpha1.Community) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(Name, v1alpha1.NamespaceOf(c.Name)).
		WithLabels(labels(c)).
		WithAutomountServiceAccountToken(false)
}

// configMap holds the Community and its Release as they are. Of the metadata
// only name and UID are kept: the rest changes without meaning.
func configMap(c *v1alpha1.Community, r *v1alpha1.Release) (*corev1ac.ConfigMapApplyConfiguration, error) {
	community, err := yamlOf(struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metadata               `json:"metadata"`
		Spec            v1alpha1.CommunitySpec `json:"spec"`
	}{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Community"},
		Metadata: metadata{Name: c.Name, UID: string(c.UID)},
		Spec:     c.Spec,
	})
	if err != nil {
		return nil, fmt.Errorf("community.yaml: %w", err)
	}
	release, err := yamlOf(r)
	if err != nil {
		return nil, fmt.Errorf("release.yaml: %w", err)
	}
	if size := len(community) + len(release); size > configLimit {
		return nil, fmt.Errorf("%w: %d bytes of at most %d; shorten descriptions, closed dates or lists of buildings", ErrTooLarge, size, configLimit)
	}
	return corev1ac.ConfigMap(Name, v1alpha1.NamespaceOf(c.Name)).
		WithLabels(labels(c)).
		WithData(map[string]string{"community.yaml": community, "release.yaml": release}), nil
}

type metadata struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

func yamlOf(v any) (string, error) {
	j, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	y, err := yaml.JSONToYAML(j)
	return string(y), err
}
