package booking

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
)

// What staff change is audited by the store, in the transaction that changes
// it. What they look at is audited before they are shown it: if that cannot be
// written they are shown nothing. Entries have IDs, names of venues and of
// fields, days and counts.

// action is what the audit calls something, without the name of the service.
type action string

// The actions.
const (
	actionBook       action = "book"
	actionBookSeries action = "book-series"
	actionChange     action = "change"
	actionCancel     action = "cancel"
	actionApprove    action = "approve"
	actionRefuse     action = "refuse"
	actionAccept     action = "accept"
	actionCheckIn    action = "check-in"
	actionWait       action = "wait"
	actionLeave      action = "leave"

	actionClose       action = "close"
	actionCloseCancel action = "close-cancel"
	actionCloseMove   action = "close-move"
	actionReopen      action = "reopen"

	actionVenueAdd      action = "venue-add"
	actionVenueChange   action = "venue-change"
	actionVenueRetire   action = "venue-retire"
	actionVenueRestore  action = "venue-restore"
	actionDoorCodeRenew action = "door-code-renew"
	actionMemberAdd     action = "member-add"
	actionMemberRemove  action = "member-remove"

	// actionView is that somebody looked at something of one person.
	actionView action = "view"
	// actionListed is that a person was in a list that somebody looked at,
	// actionPrinted that it was one that is made to be printed.
	actionListed  action = "listed"
	actionPrinted action = "printed"
	// The lists, as a whole.
	actionDayView      action = "day-view"
	actionRequestsView action = "requests-view"
	actionWaitingView  action = "waiting-view"
	actionClosureView  action = "closure-view"
	actionClosureTry   action = "closure-try"
	actionMembersView  action = "members-view"

	actionForget action = "forget"
)

// actionTexts are what the actions are called, by the messages that say so.
var actionTexts = map[action]string{
	actionBook: "booking.action.book", actionBookSeries: "booking.action.bookSeries", actionChange: "booking.action.change",
	actionCancel: "booking.action.cancel", actionApprove: "booking.action.approve", actionRefuse: "booking.action.refuse",
	actionAccept: "booking.action.accept", actionCheckIn: "booking.action.checkIn",
	actionWait: "booking.action.wait", actionLeave: "booking.action.leave",
	actionClose: "booking.action.close", actionCloseCancel: "booking.action.closeCancel", actionCloseMove: "booking.action.closeMove",
	actionReopen:   "booking.action.reopen",
	actionVenueAdd: "booking.action.venueAdd", actionVenueChange: "booking.action.venueChange",
	actionVenueRetire: "booking.action.venueRetire", actionVenueRestore: "booking.action.venueRestore",
	actionDoorCodeRenew: "booking.action.doorCodeRenew",
	actionMemberAdd:     "booking.action.memberAdd", actionMemberRemove: "booking.action.memberRemove",
	actionView: "booking.action.view", actionListed: "booking.action.listed", actionPrinted: "booking.action.printed",
	actionDayView: "booking.action.dayView", actionRequestsView: "booking.action.requestsView",
	actionWaitingView: "booking.action.waitingView", actionClosureView: "booking.action.closureView",
	actionClosureTry: "booking.action.closureTry", actionMembersView: "booking.action.membersView",
	actionForget: "booking.action.forget",
}

// name is the action as the audit has it.
func (a action) name() string { return Name + "." + string(a) }

// actions are the texts of what the audit has, for the service of residents.
func actions() map[string]string {
	texts := make(map[string]string, len(actionTexts))
	for a, id := range actionTexts {
		texts[a.name()] = id
	}
	return texts
}

// entry is that the act does something about a person, or about nobody if
// person is empty.
func (a Act) entry(what action, person, object string, detail map[string]string) audit.Entry {
	// The ID of somebody without an account is made of their name and number.
	// The audit is kept for long, and who guesses them could see in it that they
	// were right; nor can anybody ask for what it has about them. So it only
	// names the booking.
	if isGuest(person) {
		person = ""
	}
	return audit.Entry{Action: what.name(), Actor: a.Actor, Person: person, Object: object, Detail: detail}
}

// note audits that the act does something.
func (a Act) note(ctx context.Context, tx bun.Tx, what action, person, object string, detail map[string]string) error {
	return audit.Append(ctx, tx, a.Now, a.entry(what, person, object, detail))
}

// noteBooking audits what the act does with a booking, or that it was seen by
// it if the act changed nothing.
func (a Act) noteBooking(ctx context.Context, tx bun.Tx, what action, before, after Booking) error {
	if after == before {
		what = actionView
	}
	detail := map[string]string{"venue": after.Venue}
	if fields := moved(before, after); len(fields) > 0 {
		detail["fields"] = strings.Join(fields, ",")
	}
	return a.note(ctx, tx, what, after.Person, after.ID.String(), detail)
}

// moved are the fields of a booking's time and place that changed.
func moved(before, after Booking) (fields []string) {
	if !before.Start.Equal(after.Start) {
		fields = append(fields, "start")
	}
	if !before.End.Equal(after.End) {
		fields = append(fields, "end")
	}
	if before.Place != after.Place {
		fields = append(fields, "place")
	}
	return fields
}

// See audits that a member of staff is about to be shown a person's booking.
func (s *Store) See(ctx context.Context, a Act, b Booking) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return a.noteBooking(ctx, tx, actionView, b, b) })
	if err != nil {
		return fmt.Errorf("nothing is shown, since that could not be recorded: %w", err)
	}
	return nil
}

// Look is a list of people that a member of staff is about to be shown.
type Look struct {
	what action
	// object is what it is a list of: a day, a venue, the ID of a closure.
	object string
	people []string
	// printed says that it is made for paper: then everybody in it has an entry
	// each time, and else once a day.
	printed bool
}

// LookOver audits a look at a list: one entry for the list with how many are in
// it, and one for each person, by which they learn of it. The day's board is
// opened all day long; so there is one for a person, who looks, and a day.
func (s *Store) LookOver(ctx context.Context, a Act, l Look) error {
	each, known := actionPrinted, map[string]bool{}
	if !l.printed {
		each = actionListed
		midnight, _ := DateOf(a.Now, a.Location).Bounds(a.Location)
		// Beside the queue of writers, where time is scarce: two looks at the same
		// moment may both note a person.
		var err error
		if known, err = audit.Noted(ctx, s.db, a.Actor, each.name(), midnight); err != nil {
			return err
		}
	}
	entries := slices.DeleteFunc(a.entries(l.what, each, l.object, l.people), func(e audit.Entry) bool { return known[e.Person] })
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return audit.Append(ctx, tx, a.Now, entries...) })
	if err != nil {
		return fmt.Errorf("nothing is shown, since that could not be recorded: %w", err)
	}
	return nil
}

// entries are that a list was seen, and each of the people in it.
func (a Act) entries(what, each action, object string, people []string) []audit.Entry {
	some := make(map[string]bool, len(people))
	for _, p := range people {
		some[p] = true
	}
	delete(some, "") // who was deleted
	entries := []audit.Entry{a.entry(what, "", object, map[string]string{"people": strconv.Itoa(len(some))})}
	for _, p := range slices.Sorted(maps.Keys(some)) {
		if !isGuest(p) {
			entries = append(entries, a.entry(each, p, object, nil))
		}
	}
	return entries
}

// peopleOf are for whom bookings are.
func peopleOf(bookings []Booking) []string {
	people := make([]string, len(bookings))
	for i, b := range bookings {
		people[i] = b.Person
	}
	return people
}

// look has a list that is about to be shown to the caller audited.
func (s *service) look(ctx context.Context, l Look) error {
	return s.store.LookOver(ctx, s.staffAct(ctx, uuid.Nil), l)
}

// affectedPeople are for whom the bookings of a closure are.
func affectedPeople(affected []Affected) []string {
	people := make([]string, len(affected))
	for i, a := range affected {
		people[i] = a.Before.Person
	}
	return people
}
