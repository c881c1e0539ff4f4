package booking

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

// TestConcurrentBooking lets many people fight for the same places, seats
// chosen and unchosen, with some cancelling, and checks that each place has
// one holder, that nothing is given away and that nothing stays free.
func TestConcurrentBooking(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		const people = 24
		var wg sync.WaitGroup
		won := make([]int, people)
		for p := range people {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(p)))
				for _, hour := range []int{9, 10} {
					for _, venue := range []string{"music", "study"} {
						o := at(t, venue, fmt.Sprint("p", p), hour)
						if venue == "study" && random.IntN(2) == 0 {
							o.Place = 1 + random.IntN(3)
						}
						b, _, err := s.Book(t.Context(), o)
						switch {
						case errors.Is(err, ErrTaken):
						case err != nil:
							t.Errorf("%s at %d: %v", venue, hour, err)
						case random.IntN(4) == 0:
							if _, _, err := s.Cancel(t.Context(), act(t, o.Person, b.ID, o.Now), ""); err != nil {
								t.Error(err)
							}
						default:
							won[p]++
						}
					}
				}
			})
		}
		wg.Wait()
		checkInvariants(t, s)
		// What is free now can be had, what is not cannot.
		sum := 0
		for p := range people {
			sum += won[p]
		}
		for _, hour := range []int{9, 10} {
			for i := range 4 {
				for _, venue := range []string{"music", "study"} {
					_, _, err := s.Book(t.Context(), at(t, venue, fmt.Sprint("late", i), hour))
					if err == nil {
						sum++
					} else if !errors.Is(err, ErrTaken) {
						t.Error(err)
					}
				}
			}
		}
		if sum != 2*(1+3) {
			t.Errorf("%d bookings were acknowledged for 8 places", sum)
		}
		checkInvariants(t, s)
	})
}

// TestConcurrentSeats: as many people as there are seats all get one.
func TestConcurrentSeats(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		hall := studyRoom()
		hall.Name, hall.Seats = "hall", 40
		if err := s.SyncVenues(t.Context(), v1alpha1.ManagedByCommunity, []v1alpha1.Venue{hall}, moment(t, monday)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for p := range hall.Seats {
			wg.Go(func() {
				if _, _, err := s.Book(t.Context(), at(t, "hall", fmt.Sprint("p", p), 9)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		checkInvariants(t, s)
	})
}

func TestConcurrentDailyLimit(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for _, hour := range []int{8, 9, 10, 11, 13, 14, 15, 16, 17} {
			wg.Go(func() {
				_, _, err := s.Book(t.Context(), at(t, "study", "li", hour))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					made++
				} else {
					wantRefusal(t, err, RuleDailyLimit)
				}
			})
		}
		wg.Wait()
		if made != 2 {
			t.Errorf("%d bookings on one day, the limit is 2", made)
		}
		checkInvariants(t, s)
	})
}

func TestConcurrentIdempotencyKey(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		var wg sync.WaitGroup
		ids := make([]uuid.UUID, 16)
		for i := range ids {
			wg.Go(func() {
				o := at(t, "study", "li", 9)
				o.Key = "same"
				b, _, err := s.Book(t.Context(), o)
				if err != nil {
					t.Error(err)
				}
				ids[i] = b.ID
			})
		}
		wg.Wait()
		if len(slices.Compact(ids)) != 1 {
			t.Errorf("one key made several bookings: %v", ids)
		}
		checkInvariants(t, s)
	})
}

// TestEverythingAtOnce has residents, staff and background jobs do everything
// at the same time while time goes by. In the end everything agrees, and
// nothing that was acknowledged is lost.
func TestEverythingAtOnce(t *testing.T) {
	databasetest.EachWith(t, migrations(t), libraries, func(t *testing.T, db *database.DB) {
		s := NewStore(db)
		crowd := &crowd{s: s, loc: zone(t, "Asia/Shanghai"), begin: moment(t, monday), seen: map[uuid.UUID]int{}}
		if err := s.SyncVenues(t.Context(), v1alpha1.ManagedByManifest, smallVenues(), crowd.begin); err != nil {
			t.Fatal(err)
		}
		const hands, deeds = 8, 60
		var wg sync.WaitGroup
		for hand := range hands {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(2, uint64(hand)))
				for range deeds {
					err := crowd.deed(t, random, fmt.Sprint("p", hand))
					if _, refused := errors.AsType[*Refusal](err); err != nil && !refused && !errors.Is(err, ErrTaken) && !errors.Is(err, ErrNotFound) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		now := crowd.now()
		if _, err := s.Advance(t.Context(), now, crowd.loc); err != nil {
			t.Fatal(err)
		}
		checkSettled(t, s, now)
		for _, b := range look(t.Context(), t, s, now).bookings {
			if b.Sequence < crowd.seen[b.ID] {
				t.Errorf("booking %s went from sequence %d to %d", b.ID, crowd.seen[b.ID], b.Sequence)
			}
			delete(crowd.seen, b.ID)
		}
		if len(crowd.seen) > 0 {
			t.Errorf("lost: %v", crowd.seen)
		}
	})
}

// crowd is many who use one store.
type crowd struct {
	s     *Store
	loc   *time.Location
	begin time.Time
	deeds atomic.Int64

	mu sync.Mutex
	// seen are the highest sequences that were answered, by booking.
	seen map[uuid.UUID]int
}

// now is later with every deed.
func (c *crowd) now() time.Time { return c.begin.Add(time.Duration(c.deeds.Load()) * 15 * time.Second) }

// answered notes what somebody was told.
func (c *crowd) answered(err error, bookings ...Booking) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range bookings {
		if err == nil && b.ID != uuid.Nil {
			c.seen[b.ID] = max(c.seen[b.ID], b.Sequence)
		}
	}
	return err
}

// deed does something by chance.
func (c *crowd) deed(t *testing.T, random *rand.Rand, person string) error {
	c.deeds.Add(1)
	ctx, now := t.Context(), c.now()
	day := DateOf(now, c.loc)
	start, _ := day.At(60*(8+random.IntN(3)), c.loc)
	o := Order{
		Request: Request{Venue: []string{"room", "seats", "clinic", "hall"}[random.IntN(4)], Slot: Slot{start, start.Add(time.Hour)}, Place: max(0, random.IntN(4)-1)},
		Party:   Party{Person: person, BookedBy: person, Staff: random.IntN(4) == 0}, Now: now, Location: c.loc,
	}
	board, err := c.s.Board(ctx, day)
	if err != nil {
		return err
	}
	live := slices.DeleteFunc(board, func(b Booking) bool { return !b.Live() })
	if len(live) == 0 || random.IntN(3) == 0 {
		b, _, err := c.s.Book(ctx, o)
		return c.answered(err, b)
	}
	b := live[random.IntN(len(live))]
	a := Act{Reach: Reach{Actor: "desk", Staff: true}, ID: b.ID, Now: now, Location: c.loc}
	switch random.IntN(13) {
	case 0:
		b, _, err = c.s.Change(ctx, a, Party{Person: b.Person, Staff: o.Staff}, Request{Venue: b.Venue, Slot: o.Slot})
	case 1:
		b, _, err = c.s.Cancel(ctx, a, "")
	case 2:
		b, _, err = c.s.Accept(ctx, a)
	case 3:
		b, _, err = c.s.Approve(ctx, a)
	case 4:
		b, _, err = c.s.Refuse(ctx, a, "")
	case 5:
		b, _, err = c.s.CheckIn(ctx, a, "")
	case 6, 7:
		o.Venue, o.Slot, o.Place = b.Venue, b.Slot, 0
		_, err = c.s.Join(ctx, o)
		return err
	case 8:
		var entries []Entry
		if entries, err = c.s.Waiting(ctx, Reach{Persons: []string{person}}); err == nil && len(entries) > 0 {
			a.ID = entries[0].ID
			_, err = c.s.Leave(ctx, a)
		}
		return err
	case 9:
		_, weeks, err := c.s.BookSeries(ctx, SeriesOrder{Order: o, Until: day.AddDays(7), AllOrNothing: o.Staff})
		for _, week := range weeks {
			err = errors.Join(err, c.answered(nil, week.Booking))
		}
		return err
	case 10:
		closure, affected, _, err := c.s.Close(ctx, ClosureOrder{
			Closure: Closure{Venue: o.Venue, Place: o.Place, Slot: Slot{start, start.Add(30 * time.Minute)}, By: "desk"}, Move: o.Staff, Now: now, Location: c.loc,
		})
		if err != nil {
			return err
		}
		for _, gone := range affected {
			err = errors.Join(err, c.answered(nil, gone.After))
		}
		return errors.Join(err, c.s.Reopen(ctx, Act{Reach: Reach{Actor: "desk", Staff: true}, ID: closure.ID, Now: now, Location: c.loc}))
	case 11:
		_, err = c.s.Advance(ctx, now, c.loc)
		return err
	case 12:
		v := smallVenues()[1]
		v.Seats = int32(2 + random.IntN(2))
		return c.s.SaveVenue(ctx, Act{Reach: Reach{Actor: "desk", Staff: true}, ID: uuid.Nil, Now: now, Location: c.loc}, v)
	}
	return c.answered(err, b)
}

// TestCheckerFindsDoubleBooking shows that the tests above can fail: without
// the primary key of the cells, places are given out twice.
func TestCheckerFindsDoubleBooking(t *testing.T) {
	const loose = `-- +goose Up
DROP TABLE cells;
CREATE TABLE cells (venue TEXT NOT NULL, cell BIGINT NOT NULL, place BIGINT NOT NULL);
-- +goose Down
DROP TABLE cells;
`
	files := fstest.MapFS{
		"sqlite/99999_loose.sql":   {Data: []byte(loose)},
		"postgres/99999_loose.sql": {Data: []byte(loose)},
	}
	own := migrations(t)
	err := fs.WalkDir(own, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(own, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	databasetest.EachWith(t, files, libraries, func(t *testing.T, db *database.DB) {
		s := NewStore(db)
		if err := s.SyncVenues(t.Context(), v1alpha1.ManagedByManifest, []v1alpha1.Venue{musicRoom()}, moment(t, monday)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for p := range 8 {
			wg.Go(func() {
				if _, _, err := s.Book(t.Context(), at(t, "music", fmt.Sprint("p", p), 9)); err != nil && !errors.Is(err, ErrTaken) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if overlaps(t, s) == 0 {
			t.Error("no double booking was found although nothing prevents it")
		}
	})
}
