package booking

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

func TestSaveVenueKeepsNumbers(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		places := func() string {
			t.Helper()
			v, err := s.Venue(t.Context(), "clinic", moment(t, monday))
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, a := range v.Attendants {
				all = append(all, fmt.Sprint(a.Name, a.Place))
			}
			return strings.Join(all, " ")
		}
		attended := func(names ...string) {
			t.Helper()
			v := clinic()
			for _, n := range names {
				v.Attendants = append(v.Attendants, v1alpha1.Attendant{Name: n, DisplayName: n})
			}
			save(t, s, v)
		}
		for _, step := range []struct {
			names []string
			want  string
		}{
			{[]string{"wang", "li"}, "wang1 li2"},
			{[]string{"li", "wang"}, "li2 wang1"},
			{[]string{"li"}, "li2"},
			{[]string{"zhao", "li"}, "zhao3 li2"}, // not Wang's number
			{[]string{"wang", "zhao", "li"}, "wang1 zhao3 li2"},
			{nil, ""},
			{[]string{"qian"}, "qian4"},
		} {
			attended(step.names...)
			if got := places(); got != step.want {
				t.Errorf("%v have the places %s, want %s", step.names, got, step.want)
			}
		}
		// The manifest keeps them too.
		attended("li")
		v := clinic()
		v.Attendants = []v1alpha1.Attendant{{Name: "sun"}, {Name: "li"}}
		if err := s.SyncVenues(t.Context(), v1alpha1.ManagedByManifest, []v1alpha1.Venue{v}, moment(t, monday)); err != nil {
			t.Fatal(err)
		}
		if got := places(); got != "sun5 li2" {
			t.Errorf("places %s", got)
		}
		o := at(t, "clinic", "p1", 9)
		if b := book1(t, s, o); b.Place != 2 {
			t.Errorf("any doctor is at place %d", b.Place)
		}
		o.Person, o.Place = "p2", 1
		_, _, err := s.Book(t.Context(), o)
		wantRefusal(t, err, RuleUnknownPlace)
		checkInvariants(t, s)
	})
}

func TestSaveVenue(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		made := book1(t, s, at(t, "study", "li", 9))
		code, err := s.DoorCode(t.Context(), "study")
		if err != nil {
			t.Fatal(err)
		}
		v := studyRoom()
		v.Seats, v.BufferMinutes = 1, 30
		save(t, s, v)
		pool := musicRoom()
		pool.Name = "pool"
		save(t, s, pool)
		venues, err := s.Venues(t.Context(), made.CreatedAt)
		var names []string
		for _, v := range venues {
			names = append(names, v.Name)
		}
		if err != nil || !slices.Equal(names, []string{"study", "music", "clinic", "pool"}) {
			t.Errorf("venues %v, %v", names, err)
		}
		if spec, err := s.VenueSpec(t.Context(), "study"); err != nil || spec.Seats != 1 || spec.BufferMinutes != 30 {
			t.Errorf("kept %+v, %v", spec, err)
		}
		if _, err := s.VenueSpec(t.Context(), "lake"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no venue: %v", err)
		}
		if again, err := s.DoorCode(t.Context(), "study"); err != nil || again != code {
			t.Errorf("code %q, was %q, %v", again, code, err)
		}
		if got := stateIs(t, s, made.ID, StateBooked); got != made {
			t.Errorf("the booking became %+v", got)
		}
		// Its own buffer is the one of then, a new booking's the one of now.
		o := at(t, "study", "wang", 8)
		if _, _, err := s.Book(t.Context(), o); !errors.Is(err, ErrTaken) {
			t.Errorf("a buffer into what is booked: %v", err)
		}
		o = at(t, "study", "wang", 10)
		book1(t, s, o)
		checkInvariants(t, s)
		bad := studyRoom()
		bad.SlotMinutes = 7
		if err := s.SaveVenue(t.Context(), byStaff(t, uuid.Nil, made.CreatedAt), bad); err == nil || !strings.Contains(err.Error(), "slotMinutes") {
			t.Errorf("a bad venue: %v", err)
		}
	})
}

func TestRetireVenue(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		made := book1(t, s, at(t, "music", "li", 9))
		if err := s.RetireVenue(t.Context(), byStaff(t, uuid.Nil, made.CreatedAt), "music"); !errors.Is(err, ErrInUse) {
			t.Errorf("retired with a booking ahead: %v", err)
		}
		close1(t, s, closureOf(t, "music", 0, "08:00", "18:00"))
		if err := s.RetireVenue(t.Context(), byStaff(t, uuid.Nil, made.CreatedAt), "music"); err != nil {
			t.Errorf("retired when closed: %v", err)
		}
		for _, name := range []string{"music", "pool"} {
			if err := s.RetireVenue(t.Context(), byStaff(t, uuid.Nil, made.CreatedAt), name); !errors.Is(err, ErrNotFound) {
				t.Errorf("retired %s: %v", name, err)
			}
		}
		_, _, err := s.Book(t.Context(), at(t, "music", "wang", 14))
		wantRefusal(t, err, RuleUnknownVenue)
		past := book1(t, s, at(t, "study", "li", 9))
		if err := s.RetireVenue(t.Context(), byStaff(t, uuid.Nil, past.End), "study"); err != nil {
			t.Errorf("retired when all is over: %v", err)
		}
		save(t, s, musicRoom()) // taken up again
		if _, err := s.Venue(t.Context(), "music", made.CreatedAt); err != nil {
			t.Error(err)
		}
	})
}

func TestMembers(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		club := musicRoom()
		club.Access = v1alpha1.AccessMembers
		save(t, s, club)
		_, _, err := s.Book(t.Context(), at(t, "music", "li", 9))
		wantRefusal(t, err, RuleMembersOnly)
		for _, m := range []Member{{Person: "wang", Name: "王"}, {Person: "li", Name: "李"}, {Person: "li", Name: "again"}} {
			m.Venue, m.AddedBy, m.AddedAt = "music", "desk", moment(t, monday).Local()
			if err := s.AddMember(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.AddMember(t.Context(), Member{Venue: "pool", Person: "li"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a member of no venue: %v", err)
		}
		all, err := s.Members(t.Context(), "music")
		if err != nil || len(all) != 2 || all[0] != (Member{Venue: "music", Person: "li", Name: "李", AddedBy: "desk", AddedAt: moment(t, monday).Local()}) {
			t.Errorf("members %+v, %v", all, err)
		}
		made := book1(t, s, at(t, "music", "li", 9))
		for range 2 {
			if err := s.RemoveMember(t.Context(), byStaff(t, uuid.Nil, made.CreatedAt), "music", "li"); err != nil {
				t.Error(err)
			}
		}
		if is, err := s.IsMember(t.Context(), "music", "li"); err != nil || is {
			t.Errorf("still a member: %v, %v", is, err)
		}
		stateIs(t, s, made.ID, StateBooked)
		_, _, err = s.Change(t.Context(), act(t, "li", made.ID, made.CreatedAt), at(t, "music", "li", 9).Party, at(t, "music", "li", 10).Request)
		wantRefusal(t, err, RuleMembersOnly)
	})
}

func TestFeeds(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		feed := Feed{Person: "li", Language: "zh-CN", CreatedAt: moment(t, monday).Local()}
		at1, err := s.NewFeed(t.Context(), feed)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.FeedAt(t.Context(), at1); err != nil || got != feed {
			t.Errorf("at its address: %+v, %v", got, err)
		}
		if got, err := s.FeedOf(t.Context(), "li"); err != nil || got != feed {
			t.Errorf("of li: %+v, %v", got, err)
		}
		gone := func(what, secret string) {
			t.Helper()
			if _, err := s.FeedAt(t.Context(), secret); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		gone("no address", "")
		gone("an address in other letters", strings.ToLower(at1))
		at2, err := s.NewFeed(t.Context(), feed)
		if err != nil || at2 == at1 {
			t.Errorf("%q, then %q, %v", at1, at2, err)
		}
		gone("the address before", at1)
		for range 2 {
			if err := s.RevokeFeed(t.Context(), "li"); err != nil {
				t.Error(err)
			}
		}
		gone("the revoked address", at2)
		if _, err := s.FeedOf(t.Context(), "li"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the revoked feed: %v", err)
		}
		first := book1(t, s, at(t, "music", "li", 9))
		second := book1(t, s, at(t, "study", "li", 10))
		book1(t, s, at(t, "study", "wang", 10))
		cancel1(t, s, first, first.CreatedAt)
		if all, err := s.ForCalendar(t.Context(), "li", first.Start); err != nil || len(all) != 2 || all[0].State != StateCancelled {
			t.Errorf("for a calendar: %+v, %v", all, err)
		}
		if all, err := s.ForCalendar(t.Context(), "li", second.Start); err != nil || len(all) != 1 || all[0] != second {
			t.Errorf("for a calendar from ten on: %+v, %v", all, err)
		}
	})
}

func TestUse(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		book1(t, s, at(t, "clinic", "li", 9))
		two := at(t, "clinic", "wang", 10)
		two.End = two.End.Add(time.Hour)
		book1(t, s, two)
		cancel1(t, s, book1(t, s, at(t, "clinic", "zhao", 14)), two.Now)
		book1(t, s, at(t, "study", "li", 9))
		december := at(t, "study", "li", 9)
		december.Slot, december.Now = december.shifted(8*24*time.Hour), two.Now.Add(7*24*time.Hour)
		book1(t, s, december)
		want := "[{clinic 2026-11 booked 2 180} {clinic 2026-11 cancelled 1 60} {study 2026-11 booked 1 60} {study 2026-12 booked 1 60}]"
		use := func(from, to, want string) {
			t.Helper()
			if uses, err := s.Use(t.Context(), from, to); err != nil || fmt.Sprint(uses) != want {
				t.Errorf("use from %s to %s: %v, %v; want %s", from, to, uses, err, want)
			}
		}
		use("2026-11", "2026-12", want)
		use("2026-12", "2026-12", "[{study 2026-12 booked 1 60}]")
		use("2026-10", "2026-10", "[]")
		// The numbers of what was erased stay: first the clinic's, then all.
		for _, days := range []int{91, 400} {
			now := december.Now.Add(time.Duration(days) * 24 * time.Hour)
			for _, erased := range []bool{true, false} {
				if n, err := s.Erase(t.Context(), now); err != nil || (n > 0) != erased {
					t.Errorf("erased %d, %v", n, err)
				}
				use("2026-11", "2026-12", want)
			}
		}
		var left []bookingRow
		if err := s.db.Reader().NewSelect().Model(&left).Scan(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("%d bookings are left, %v", len(left), err)
		}
	})
}

func TestUseSpan(t *testing.T) {
	today := Date{Year: 2026, Month: 11, Day: 22}
	for _, c := range []struct{ from, to, first, last string }{
		{"", "", "2025-12", "2026-11"},
		{"2026-03", "", "2026-03", "2026-11"},
		{"", "2026-01", "2025-02", "2026-01"},
		{"2026-05", "2026-04", "2026-05", "2026-04"},
		{"2026-13", "2026-04", "", ""}, {"2026-05", "2026", "", ""}, {"2026-05-01", "", "", ""}, {"", "x", "", ""},
	} {
		first, last, err := useSpan(c.from, c.to, today)
		if first != c.first || last != c.last || (err == nil) != (c.first != "") {
			t.Errorf("from %q to %q: %s, %s, %v", c.from, c.to, first, last, err)
		}
	}
}

func TestEraseWaitingAndClosures(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		book1(t, s, at(t, "music", "wang", 9))
		e := join1(t, s, at(t, "music", "li", 9))
		c, _ := close1(t, s, closureOf(t, "music", 0, "14:00", "15:00"))
		for _, step := range []struct {
			now               time.Time
			entries, closures int
		}{
			{e.End.Add(waitingRetention - time.Second), 1, 1},
			{e.End.Add(waitingRetention), 0, 1},
			{c.End.Add(closureRetention - time.Second), 0, 1},
			{c.End.Add(closureRetention), 0, 0},
		} {
			if _, err := s.Erase(t.Context(), step.now); err != nil {
				t.Fatal(err)
			}
			w := look(t.Context(), t, s, step.now)
			if len(w.entries) != step.entries || len(w.closures) != step.closures {
				t.Errorf("at %s: %d entries, %d closures; want %+v", step.now, len(w.entries), len(w.closures), step)
			}
		}
	})
}

// TestTakenOverMidnight: a buffer goes on after midnight, on both sides of it.
func TestTakenOverMidnight(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		night := musicRoom()
		night.BufferMinutes, night.ClosedDates = 60, nil
		night.Hours = []v1alpha1.OpeningHours{{Days: everyDay, From: "00:00", To: "24:00"}}
		save(t, s, night)
		loc := zone(t, "Asia/Shanghai")
		v, err := s.Venue(t.Context(), "music", moment(t, monday))
		if err != nil {
			t.Fatal(err)
		}
		free := func(d Date) (hours []int) {
			t.Helper()
			from, to := d.Bounds(loc)
			taken, err := s.Taken(t.Context(), []string{"music"}, from, to)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range DayOf(v, d, moment(t, monday), loc, taken["music"]).Offers {
				if o.State == SlotFree {
					hours = append(hours, o.Start.In(loc).Hour())
				}
			}
			return hours
		}
		made := book1(t, s, at(t, "music", "li", 23))
		if hours := free(Date{Year: 2026, Month: 11, Day: 24}); hours[0] != 1 {
			t.Errorf("free after a booking to midnight: %v", hours)
		}
		cancel1(t, s, made, made.CreatedAt)
		o := at(t, "music", "li", 23)
		o.Slot = o.shifted(time.Hour)
		book1(t, s, o)
		if hours := free(Date{Year: 2026, Month: 11, Day: 23}); hours[len(hours)-1] != 22 {
			t.Errorf("free before a booking from midnight: %v", hours)
		}
	})
}

// TestMigrationOfBookings takes a database with bookings of the first release
// up, and down again.
func TestMigrationOfBookings(t *testing.T) {
	files := migrations(t)
	first := upTo(t, files, "00001")
	for engine, o := range map[database.Engine]database.Options{
		database.SQLite:   {Path: filepath.Join(t.TempDir(), "test.db")},
		database.Postgres: {DSN: databasetest.Postgres(t)},
	} {
		t.Run(string(engine), func(t *testing.T) {
			live, given := uuid.New(), uuid.New()
			open := func(files fs.FS, f func(db *database.DB)) { t.Helper(); opened(t, o, files, f) }
			start := moment(t, "2026-11-23T09:00:00+08:00").Unix()
			open(first, func(db *database.DB) {
				err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					for _, q := range []string{
						`INSERT INTO venues (name, position, spec) VALUES ('music', 0, '{"name":"music","displayName":"琴房","kind":"Room","slotMinutes":60,"bookingWindowDays":7,"hours":[{"days":["Monday"],"from":"08:00","to":"12:00"}]}')`,
						fmt.Sprintf(`INSERT INTO bookings (id, venue, place, person, start_at, end_at, day, note, created_at) VALUES ('%s', 'music', 1, 'li', %d, %d, '2026-11-23', '', 100)`, live, start, start+3600),
						fmt.Sprintf(`INSERT INTO bookings (id, venue, place, person, start_at, end_at, day, note, created_at, cancelled_at) VALUES ('%s', 'music', 1, 'li', %d, %d, '2026-11-23', '', 100, 200)`, given, start+3600, start+7200),
						fmt.Sprintf(`INSERT INTO daily (venue, person, day, ordinal, booking) VALUES ('music', 'li', '2026-11-23', 1, '%s')`, live),
						fmt.Sprintf(`INSERT INTO idempotency (person, key, request, booking, created_at) VALUES ('li', 'k', 'digest', '%s', 100)`, live),
					} {
						if _, err := tx.ExecContext(ctx, q); err != nil {
							return err
						}
					}
					for c := start / 300; c < start/300+12; c++ {
						if _, err := tx.ExecContext(ctx, "INSERT INTO cells (venue, cell, place) VALUES ('music', ?, 1)", c); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
			var weekly Booking
			open(files, func(db *database.DB) {
				s := NewStore(db)
				checkInvariants(t, s)
				b := stateIs(t, s, live, StateBooked)
				if b.BookedBy != "li" || !b.busyUntil.Equal(b.End) || b.UpdatedAt.Unix() != 100 || b.Sequence != 0 {
					t.Errorf("migrated to %+v", b)
				}
				if b := stateIs(t, s, given, StateCancelled); b.EndedAt.Unix() != 200 || b.UpdatedAt.Unix() != 200 {
					t.Errorf("migrated to %+v", b)
				}
				if _, _, err := s.Book(t.Context(), at(t, "music", "wang", 9)); !errors.Is(err, ErrTaken) {
					t.Errorf("booked what was: %v", err)
				}
				cancel1(t, s, b, moment(t, monday))
				room := musicRoom()
				room.MaxPerResidentPerWeek = 3
				save(t, s, room)
				weekly = book1(t, s, at(t, "music", "wang", 9))
				checkInvariants(t, s)
			})
			down(t, engine, o, files, 1)
			open(first, func(db *database.DB) {
				var n, days int
				if err := db.Reader().NewRaw("SELECT (SELECT COUNT(*) FROM bookings WHERE cancelled_at IS NULL AND id = ?), (SELECT COUNT(*) FROM daily)", weekly.ID).Scan(t.Context(), &n, &days); err != nil || n != 1 || days != 1 {
					t.Errorf("after going back: %d bookings, %d counted, %v", n, days, err)
				}
			})
			open(files, func(db *database.DB) {
				s := NewStore(db)
				stateIs(t, s, weekly.ID, StateBooked)
				stateIs(t, s, live, StateCancelled)
			})
		})
	}
}

// TestMigrationOfUse takes a database that has numbers of erased bookings of a
// month, and others of it, up and down again.
func TestMigrationOfUse(t *testing.T) {
	files := migrations(t)
	before := upTo(t, files, "00004")
	for engine, o := range map[database.Engine]database.Options{
		database.SQLite:   {Path: filepath.Join(t.TempDir(), "test.db")},
		database.Postgres: {DSN: databasetest.Postgres(t)},
	} {
		t.Run(string(engine), func(t *testing.T) {
			open := func(files fs.FS, f func(db *database.DB)) { t.Helper(); opened(t, o, files, f) }
			kept := func(want string) func(db *database.DB) {
				return func(db *database.DB) {
					t.Helper()
					var rows []Use
					err := db.Reader().NewRaw("SELECT * FROM past_use ORDER BY month, state").Scan(t.Context(), &rows)
					if got := fmt.Sprint(rows); err != nil || got != want {
						t.Errorf("kept: %v, %v; want %v", got, err, want)
					}
				}
			}
			open(before, func(db *database.DB) {
				err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					for _, q := range []string{
						`INSERT INTO venues (name, position, spec) VALUES ('music', 0, '{"name":"music","displayName":"琴房","kind":"Room","slotMinutes":60,"bookingWindowDays":7}')`,
						`INSERT INTO past_use (venue, month, state, bookings, minutes) VALUES ('music', '2026-10', 'booked', 5, 300), ('music', '2026-10', 'refused', 1, 30)`,
					} {
						if _, err := tx.ExecContext(ctx, q); err != nil {
							return err
						}
					}
					for i, day := range []string{"2026-10-30", "2026-10-31", "2026-11-02", "2026-11-20"} {
						row := bookingRow{ID: uuid.New(), Venue: "music", Place: 1, StartAt: int64(i) * 3600, EndAt: int64(i+1) * 3600, Day: day, State: StateBooked}
						if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
			const use = "[{music 2026-10 booked 7 420} {music 2026-10 refused 1 30} {music 2026-11 booked 2 120}]"
			said := func(s *Store) {
				t.Helper()
				if uses, err := s.Use(t.Context(), "2026-10", "2026-11"); err != nil || fmt.Sprint(uses) != use {
					t.Errorf("use: %v, %v; want %s", uses, err, use)
				}
			}
			for range 2 {
				open(files, func(db *database.DB) {
					s := NewStore(db)
					said(s)
					for range 2 {
						if err := s.countPast(t.Context(), moment(t, "2026-11-12T09:00:00+08:00")); err != nil {
							t.Fatal(err)
						}
						kept("[{music 2026-10 booked 7 420} {music 2026-10 refused 1 30} {music 2026-11 booked 1 60}]")(db)
						said(s)
					}
				})
				down(t, engine, o, files, 4)
				open(before, kept("[{music 2026-10 booked 5 300} {music 2026-10 refused 1 30}]"))
			}
		})
	}
}

// opened opens a database, migrated, for a while.
func opened(t *testing.T, o database.Options, files fs.FS, f func(db *database.DB)) {
	t.Helper()
	o.Migrations, o.Libraries = files, map[string]fs.FS{}
	for name, migrations := range libraries {
		library, err := migrations()
		if err != nil {
			t.Fatal(err)
		}
		o.Libraries[name] = library
	}
	db, err := database.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// upTo are the migrations up to one.
func upTo(t *testing.T, files fs.FS, last string) fs.FS {
	t.Helper()
	some := fstest.MapFS{}
	paths, err := fs.Glob(files, "*/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		if path.Base(p) > last+"~" {
			continue
		}
		data, err := fs.ReadFile(files, p)
		if err != nil {
			t.Fatal(err)
		}
		some[p] = &fstest.MapFile{Data: data}
	}
	return some
}

// down takes a database back to a migration.
func down(t *testing.T, engine database.Engine, o database.Options, files fs.FS, version int64) {
	t.Helper()
	driver, source, dialect := "sqlite", o.Path, goose.DialectSQLite3
	if engine == database.Postgres {
		driver, source, dialect = "pgx", o.DSN, goose.DialectPostgres
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	own, err := fs.Sub(files, string(engine))
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(dialect, db, own, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.DownTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}
