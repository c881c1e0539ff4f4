package host

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity"
)

//go:embed migrations
var migrationFiles embed.FS

// sessionsDatabase is the database of the host's own.
const sessionsDatabase = "host"

// sessions keeps in which browsers somebody is signed in.
type sessions struct{ db *database.DB }

type sessionRow struct {
	bun.BaseModel `bun:"table:sessions"`

	ID        string `bun:",pk"`
	Subject   string
	Phone     string
	Person    string
	Staff     bool
	CreatedAt int64
	SeenAt    int64
	ExpiresAt int64
}

func (r sessionRow) session() identity.Session {
	return identity.Session{
		ID: r.ID, Subject: r.Subject, Phone: r.Phone, Person: r.Person, Staff: r.Staff,
		CreatedAt: time.Unix(r.CreatedAt, 0), SeenAt: time.Unix(r.SeenAt, 0), ExpiresAt: time.Unix(r.ExpiresAt, 0),
	}
}

func (s sessions) Create(ctx context.Context, n identity.Session) error {
	row := sessionRow{
		ID: n.ID, Subject: n.Subject, Phone: n.Phone, Person: n.Person, Staff: n.Staff,
		CreatedAt: n.CreatedAt.Unix(), SeenAt: n.SeenAt.Unix(), ExpiresAt: n.ExpiresAt.Unix(),
	}
	return s.write(ctx, "beginning a session", func(ctx context.Context, tx bun.Tx) (sql.Result, error) {
		return tx.NewInsert().Model(&row).Exec(ctx)
	})
}

func (s sessions) Find(ctx context.Context, id string, now time.Time) (identity.Session, bool, error) {
	var row sessionRow
	err := s.db.Reader().NewSelect().Model(&row).Where("id = ? AND expires_at > ?", id, now.Unix()).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return identity.Session{}, false, nil
	}
	if err != nil {
		return identity.Session{}, false, fmt.Errorf("looking for a session: %w", err)
	}
	return row.session(), true, nil
}

func (s sessions) Touch(ctx context.Context, id string, now time.Time) error {
	return s.write(ctx, "noting that a session was seen", func(ctx context.Context, tx bun.Tx) (sql.Result, error) {
		return tx.NewUpdate().Model((*sessionRow)(nil)).Set("seen_at = ?", now.Unix()).Where("id = ?", id).Exec(ctx)
	})
}

func (s sessions) Choose(ctx context.Context, id, person string) error {
	return s.write(ctx, "choosing whose session it is", func(ctx context.Context, tx bun.Tx) (sql.Result, error) {
		return tx.NewUpdate().Model((*sessionRow)(nil)).Set("person = ?", person).Where("id = ?", id).Exec(ctx)
	})
}

func (s sessions) Of(ctx context.Context, subject string, now time.Time) ([]identity.Session, error) {
	var rows []sessionRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("subject = ? AND expires_at > ?", subject, now.Unix()).
		Order("created_at DESC", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for sessions: %w", err)
	}
	found := make([]identity.Session, len(rows))
	for i, row := range rows {
		found[i] = row.session()
	}
	return found, nil
}

func (s sessions) End(ctx context.Context, id string) error {
	return s.write(ctx, "ending a session", func(ctx context.Context, tx bun.Tx) (sql.Result, error) {
		return tx.NewDelete().Model((*sessionRow)(nil)).Where("id = ?", id).Exec(ctx)
	})
}

func (s sessions) EndAll(ctx context.Context, subject string) error {
	return s.write(ctx, "ending sessions", func(ctx context.Context, tx bun.Tx) (sql.Result, error) {
		return tx.NewDelete().Model((*sessionRow)(nil)).Where("subject = ?", subject).Exec(ctx)
	})
}

// erase removes what has expired.
func (s sessions) erase(ctx context.Context, now time.Time) error {
	return s.write(ctx, "erasing expired sessions", func(ctx context.Context, tx bun.Tx) (sql.Result, error) {
		return tx.NewDelete().Model((*sessionRow)(nil)).Where("expires_at <= ?", now.Unix()).Exec(ctx)
	})
}

func (s sessions) write(ctx context.Context, what string, f func(ctx context.Context, tx bun.Tx) (sql.Result, error)) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := f(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// eraseSessionsEvery is how often expired sessions are removed.
const eraseSessionsEvery = time.Hour

// eraseSessions removes expired sessions until ctx is done. A failure is
// logged and tried again.
func (h *Host) eraseSessions(ctx context.Context) error {
	return every(ctx, h.options.Clock, eraseSessionsEvery, func(ctx context.Context) {
		if err := h.sessions.erase(ctx, h.options.Clock.Now()); err != nil && ctx.Err() == nil {
			h.options.Log.ErrorContext(ctx, "expired sessions were not erased", "error", oneLine(err))
		}
	})
}
