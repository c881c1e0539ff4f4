package messages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

// eachStore runs f on every engine with an empty store.
func eachStore(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Helper()
	migrations, err := Migrations()
	if err != nil {
		t.Fatal(err)
	}
	libraries := map[string]func() (fs.FS, error){audit.Name: audit.Migrations, notify.Name: notify.Migrations}
	databasetest.EachWith(t, migrations, libraries, func(t *testing.T, db *database.DB) { f(t, NewStore(db)) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// item is a message to li about a booking, to be sent at noon.
func item(about, text string, state State) Item {
	i := Item{
		ID: uuid.New(), Person: "li", Kind: "booking-moved", About: about, Link: "/booking/bookings/1", At: clockAt(12, 0), NotAfter: clockAt(18, 0),
		Text: map[string]string{"zh-CN": text, "en": text}, Short: map[string]string{"zh-CN": text, "en": text}, State: state,
	}
	if state == StateToSend {
		i.DueAt = clockAt(12, 0)
	}
	return i
}

func receive1(t testing.TB, s *Store, i Item, now time.Time) {
	t.Helper()
	known, err := s.Receive(t.Context(), i.ID, []Item{i}, now)
	if err != nil || known {
		t.Fatalf("known %v, %v", known, err)
	}
}

func inboxOf(t testing.TB, s *Store, person string) []Item {
	t.Helper()
	list, err := s.Inbox(t.Context(), person, uuid.Nil, 100)
	must(t, err)
	return list
}

func TestReceiveOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		i := item("b1", "moved", StateToSend)
		receive1(t, s, i, clockAt(12, 0))
		known, err := s.Receive(t.Context(), i.ID, []Item{i}, clockAt(14, 0))
		if err != nil || !known {
			t.Errorf("the same message later: known %v, %v", known, err)
		}
		got := inboxOf(t, s, "li")
		if len(got) != 1 {
			t.Fatalf("%d messages", len(got))
		}
		got[0].At, got[0].NotAfter, got[0].DueAt = i.At, i.NotAfter, i.DueAt
		if fmt.Sprint(got[0]) != fmt.Sprint(i) {
			t.Errorf("kept %+v, want %+v", got[0], i)
		}
		if len(inboxOf(t, s, "wang")) != 0 {
			t.Error("another has it")
		}
	})
}

func TestTwiceWithinTheWindow(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		receive1(t, s, item("b1", "moved", StateToSend), clockAt(12, 0))
		receive1(t, s, item("b1", "moved", StateToSend), clockAt(12, 9))
		receive1(t, s, item("b2", "moved", StateToSend), clockAt(12, 9))
		if n := len(inboxOf(t, s, "li")); n != 2 {
			t.Errorf("%d messages about two bookings", n)
		}
		receive1(t, s, item("b1", "moved", StateToSend), clockAt(12, 10))
		if n := len(inboxOf(t, s, "li")); n != 3 {
			t.Errorf("%d messages, the last after the window", n)
		}
	})
}

// What is not true any more gives way to what is, and the phone still rings
// once within the window.
func TestLaterTakesThePlace(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		receive1(t, s, item("b1", "to two", StateToSend), clockAt(12, 0))
		receive1(t, s, item("b1", "to three", StateToSend), clockAt(12, 1))
		taken, err := s.Take(t.Context(), clockAt(12, 2), lease, 9)
		must(t, err)
		if len(taken) != 1 || taken[0].Text["en"] != "to three" {
			t.Fatalf("to be sent: %+v", taken)
		}
		must(t, s.Settle(t.Context(), taken[0], StateSent, clockAt(12, 2)))
		receive1(t, s, item("b1", "to four", StateToSend), clockAt(12, 5))
		for minute, want := range map[int]int{11: 0, 12: 1} {
			if taken, err = s.Take(t.Context(), clockAt(12, minute), 0, 9); err != nil || len(taken) != want {
				t.Errorf("12:%d: %d to be sent, %v; want %d", minute, len(taken), err, want)
			}
		}
		got := inboxOf(t, s, "li")
		if len(got) != 2 || got[0].Text["en"] != "to four" || !got[0].ReadAt.IsZero() || got[1].ReadAt.IsZero() {
			t.Errorf("on the page: %+v", got)
		}
		if n, err := s.Unread(t.Context(), "li"); err != nil || n != 1 {
			t.Errorf("%d unread, %v", n, err)
		}
	})
}

func TestCallGivesWayToo(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		receive1(t, s, item("b1", "to two", StateToCall), clockAt(12, 0))
		receive1(t, s, item("b1", "to three", StateToCall), clockAt(12, 1))
		calls, all, err := s.ToCall(t.Context(), "desk", clockAt(12, 2))
		if err != nil || all != 1 || calls[0].Text["en"] != "to three" {
			t.Errorf("%d calls: %+v, %v", all, calls, err)
		}
	})
}

func TestInbox(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		var ids []uuid.UUID
		for n := range 5 {
			i := item(fmt.Sprint("b", n), "x", StatePage)
			ids = append(ids, i.ID)
			receive1(t, s, i, clockAt(12, n/2)) // two at the same moment
		}
		all := inboxOf(t, s, "li")
		var paged []Item
		for after := uuid.Nil; ; {
			page, err := s.Inbox(t.Context(), "li", after, 2)
			must(t, err)
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
			after = page[len(page)-1].ID
		}
		if fmt.Sprint(paged) != fmt.Sprint(all) || len(all) != 5 || all[0].ID != ids[4] {
			t.Errorf("page by page %v, at once %v", paged, all)
		}
		must(t, s.Read(t.Context(), "li", all[2].ID, clockAt(13, 0)))
		if n, err := s.Unread(t.Context(), "li"); err != nil || n != 2 {
			t.Errorf("%d unread after the third from the top was read, %v", n, err)
		}
		if err := s.Read(t.Context(), "wang", all[0].ID, clockAt(13, 0)); !errors.Is(err, ErrNotFound) {
			t.Errorf("another reads it: %v", err)
		}
	})
}

func TestPreferences(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		if p, err := s.Preferences(t.Context(), "li"); err != nil || p != defaults {
			t.Errorf("%+v, %v", p, err)
		}
		for _, want := range []Preferences{{WayCall, web.English}, {WayPage, web.Chinese}} {
			must(t, s.Prefer(t.Context(), "li", want, clockAt(12, 0)))
			if p, err := s.Preferences(t.Context(), "li"); err != nil || p != want {
				t.Errorf("%+v, %v, want %+v", p, err, want)
			}
		}
	})
}

func aboutOf(t testing.TB, s *Store, person string) []string {
	t.Helper()
	records, err := audit.About(t.Context(), s.db, person, 100)
	must(t, err)
	var actions []string
	for _, r := range records {
		if actionTexts[r.Action] == "" {
			t.Errorf("there is no text for the action %s", r.Action)
		}
		actions = append(actions, r.Actor+" "+r.Action+" "+r.Detail["outcome"])
	}
	slices.Reverse(actions)
	return actions
}

// Every look at the list is recorded for everybody on it.
func TestCalls(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		li, wang := item("b1", "x", StateToCall), item("b2", "y", StateToCall)
		wang.Person = "wang"
		receive1(t, s, li, clockAt(12, 0))
		receive1(t, s, wang, clockAt(12, 1))
		must(t, s.Called(t.Context(), "sun", li.ID, false, "engaged", clockAt(12, 2)))
		calls, all, err := s.ToCall(t.Context(), "sun", clockAt(12, 3))
		must(t, err)
		if all != 2 || calls[0].Person != "wang" || calls[1].Note != "engaged" || calls[1].Attempts != 1 {
			t.Errorf("%d calls: %+v", all, calls)
		}
		must(t, s.Called(t.Context(), "sun", li.ID, true, "told the son", clockAt(12, 4)))
		if err := s.Called(t.Context(), "sun", li.ID, true, "", clockAt(12, 5)); !errors.Is(err, ErrNotFound) {
			t.Errorf("told again: %v", err)
		}
		if _, all, err := s.ToCall(t.Context(), "zhou", clockAt(18, 0)); err != nil || all != 0 {
			t.Errorf("%d calls when they are of no use any more, %v", all, err)
		}
		want := []string{"sun messages.call-list-note not reached", "sun messages.call-list-look ", "sun messages.call-list-note told"}
		if got := aboutOf(t, s, "li"); !slices.Equal(got, want) {
			t.Errorf("recorded about li: %q, want %q", got, want)
		}
		if got := aboutOf(t, s, "wang"); !slices.Equal(got, want[1:2]) {
			t.Errorf("recorded about wang: %q", got)
		}
	})
}

// A list that cannot be recorded is not shown.
func TestNoLookWithoutARecord(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		receive1(t, s, item("b1", "x", StateToCall), clockAt(12, 0))
		must(t, s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM audit_head")
			return err
		}))
		if calls, _, err := s.ToCall(t.Context(), "sun", clockAt(12, 1)); err == nil || calls != nil {
			t.Errorf("%d calls are shown, %v", len(calls), err)
		}
	})
}

func TestForgetAndErase(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		own, forLi, other := item("b1", "x", StatePage), item("b2", "x", StatePage), item("b3", "x", StatePage)
		forLi.Person, forLi.For, other.Person = "wang", "li", "wang"
		for _, i := range []Item{own, forLi, other} {
			receive1(t, s, i, clockAt(12, 0))
		}
		must(t, s.Prefer(t.Context(), "li", Preferences{WayCall, web.English}, clockAt(12, 0)))
		must(t, s.Forget(t.Context(), "li"))
		must(t, s.Forget(t.Context(), "li"))
		list, p, err := s.Of(t.Context(), "li")
		if err != nil || len(list) != 0 || p != defaults {
			t.Errorf("kept of li: %v, %v, %v", list, p, err)
		}
		if got := inboxOf(t, s, "wang"); len(got) != 1 || got[0].ID != other.ID {
			t.Errorf("kept of wang: %v", got)
		}
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{retention - time.Second, 0}, {retention, 1}} {
			n, err := s.Erase(t.Context(), clockAt(12, 0).Add(c.after))
			if err != nil || n != c.want {
				t.Errorf("%d erased after %s, %v; want %d", n, c.after, err, c.want)
			}
		}
	})
}

// Replicas do not take the same.
func TestTakeAndLease(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for n := range 3 {
			receive1(t, s, item(fmt.Sprint(n), "x", StateToSend), clockAt(12, 0))
		}
		take := func(now time.Time, want int) []Item {
			t.Helper()
			taken, err := s.Take(t.Context(), now, time.Minute, 2)
			if err != nil || len(taken) != want {
				t.Fatalf("%d taken, %v; want %d", len(taken), err, want)
			}
			return taken
		}
		take(clockAt(11, 59), 0)
		first := take(clockAt(12, 0), 2)
		take(clockAt(12, 0), 1)
		take(clockAt(12, 0), 0)
		second := take(clockAt(12, 1), 2)
		// The one who was slow has nothing to say any more.
		must(t, s.Settle(t.Context(), first[0], StateToCall, clockAt(12, 1)))
		for _, i := range second {
			must(t, s.Settle(t.Context(), i, StateSent, clockAt(12, 1)))
		}
		take(clockAt(12, 2), 1)
		if _, all, err := s.ToCall(t.Context(), "sun", clockAt(12, 2)); err != nil || all != 0 {
			t.Errorf("%d calls, %v", all, err)
		}
	})
}
