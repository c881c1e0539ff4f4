package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Community is one neighbourhood community (社区) and the services it runs.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=com,categories=linli
// +kubebuilder:printcolumn:name="Display Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.url`
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.status.release`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 53",fieldPath=".metadata.name",message="must be at most 53 characters: the namespace is community-<name>, and a namespace's name has at most 63"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",fieldPath=".metadata.name",message="must be a DNS label (a-z, 0-9 and -, no dot): it is the first part of the community's host name"
// +kubebuilder:validation:XValidation:rule="!(self.metadata.name in ['admin', 'api', 'app', 'apps', 'assets', 'auth', 'autodiscover', 'cdn', 'community', 'console', 'demo', 'dev', 'docs', 'exchange', 'files', 'ftp', 'gateway', 'grafana', 'help', 'id', 'imap', 'linli', 'localhost', 'login', 'loki', 'mail', 'metrics', 'mobile', 'monitoring', 'mqtt', 'ns', 'pop', 'portal', 'prometheus', 'proxy', 'root', 'sharing', 'smtp', 'sso', 'staging', 'static', 'status', 'support', 'system', 'test', 'vpn', 'webmail', 'wpad', 'www'])",fieldPath=".metadata.name",message="is reserved: it is, or may become, a host name beside the communities'; choose another name"
type Community struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec CommunitySpec `json:"spec"`
	// +optional
	Status CommunityStatus `json:"status,omitempty"`
}

// CommunityList is a list of communities.
//
// +kubebuilder:object:root=true
type CommunityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Community `json:"items"`
}

// CommunitySpec is what county IT wants a community to be.
//
// +kubebuilder:validation:XValidation:rule="!has(self.services) || !has(self.services.canteen) || self.services.canteen.canteens.all(c, !has(c.deliveryEstates) || c.deliveryEstates.all(e, has(self.estates) && self.estates.exists(x, x.name == e)))",fieldPath=".services.canteen.canteens",message="a canteen delivers to an estate that spec.estates does not have: correct the name, or add the estate"
// +kubebuilder:validation:XValidation:rule="!has(self.grids) || self.grids.all(g, !has(g.estates) || g.estates.all(e, has(self.estates) && self.estates.exists(x, x.name == e)))",fieldPath=".grids",message="a grid names an estate that spec.estates does not have: correct the name, or add the estate"
type CommunitySpec struct {
	// className names the CommunityClass that says how this community is run.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ClassName string `json:"className"`

	// displayName is what residents call the community, such as 站前社区.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`

	// region is where the community stands in the hierarchy of a county.
	// +required
	Region Region `json:"region"`

	// timeZone is the IANA name of the zone in which opening hours and days
	// are meant, such as Asia/Shanghai.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self != 'Local' && self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$')",message="must be the IANA name of a time zone such as Asia/Shanghai, not an offset and not Local"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$') || timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",message="must be the IANA name of a time zone such as Asia/Shanghai"
	TimeZone string `json:"timeZone"`

	// phone is the number of the community's office; it stands on every page.
	// +required
	// +kubebuilder:validation:Pattern=`^\+?[0-9][0-9 \-]{2,30}$`
	// +kubebuilder:validation:MaxLength=32
	Phone string `json:"phone"`

	// estates are the residential estates (小区) of the community.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Estates []Estate `json:"estates,omitempty"`

	// grids are the grids (网格) into which estates are cut for grid workers.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=60
	Grids []Grid `json:"grids,omitempty"`

	// managers are the first managers; they appoint staff in the pages.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Managers []Manager `json:"managers,omitempty"`

	// services are the services of the community. A service that is present is on.
	// +optional
	Services Services `json:"services,omitempty"`

	// runPolicy Suspended stops the services and keeps everything.
	// +optional
	// +kubebuilder:default=Running
	RunPolicy RunPolicy `json:"runPolicy,omitempty"`

	// deletionPolicy says what deleting this Community does to its data.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// adopt is the UID of the former Community of this name whose retained
	// namespace and data this one takes over.
	// +optional
	// +kubebuilder:validation:Format=uuid
	// +kubebuilder:validation:MaxLength=36
	Adopt string `json:"adopt,omitempty"`
}

// RunPolicy says whether a community's services run.
// +kubebuilder:validation:Enum=Running;Suspended
type RunPolicy string

// Values of RunPolicy.
const (
	RunPolicyRunning   RunPolicy = "Running"
	RunPolicySuspended RunPolicy = "Suspended"
)

// DeletionPolicy says what happens to the data of a deleted Community.
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

// Values of DeletionPolicy.
const (
	DeletionPolicyRetain DeletionPolicy = "Retain"
	DeletionPolicyDelete DeletionPolicy = "Delete"
)

// Region places a community in its county (县) and subdistrict or town (街道, 镇).
type Region struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	County string `json:"county"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	Subdistrict string `json:"subdistrict"`
}

// Estate is a residential estate (小区).
type Estate struct {
	// name is a DNS label, unique in the community.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`
	// class is how the estate is governed: commercial (商品房), old (老旧) or
	// resettlement (安置).
	// +required
	Class EstateClass `json:"class"`
	// rating is the county's rating of the estate.
	// +optional
	// +kubebuilder:default=Standard
	Rating EstateRating `json:"rating,omitempty"`
	// households is the number of homes.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	Households int32 `json:"households,omitempty"`
	// residents is the number of people who live there.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Residents int32 `json:"residents,omitempty"`
	// buildings are the names of the buildings (楼栋), such as 3号楼.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=200
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=40
	Buildings []string `json:"buildings,omitempty"`
}

// EstateClass is the kind of an estate.
// +kubebuilder:validation:Enum=Commercial;Old;Resettlement
type EstateClass string

// Values of EstateClass.
const (
	EstateClassCommercial   EstateClass = "Commercial"
	EstateClassOld          EstateClass = "Old"
	EstateClassResettlement EstateClass = "Resettlement"
)

// EstateRating is the county's rating of an estate (问题, 重点, 示范).
// +kubebuilder:validation:Enum=Standard;Troubled;Priority;Model
type EstateRating string

// Values of EstateRating.
const (
	EstateRatingStandard EstateRating = "Standard"
	EstateRatingTroubled EstateRating = "Troubled"
	EstateRatingPriority EstateRating = "Priority"
	EstateRatingModel    EstateRating = "Model"
)

// Grid is a part of the community that one grid worker (网格员) looks after.
type Grid struct {
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`
	// estates are the names of the estates in this grid.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=40
	// +kubebuilder:validation:items:MaxLength=63
	Estates []string `json:"estates,omitempty"`
}

// Manager is a person who manages the community from its first day.
type Manager struct {
	// name is a DNS label, unique in the community; the person's account name.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`
}

// Services are the services that a community can run, each with its inventory.
//
// +kubebuilder:validation:XValidation:rule="!has(self.canteen) || has(self.accounts)",fieldPath=".accounts",reason=FieldValueRequired,message="the canteen is paid from residents' purses and keeps its subsidies in their ledger: add accounts: {}"
type Services struct {
	// booking lets residents book rooms, seats and hours with an attendant.
	// +optional
	Booking *Booking `json:"booking,omitempty"`
	// canteen lets residents see the menu and order meals.
	// +optional
	Canteen *Canteen `json:"canteen,omitempty"`
	// accounts keeps a purse for each resident.
	// +optional
	Accounts *Accounts `json:"accounts,omitempty"`
}

// CommunityStatus is what the operator has seen of a community.
type CommunityStatus struct {
	// observedGeneration is the generation that was last reconciled in full.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// url is where residents reach the community.
	// +optional
	// +kubebuilder:validation:MaxLength=300
	URL string `json:"url,omitempty"`
	// release names the Release in force.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Release string `json:"release,omitempty"`
	// services says of each service whether it answers.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Services []ServiceStatus `json:"services,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ServiceStatus is the state of one service of a community.
type ServiceStatus struct {
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	State ServiceState `json:"state"`
}

// ServiceState says whether a service answers.
// +kubebuilder:validation:Enum=Ready;NotReady;Suspended
type ServiceState string

// Values of ServiceState.
const (
	ServiceReady     ServiceState = "Ready"
	ServiceNotReady  ServiceState = "NotReady"
	ServiceSuspended ServiceState = "Suspended"
)
