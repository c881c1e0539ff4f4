package canteen

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

// Members are the IDs of who belongs to a category. That somebody looks at them
// is recorded before they are shown.
func (s *Store) Members(ctx context.Context, by By, category string, loc *time.Location) ([]string, error) {
	var people []string
	err := s.db.Reader().NewSelect().Model((*memberRow)(nil)).Column("person").Where("category = ?", category).Order("person").Scan(ctx, &people)
	if err != nil {
		return nil, fmt.Errorf("listing who belongs to a category: %w", err)
	}
	midnight, _ := civil.DateOf(by.Now, loc).Bounds(loc)
	return people, audit.NoteLook(ctx, s.db, by.Now, audit.Look{
		Actor: by.Actor, Action: Name + ".members-view", Each: Name + ".member-listed", Object: category, People: people, Since: midnight,
	})
}

// AddMember has a person belong to a category. Who does already stays.
func (s *Store) AddMember(ctx context.Context, by By, category, person string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewInsert().Model(&memberRow{Category: category, Person: person}).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return fmt.Errorf("adding to a category: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: Name + ".member-add", Actor: by.Actor, Person: person, Object: category})
	})
}

// RemoveMember has a person not belong to a category any more. Orders that were
// made keep their prices.
func (s *Store) RemoveMember(ctx context.Context, by By, category, person string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewDelete().Model((*memberRow)(nil)).Where("category = ? AND person = ?", category, person).Exec(ctx)
		if err != nil {
			return fmt.Errorf("removing from a category: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: Name + ".member-remove", Actor: by.Actor, Person: person, Object: category})
	})
}
