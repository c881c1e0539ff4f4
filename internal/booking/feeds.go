package booking

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Feed is a secret address at which a calendar fetches a person's bookings.
type Feed struct {
	Person, Language string
	CreatedAt        time.Time
}

type feedRow struct {
	bun.BaseModel `bun:"table:feeds"`

	Person    string
	Digest    string
	Language  string
	CreatedAt int64
}

func feedDigest(secret string) string {
	return digest("%s", secret)
}

// NewFeed makes a person's feed and returns the secret of its address, which
// cannot be read again. The address before is worth nothing any more.
func (s *Store) NewFeed(ctx context.Context, f Feed) (secret string, err error) {
	secret = rand.Text()
	row := feedRow{Person: f.Person, Digest: feedDigest(secret), Language: f.Language, CreatedAt: f.CreatedAt.Unix()}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (person) DO UPDATE").
			Set("digest = EXCLUDED.digest, language = EXCLUDED.language, created_at = EXCLUDED.created_at").Exec(ctx)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("making a calendar address: %w", err)
	}
	return secret, nil
}

// RevokeFeed makes a person's feed worth nothing. Revoking again is no error.
func (s *Store) RevokeFeed(ctx context.Context, person string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*feedRow)(nil)).Where("person = ?", person).Exec(ctx); err != nil {
			return fmt.Errorf("revoking a calendar address: %w", err)
		}
		return nil
	})
}

// FeedOf is a person's feed, or ErrNotFound.
func (s *Store) FeedOf(ctx context.Context, person string) (Feed, error) {
	return s.feed(ctx, "person = ?", person)
}

// FeedAt is the feed at a secret address, or ErrNotFound.
func (s *Store) FeedAt(ctx context.Context, secret string) (Feed, error) {
	return s.feed(ctx, "digest = ?", feedDigest(secret))
}

func (s *Store) feed(ctx context.Context, where, value string) (Feed, error) {
	var row feedRow
	err := s.db.Reader().NewSelect().Model(&row).Where(where, value).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Feed{}, ErrNotFound
	}
	if err != nil {
		return Feed{}, fmt.Errorf("reading a calendar address: %w", err)
	}
	return Feed{Person: row.Person, Language: row.Language, CreatedAt: time.Unix(row.CreatedAt, 0)}, nil
}

// ForCalendar are a person's bookings that begin from a moment on, in order of
// time; those that were given up too, so that calendars take them out.
func (s *Store) ForCalendar(ctx context.Context, person string, from time.Time) ([]Booking, error) {
	var rows []bookingRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("person = ? AND start_at >= ?", person, from.Unix()).Order("start_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading a calendar: %w", err)
	}
	return bookingsOf(rows)
}
