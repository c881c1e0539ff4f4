package host

import (
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/notify"
)

// What the host itself keeps is erased when its time is over, and not before.
func TestEveryTableHasARetention(t *testing.T) {
	migrations, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	libraries := map[string]func() (fs.FS, error){audit.Name: audit.Migrations, notify.Name: notify.Migrations}
	databasetest.EachWith(t, migrations, libraries, func(t *testing.T, db *database.DB) {
		kept := sessions{db}
		session := func(life time.Duration) databasetest.Expiring {
			return databasetest.Expiring{Insert: func(at time.Time) error {
				return kept.Create(t.Context(), identity.Session{ID: at.String(), Subject: "s", CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(life)})
			}}
		}
		now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
		databasetest.WalkRetention(t, db, Retention, slices.Concat(audit.Retention, notify.Retention), now,
			func(now time.Time) error { return kept.erase(t.Context(), now) },
			map[string]databasetest.Expiring{"sessions": session(identity.ResidentSession), "sessions of staff": session(identity.StaffSession)})
	})
}
