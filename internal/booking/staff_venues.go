package booking

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// staffVenuesView is what the list of venues shows.
type staffVenuesView struct {
	desk
	Venues  []Venue
	Retired []Venue
}

// kept says that managers change the venues in the pages, not the county in
// the manifest.
func (d desk) kept() bool {
	booking := d.Community.Spec.Services.Booking
	return booking != nil && booking.ManagedBy != v1alpha1.ManagedByManifest
}

func (s *service) staffVenuesPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.staffVenues(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, staffVenuesPage(p))
}

func (s *service) staffVenues(r *http.Request) (p staffVenuesView, err error) {
	if p.desk, err = s.desk(r, staffVenuesPath); err != nil {
		return p, err
	}
	if p.Venues, err = s.store.Venues(r.Context(), p.Now); err != nil {
		return p, err
	}
	names, err := s.store.VenueNames(r.Context())
	for name, title := range names {
		if !slices.ContainsFunc(p.Venues, func(v Venue) bool { return v.Name == name }) {
			p.Retired = append(p.Retired, Venue{Name: name, DisplayName: title})
		}
	}
	slices.SortFunc(p.Retired, func(a, b Venue) int { return strings.Compare(a.Name, b.Name) })
	return p, err
}

// deskVenue is what the pages of one venue show.
type deskVenue struct {
	desk
	// Spec is the venue as it was written; its name is empty for a new one.
	Spec v1alpha1.Venue
	Form venueForm
}

// deskVenue prepares a page of the venue that the path names, if it takes bookings.
func (s *service) deskVenue(r *http.Request) (p deskVenue, err error) {
	if p.desk, err = s.desk(r, staffVenuesPath); err != nil {
		return p, err
	}
	name := r.PathValue("venue")
	if _, err := s.store.Venue(r.Context(), name, p.Now); err != nil {
		return p, err
	}
	if p.Spec, err = s.store.VenueSpec(r.Context(), name); err != nil {
		return p, err
	}
	p.Form = formOf(p.Spec)
	return p, nil
}

// newVenue is what the form of a new venue has filled in.
func newVenue() v1alpha1.Venue {
	return v1alpha1.Venue{
		Kind: v1alpha1.VenueRoom, SlotMinutes: 60, MaxSlotsPerBooking: 2, BookingWindowDays: 14, MaxPerResidentPerDay: defaultDailyLimit,
		Hours: []v1alpha1.OpeningHours{
			{Days: weekdays[:5], From: "08:00", To: "12:00"},
			{Days: weekdays[:5], From: "14:00", To: "18:00"},
		},
	}
}

// keeps lets only go on where managers keep the venues.
func (s *service) keeps(w http.ResponseWriter, r *http.Request, d desk) bool {
	if !d.kept() {
		s.pages.Error(w, r, http.StatusForbidden)
	}
	return d.kept()
}

func (s *service) newVenuePage(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffVenuesPath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if s.keeps(w, r, d) {
		s.pages.Render(w, r, http.StatusOK, deskVenuePage(deskVenue{desk: d, Form: formOf(newVenue())}))
	}
}

func (s *service) makeVenue(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffVenuesPath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !s.keeps(w, r, d) || !s.staffForm(w, r) {
		return
	}
	names, err := s.store.VenueNames(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	taken := func(name string) bool { _, ok := names[name]; return ok }
	p := deskVenue{desk: d, Form: formOf(v1alpha1.Venue{})}
	spec := p.Form.read(d.View, r.PostForm, v1alpha1.Venue{})
	spec.Name = strings.ToLower(typed(r.PostForm, "name"))
	p.Form.Values["name"] = spec.Name
	switch {
	case spec.Name == "":
		spec.Name = freshName(strings.ToLower(string(spec.Kind)), taken)
	case !venueName.MatchString(spec.Name) || len(spec.Name) > venueNameLength:
		p.Form.Mistakes["name"] = d.T("booking.staff.venueNameWrong")
	case taken(spec.Name):
		p.Form.Mistakes["name"] = d.T("booking.staff.venueNameTaken")
	}
	s.saveVenue(w, r, p, spec)
}

// saveVenue keeps a venue, or shows its form again with what is wrong.
func (s *service) saveVenue(w http.ResponseWriter, r *http.Request, p deskVenue, spec v1alpha1.Venue) {
	p.Form.check(p.View, spec)
	if len(p.Form.Mistakes) > 0 {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, deskVenuePage(p))
		return
	}
	if err := s.store.SaveVenue(r.Context(), s.staffAct(r.Context(), uuid.Nil), spec); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffVenuesPath, "saved"), http.StatusSeeOther)
}

func (s *service) deskVenuePage(w http.ResponseWriter, r *http.Request) {
	p, err := s.deskVenue(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, deskVenuePage(p))
}

func (s *service) changeVenue(w http.ResponseWriter, r *http.Request) {
	p, err := s.deskVenue(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if s.keeps(w, r, p.desk) && s.staffForm(w, r) {
		s.saveVenue(w, r, p, p.Form.read(p.View, r.PostForm, p.Spec))
	}
}

// retireView is what the page shows that asks whether to retire a venue.
type retireView struct {
	deskVenue
	// InUse says that it was tried, and that there are bookings ahead.
	InUse bool
}

func (s *service) retirePage(w http.ResponseWriter, r *http.Request) {
	p, err := s.deskVenue(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if s.keeps(w, r, p.desk) {
		s.pages.Render(w, r, http.StatusOK, retirePage(retireView{deskVenue: p}))
	}
}

func (s *service) retireFromPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.deskVenue(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !s.keeps(w, r, p.desk) {
		return
	}
	switch err := s.store.RetireVenue(r.Context(), s.staffAct(r.Context(), uuid.Nil), p.Spec.Name); {
	case errors.Is(err, ErrInUse):
		s.pages.Render(w, r, http.StatusConflict, retirePage(retireView{deskVenue: p, InUse: true}))
	case err != nil:
		s.fail(w, r, err)
	default:
		http.Redirect(w, r, withDone(staffVenuesPath, "retired"), http.StatusSeeOther)
	}
}

func (s *service) restoreVenue(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffVenuesPath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !s.keeps(w, r, d) {
		return
	}
	spec, err := s.store.VenueSpec(r.Context(), r.PathValue("venue"))
	if err == nil {
		err = s.store.SaveVenue(r.Context(), s.staffAct(r.Context(), uuid.Nil), spec)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffVenuesPath, "restored"), http.StatusSeeOther)
}

// attendantView is what the form of an attendant shows.
type attendantView struct {
	deskVenue
	// Attendant is who is changed; its name is empty for a new one.
	Attendant v1alpha1.Attendant
	// Ahead is how many bookings keep the attendant from being removed, if
	// that was tried.
	Ahead int
}

func (s *service) attendantsPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.deskVenue(r)
	if err == nil && p.Spec.Kind != v1alpha1.VenueAttended {
		err = ErrNotFound
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, attendantsPage(p))
}

// attendantView prepares the form of the attendant that the path names, or of
// a new one.
func (s *service) attendantView(w http.ResponseWriter, r *http.Request) (p attendantView, ok bool) {
	v, err := s.deskVenue(r)
	if err == nil && v.Spec.Kind != v1alpha1.VenueAttended {
		err = ErrNotFound
	}
	p.deskVenue = v
	if name := r.PathValue("attendant"); err == nil && name != "" {
		i := slices.IndexFunc(v.Spec.Attendants, func(a v1alpha1.Attendant) bool { return a.Name == name })
		if i < 0 {
			err = ErrNotFound
		} else {
			p.Attendant = v.Spec.Attendants[i]
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return p, false
	}
	p.Form = venueForm{Values: map[string]string{"displayName": p.Attendant.DisplayName}, Mistakes: map[string]string{}}
	p.Form.putHours(p.Attendant.Hours)
	return p, s.keeps(w, r, p.desk)
}

func (s *service) attendantPage(w http.ResponseWriter, r *http.Request) {
	if p, ok := s.attendantView(w, r); ok {
		s.pages.Render(w, r, http.StatusOK, attendantPage(p))
	}
}

func (s *service) saveAttendant(w http.ResponseWriter, r *http.Request) {
	p, ok := s.attendantView(w, r)
	if !ok || !s.staffForm(w, r) {
		return
	}
	a := p.Attendant
	a.DisplayName = strings.TrimSpace(r.PostForm.Get("displayName"))
	p.Form.Values["displayName"] = a.DisplayName
	if n := utf8.RuneCountInString(a.DisplayName); n == 0 || n > maxDisplayName {
		p.Form.Mistakes["displayName"] = p.T("booking.staff.nameMissing", "Count", maxDisplayName)
	}
	a.Hours = p.Form.hours(p.View, r.PostForm, cellMinutes, maxAttendHours)
	spec := *p.Spec.DeepCopy()
	if a.Name == "" {
		if len(spec.Attendants) >= maxAttendants {
			p.Form.Mistakes["displayName"] = p.T("booking.staff.attendantsMany", "Count", maxAttendants)
		}
		// Never the name of somebody who has gone, whose bookings it would take over.
		a.Name = "a-" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
		spec.Attendants = append(spec.Attendants, a)
	} else {
		i := slices.IndexFunc(spec.Attendants, func(o v1alpha1.Attendant) bool { return o.Name == a.Name })
		spec.Attendants[i] = a
	}
	p.Form.check(p.View, spec)
	if len(p.Form.Mistakes) > 0 {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, attendantPage(p))
		return
	}
	s.keepAttendants(w, r, spec, "saved")
}

func (s *service) keepAttendants(w http.ResponseWriter, r *http.Request, spec v1alpha1.Venue, done string) {
	if err := s.store.SaveVenue(r.Context(), s.staffAct(r.Context(), uuid.Nil), spec); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffVenuesPath+spec.Name+"/attendants", done), http.StatusSeeOther)
}

func (s *service) removeAttendantPage(w http.ResponseWriter, r *http.Request) {
	if p, ok := s.attendantView(w, r); ok {
		s.pages.Render(w, r, http.StatusOK, removeAttendantPage(p))
	}
}

// removeAttendant takes an attendant off a venue, but not while there are
// bookings with them ahead: those would be with nobody.
func (s *service) removeAttendant(w http.ResponseWriter, r *http.Request) {
	p, ok := s.attendantView(w, r)
	if !ok {
		return
	}
	ahead, err := s.aheadOf(r.Context(), p)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if p.Ahead = ahead; ahead > 0 {
		s.pages.Render(w, r, http.StatusConflict, removeAttendantPage(p))
		return
	}
	spec := *p.Spec.DeepCopy()
	spec.Attendants = slices.DeleteFunc(spec.Attendants, func(a v1alpha1.Attendant) bool { return a.Name == p.Attendant.Name })
	s.keepAttendants(w, r, spec, "removed")
}

// aheadOf is how many bookings are with an attendant from now on.
func (s *service) aheadOf(ctx context.Context, p attendantView) (int, error) {
	v, err := s.store.Venue(ctx, p.Spec.Name, p.Now)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(v.Attendants, func(a Attendant) bool { return a.Name == p.Attendant.Name })
	if i < 0 {
		return 0, ErrNotFound
	}
	return s.store.Ahead(ctx, v.Name, v.Attendants[i].Place, p.Now)
}

// membersView is what the list of a venue's members shows.
type membersView struct {
	deskVenue
	Members []Member
	// Query is a name or phone number that was looked for, Found are the
	// people who may be meant.
	Query string
	Found []identity.Person
}

func (s *service) membersPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.deskVenue(r)
	p := membersView{deskVenue: v}
	if err == nil {
		p.Members, err = s.store.Members(r.Context(), p.Spec.Name)
	}
	if err == nil {
		err = s.look(r.Context(), Look{what: actionMembersView, object: p.Spec.Name, people: membersOf(p.Members)})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if p.Query = typed(r.URL.Query(), "q"); p.Query != "" {
		if p.Found, err = s.people.Find(r.Context(), p.Query, deskFindLimit); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.pages.Render(w, r, http.StatusOK, membersPage(p))
}

// member says that a person is on the list.
func (p membersView) member(person string) bool {
	return slices.ContainsFunc(p.Members, func(m Member) bool { return m.Person == person })
}

func (s *service) memberAdded(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	venue := r.PathValue("venue")
	person, err := s.person(r.Context(), r.PostForm.Get("person"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	caller, _ := identity.FromContext(r.Context())
	err = s.store.AddMember(r.Context(), Member{Venue: venue, Person: person.ID, Name: person.Name, AddedBy: caller.ID, AddedAt: s.clock.Now()})
	s.membersChanged(w, r, venue, "added", err)
}

func (s *service) memberRemoved(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	venue := r.PathValue("venue")
	s.membersChanged(w, r, venue, "removed", s.store.RemoveMember(r.Context(), s.staffAct(r.Context(), uuid.Nil), venue, r.PostForm.Get("person")))
}

func (s *service) membersChanged(w http.ResponseWriter, r *http.Request, venue, done string, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffVenuesPath+url.PathEscape(venue)+"/members", done), http.StatusSeeOther)
}

// posterView is what the sheet for a venue's door shows.
type posterView struct {
	deskVenue
	// Address is where the code leads, Code what can be typed instead.
	Address, Code string
}

func (s *service) posterPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.deskVenue(r)
	p := posterView{deskVenue: v}
	if err == nil {
		p.Code, err = s.store.DoorCode(r.Context(), p.Spec.Name)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Address = s.site() + doorPath + p.Spec.Name + "?" + url.Values{"code": {p.Code}}.Encode()
	s.pages.Render(w, r, http.StatusOK, posterPage(p))
}

func (s *service) renewPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.deskVenue(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, renewPage(p))
}

func (s *service) renewCode(w http.ResponseWriter, r *http.Request) {
	p, err := s.deskVenue(r)
	if err == nil {
		_, err = s.store.RenewDoorCode(r.Context(), s.staffAct(r.Context(), uuid.Nil), p.Spec.Name)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffVenuesPath+p.Spec.Name+"/poster", "renewed"), http.StatusSeeOther)
}

// mistakes are what the form says is wrong, in the order of its fields.
func (p deskVenue) mistakes() []web.FieldError { return inOrder(p.Form.Mistakes, venueFields...) }
