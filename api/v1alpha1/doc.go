// Package v1alpha1 holds the custom resources of linli.io: the Community that
// county IT applies, the CommunityClass that says how communities are run,
// and the Release that the operator renders from.
//
// +kubebuilder:object:generate=true
// +groupName=linli.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every type in this package.
var GroupVersion = schema.GroupVersion{Group: "linli.io", Version: "v1alpha1"}

// AddToScheme registers the custom resources with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Community{}, &CommunityList{},
		&CommunityClass{}, &CommunityClassList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// Names that stand on objects of a tenant.
const (
	// PlatformNamespace is where the operator and the Releases live.
	PlatformNamespace = "linli-system"
	// LabelCommunity names the Community that an object belongs to.
	LabelCommunity = "linli.io/community"
	// LabelService names the service that an object runs.
	LabelService = "linli.io/service"
	// AnnotationCommunityUID is the UID of the Community that owns, or last
	// owned, a tenant namespace. Adoption compares it.
	AnnotationCommunityUID = "linli.io/community-uid"
	// AnnotationKeysChangedAt is when the key in a Secret with a community's
	// keys was made, in RFC 3339.
	AnnotationKeysChangedAt = "linli.io/keys-changed-at"
	// Finalizer is on the Community, never on its namespace.
	Finalizer = "linli.io/community"
)

// Condition types of both resources, after kstatus.
const (
	ConditionReady       = "Ready"
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"
)

// NamespaceOf is the tenant namespace of the community of that name.
func NamespaceOf(community string) string { return "community-" + community }
