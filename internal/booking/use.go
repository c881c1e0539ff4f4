package booking

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
)

// Use is how much a venue was used in a month, by what became of the bookings.
type Use struct {
	Venue string
	// Month is written YYYY-MM, in the community's zone.
	Month string
	State State
	// Bookings is how many there were, Minutes how long they were together.
	Bookings, Minutes int
}

type useRow struct {
	bun.BaseModel `bun:"table:past_use,alias:past_use"`

	Venue    string
	Month    string
	State    State
	Bookings int
	Minutes  int
}

// Use is the use of all venues from one month to another (YYYY-MM, both within
// it), by venue, month and state; bookings that were erased are in it.
func (s *Store) Use(ctx context.Context, from, to string) ([]Use, error) {
	uses, err := usesIn(ctx, s.db.Reader(), "day >= ? AND day <= ?", from+"-01", to+"-31")
	if err != nil {
		return nil, err
	}
	var past []useRow
	if err := s.db.Reader().NewSelect().Model(&past).Where("month >= ? AND month <= ?", from, to).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the use of venues: %w", err)
	}
	for _, p := range past {
		i := slices.IndexFunc(uses, func(u Use) bool { return u.Venue == p.Venue && u.Month == p.Month && u.State == p.State })
		if i < 0 {
			uses = append(uses, Use{Venue: p.Venue, Month: p.Month, State: p.State})
			i = len(uses) - 1
		}
		uses[i].Bookings += p.Bookings
		uses[i].Minutes += p.Minutes
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return strings.Compare(a.Venue+"\x00"+a.Month+"\x00"+string(a.State), b.Venue+"\x00"+b.Month+"\x00"+string(b.State))
	})
	return uses, nil
}

// usesIn adds up the bookings that a condition chooses.
func usesIn(ctx context.Context, db bun.IDB, where string, args ...any) ([]Use, error) {
	var uses []Use
	err := db.NewSelect().Model((*bookingRow)(nil)).
		ColumnExpr("venue, SUBSTR(day, 1, 7) AS month, state, COUNT(*) AS bookings, CAST(SUM(end_at - start_at) / 60 AS BIGINT) AS minutes").
		Where(where, args...).GroupExpr("1, 2, 3").Scan(ctx, &uses)
	if err != nil {
		return nil, fmt.Errorf("reading the use of venues: %w", err)
	}
	return uses, nil
}
