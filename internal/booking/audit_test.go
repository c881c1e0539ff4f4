package booking

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
)

// noted are the entries of the audit, the oldest first: action, actor and
// person, and what it says more.
func noted(t testing.TB, s *Store) []string {
	t.Helper()
	if r, err := audit.Verify(t.Context(), s.db); err != nil || r.Bad != nil {
		t.Fatalf("the audit does not verify: %+v, %v", r.Bad, err)
	}
	records, err := audit.Between(t.Context(), s.db, time.Time{}, moment(t, monday).AddDate(10, 0, 0), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]string, len(records))
	for i, r := range records {
		entry := strings.Join([]string{r.Action, r.Actor, r.Person}, " ")
		for _, key := range []string{"venue", "fields", "bookings", "people"} {
			if r.Detail[key] != "" {
				entry += " " + key + "=" + r.Detail[key]
			}
		}
		entries[len(records)-1-i] = entry
	}
	return entries
}

// noting checks which entries f adds.
func noting(t testing.TB, s *Store, what string, f func() error, want ...string) {
	t.Helper()
	before := len(noted(t, s))
	if err := f(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if got := noted(t, s)[before:]; !slices.Equal(got, want) {
		t.Errorf("%s: audited %q, want %q", what, got, want)
	}
}

// forLi is an order that the desk makes for Li.
func forLi(t testing.TB, venue string, hour int) Order {
	t.Helper()
	o := at(t, venue, "li", hour)
	o.BookedBy, o.Staff = "desk", true
	return o
}

// TestStaffAreAudited: what staff do leaves exactly one entry for each booking,
// with who did it and about whom; the same again says only that it was seen.
func TestStaffAreAudited(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		now := moment(t, monday)
		approved := hall()
		save(t, s, approved)
		act1 := func(id uuid.UUID, do func(context.Context, Act) (Booking, bool, error)) func() error {
			return func() error {
				_, _, err := do(t.Context(), byStaff(t, id, now))
				return err
			}
		}
		reason := func(do func(context.Context, Act, string) (Booking, bool, error), text string) func(context.Context, Act) (Booking, bool, error) {
			return func(ctx context.Context, a Act) (Booking, bool, error) { return do(ctx, a, text) }
		}
		var b Booking
		order := forLi(t, "music", 9)
		order.Key = "once"
		book := func() (err error) {
			b, _, err = s.Book(t.Context(), order)
			return err
		}
		noting(t, s, "booked", book, "booking.book desk li venue=music")
		noting(t, s, "booked again", book, "booking.view desk li venue=music")
		noting(t, s, "changed", func() error {
			_, _, err := s.Change(t.Context(), byStaff(t, b.ID, now), Party{Staff: true}, at(t, "music", "li", 10).Request)
			return err
		}, "booking.change desk li venue=music fields=start,end")
		checkIn := reason(s.CheckIn, "")
		noting(t, s, "checked in", act1(b.ID, checkIn), "booking.check-in desk li venue=music")
		noting(t, s, "cancelled", act1(b.ID, reason(s.Cancel, "停水")), "booking.cancel desk li venue=music")
		noting(t, s, "cancelled again", act1(b.ID, reason(s.Cancel, "停水")), "booking.view desk li venue=music")

		asked, other := book1(t, s, at(t, "hall", "wang", 9)), book1(t, s, at(t, "hall", "li", 14))
		noting(t, s, "approved", act1(asked.ID, s.Approve), "booking.approve desk wang venue=hall")
		noting(t, s, "refused", act1(other.ID, reason(s.Refuse, "开会")), "booking.refuse desk li venue=hall")

		// Somebody without an account is named by their booking only.
		guest := forLi(t, "study", 14)
		guest.Person = guestPrefix + uuid.NewString()
		noting(t, s, "a guest", func() error { _, _, err := s.Book(t.Context(), guest); return err }, "booking.book desk  venue=study")

		series := SeriesOrder{Order: forLi(t, "study", 9), Until: date(t, "2026-12-07")}
		series.Key = "series"
		bookSeries := func() error {
			_, _, err := s.BookSeries(t.Context(), series)
			return err
		}
		noting(t, s, "a series", bookSeries, "booking.book-series desk li venue=study bookings=3")
		noting(t, s, "the series again", bookSeries, "booking.view desk li venue=study")
		series.Try, series.Key = true, ""
		noting(t, s, "a series that is only tried", bookSeries)
		id, _, err := s.BookSeries(t.Context(), SeriesOrder{Order: forLi(t, "study", 10), Until: date(t, "2026-11-30")})
		if err != nil {
			t.Fatal(err)
		}
		noting(t, s, "the series cancelled", func() error {
			_, err := s.CancelSeries(t.Context(), byStaff(t, id, now), "")
			return err
		}, "booking.cancel desk li venue=study", "booking.cancel desk li venue=study")

		// The waiting list.
		taken := book1(t, s, at(t, "music", "wang", 15))
		var e Entry
		wait := func() (err error) {
			e, err = s.Join(t.Context(), forLi(t, "music", 15))
			return err
		}
		noting(t, s, "waits", wait, "booking.wait desk li venue=music")
		noting(t, s, "waits again", wait, "booking.view desk li venue=music")
		leave := func() error { _, err := s.Leave(t.Context(), byStaff(t, e.ID, now)); return err }
		noting(t, s, "left", leave, "booking.leave desk li venue=music")
		noting(t, s, "left again", leave)
		noting(t, s, "waits once more", wait, "booking.wait desk li venue=music")
		cancel1(t, s, taken, now)
		held := entryIs(t, s, e.ID, EntryOffered)
		noting(t, s, "accepted", act1(held.Booking, s.Accept), "booking.accept desk li venue=music")

		// Closures: an entry for the closure, and one for each booking.
		var c Closure
		closing := closureOf(t, "study", 0, "09:00", "10:00")
		closing.Key, closing.Move = "closed", true
		gone := book1(t, s, at(t, "study", "wang", 9))
		shut := func() (err error) {
			c, _, _, err = s.Close(t.Context(), closing)
			return err
		}
		noting(t, s, "closed", shut, "booking.close desk  venue=study bookings=2",
			"booking.close-move desk li venue=study fields=start,end", "booking.close-move desk wang venue=study fields=start,end")
		noting(t, s, "closed again", shut, "booking.closure-view desk  people=2", "booking.printed desk li", "booking.printed desk wang")
		noting(t, s, "opened", func() error { return s.Reopen(t.Context(), byStaff(t, c.ID, now)) }, "booking.reopen desk  venue=study")
		noting(t, s, "opened again", func() error { return s.Reopen(t.Context(), byStaff(t, c.ID, now)) })
		closing.Key, closing.Move, closing.Try = "", false, true
		closing.Slot = stateIs(t, s, gone.ID, StateBooked).Slot
		noting(t, s, "only tried", shut, "booking.closure-try desk  people=2", "booking.listed desk li", "booking.listed desk wang")
		closing.Try = false
		noting(t, s, "cancelled by closing", shut, "booking.close desk  venue=study bookings=2",
			"booking.close-cancel desk li venue=study", "booking.close-cancel desk wang venue=study")

		// Venues and members.
		pool := musicRoom()
		pool.Name = "pool"
		keep := func() error { return s.SaveVenue(t.Context(), byStaff(t, uuid.Nil, now), pool) }
		noting(t, s, "a venue", keep, "booking.venue-add desk ")
		noting(t, s, "the same venue", keep)
		pool.DisplayName, pool.MinAge = "泳池", 12
		noting(t, s, "another venue", keep, "booking.venue-change desk  fields=displayName,minAge")
		noting(t, s, "retired", func() error { return s.RetireVenue(t.Context(), byStaff(t, uuid.Nil, now), "pool") }, "booking.venue-retire desk ")
		noting(t, s, "restored", keep, "booking.venue-restore desk ")
		noting(t, s, "a code", func() error { _, err := s.DoorCode(t.Context(), "pool"); return err })
		noting(t, s, "another code", func() error {
			_, err := s.RenewDoorCode(t.Context(), byStaff(t, uuid.Nil, now), "pool")
			return err
		}, "booking.door-code-renew desk ")
		join := func() error {
			return s.AddMember(t.Context(), Member{Venue: "pool", Person: "li", AddedBy: "desk", AddedAt: now})
		}
		noting(t, s, "a member", join, "booking.member-add desk li")
		noting(t, s, "a member again", join)
		noting(t, s, "a member no more", func() error {
			return s.RemoveMember(t.Context(), byStaff(t, uuid.Nil, now), "pool", "li")
		}, "booking.member-remove desk li")
		noting(t, s, "no member", func() error {
			return s.RemoveMember(t.Context(), byStaff(t, uuid.Nil, now), "pool", "li")
		})
	})
}

// TestNoEntryWithoutAct: what residents do, what happens by itself and what
// does not come about is in no entry.
func TestNoEntryWithoutAct(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		now := moment(t, monday)
		save(t, s, hall())
		fails := func(do func() error) func() error {
			return func() error {
				if do() == nil {
					return errors.New("it was done")
				}
				return nil
			}
		}
		b := book1(t, s, at(t, "music", "li", 9))
		noting(t, s, "a resident cancels", func() error { _, _, err := s.Cancel(t.Context(), act(t, "li", b.ID, now), ""); return err })
		book1(t, s, at(t, "hall", "li", 9))
		noting(t, s, "a request ends", func() error {
			done, err := s.Advance(t.Context(), oclock(t, "12:00"), zone(t, "Asia/Shanghai"))
			if done.Expired != 1 {
				t.Errorf("%+v", done)
			}
			return err
		})
		book1(t, s, at(t, "music", "wang", 10))
		noting(t, s, "a place that is taken", fails(func() error { _, _, err := s.Book(t.Context(), forLi(t, "music", 10)); return err }))
		noting(t, s, "a series with a week that is taken", func() error {
			_, _, err := s.BookSeries(t.Context(), SeriesOrder{Order: forLi(t, "music", 10), Until: date(t, "2026-11-30"), AllOrNothing: true})
			return err
		})
		noting(t, s, "too late", fails(func() error {
			_, _, err := s.Cancel(t.Context(), byStaff(t, book1(t, s, at(t, "study", "li", 9)).ID, oclock(t, "11:00")), "")
			return err
		}))
		// What cannot be told is undone, and its entry with it.
		c := book1(t, s, at(t, "study", "wang", 9))
		s.OnNews(func(context.Context, bun.Tx, News) error { return errors.New("the outbox is full") })
		noting(t, s, "what cannot be told", fails(func() error { _, _, err := s.Cancel(t.Context(), byStaff(t, c.ID, now), ""); return err }))
		stateIs(t, s, c.ID, StateBooked)
	})
}

// TestNothingWithoutEntry: if it cannot be audited nothing is changed, and
// nothing is shown.
func TestNothingWithoutEntry(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		now := moment(t, monday)
		b := book1(t, s, at(t, "music", "li", 9))
		err := s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM audit_head")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for what, do := range map[string]func() error{
			"cancel": func() error { _, _, err := s.Cancel(t.Context(), byStaff(t, b.ID, now), ""); return err },
			"book":   func() error { _, _, err := s.Book(t.Context(), forLi(t, "study", 9)); return err },
			"close": func() error {
				_, _, _, err := s.Close(t.Context(), closureOf(t, "music", 0, "08:00", "18:00"))
				return err
			},
			"see":  func() error { return s.See(t.Context(), byStaff(t, b.ID, now), b) },
			"list": func() error { return s.LookOver(t.Context(), byStaff(t, b.ID, now), Look{what: actionDayView}) },
			"no actor": func() error {
				a := byStaff(t, b.ID, now)
				a.Actor = ""
				return s.See(t.Context(), a, b)
			},
		} {
			if err := do(); err == nil {
				t.Errorf("%s without an entry", what)
			}
		}
		stateIs(t, s, b.ID, StateBooked)
		if day, err := s.Board(t.Context(), date(t, "2026-11-23")); err != nil || len(day) != 1 {
			t.Errorf("%d bookings, %v", len(day), err)
		}
	})
}

// TestLooksAtLists: each look at a list has an entry. Who is in it has one each
// time it may be printed, and else one for each day and each who looks.
func TestLooksAtLists(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		now := moment(t, monday)
		list := Look{what: actionDayView, object: "2026-11-23", people: []string{"li", "wang", "li", "", guestPrefix + "x"}}
		look := func(actor string, now time.Time, l Look) func() error {
			a := byStaff(t, uuid.Nil, now)
			a.Actor = actor
			return func() error { return s.LookOver(t.Context(), a, l) }
		}
		noting(t, s, "first", look("desk", now, list), "booking.day-view desk  people=3", "booking.listed desk li", "booking.listed desk wang")
		list.people = append(list.people, "zhao")
		noting(t, s, "one more", look("desk", now.Add(time.Hour), list), "booking.day-view desk  people=4", "booking.listed desk zhao")
		noting(t, s, "another list", look("desk", now, Look{what: actionRequestsView, people: []string{"li"}}), "booking.requests-view desk  people=1")
		noting(t, s, "by another", look("chen", now, Look{what: actionRequestsView, people: []string{"li"}}),
			"booking.requests-view chen  people=1", "booking.listed chen li")
		noting(t, s, "before midnight", look("desk", moment(t, "2026-11-23T23:59:00+08:00"), list), "booking.day-view desk  people=4")
		noting(t, s, "after midnight", look("desk", moment(t, "2026-11-24T00:00:00+08:00"), Look{what: actionDayView, people: []string{"li"}}),
			"booking.day-view desk  people=1", "booking.listed desk li")
		paper := Look{what: actionClosureView, people: []string{"li"}, printed: true}
		for range 2 {
			noting(t, s, "for paper", look("desk", now, paper), "booking.closure-view desk  people=1", "booking.printed desk li")
		}
		noting(t, s, "nobody", look("desk", now, Look{what: actionWaitingView}), "booking.waiting-view desk  people=0")
	})
}

// TestEntriesHaveNoPersonalData: names, numbers and what was typed are in none.
func TestEntriesHaveNoPersonalData(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		o := forLi(t, "music", 9)
		o.Name, o.Phone, o.Note = "李强", "13800000002", "靠窗"
		b := book1(t, s, o)
		closing := closureOf(t, "music", 0, "08:00", "18:00")
		closing.Reason = "停水"
		close1(t, s, closing)
		other := book1(t, s, at(t, "study", "wang", 9))
		if _, _, err := s.Cancel(t.Context(), byStaff(t, other.ID, o.Now), "漏水"); err != nil {
			t.Fatal(err)
		}
		if err := s.AddMember(t.Context(), Member{Venue: "study", Person: "li", Name: "李强", AddedBy: "desk", AddedAt: o.Now}); err != nil {
			t.Fatal(err)
		}
		if err := s.See(t.Context(), byStaff(t, b.ID, o.Now), b); err != nil {
			t.Fatal(err)
		}
		records, err := audit.Between(t.Context(), s.db, time.Time{}, o.Now.AddDate(1, 0, 0), 100)
		if err != nil || len(records) < 6 {
			t.Fatalf("%d entries, %v", len(records), err)
		}
		for _, planted := range []string{"李强", "13800000002", "靠窗", "停水", "漏水", "琴房"} {
			if text := fmt.Sprint(records); strings.Contains(text, planted) {
				t.Errorf("the audit has %s: %s", planted, text)
			}
		}
	})
}
