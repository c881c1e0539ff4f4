package booking

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/notify"
)

// Every kind of row is erased when its time is over, and not before.
func TestEveryTableHasARetention(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		insert := func(row func(at time.Time) any) databasetest.Expiring {
			return databasetest.Expiring{Insert: func(at time.Time) error {
				return s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.NewInsert().Model(row(at)).Exec(ctx)
					return err
				})
			}}
		}
		coarse := func(row func(at time.Time) any) databasetest.Expiring {
			e := insert(row)
			e.Coarse = true
			return e
		}
		booked := func(venue string) databasetest.Expiring {
			return insert(func(at time.Time) any {
				return &bookingRow{ID: uuid.New(), Venue: venue, Place: 1, Person: "wang", State: StateBooked,
					StartAt: at.Add(-time.Hour).Unix(), EndAt: at.Unix(), BusyUntil: at.Unix(), Day: DateOf(at, time.UTC).String()}
			})
		}
		rows := map[string]databasetest.Expiring{
			"bookings": booked("music"), "bookings with an attendant": booked("clinic"),
			"waiting": insert(func(at time.Time) any {
				return &waitingRow{ID: uuid.New(), Venue: "music", Person: "wang", EndAt: at.Unix(), State: EntryExpired}
			}),
			"closures": insert(func(at time.Time) any {
				return &closureRow{ID: uuid.New(), Venue: "music", EndAt: at.Unix()}
			}),
			"affected": insert(func(at time.Time) any {
				return &affectedRow{Closure: uuid.New(), Booking: uuid.New(), EndAt: at.Unix()}
			}),
			"quotas": coarse(func(at time.Time) any {
				return &quotaRow{Venue: "music", Person: "wang", Period: DateOf(at.Add(-24*time.Hour), time.UTC).String(), Ordinal: 1}
			}),
			"idempotency": insert(func(at time.Time) any {
				return &idempotencyRow{Person: "wang", Key: "k", CreatedAt: at.Unix()}
			}),
			"wrong_codes": coarse(func(at time.Time) any { return &wrongCodesRow{Person: "wang", Hour: hourOf(at), Count: 1} }),
		}
		erase := func(now time.Time) error {
			_, err := s.Erase(t.Context(), now)
			return err
		}
		databasetest.WalkRetention(t, s.db, kept, slices.Concat(audit.Retention, notify.Retention), moment(t, monday), erase, rows)
	})
}
