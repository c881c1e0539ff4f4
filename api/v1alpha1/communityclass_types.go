package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CommunityClass is what county IT decides once for many communities: how they
// run, where they are reached, who signs people in. Like a StorageClass, it
// acts on nothing by itself.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=communityclasses,shortName=comclass,categories=linli
// +kubebuilder:printcolumn:name="Domain",type=string,JSONPath=`.spec.domain`
// +kubebuilder:printcolumn:name="Topology",type=string,JSONPath=`.spec.topology`
// +kubebuilder:printcolumn:name="Database",type=string,JSONPath=`.spec.database.engine`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.status.release`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",fieldPath=".metadata.name",message="must be at most 63 characters: releases carry it as a label"
type CommunityClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec CommunityClassSpec `json:"spec"`
	// +optional
	Status CommunityClassStatus `json:"status,omitempty"`
}

// CommunityClassList is a list of classes.
//
// +kubebuilder:object:root=true
type CommunityClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CommunityClass `json:"items"`
}

// CommunityClassSpec is how communities of a class are run.
//
// +kubebuilder:validation:XValidation:rule="self.gateway.scheme == 'https' || self.domain == 'localhost' || self.domain.endsWith('.localhost')",fieldPath=".gateway.scheme",message="must be https: http is allowed only when spec.domain is localhost or ends in .localhost"
type CommunityClassSpec struct {
	// image is the container image of the services. Empty means the image that
	// the operator itself runs.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// topology Compact runs all services of a community in one Pod.
	// +optional
	// +kubebuilder:default=Compact
	Topology Topology `json:"topology,omitempty"`

	// database is where the services keep their data.
	// +optional
	// +kubebuilder:default={}
	Database Database `json:"database,omitempty"`

	// domain is the domain beneath which every community has a host name.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=190
	Domain string `json:"domain"`

	// gateway is the Gateway that routes of communities attach to.
	// +required
	Gateway Gateway `json:"gateway"`

	// identity says who signs people in.
	// +required
	Identity Identity `json:"identity"`

	// notifications say how people are told beside the pages.
	// +optional
	Notifications Notifications `json:"notifications,omitempty"`

	// resources are what one Pod of a community asks for and may use.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitempty"`

	// imagePullSecrets name Secrets in the tenant namespace.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=4
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// nodeSelector limits the nodes that communities run on.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations let communities run on tainted nodes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
}

// Topology is how services are spread over Pods.
// +kubebuilder:validation:Enum=Compact
type Topology string

// TopologyCompact runs all services of a community in one Pod.
const TopologyCompact Topology = "Compact"

// Database is where services keep their data.
type Database struct {
	// +optional
	// +kubebuilder:default=SQLite
	Engine DatabaseEngine `json:"engine,omitempty"`
	// size is the size of the claim of a community.
	// +optional
	// +kubebuilder:default="2Gi"
	Size resource.Quantity `json:"size,omitempty"`
	// storageClassName is the StorageClass of the claim; empty means the
	// cluster's default.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	StorageClassName string `json:"storageClassName,omitempty"`
}

// DatabaseEngine is a kind of database.
// +kubebuilder:validation:Enum=SQLite
type DatabaseEngine string

// EngineSQLite keeps a file per service on the community's claim.
const EngineSQLite DatabaseEngine = "SQLite"

// Gateway names a Gateway of the Gateway API and how the public reaches it.
type Gateway struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// scheme is https, or http on a loopback domain.
	// +optional
	// +kubebuilder:default=https
	Scheme Scheme `json:"scheme,omitempty"`
	// port is the public port, when it is not the scheme's own.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// Scheme is a URL scheme.
// +kubebuilder:validation:Enum=http;https
type Scheme string

// Values of Scheme.
const (
	SchemeHTTP  Scheme = "http"
	SchemeHTTPS Scheme = "https"
)

// Identity says who signs people in.
type Identity struct {
	// issuer is the OpenID provider's issuer identifier, such as
	// https://id.yutai.gov.cn: the provider that comes with Linli, or any other.
	// Each community is a client of its own there, named by its host name.
	// +required
	// +kubebuilder:validation:MaxLength=300
	// +kubebuilder:validation:XValidation:rule="isURL(self) && (url(self).getScheme() == 'https' || url(self).getScheme() == 'http' && (url(self).getHostname() == 'localhost' || url(self).getHostname().endsWith('.localhost')))",message="must be an https address such as https://id.example.org: http is allowed only on localhost and names that end in .localhost"
	Issuer string `json:"issuer"`
	// staffACR is the authentication context class (acr) that a token must
	// have for its bearer to act as staff: the provider's name for signing in
	// with a second factor.
	// +optional
	// +kubebuilder:default="urn:linli:acr:staff"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	StaffACR string `json:"staffACR,omitempty"`
}

// DefaultStaffACR is the acr that the provider that comes with Linli gives to
// staff.
const DefaultStaffACR = "urn:linli:acr:staff"

// StaffContext is the acr that staff need.
func (i Identity) StaffContext() string {
	if i.StaffACR == "" {
		return DefaultStaffACR
	}
	return i.StaffACR
}

// Notifications say how people are told of something beside the pages.
type Notifications struct {
	// smsWebhook is the address of a gateway that sends text messages: they are
	// posted there as JSON, signed with the key sms.secret of the Secret
	// linli-keys if there is one. Empty means that none are sent.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self == '' || isURL(self) && (url(self).getScheme() == 'https' || url(self).getScheme() == 'http' && (url(self).getHostname() == 'localhost' || url(self).getHostname().endsWith('.localhost') || url(self).getHostname() == '127.0.0.1'))",message="must be an https address; http is allowed only on localhost"
	SMSWebhook string `json:"smsWebhook,omitempty"`
}

// CommunityClassStatus is what the operator has made of a class.
type CommunityClassStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// release names the Release made of the class as it stands.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Release string `json:"release,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
