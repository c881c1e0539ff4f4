package accounts

import (
	"slices"
	"testing"
	"time"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/notify"
)

func TestEveryTableHasARetention(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		s.mustTopUp(t, "li", 1_000)
		at := func(now time.Time) Act { return Act{Actor: "li", Now: now, Location: shanghai} }
		erase := func(now time.Time) error { return s.Erase(t.Context(), now) }
		databasetest.WalkRetention(t, s.db, retention, slices.Concat(audit.Retention, notify.Retention), monday, erase, map[string]databasetest.Expiring{
			"holds given-back": {Insert: func(now time.Time) error {
				_, err := s.Release(t.Context(), at(now), "canteen", "never")
				return err
			}},
			"payments": {Insert: func(now time.Time) error {
				p, err := s.BeginPayment(t.Context(), at(now), "li", 500, ChannelNative, "k")
				if err == nil {
					_, err = s.Settle(t.Context(), at(now), Outcome{Reference: p.Reference(), Closed: true})
				}
				return err
			}},
		})
	})
}
