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
		nothing := func(time.Time) error { return nil } // is erased here
		databasetest.WalkRetention(t, s.db, retention, slices.Concat(audit.Retention, notify.Retention), time.Time{}, nothing, nil)
	})
}
