package booking

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
)

// due makes two requests, two no-shows and two offers, which are all over at
// nine, and three who wait.
func due(t *testing.T, s *Store) {
	t.Helper()
	room, seats := musicRoom(), studyRoom()
	room.Approval, seats.NoShowMinutes = v1alpha1.ApprovalStaff, 5
	save(t, s, room)
	save(t, s, seats)
	for i, hour := range []int{8, 9} {
		book1(t, s, at(t, "music", fmt.Sprint("request", i), hour))
	}
	for i := range 2 {
		book1(t, s, at(t, "study", fmt.Sprint("no-show", i), 8))
	}
	for i, hour := range []int{9, 10} {
		given := book1(t, s, at(t, "clinic", fmt.Sprint("giver", i), hour))
		join1(t, s, at(t, "clinic", fmt.Sprint("offered", i), hour))
		join1(t, s, at(t, "clinic", fmt.Sprint("waiting", i), hour))
		cancel1(t, s, given, given.CreatedAt)
	}
	join1(t, s, at(t, "music", "waiting", 9))
}

// advancedOnce checks what has become of what was due, and that each was done
// once: by its sequence.
func advancedOnce(t *testing.T, s *Store) {
	t.Helper()
	now := oclock(t, "09:00")
	checkSettled(t, s, now)
	states := map[State]int{}
	for _, b := range look(t.Context(), t, s, now).bookings {
		states[b.State]++
		if b.State != StateHeld && b.Sequence != 1 {
			t.Errorf("%s was changed %d times", b.Person, b.Sequence)
		}
	}
	// Who waited for ten is offered it now.
	if want := "map[cancelled:2 expired:4 held:1 released:2]"; fmt.Sprint(states) != want {
		t.Errorf("states %v, want %s", states, want)
	}
}

func TestAdvance(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		due(t, s)
		now, loc := oclock(t, "09:00"), zone(t, "Asia/Shanghai")
		if done, err := s.Advance(t.Context(), moment(t, monday), loc); err != nil || done != (Advanced{}) {
			t.Errorf("before anything is due: %+v, %v", done, err)
		}
		for _, want := range []Advanced{{Expired: 4, Released: 2}, {}} {
			if done, err := s.Advance(t.Context(), now, loc); err != nil || done != want {
				t.Errorf("done %+v, %v; want %+v", done, err, want)
			}
			advancedOnce(t, s)
		}
	})
}

// TestAdvanceKilled: whenever it is stopped, the next one does the rest.
func TestAdvanceKilled(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		due(t, s)
		now, loc := oclock(t, "09:00"), zone(t, "Asia/Shanghai")
		for n := range 8 {
			if _, err := s.Advance(&dying{Context: t.Context(), left: 3 * n}, now, loc); err != nil && !errors.Is(err, errKilled) && !pgconn.Timeout(err) {
				t.Fatal(err) // the driver calls it a timeout when a context ends while it waits for an answer
			}
			checkInvariants(t, s)
		}
		if _, err := s.Advance(t.Context(), now, loc); err != nil {
			t.Fatal(err)
		}
		advancedOnce(t, s)
	})
}

var errKilled = errors.New("killed")

// dying is a context that ends when it was asked a number of times.
type dying struct {
	context.Context
	mu   sync.Mutex
	left int
}

func (d *dying) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left--; d.left < 0 {
		return errKilled
	}
	return nil
}

func (d *dying) Done() <-chan struct{} {
	if d.Err() == nil {
		return nil
	}
	ended := make(chan struct{})
	close(ended)
	return ended
}

func TestAdvanceAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		due(t, s)
		now, loc := oclock(t, "09:00"), zone(t, "Asia/Shanghai")
		var wg sync.WaitGroup
		all := make([]Advanced, 4)
		for i := range all {
			wg.Go(func() {
				var err error
				if all[i], err = s.Advance(t.Context(), now, loc); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		sum := Advanced{}
		for _, done := range all {
			sum.Expired += done.Expired
			sum.Released += done.Released
		}
		if sum != (Advanced{Expired: 4, Released: 2}) {
			t.Errorf("done in all %+v", sum)
		}
		advancedOnce(t, s)
	})
}

func TestAdvanceInBatches(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		now := moment(t, monday)
		past := now.Add(-time.Hour).Unix()
		rows := make([]bookingRow, advanceBatch+1)
		for i := range rows {
			rows[i] = bookingRow{ID: uuid.New(), Venue: "study", Place: 1, Person: "li", EndAt: int64(i), Day: "1970-01-01", State: StateBooked, DueAt: &past}
		}
		err := s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&rows).Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if done, err := s.Advance(t.Context(), now, zone(t, "Asia/Shanghai")); err != nil || done.Released != len(rows) {
			t.Errorf("done %+v of %d, %v", done, len(rows), err)
		}
	})
}
