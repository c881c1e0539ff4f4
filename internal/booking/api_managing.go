package booking

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/google/uuid"
	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
)

// maxVenueBytes is far more than a venue with all its hours and closed days needs.
const maxVenueBytes = 64 << 10

// managerOperations are about venues, members and door codes. The front desk
// may read what it needs.
func (s *service) managerOperations(api *host.API) {
	staff := func(duties []identity.Duty, op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagManaging}
		op.Path = "/staff/venues/{venue}" + op.Path
		return api.Staff(duties, op, errors...)
	}
	huma.Register(api, staff(managers, huma.Operation{
		OperationID: "get-venue", Method: http.MethodGet,
		Summary: "A venue as the manifest or a manager wrote it; one that was retired too",
	}, host.ByID()...), s.getVenue)
	huma.Register(api, staff(managers, huma.Operation{
		OperationID: "put-venue", Method: http.MethodPut, MaxBodyBytes: maxVenueBytes,
		Summary:     "Make a venue, or change it",
		Description: "By the rules of a manifest. Bookings stay as they are, whatever the new rules. Refused with 409 where the venues follow the manifest.",
	}, host.WithBody(http.StatusConflict)...), s.putVenue)
	huma.Register(api, staff(managers, huma.Operation{
		OperationID: "retire-venue", Method: http.MethodDelete, DefaultStatus: http.StatusNoContent,
		Summary:     "Take a venue from the list of what can be booked",
		Description: "Refused with 409 while it has bookings ahead, and where the venues follow the manifest.",
	}, host.ByID(http.StatusConflict)...), s.retireVenue)
	huma.Register(api, staff(frontDesk, huma.Operation{
		OperationID: "list-members", Method: http.MethodGet, Path: "/members",
		Summary: "Who may book at a venue for members, by name",
	}, host.ByID()...), s.listMembers)
	huma.Register(api, staff(managers, huma.Operation{
		OperationID: "put-member", Method: http.MethodPut, Path: "/members/{person}", DefaultStatus: http.StatusNoContent,
		Summary: "Make somebody a member; again changes nothing",
	}, host.ByID()...), s.putMember)
	huma.Register(api, staff(managers, huma.Operation{
		OperationID: "remove-member", Method: http.MethodDelete, Path: "/members/{person}", DefaultStatus: http.StatusNoContent,
		Summary:     "Make somebody a member no more",
		Description: "Bookings stay. Removing again changes nothing.",
	}, http.StatusUnprocessableEntity), s.removeMember)
	huma.Register(api, staff(frontDesk, huma.Operation{
		OperationID: "get-door-code", Method: http.MethodGet, Path: "/door-code",
		Summary: "The code for a venue's door, by which people check in",
	}, host.ByID()...), s.getDoorCode)
	huma.Register(api, staff(managers, huma.Operation{
		OperationID: "renew-door-code", Method: http.MethodPost, Path: "/door-code",
		Summary: "Make a new code for a venue's door; the one before is worth nothing any more",
	}, host.ByID()...), s.renewDoorCode)
}

// venueSpec is a v1alpha1.Venue with the bounds of its schema.
type venueSpec struct {
	Name                  string          `json:"name" maxLength:"63" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" doc:"The same as in the path."`
	DisplayName           string          `json:"displayName" minLength:"1" maxLength:"60"`
	Description           string          `json:"description,omitempty" maxLength:"500" doc:"A line that residents read: where it is, what to bring."`
	Kind                  string          `json:"kind" enum:"Room,Seats,Attended"`
	Seats                 int             `json:"seats,omitempty" minimum:"1" maximum:"500" doc:"How many places a venue of kind Seats has."`
	Hours                 []hoursSpec     `json:"hours" minItems:"1" maxItems:"14" nullable:"false"`
	SlotMinutes           int             `json:"slotMinutes" minimum:"5" maximum:"480" multipleOf:"5"`
	MaxSlotsPerBooking    int             `json:"maxSlotsPerBooking,omitempty" minimum:"1" maximum:"48" default:"1"`
	BookingWindowDays     *int            `json:"bookingWindowDays,omitempty" minimum:"0" maximum:"366" default:"14" doc:"How many days ahead residents may book; 0 is today only."`
	MaxPerResidentPerDay  int             `json:"maxPerResidentPerDay,omitempty" minimum:"1" maximum:"50" default:"2"`
	MaxPerResidentPerWeek int             `json:"maxPerResidentPerWeek,omitempty" minimum:"1" maximum:"350"`
	Approval              string          `json:"approval,omitempty" enum:"Automatic,Staff" default:"Automatic"`
	NoShowMinutes         int             `json:"noShowMinutes,omitempty" minimum:"5" maximum:"240"`
	MinNoticeMinutes      int             `json:"minNoticeMinutes,omitempty" minimum:"0" maximum:"43200"`
	CancelNoticeMinutes   int             `json:"cancelNoticeMinutes,omitempty" minimum:"0" maximum:"43200"`
	BufferMinutes         int             `json:"bufferMinutes,omitempty" minimum:"0" maximum:"240" multipleOf:"5"`
	Attendants            []attendantSpec `json:"attendants,omitempty" maxItems:"10" nullable:"false" doc:"Who serves at a venue of kind Attended, each one person at a time."`
	MinAge                int             `json:"minAge,omitempty" minimum:"0" maximum:"120"`
	MaxAge                int             `json:"maxAge,omitempty" minimum:"1" maximum:"120"`
	Access                string          `json:"access,omitempty" enum:"Everyone,Members" default:"Everyone"`
	ClosedDates           []string        `json:"closedDates,omitempty" maxItems:"366" nullable:"false" format:"date"`
}

type hoursSpec struct {
	Days []string `json:"days" minItems:"1" maxItems:"7" nullable:"false" enum:"Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday"`
	From string   `json:"from" maxLength:"5" pattern:"^([01][0-9]|2[0-3]):[0-5][05]$" example:"08:00"`
	To   string   `json:"to" maxLength:"5" pattern:"^(([01][0-9]|2[0-3]):[0-5][05]|24:00)$" example:"24:00"`
}

type attendantSpec struct {
	Name        string      `json:"name" maxLength:"63" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"`
	DisplayName string      `json:"displayName" minLength:"1" maxLength:"60"`
	Hours       []hoursSpec `json:"hours,omitempty" maxItems:"7" nullable:"false" doc:"When the attendant is there; whenever the venue is open if left out."`
}

// recode writes one shape of a venue as the other; they have the same JSON.
func recode(from, to any) error {
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		return fmt.Errorf("writing a venue in another shape: %w", err)
	}
	return nil
}

// VenueInput is the path to a venue.
type VenueInput struct {
	Venue string `path:"venue" maxLength:"63" example:"study-room" doc:"The venue's name."`
}

type venueSpecOutput struct{ Body venueSpec }

func (s *service) getVenue(ctx context.Context, in *VenueInput) (*venueSpecOutput, error) {
	spec, err := s.store.VenueSpec(ctx, in.Venue)
	out := &venueSpecOutput{}
	if err == nil {
		err = recode(spec, &out.Body)
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return out, nil
}

type putVenueInput struct {
	VenueInput
	Body venueSpec
}

func (s *service) putVenue(ctx context.Context, in *putVenueInput) (*venueSpecOutput, error) {
	if err := s.ownVenues(); err != nil {
		return nil, err
	}
	if in.Body.Name != in.Venue {
		return nil, invalid("body.name", in.Body.Name, "is not the name in the path")
	}
	var spec v1alpha1.Venue
	if err := recode(in.Body, &spec); err != nil {
		return nil, s.problem(ctx, err)
	}
	if _, err := ParseVenue(spec); err != nil {
		return nil, invalid("body", nil, err.Error())
	}
	if err := s.store.SaveVenue(ctx, s.staffAct(ctx, uuid.Nil), spec); err != nil {
		return nil, s.problem(ctx, err)
	}
	return s.getVenue(ctx, &in.VenueInput)
}

func (s *service) retireVenue(ctx context.Context, in *VenueInput) (*struct{}, error) {
	if err := s.ownVenues(); err != nil {
		return nil, err
	}
	if err := s.store.RetireVenue(ctx, s.staffAct(ctx, uuid.Nil), in.Venue); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}

// ownVenues is a problem where the venues are not the community's to change.
func (s *service) ownVenues() error {
	booking := s.config().Community.Spec.Services.Booking
	if booking != nil && booking.ManagedBy == v1alpha1.ManagedByManifest {
		return host.NewProblem(http.StatusConflict, ruleManifest,
			"The venues of this community follow its manifest (services.booking.managedBy is Manifest); county IT changes them there.")
	}
	return nil
}

type apiMember struct {
	Person  string    `json:"person" doc:"The person's id."`
	Name    string    `json:"name"`
	AddedBy string    `json:"addedBy" doc:"The id of the manager."`
	AddedAt time.Time `json:"addedAt"`
}

type listMembersOutput struct {
	Body struct {
		Members []apiMember `json:"members"`
	}
}

func (s *service) listMembers(ctx context.Context, in *VenueInput) (*listMembersOutput, error) {
	_, err := s.store.VenueSpec(ctx, in.Venue)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	members, err := s.store.Members(ctx, in.Venue)
	if err == nil {
		err = s.look(ctx, Look{what: actionMembersView, object: in.Venue, people: membersOf(members)})
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listMembersOutput{}
	out.Body.Members = make([]apiMember, len(members))
	for i, m := range members {
		out.Body.Members[i] = apiMember{Person: m.Person, Name: m.Name, AddedBy: m.AddedBy, AddedAt: m.AddedAt.In(s.location())}
	}
	return out, nil
}

type memberInput struct {
	VenueInput
	Person string `path:"person" maxLength:"100" doc:"The person's id."`
}

func (s *service) putMember(ctx context.Context, in *memberInput) (*struct{}, error) {
	caller, _ := identity.FromContext(ctx)
	p, err := s.person(ctx, in.Person)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	err = s.store.AddMember(ctx, Member{Venue: in.Venue, Person: p.ID, Name: p.Name, AddedBy: caller.ID, AddedAt: s.clock.Now()})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}

func (s *service) removeMember(ctx context.Context, in *memberInput) (*struct{}, error) {
	if err := s.store.RemoveMember(ctx, s.staffAct(ctx, uuid.Nil), in.Venue, in.Person); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}

type doorCodeOutput struct {
	Body struct {
		Venue string `json:"venue"`
		Code  string `json:"code" example:"123456"`
	}
}

func (s *service) getDoorCode(ctx context.Context, in *VenueInput) (*doorCodeOutput, error) {
	code, err := s.store.DoorCode(ctx, in.Venue)
	return s.doorCode(ctx, in.Venue, code, err)
}

func (s *service) renewDoorCode(ctx context.Context, in *VenueInput) (*doorCodeOutput, error) {
	code, err := s.store.RenewDoorCode(ctx, s.staffAct(ctx, uuid.Nil), in.Venue)
	return s.doorCode(ctx, in.Venue, code, err)
}

func (s *service) doorCode(ctx context.Context, venue, code string, err error) (*doorCodeOutput, error) {
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &doorCodeOutput{}
	out.Body.Venue, out.Body.Code = venue, code
	return out, nil
}
