package booking

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

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/notify"
)

// monday is the moment at which most of these tests happen, before opening.
const monday = "2026-11-23T07:30:00+08:00"

func musicRoom() v1alpha1.Venue {
	v := studyRoom()
	v.Name, v.DisplayName, v.Kind, v.Seats = "music", "琴房", v1alpha1.VenueRoom, 0
	return v
}

func clinic() v1alpha1.Venue {
	v := studyRoom()
	v.Name, v.DisplayName, v.Kind, v.Seats = "clinic", "社区诊所", v1alpha1.VenueAttended, 0
	return v
}

func migrations(t testing.TB) fs.FS {
	t.Helper()
	files, err := Migrations()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// libraries keep tables in the database of every service.
var libraries = map[string]func() (fs.FS, error){audit.Name: audit.Migrations, notify.Name: notify.Migrations}

// eachStore runs f on every engine with a study room of three seats, a music
// room and a clinic.
func eachStore(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Helper()
	databasetest.EachWith(t, migrations(t), libraries, func(t *testing.T, db *database.DB) {
		s := NewStore(db)
		sync := []v1alpha1.Venue{studyRoom(), musicRoom(), clinic()}
		if err := s.SyncVenues(t.Context(), v1alpha1.ManagedByManifest, sync, moment(t, monday)); err != nil {
			t.Fatal(err)
		}
		f(t, s)
	})
}

// at is an order for a slot of an hour on that Monday.
func at(t testing.TB, venue, person string, hour int) Order {
	t.Helper()
	start := moment(t, fmt.Sprintf("2026-11-23T%02d:00:00+08:00", hour))
	return Order{
		Request: Request{Venue: venue, Slot: Slot{Start: start, End: start.Add(time.Hour)}},
		Party:   Party{Person: person, BookedBy: person}, Now: moment(t, monday), Location: zone(t, "Asia/Shanghai"),
	}
}

// only is the reach of somebody who acts for nobody else.
func only(person string) Reach { return Reach{Actor: person, Persons: []string{person}} }

func act(t testing.TB, person string, id uuid.UUID, now time.Time) Act {
	t.Helper()
	return Act{Reach: only(person), ID: id, Now: now, Location: zone(t, "Asia/Shanghai")}
}

func book1(t testing.TB, s *Store, o Order) Booking {
	t.Helper()
	b, _, err := s.Book(t.Context(), o)
	if err != nil {
		t.Fatalf("booking %s at %s: %v", o.Venue, o.Start, err)
	}
	return b
}

func wantRefusal(t testing.TB, err error, rule Rule) {
	t.Helper()
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal.Rule != rule {
		t.Errorf("got %v, want refusal by %s", err, rule)
	}
}

// overlaps counts the pairs of live bookings that hold one place at one time.
func overlaps(t testing.TB, s *Store) int {
	t.Helper()
	var n int
	err := s.db.Reader().NewRaw(`SELECT COUNT(*) FROM bookings a JOIN bookings b
		ON a.venue = b.venue AND a.place = b.place AND a.id < b.id AND a.start_at < b.end_at AND b.start_at < a.end_at
		WHERE a.ended_at IS NULL AND b.ended_at IS NULL`).Scan(t.Context(), &n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBookSeeCancel(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		o := at(t, "study", "li", 9)
		o.Note = "靠窗\n\"a' b\""
		made := book1(t, s, o)
		if made.Place != 1 || made.Day != (Date{Year: 2026, Month: 11, Day: 23}) || !made.Live() {
			t.Errorf("made %+v", made)
		}
		got, err := s.Booking(t.Context(), only("li"), made.ID)
		if err != nil || got != made {
			t.Errorf("read back %+v, %v; made %+v", got, err, made)
		}
		if _, err := s.Booking(t.Context(), only("wang"), made.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("another person's booking: %v", err)
		}
		if _, _, err := s.Cancel(t.Context(), act(t, "wang", made.ID, o.Now), ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("cancelling another person's booking: %v", err)
		}
		if b := book1(t, s, at(t, "study", "wang", 9)); b.Place != 2 {
			t.Errorf("second booking has place %d", b.Place)
		}
		for _, want := range []bool{true, false} { // cancelling again changes nothing
			cancelled, changed, err := s.Cancel(t.Context(), act(t, "li", made.ID, o.Now), "")
			if err != nil || cancelled.Live() || changed != want {
				t.Errorf("cancelled %+v, changed %v, %v", cancelled, changed, err)
			}
			checkInvariants(t, s)
		}
		if b := book1(t, s, at(t, "study", "zhao", 9)); b.Place != 1 {
			t.Errorf("the freed place was not given out, but %d", b.Place)
		}
		if _, _, err := s.Cancel(t.Context(), act(t, "zhao", uuid.New(), o.Now), ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("cancelling what is not there: %v", err)
		}
		late := book1(t, s, at(t, "music", "li", 10))
		_, _, err = s.Cancel(t.Context(), act(t, "li", late.ID, late.Start), "")
		wantRefusal(t, err, RuleAlreadyBegun)
		checkInvariants(t, s)
	})
}

func TestTakenPlaces(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		book1(t, s, at(t, "music", "li", 9))
		if _, _, err := s.Book(t.Context(), at(t, "music", "wang", 9)); !errors.Is(err, ErrTaken) {
			t.Errorf("second booking of the music room: %v", err)
		}
		long := at(t, "music", "wang", 8)
		long.End = long.End.Add(time.Hour)
		if _, _, err := s.Book(t.Context(), long); !errors.Is(err, ErrTaken) {
			t.Errorf("booking into the music room's next hour: %v", err)
		}
		named := at(t, "study", "li", 9)
		named.Place = 2
		book1(t, s, named)
		named.Person = "wang"
		if _, _, err := s.Book(t.Context(), named); !errors.Is(err, ErrTaken) {
			t.Errorf("second booking of seat 2: %v", err)
		}
		for _, want := range []int{1, 3} {
			if b := book1(t, s, at(t, "study", fmt.Sprint("p", want), 9)); b.Place != want {
				t.Errorf("place %d, want %d", b.Place, want)
			}
		}
		if _, _, err := s.Book(t.Context(), at(t, "study", "zhao", 9)); !errors.Is(err, ErrTaken) {
			t.Errorf("booking a full room: %v", err)
		}
		checkInvariants(t, s)

		from, to := Date{Year: 2026, Month: 11, Day: 23}.Bounds(zone(t, "Asia/Shanghai"))
		taken, err := s.Taken(t.Context(), []string{"study", "music", "clinic"}, from, to)
		if err != nil || len(taken["study"]) != 3 || len(taken["music"]) != 1 || len(taken["clinic"]) != 0 {
			t.Errorf("taken %v, %v", taken, err)
		}
	})
}

func TestBookRefuses(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		_, _, err := s.Book(t.Context(), at(t, "pool", "li", 9))
		wantRefusal(t, err, RuleUnknownVenue)
		_, _, err = s.Book(t.Context(), at(t, "study", "li", 19))
		wantRefusal(t, err, RuleOutsideOpeningHours)

		first := book1(t, s, at(t, "study", "li", 9))
		book1(t, s, at(t, "study", "li", 10))
		_, _, err = s.Book(t.Context(), at(t, "study", "li", 11))
		wantRefusal(t, err, RuleDailyLimit)
		// Each venue and each day has a limit of its own; cancelled bookings do not count.
		book1(t, s, at(t, "music", "li", 11))
		tuesday := at(t, "study", "li", 11)
		tuesday.Start, tuesday.End = tuesday.Start.AddDate(0, 0, 1), tuesday.End.AddDate(0, 0, 1)
		book1(t, s, tuesday)
		if _, _, err := s.Cancel(t.Context(), act(t, "li", first.ID, first.CreatedAt), ""); err != nil {
			t.Fatal(err)
		}
		book1(t, s, at(t, "study", "li", 11))
		checkInvariants(t, s)
	})
}

func TestLoweredDailyLimit(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		first := book1(t, s, at(t, "study", "li", 9))
		book1(t, s, at(t, "study", "li", 10))
		if _, _, err := s.Cancel(t.Context(), act(t, "li", first.ID, first.CreatedAt), ""); err != nil {
			t.Fatal(err)
		}
		strict := studyRoom()
		strict.MaxPerResidentPerDay = 1
		if err := s.SyncVenues(t.Context(), v1alpha1.ManagedByManifest, []v1alpha1.Venue{strict}, first.CreatedAt); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.Book(t.Context(), at(t, "study", "li", 11))
		wantRefusal(t, err, RuleDailyLimit)
	})
}

func TestIdempotencyKey(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		o := at(t, "music", "li", 9)
		o.Key = "k1"
		made := book1(t, s, o)
		later := o
		later.Now = o.End // by then the slot is over, the answer is the same
		again, replayed, err := s.Book(t.Context(), later)
		if err != nil || !replayed || again != made {
			t.Errorf("repeated: %+v, replayed %v, %v; made %+v", again, replayed, err, made)
		}
		if _, _, err := s.Cancel(t.Context(), act(t, "li", made.ID, o.Now), ""); err != nil {
			t.Fatal(err)
		}
		if again, _, err := s.Book(t.Context(), o); err != nil || again != made {
			t.Errorf("repeated after cancelling: %+v, %v", again, err)
		}
		other := o
		other.Note = "another"
		if _, _, err := s.Book(t.Context(), other); !errors.Is(err, ErrKeyReused) {
			t.Errorf("another request under the key: %v", err)
		}
		other.Person, other.BookedBy = "wang", "wang"
		if b := book1(t, s, other); b.ID == made.ID {
			t.Error("another person got the booking by its key")
		}
		// What failed was not done, and may be tried again under its key.
		full := at(t, "music", "zhao", 9)
		full.Key = "k2"
		if _, _, err := s.Book(t.Context(), full); !errors.Is(err, ErrTaken) {
			t.Errorf("booking a taken room: %v", err)
		}
		full.Start, full.End = full.Start.Add(time.Hour), full.End.Add(time.Hour)
		book1(t, s, full)
		checkInvariants(t, s)
	})
}

func TestSyncVenues(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		names := func() (names []string) {
			t.Helper()
			venues, err := s.Venues(t.Context(), moment(t, monday))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range venues {
				names = append(names, v.Name+"/"+v.DisplayName)
			}
			return names
		}
		sync := func(by v1alpha1.ManagedBy, venues ...v1alpha1.Venue) {
			t.Helper()
			if err := s.SyncVenues(t.Context(), by, venues, moment(t, monday)); err != nil {
				t.Fatal(err)
			}
		}
		want := func(what string, want ...string) {
			t.Helper()
			if got := names(); !slices.Equal(got, want) {
				t.Errorf("%s: venues %v, want %v", what, got, want)
			}
		}
		renamed := musicRoom()
		renamed.DisplayName = "音乐室"
		want("at first", "study/自习室", "music/琴房", "clinic/社区诊所")
		sync(v1alpha1.ManagedByCommunity, renamed)
		want("managed by the community, nothing is changed or retired", "study/自习室", "music/琴房", "clinic/社区诊所")

		kept := book1(t, s, at(t, "study", "li", 9))
		sync(v1alpha1.ManagedByManifest, renamed)
		want("managed by the manifest, it is followed", "music/音乐室")
		if _, err := s.Booking(t.Context(), only("li"), kept.ID); err != nil {
			t.Errorf("the booking at a retired venue: %v", err)
		}
		_, _, err := s.Book(t.Context(), at(t, "study", "wang", 9))
		wantRefusal(t, err, RuleUnknownVenue)
		if _, err := s.Venue(t.Context(), "study", moment(t, monday)); !errors.Is(err, ErrNotFound) {
			t.Errorf("a retired venue: %v", err)
		}
		if names, err := s.VenueNames(t.Context()); err != nil || names["study"] != "自习室" {
			t.Errorf("names %v, %v", names, err)
		}
		sync(v1alpha1.ManagedByManifest, studyRoom(), renamed)
		want("back again", "study/自习室", "music/音乐室")
		sync(v1alpha1.ManagedByManifest)
		want("no venues at all")

		bad := studyRoom()
		bad.Hours[0].To = "07:00"
		err = s.SyncVenues(t.Context(), v1alpha1.ManagedByManifest, []v1alpha1.Venue{renamed, bad}, moment(t, monday))
		if err == nil || err.Error() != `services.booking.venues[1]: venue "study": hours[0]: to: 07:00 is not after 08:00` {
			t.Errorf("a bad venue: %v", err)
		}
	})
}

func TestBookingsArePaged(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		var made []Booking
		for _, venue := range []string{"study", "music"} { // two begin at the same moment
			for _, hour := range []int{8, 10} {
				made = append(made, book1(t, s, at(t, venue, "li", hour)))
			}
		}
		book1(t, s, at(t, "study", "wang", 8))
		if _, _, err := s.Cancel(t.Context(), act(t, "li", made[3].ID, made[3].CreatedAt), ""); err != nil {
			t.Fatal(err)
		}
		list := func(which Which, now string) (ids []uuid.UUID) {
			t.Helper()
			var after Cursor
			for {
				page, err := s.Bookings(t.Context(), only("li"), which, after, 1, moment(t, now))
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					return ids
				}
				ids = append(ids, page[0].ID)
				after = Cursor{Start: page[0].Start, ID: page[0].ID}
			}
		}
		for _, c := range []struct {
			which Which
			now   string
			want  []int
		}{
			{All, monday, []int{3, 1, 2, 0}},
			{Upcoming, monday, []int{0, 2, 1}},
			{Past, monday, []int{3}},
			{Upcoming, "2026-11-23T09:00:00+08:00", []int{1}},
			{Past, "2026-11-23T09:00:00+08:00", []int{3, 2, 0}},
		} {
			want := make([]uuid.UUID, len(c.want))
			for i, n := range c.want {
				want[i] = made[n].ID
			}
			if got := list(c.which, c.now); !slices.Equal(got, want) {
				t.Errorf("%q at %s: %v, want %v", c.which, c.now, got, want)
			}
		}
	})
}

func TestErase(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		o := at(t, "study", "li", 9)
		o.Key = "k"
		study := book1(t, s, o)
		visit := book1(t, s, at(t, "clinic", "li", 9))
		count := func(model any) int {
			t.Helper()
			n, err := s.db.Reader().NewSelect().Model(model).Count(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		day := 24 * time.Hour
		for _, step := range []struct {
			after                            time.Duration
			keys, cells, ordinals, remaining int
		}{
			{day - 3*time.Hour, 1, 24, 2, 2},
			{day, 0, 24, 2, 2},
			{4 * day, 0, 0, 0, 2},
			{90*day - time.Second, 0, 0, 0, 2},
			{90 * day, 0, 0, 0, 1},
			{365*day - time.Second, 0, 0, 0, 1},
			{365 * day, 0, 0, 0, 0},
		} {
			if _, err := s.Erase(t.Context(), study.End.Add(step.after)); err != nil {
				t.Fatal(err)
			}
			keys, cells, ordinals, remaining := count((*idempotencyRow)(nil)), count((*cellRow)(nil)), count((*quotaRow)(nil)), count((*bookingRow)(nil))
			if keys != step.keys || cells != step.cells || ordinals != step.ordinals || remaining != step.remaining {
				t.Errorf("%s after the end: %d keys, %d cells, %d ordinals, %d bookings; want %+v", step.after, keys, cells, ordinals, remaining, step)
			}
			if step.remaining == 1 {
				if _, err := s.Booking(t.Context(), only("li"), visit.ID); !errors.Is(err, ErrNotFound) {
					t.Errorf("the visit to the clinic after %s: %v", step.after, err)
				}
			}
		}
	})
}

func TestEraseInBatches(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		rows := make([]bookingRow, 2*eraseBatch+1)
		for i := range rows {
			rows[i] = bookingRow{ID: uuid.New(), Venue: "study", Place: 1, Person: "li", EndAt: int64(i), Day: "1970-01-01"}
		}
		err := s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&rows).Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Erase(t.Context(), moment(t, monday)); err != nil || n != len(rows) {
			t.Errorf("erased %d of %d: %v", n, len(rows), err)
		}
	})
}
