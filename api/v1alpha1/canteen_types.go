package v1alpha1

// Canteen is the canteen service's part of a Community.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tiers) || self.tiers.all(t, !has(t.category) || (has(self.categories) && self.categories.exists(c, c.name == t.category)))",fieldPath=".tiers",message="a tier names a category that categories does not have: correct the name, or add the category"
type Canteen struct {
	// managedBy says who keeps the canteens after the first start: the
	// community's managers in the pages, or this manifest.
	// +optional
	// +kubebuilder:default=Community
	ManagedBy ManagedBy `json:"managedBy,omitempty"`

	// canteens are the places where meals are cooked or handed out.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Canteens []CanteenPlace `json:"canteens"`

	// categories are kinds of people who pay less whatever their age, such as
	// 低保户. Managers keep the list of who belongs to one in the pages.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	Categories []Category `json:"categories,omitempty"`

	// tiers say who pays less. The subsidy pays the difference. Whoever
	// belongs to several pays the lowest of their prices.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Tiers []Tier `json:"tiers,omitempty"`
}

// CanteenPlace is a place where meals are cooked or handed out.
//
// +kubebuilder:validation:XValidation:rule="!self.meals.exists(m, 'Delivery' in m.ways) || (has(self.deliveryEstates) && size(self.deliveryEstates) > 0)",fieldPath=".deliveryEstates",reason=FieldValueRequired,message="a meal can be delivered: name the estates to which it is, or remove Delivery from the ways of the meals"
type CanteenPlace struct {
	// name is a DNS label, unique in the community.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`
	// description is a line that residents read: where it is, how to get there.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	Description string `json:"description,omitempty"`
	// meals are the meals of a day, the first to be served first.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	Meals []Meal `json:"meals"`
	// maxPortions is how many portions of all dishes together one eater may
	// order for one meal.
	// +optional
	// +kubebuilder:default=6
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	MaxPortions int32 `json:"maxPortions,omitempty"`
	// deliveryEstates are the names of the estates to whose doors meals are
	// brought.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=63
	DeliveryEstates []string `json:"deliveryEstates,omitempty"`
	// closedDates are days (YYYY-MM-DD) without meals.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=366
	// +kubebuilder:validation:items:Format=date
	// +kubebuilder:validation:items:MaxLength=10
	ClosedDates []string `json:"closedDates,omitempty"`
}

// Meal is a meal of a canteen's days.
//
// +kubebuilder:validation:XValidation:rule="self.from < self.to",fieldPath=".to",message="must be later than from"
// +kubebuilder:validation:XValidation:rule="(has(self.cutOffDaysBefore) && self.cutOffDaysBefore > 0) || self.cutOff <= self.to",fieldPath=".cutOff",message="must not be later than to: orders end before the meal does; or set cutOffDaysBefore"
type Meal struct {
	// name is a DNS label, unique at the canteen, such as lunch.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// displayName is what residents call it, such as 午餐.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=30
	DisplayName string `json:"displayName"`
	// days are the days of the week on which it is served; without them, all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=7
	Days []Weekday `json:"days,omitempty"`
	// from is when serving begins, HH:MM in the community's time zone.
	// +required
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	// +kubebuilder:validation:MaxLength=5
	From string `json:"from"`
	// to is when serving ends, HH:MM on the same day.
	// +required
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	// +kubebuilder:validation:MaxLength=5
	To string `json:"to"`
	// cutOff is until when residents may order, change and cancel, HH:MM.
	// +required
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	// +kubebuilder:validation:MaxLength=5
	CutOff string `json:"cutOff"`
	// cutOffDaysBefore is how many days before the meal the cut-off is; 0 is
	// the same day.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=7
	CutOffDaysBefore int32 `json:"cutOffDaysBefore,omitempty"`
	// ways are how a meal reaches who ordered it.
	// +optional
	// +kubebuilder:default={EatIn,PickUp}
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	Ways []Way `json:"ways,omitempty"`
}

// Way is how a meal reaches who ordered it.
// +kubebuilder:validation:Enum=EatIn;PickUp;Delivery
type Way string

// Values of Way.
const (
	WayEatIn    Way = "EatIn"
	WayPickUp   Way = "PickUp"
	WayDelivery Way = "Delivery"
)

// Category is a kind of people who pay less.
type Category struct {
	// name is a DNS label, unique in the community.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`
}

// Tier is a group of people and what the subsidy pays for them.
//
// +kubebuilder:validation:XValidation:rule="has(self.minAge) || has(self.category)",message="a tier says for whom it is: set minAge or category"
type Tier struct {
	// name is a DNS label, unique in the community.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`
	// minAge is the age in years from which on it holds, on the day of the
	// meal.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=120
	MinAge *int32 `json:"minAge,omitempty"`
	// category is the name of a category. A tier that has both holds for
	// people of the category who are of that age.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Category string `json:"category,omitempty"`
	// discountPercent is what part of a dish's price the subsidy pays.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	DiscountPercent int32 `json:"discountPercent"`
	// maxSubsidyFen is the most that the subsidy pays for one eater's meal, in
	// fen; without it there is no limit. 100 per cent with a limit of 300 is
	// three yuan off.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxSubsidyFen *int32 `json:"maxSubsidyFen,omitempty"`
}
