package booking

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

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
	databasetest.Each(t, files, func(t *testing.T, db *database.DB) {
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
