package v1alpha1

// Booking is the booking service's part of a Community.
type Booking struct {
	// managedBy says who keeps the venues after the first start: the
	// community's managers in the pages, or this manifest.
	// +optional
	// +kubebuilder:default=Community
	ManagedBy ManagedBy `json:"managedBy,omitempty"`

	// venues are what can be booked.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Venues []Venue `json:"venues,omitempty"`
}

// ManagedBy says who keeps a service's inventory.
// +kubebuilder:validation:Enum=Community;Manifest
type ManagedBy string

// Values of ManagedBy.
const (
	// ManagedByCommunity makes entries once from the manifest; managers edit
	// them in the pages from then on.
	ManagedByCommunity ManagedBy = "Community"
	// ManagedByManifest makes entries follow the manifest; the pages only show them.
	ManagedByManifest ManagedBy = "Manifest"
)

// Venue is something that residents book by the slot.
//
// +kubebuilder:validation:XValidation:rule="self.kind != 'Seats' || has(self.seats)",fieldPath=".seats",reason=FieldValueRequired,message="a venue of kind Seats says how many seats it has: set seats"
// +kubebuilder:validation:XValidation:rule="self.kind == 'Seats' || !has(self.seats)",fieldPath=".seats",reason=FieldValueForbidden,message="only a venue of kind Seats has seats: remove seats, or set kind to Seats"
// +kubebuilder:validation:XValidation:rule="self.kind == 'Attended' || !has(self.attendants)",fieldPath=".attendants",reason=FieldValueForbidden,message="only a venue of kind Attended has attendants: remove attendants, or set kind to Attended"
// +kubebuilder:validation:XValidation:rule="!has(self.minAge) || !has(self.maxAge) || self.minAge <= self.maxAge",fieldPath=".maxAge",message="must not be below minAge: change minAge or maxAge"
// +kubebuilder:validation:XValidation:rule="self.hours.all(h, (int(h.to.substring(0, 2)) * 60 + int(h.to.substring(3)) - int(h.from.substring(0, 2)) * 60 - int(h.from.substring(3))) % self.slotMinutes == 0)",fieldPath=".slotMinutes",message="must divide every opening interval into whole slots: change slotMinutes, or from and to of the hours"
type Venue struct {
	// name is a DNS label, unique in the community.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`
	// description is a line that residents read: where it is, what to bring.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	Description string `json:"description,omitempty"`
	// kind is Room (one booking at a time), Seats (as many as there are
	// seats) or Attended (an attendant serves one resident at a time).
	// +required
	Kind VenueKind `json:"kind"`
	// seats is the number of places of a venue of kind Seats.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=500
	Seats int32 `json:"seats,omitempty"`
	// hours are the opening hours, in the community's time zone. A day that
	// no entry names is closed.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=14
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a.from < b.to && b.from < a.to && a.days.exists(d, d in b.days)) || a.from >= a.to)",message="opening hours overlap on a day of the week: no two entries may share a day and a time; join them, or change from and to"
	Hours []OpeningHours `json:"hours"`
	// slotMinutes is the length of a slot; it divides the opening hours.
	// +required
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=480
	// +kubebuilder:validation:MultipleOf=5
	SlotMinutes int32 `json:"slotMinutes"`
	// maxSlotsPerBooking is how many slots in a row one booking may span.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=48
	MaxSlotsPerBooking int32 `json:"maxSlotsPerBooking,omitempty"`
	// bookingWindowDays is how many days ahead residents may book; 0 is today only.
	// +optional
	// +kubebuilder:default=14
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=366
	BookingWindowDays int32 `json:"bookingWindowDays"`
	// maxPerResidentPerDay is how many live bookings one resident may hold
	// at this venue on one day.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	MaxPerResidentPerDay int32 `json:"maxPerResidentPerDay,omitempty"`
	// maxPerResidentPerWeek is how many live bookings one resident may hold
	// at this venue in one week, Monday to Sunday; without it only the daily
	// limit holds.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=350
	MaxPerResidentPerWeek int32 `json:"maxPerResidentPerWeek,omitempty"`
	// approval says who decides about a booking: nobody (Automatic), or the
	// staff, until when the place is held for who asked.
	// +optional
	// +kubebuilder:default=Automatic
	Approval Approval `json:"approval,omitempty"`
	// noShowMinutes is how long after its start a booking is released to
	// others if nobody has checked in. Without it nobody needs to check in.
	// +optional
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=240
	NoShowMinutes int32 `json:"noShowMinutes,omitempty"`
	// minNoticeMinutes is how long before its start a booking must be made
	// at the latest.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=43200
	MinNoticeMinutes int32 `json:"minNoticeMinutes,omitempty"`
	// cancelNoticeMinutes is how long before its start a booking can be
	// changed or cancelled at the latest; after that only the staff can.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=43200
	CancelNoticeMinutes int32 `json:"cancelNoticeMinutes,omitempty"`
	// bufferMinutes is how long a place stays empty after each booking, to
	// tidy up or to air.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=240
	// +kubebuilder:validation:MultipleOf=5
	BufferMinutes int32 `json:"bufferMinutes,omitempty"`
	// attendants are who serves residents at a venue of kind Attended, such
	// as the doctors of a clinic; each serves one resident at a time. Without
	// them there is one, who is not named.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	Attendants []Attendant `json:"attendants,omitempty"`
	// minAge is how old a person must be on the day of the booking, in years.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=120
	MinAge int32 `json:"minAge,omitempty"`
	// maxAge is how old a person may be on the day of the booking, in years.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=120
	MaxAge int32 `json:"maxAge,omitempty"`
	// access says who may book: Everyone, or Members only, whose list the
	// staff keep in the pages.
	// +optional
	// +kubebuilder:default=Everyone
	Access Access `json:"access,omitempty"`
	// closedDates are days (YYYY-MM-DD) on which the venue is closed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=366
	// +kubebuilder:validation:items:Format=date
	// +kubebuilder:validation:items:MaxLength=10
	ClosedDates []string `json:"closedDates,omitempty"`
}

// Attendant serves residents at a venue, one at a time.
type Attendant struct {
	// name is a DNS label, unique at the venue.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=60
	DisplayName string `json:"displayName"`
	// hours are when the attendant is there, in the community's time zone;
	// without them, whenever the venue is open.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=7
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a.from < b.to && b.from < a.to && a.days.exists(d, d in b.days)) || a.from >= a.to)",message="hours overlap on a day of the week: no two entries may share a day and a time; join them, or change from and to"
	Hours []OpeningHours `json:"hours,omitempty"`
}

// Approval says who decides about a booking.
// +kubebuilder:validation:Enum=Automatic;Staff
type Approval string

// Values of Approval.
const (
	ApprovalAutomatic Approval = "Automatic"
	ApprovalStaff     Approval = "Staff"
)

// Access says who may book.
// +kubebuilder:validation:Enum=Everyone;Members
type Access string

// Values of Access.
const (
	AccessEveryone Access = "Everyone"
	AccessMembers  Access = "Members"
)

// VenueKind is how a venue is shared.
// +kubebuilder:validation:Enum=Room;Seats;Attended
type VenueKind string

// Values of VenueKind.
const (
	VenueRoom     VenueKind = "Room"
	VenueSeats    VenueKind = "Seats"
	VenueAttended VenueKind = "Attended"
)

// Weekday is a day of the week.
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type Weekday string

// OpeningHours are hours of opening on some days of the week.
//
// +kubebuilder:validation:XValidation:rule="self.from < self.to",fieldPath=".to",message="must be later than from; hours past midnight are two entries, one to 24:00 and one from 00:00"
type OpeningHours struct {
	// days are the days of the week that these hours hold for.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=7
	Days []Weekday `json:"days"`
	// from is the time of opening, HH:MM.
	// +required
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][05]$`
	// +kubebuilder:validation:MaxLength=5
	From string `json:"from"`
	// to is the time of closing, HH:MM; 24:00 is the end of the day.
	// +required
	// +kubebuilder:validation:Pattern=`^(([01][0-9]|2[0-3]):[0-5][05]|24:00)$`
	// +kubebuilder:validation:MaxLength=5
	To string `json:"to"`
}
