package booking

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/width"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// The staff's pages. Everything beneath staffPath is for people who are
// charged with a duty; whom they act for is nobody's business but theirs, so
// what they do is done with staffAct.

// Paths of the staff's pages.
const (
	staffPath         = homePath + "staff/"
	staffBookingsPath = staffPath + "bookings/"
	staffOrderPath    = staffPath + "book"
	staffRequestsPath = staffPath + "requests"
	staffWaitingPath  = staffPath + "waiting"
	staffClosuresPath = staffPath + "closures/"
	staffVenuesPath   = staffPath + "venues/"
	staffUsePath      = staffPath + "use"
)

// staffRoute is a page of the staff, or what one of its forms does.
type staffRoute struct {
	duty    identity.Duty
	pattern string
	handle  http.HandlerFunc
}

// staffRoutes are all routes of the staff's pages.
func (s *service) staffRoutes() []staffRoute {
	return []staffRoute{
		{identity.FrontDesk, "GET " + staffPath + "{$}", s.boardPage},
		{identity.FrontDesk, "GET " + staffBookingsPath + "{id}", s.staffBookingPage},
		{identity.FrontDesk, "POST " + staffBookingsPath + "{id}/check-in", s.checkInAtDesk},
		{identity.FrontDesk, "POST " + staffBookingsPath + "{id}/approve", s.approveFromPage},
		{identity.FrontDesk, "POST " + staffBookingsPath + "{id}/accept", s.acceptAtDesk},
		{identity.FrontDesk, "GET " + staffBookingsPath + "{id}/refuse", s.refusePage},
		{identity.FrontDesk, "POST " + staffBookingsPath + "{id}/refuse", s.refuseFromPage},
		{identity.FrontDesk, "GET " + staffBookingsPath + "{id}/cancel", s.staffCancelPage},
		{identity.FrontDesk, "POST " + staffBookingsPath + "{id}/cancel", s.cancelAtDesk},
		{identity.FrontDesk, "GET " + staffBookingsPath + "{id}/change", s.staffChangePage},
		{identity.FrontDesk, "POST " + staffBookingsPath + "{id}/change", s.changeAtDesk},
		{identity.FrontDesk, "GET " + staffOrderPath, s.deskOrderPage},
		{identity.FrontDesk, "POST " + staffOrderPath, s.orderAtDesk},
		{identity.FrontDesk, "GET " + staffRequestsPath, s.requestsPage},
		{identity.FrontDesk, "GET " + staffWaitingPath, s.staffWaitingPage},
		{identity.FrontDesk, "GET " + staffClosuresPath + "{$}", s.closuresPage},
		{identity.FrontDesk, "GET " + staffClosuresPath + "new", s.closePage},
		{identity.FrontDesk, "POST " + staffClosuresPath + "new", s.closeFromPage},
		{identity.FrontDesk, "GET " + staffClosuresPath + "{id}", s.closurePage},
		{identity.FrontDesk, "GET " + staffClosuresPath + "{id}/reopen", s.reopenPage},
		{identity.FrontDesk, "POST " + staffClosuresPath + "{id}/reopen", s.reopenFromPage},
		{identity.FrontDesk, "GET " + staffUsePath, s.usePage},
		{identity.FrontDesk, "GET " + staffUsePath + ".csv", s.useFile},
		{identity.FrontDesk, "GET " + staffVenuesPath + "{$}", s.staffVenuesPage},
		{identity.FrontDesk, "GET " + staffVenuesPath + "{venue}/poster", s.posterPage},
		{identity.Manager, "GET " + staffVenuesPath + "{venue}/renew", s.renewPage},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/renew", s.renewCode},
		{identity.Manager, "GET " + staffVenuesPath + "new", s.newVenuePage},
		{identity.Manager, "POST " + staffVenuesPath + "new", s.makeVenue},
		{identity.Manager, "GET " + staffVenuesPath + "{venue}/edit", s.deskVenuePage},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/edit", s.changeVenue},
		{identity.Manager, "GET " + staffVenuesPath + "{venue}/retire", s.retirePage},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/retire", s.retireFromPage},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/restore", s.restoreVenue},
		{identity.Manager, "GET " + staffVenuesPath + "{venue}/attendants", s.attendantsPage},
		{identity.Manager, "GET " + staffVenuesPath + "{venue}/add-attendant", s.attendantPage},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/add-attendant", s.saveAttendant},
		{identity.Manager, "GET " + staffVenuesPath + "{venue}/attendants/{attendant}", s.attendantPage},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/attendants/{attendant}", s.saveAttendant},
		{identity.Manager, "GET " + staffVenuesPath + "{venue}/attendants/{attendant}/remove", s.removeAttendantPage},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/attendants/{attendant}/remove", s.removeAttendant},
		{identity.Manager, "GET " + staffVenuesPath + "{venue}/members", s.membersPage},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/members", s.memberAdded},
		{identity.Manager, "POST " + staffVenuesPath + "{venue}/members/remove", s.memberRemoved},
	}
}

func (s *service) mountStaff(mux *host.Router, people *identity.Identity) {
	for _, route := range s.staffRoutes() {
		mux.Handle(route.pattern, people.RequireDuty(route.duty, s.pages.Error, route.handle))
	}
}

// atFrontDesk reports whether the caller may see the staff's pages.
func atFrontDesk(ctx context.Context) bool {
	caller, ok := identity.FromContext(ctx)
	return ok && caller.Has(identity.FrontDesk)
}

// desk is what every page of the staff knows.
type desk struct {
	web.View
	// Page is the path of the page's tab.
	Page string
	// Manager says that the reader may change venues and their members.
	Manager bool
	// Requests is how many requests wait for an answer.
	Requests int
	// Done is the id of the message about what was just done; empty if nothing was.
	Done string
	Now  time.Time
}

// What the staff's pages say was just done, by the name in the address.
var deskDone = map[string]string{
	"arrived": "booking.staff.done.arrived", "approved": "booking.staff.done.approved", "accepted": "booking.staff.done.accepted",
	"refused": "booking.staff.done.refused", "cancelled": "booking.staff.done.cancelled", "changed": "booking.staff.done.changed",
	"booked": "booking.staff.done.booked", "closed": "booking.staff.done.closed", "reopened": "booking.staff.done.reopened",
	"saved": "booking.staff.done.saved", "retired": "booking.staff.done.retired", "restored": "booking.staff.done.restored",
	"added": "booking.staff.done.added", "removed": "booking.staff.done.removed", "renewed": "booking.staff.done.renewed",
}

// desk prepares a page that belongs to the tab with a path.
func (s *service) desk(r *http.Request, page string) (desk, error) {
	d := desk{View: s.pages.View(r), Page: page, Now: s.clock.Now(), Done: deskDone[r.URL.Query().Get("done")]}
	if p, ok := identity.FromContext(r.Context()); ok {
		d.Manager = p.Has(identity.Manager)
	}
	var err error
	d.Requests, err = s.store.CountRequested(r.Context())
	return d, err
}

// tabs lead to the staff's pages.
func (d desk) tabs() []web.Tab {
	requests := d.T("booking.staff.tab.requests")
	if d.Requests > 0 {
		requests = d.T("booking.staff.tab.requestsWaiting", "Count", d.Requests)
	}
	tabs := []web.Tab{
		{Label: d.T("booking.staff.tab.board"), Href: staffPath},
		{Label: d.T("booking.staff.tab.book"), Href: staffOrderPath},
		{Label: requests, Href: staffRequestsPath},
		{Label: d.T("booking.staff.tab.waiting"), Href: staffWaitingPath},
		{Label: d.T("booking.staff.tab.closures"), Href: staffClosuresPath},
		{Label: d.T("booking.staff.tab.venues"), Href: staffVenuesPath},
		{Label: d.T("booking.staff.tab.use"), Href: staffUsePath},
	}
	for i := range tabs {
		tabs[i].Current = tabs[i].Href == d.Page
	}
	return tabs
}

// today is the day in the community's zone.
func (d desk) today() Date { return DateOf(d.Now, d.Location) }

// dateOf is the day that a page was asked for, else today.
func (s *service) dateOf(r *http.Request) (Date, error) {
	if text := r.URL.Query().Get("date"); text != "" {
		return ParseDate(text)
	}
	return s.today(), nil
}

// boardURL is the board of a day.
func boardURL(d Date) string { return staffPath + "?" + url.Values{"date": {d.String()}}.Encode() }

// staffBookingURL is the staff's page of a booking.
func staffBookingURL(id uuid.UUID) string { return staffBookingsPath + id.String() }

// withDone is an address that says what was just done.
func withDone(path, done string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + url.Values{"done": {done}}.Encode()
}

// staffForm reads a form of the staff's pages; what cannot be read is answered.
func (s *service) staffForm(w http.ResponseWriter, r *http.Request) bool {
	if _, err := readForm(w, r); err != nil {
		s.fail(w, r, err)
		return false
	}
	return true
}

// goBack leads to the page of the staff that a form came from, or else to
// another one.
func goBack(w http.ResponseWriter, r *http.Request, otherwise, done string) {
	back := web.LocalPath(r.PostForm.Get("back"))
	if !strings.HasPrefix(back, staffPath) {
		back = otherwise
	}
	http.Redirect(w, r, withDone(back, done), http.StatusSeeOther)
}

// maxReason is how many characters a reason may have.
const maxReason = 200

// typed is what was typed into a field of a form: one line, without the
// letters and digits in full width that Chinese keyboards also write.
func typed(form url.Values, field string) string {
	return strings.Join(strings.Fields(width.Fold.String(form.Get(field))), " ")
}

// reasonOf is the reason in a form, and the id of the message that says what
// is wrong with it.
func reasonOf(form url.Values) (reason, problem string) {
	// What people read keeps the punctuation as it was written.
	reason = strings.Join(strings.Fields(form.Get("reason")), " ")
	switch {
	case reason == "":
		return reason, "booking.staff.reasonMissing"
	case utf8.RuneCountInString(reason) > maxReason:
		return reason, "booking.staff.reasonTooLong"
	}
	return reason, ""
}

// staffRefusal says in the staff's words why something was not done.
func staffRefusal(v web.View, r *Refusal) string {
	if r.Rule == RuleClosure && r.Detail != "" {
		return v.T("booking.staff.closedBecause", "Reason", r.Detail)
	}
	return v.T("booking.staff.rule."+string(r.Rule), "Count", r.Count)
}

// notDone says why something was not done, if that is nobody's fault.
func notDone(v web.View, err error) (text string, ok bool) {
	if refusal, refused := errors.AsType[*Refusal](err); refused {
		return staffRefusal(v, refusal), true
	}
	if errors.Is(err, ErrTaken) {
		return v.T("booking.staff.taken"), true
	}
	return "", false
}

// placeText names a place: the attendant, or the number of the seat; empty if
// there is only one place.
func placeText(v web.View, at Venue, place int) string {
	if a, ok := at.AttendantAt(place); ok {
		return a.DisplayName
	}
	if place == 0 || at.Places <= 1 {
		return ""
	}
	return v.T("booking.seatNumber", "Number", place)
}
