package booking

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

// heard has a store tell what it tells of. Nobody else writes in these tests,
// so that no transaction is run twice.
func heard(s *Store) func() string {
	var lines []string
	s.OnNews(func(_ context.Context, _ bun.Tx, n News) error {
		lines = append(lines, fmt.Sprintf("%s %s", n.After.Person, strings.TrimPrefix(string(n.Kind), "booking-")))
		return nil
	})
	return func() string {
		said := strings.Join(lines, ", ")
		lines = nil
		return said
	}
}

// Whoever did not do it themselves is told what happened to their booking.
func TestNews(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		say := heard(s)
		want := func(what, news string) {
			t.Helper()
			if got := say(); got != news {
				t.Errorf("%s: told %q, want %q", what, got, news)
			}
		}
		done := func(_ Booking, _ bool, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		room := musicRoom()
		room.Approval, room.NoShowMinutes = v1alpha1.ApprovalStaff, 15
		save(t, s, room)
		now := moment(t, monday)

		first := book1(t, s, at(t, "music", "li", 9))
		second := book1(t, s, at(t, "music", "wang", 10))
		want("booked", "")
		done(s.Approve(t.Context(), byStaff(t, first.ID, now)))
		want("approved", "li approved")
		done(s.Approve(t.Context(), byStaff(t, first.ID, now)))
		want("approved again", "")
		done(s.Refuse(t.Context(), byStaff(t, second.ID, now), "排练"))
		want("refused", "wang refused")

		join1(t, s, at(t, "music", "zhao", 9))
		done(s.Change(t.Context(), byStaff(t, first.ID, now), Party{Staff: true}, at(t, "music", "li", 11).Request))
		want("moved by staff, which frees a place", "li moved, zhao offer")
		own := act(t, "li", first.ID, now)
		done(s.Change(t.Context(), own, Party{}, at(t, "music", "li", 14).Request))
		done(s.Cancel(t.Context(), own, ""))
		want("moved and cancelled by oneself", "")

		third := book1(t, s, at(t, "study", "desk", 9))
		done(s.Cancel(t.Context(), byStaff(t, third.ID, now), ""))
		want("staff cancel their own", "")
		fourth := book1(t, s, at(t, "study", "li", 9))
		done(s.Cancel(t.Context(), byStaff(t, fourth.ID, now), "停电"))
		done(s.Cancel(t.Context(), byStaff(t, fourth.ID, now), "停电"))
		want("cancelled by staff", "li cancelled")

		late := at(t, "music", "sun", 16)
		late.Staff = true
		book1(t, s, late)
		if _, err := s.Advance(t.Context(), oclock(t, "16:20"), late.Location); err != nil {
			t.Fatal(err)
		}
		want("nobody came", "sun released")
	})
}

func TestNewsOfAClosure(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		first, second := at(t, "study", "p1", 9), at(t, "study", "p2", 16)
		first.Place, second.Place = 1, 2
		book1(t, s, first)
		book1(t, s, second)
		given := book1(t, s, at(t, "music", "p3", 9))
		join1(t, s, at(t, "music", "p4", 9))
		cancel1(t, s, given, given.CreatedAt)
		say := heard(s)

		o := closureOf(t, "study", 0, "08:00", "17:00")
		o.Try = true
		close1(t, s, o)
		say() // who tries gets no message sent: it is undone with the rest
		o = closureOf(t, "study", 1, "08:00", "17:00")
		o.Move = true
		close1(t, s, o)
		if got := say(); got != "p1 moved" {
			t.Errorf("a place closes: told %q", got)
		}
		close1(t, s, closureOf(t, "study", 0, "08:00", "17:00"))
		if got := say(); got != "p1 cancelled, p2 cancelled" {
			t.Errorf("the venue closes: told %q", got)
		}
		// Who was only offered the place waits again.
		close1(t, s, closureOf(t, "music", 0, "08:00", "17:00"))
		if got := say(); got != "" {
			t.Errorf("an offer is withdrawn: told %q", got)
		}
	})
}

func TestNewsOfASeries(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		id, _, err := s.BookSeries(t.Context(), weekly(t, "study", "li", "2026-11-30"))
		if err != nil {
			t.Fatal(err)
		}
		var about []string
		words := newWords(t)
		s.OnNews(func(_ context.Context, _ bun.Tx, n News) error {
			m := n.message(words)
			about = append(about, m.Kind+" "+m.About+" "+m.Text["en"])
			return nil
		})
		if _, err := s.CancelSeries(t.Context(), byStaff(t, id, moment(t, monday)), "停电"); err != nil {
			t.Fatal(err)
		}
		// The same for each, so that it is said once.
		want := "booking-series-cancelled " + id.String() + " 自习室: the weekly bookings were cancelled. Reason: 停电"
		if len(about) != 2 || about[0] != want || about[1] != want {
			t.Errorf("%q, want twice %q", about, want)
		}
	})
}

// What cannot be told does not happen, and what does not happen is not told.
func TestNewsAndChangeTogether(t *testing.T) {
	databasetest.EachWith(t, migrations(t), libraries, func(t *testing.T, db *database.DB) {
		s := NewStore(db)
		if err := s.SyncVenues(t.Context(), v1alpha1.ManagedByManifest, []v1alpha1.Venue{studyRoom()}, moment(t, monday)); err != nil {
			t.Fatal(err)
		}
		words := newWords(t)
		fails := errors.New("the outbox is full")
		send := true
		s.OnNews(func(ctx context.Context, tx bun.Tx, n News) error {
			if err := notify.Send(ctx, tx, n.message(words)); err != nil || send {
				return err
			}
			return fails
		})
		outbox := func() (n int) {
			t.Helper()
			if err := db.Reader().NewRaw("SELECT count(*) FROM notify_outbox").Scan(t.Context(), &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		b := book1(t, s, at(t, "study", "li", 9))
		send = false
		if _, _, err := s.Cancel(t.Context(), byStaff(t, b.ID, b.CreatedAt), ""); !errors.Is(err, fails) {
			t.Errorf("cancelled although it could not be told: %v", err)
		}
		stateIs(t, s, b.ID, StateBooked)
		if n := outbox(); n != 0 {
			t.Errorf("%d messages of what did not happen", n)
		}
		send = true
		o := closureOf(t, "study", 0, "08:00", "17:00")
		o.Try = true
		close1(t, s, o)
		if n := outbox(); n != 0 {
			t.Errorf("%d messages of what was only tried", n)
		}
		cancel1(t, s, b, b.CreatedAt)
		if n := outbox(); n != 1 {
			t.Errorf("%d messages, want one", n)
		}
	})
}

// newWords are the words of both languages.
func newWords(t testing.TB) map[web.Language]web.View {
	t.Helper()
	texts, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.NewPages(web.Options{
		Messages: []fs.FS{texts},
		Site:     func() web.Site { return web.Site{Community: hosttest.Community(), Location: zone(t, "Asia/Shanghai")} },
		Reader:   func(*http.Request) (web.Reader, bool) { return web.Reader{}, false },
	})
	if err != nil {
		t.Fatal(err)
	}
	return (&service{pages: pages}).words()
}

func TestNewsMessages(t *testing.T) {
	words := newWords(t)
	now := moment(t, monday)
	slot := Slot{oclock(t, "09:00"), oclock(t, "10:00")}
	b := Booking{ID: [16]byte{1}, Person: "wang", BookedBy: "li", Name: "王桂花", Phone: "13800000003", Slot: slot, Place: 1, Reason: "停水"}
	moved := b
	moved.Slot = slot.shifted(24 * time.Hour)
	other := b
	other.Place = 2
	offered := b
	offered.DueAt, offered.Reason = oclock(t, "08:00"), ""
	for _, c := range []struct {
		kind          NewsKind
		before, after Booking
		zh, en        string
	}{
		{NewsOffer, offered, offered, "自习室 11月23日 星期一 09:00–10:00有空位了，已保留到08:00，请在此之前确认。",
			"自习室, Monday 23 November 09:00–10:00: a place is free and held until 08:00. Please confirm before that."},
		{NewsApproved, offered, offered, "自习室 11月23日 星期一 09:00–10:00的预约申请已通过。", "自习室, Monday 23 November 09:00–10:00: the request was approved."},
		{NewsRefused, b, b, "自习室 11月23日 星期一 09:00–10:00的预约申请没有通过。原因：停水", "自习室, Monday 23 November 09:00–10:00: the request was turned down. Reason: 停水"},
		{NewsMoved, b, moved, "自习室 11月23日 星期一 09:00–10:00的预约改到11月24日 星期二 09:00–10:00。原因：停水",
			"自习室: the booking of Monday 23 November 09:00–10:00 was moved to Tuesday 24 November 09:00–10:00. Reason: 停水"},
		{NewsMoved, b, other, "自习室 11月23日 星期一 09:00–10:00的预约换了位置：2号。原因：停水", ""},
		{NewsCancelled, b, b, "自习室 11月23日 星期一 09:00–10:00的预约已取消。原因：停水", "自习室, Monday 23 November 09:00–10:00: the booking was cancelled. Reason: 停水"},
		{NewsReleased, offered, offered, "自习室 11月23日 星期一 09:00–10:00的预约无人签到，位置已让给别人。", ""},
	} {
		venue, problems := ParseVenue(studyRoom())
		if problems != nil {
			t.Fatal(problems)
		}
		m := News{Kind: c.kind, Venue: venue, Before: c.before, After: c.after, Now: now}.message(words)
		m.ID = b.ID
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", c.kind, err)
		}
		if m.Text["zh-CN"] != c.zh || c.en != "" && m.Text["en"] != c.en {
			t.Errorf("%s:\n%s\n%s\nwant\n%s\n%s", c.kind, m.Text["zh-CN"], m.Text["en"], c.zh, c.en)
		}
		if m.Short != nil || m.Person != "wang" || m.By != "li" || m.Name != "" || m.Phone != "" || m.Link != bookingURL(b.ID) {
			t.Errorf("%s: %+v", c.kind, m)
		}
		urgent := slices.Contains([]NewsKind{NewsRefused, NewsMoved, NewsCancelled}, c.kind)
		if m.Urgent != urgent {
			t.Errorf("%s: urgent %v", c.kind, m.Urgent)
		}
		// On a phone nobody reads that it is about the clinic.
		doctor := clinic()
		if venue, problems = ParseVenue(doctor); problems != nil {
			t.Fatal(problems)
		}
		m = News{Kind: c.kind, Venue: venue, Before: c.before, After: c.after, Now: now}.message(words)
		for _, text := range m.Short {
			if strings.Contains(text, doctor.DisplayName) || strings.Contains(text, "09:00") || strings.Contains(text, "停水") {
				t.Errorf("%s: a phone shows %q", c.kind, text)
			}
		}
		if len(m.Short) != 2 || !strings.Contains(m.Text["en"], doctor.DisplayName) {
			t.Errorf("%s: %v, %v", c.kind, m.Short, m.Text)
		}
	}
	guest := b
	guest.Person = guestPrefix + "1"
	m := News{Kind: NewsCancelled, Before: guest, After: guest, Now: now.Add(-48 * time.Hour)}.message(words)
	if m.Name != "王桂花" || m.Phone != "13800000003" || m.Urgent {
		t.Errorf("to a guest: %+v", m)
	}
}
