package canteen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database"
)

// OnNews has tell called for all news, in the transaction in which it happens.
// It is to be set before the store is used.
func (s *Store) OnNews(tell func(ctx context.Context, tx bun.Tx, n News) error) { s.tell = tell }

const (
	// orderRetention is for how long orders are kept after the day of their
	// meal: complaints and illnesses are traced within it. What was subsidised
	// stays, added up without persons, and in the ledger.
	orderRetention = 180 * 24 * time.Hour
	// keyRetention is for how long idempotency keys are kept.
	keyRetention = 24 * time.Hour
)

// kept says how long the service keeps what, after the end of what it is about.
var kept = []database.Retention{
	{Table: "orders", Kept: database.KeptFor, For: orderRetention},
	{Table: "idempotency", Kept: database.KeptFor, For: keyRetention},
	{Table: "standing_orders", Kept: database.KeptFor, For: orderRetention},
	{Table: "standing_skips", Kept: database.KeptFor, For: orderRetention},
	{Table: "standing_days", Kept: database.KeptFor, For: orderRetention},
	{Table: "category_members", Kept: database.KeptWithPerson},
	{Table: "takings", Kept: database.NotPersonal},
	{Table: "takings_eaters", Kept: database.NotPersonal},
	{Table: "suppliers", Kept: database.KeptFor, For: safetyRetention},
	{Table: "batches", Kept: database.KeptFor, For: safetyRetention},
	{Table: "batch_photos", Kept: database.KeptFor, For: safetyRetention},
	{Table: "uses", Kept: database.KeptFor, For: safetyRetention},
	{Table: "samples", Kept: database.KeptFor, For: safetyRetention},
	{Table: "checks", Kept: database.KeptFor, For: safetyRetention},
	{Table: "canteens", Kept: database.NotPersonal},
	{Table: "dishes", Kept: database.NotPersonal},
	{Table: "photos", Kept: database.NotPersonal},
	{Table: "menus", Kept: database.NotPersonal},
	{Table: "items", Kept: database.NotPersonal},
	{Table: "ratings", Kept: database.KeptFor, For: orderRetention},
	{Table: "past_ratings", Kept: database.NotPersonal},
	{Table: "suggestions", Rows: "ended", Kept: database.KeptFor, For: suggestionRetention},
	{Table: "suggestions", Kept: database.KeptWithPerson},
	{Table: "votes", Kept: database.KeptWithPerson},
}

// Erase removes orders that are past their retention, of whose money nothing is
// due any more, and idempotency keys that nobody will repeat. It returns how
// many orders it removed.
func (s *Store) Erase(ctx context.Context, now time.Time, loc *time.Location) (erased int64, err error) {
	// The day of a meal ends at midnight; it is kept for all of the last day.
	before := civil.DateOf(now.Add(-orderRetention), loc).String()
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*idempotencyRow)(nil)).Where("created_at <= ?", now.Add(-keyRetention).Unix()).Exec(ctx); err != nil {
			return err
		}
		if err := eraseStanding(ctx, tx, before, now.Add(-orderRetention)); err != nil {
			return err
		}
		if err := eraseSuggestions(ctx, tx, now.Add(-suggestionRetention)); err != nil {
			return err
		}
		if err := eraseRatings(ctx, tx, before); err != nil {
			return err
		}
		result, err := tx.NewDelete().Model((*orderRow)(nil)).Where("day < ?", before).
			Where("money NOT IN (?)", bun.List(due)).Where("state NOT IN (?)", bun.List([]State{StatePlacing, StatePlaced})).Exec(ctx)
		if err != nil {
			return err
		}
		if erased, err = result.RowsAffected(); err != nil {
			return err
		}
		return eraseSafety(ctx, tx, now, loc)
	})
	if err != nil {
		return 0, fmt.Errorf("erasing orders: %w", err)
	}
	return erased, nil
}

// anonymous takes persons out of orders. What was wished may tell who it was.
func anonymous(q *bun.UpdateQuery) *bun.UpdateQuery {
	return q.Model((*orderRow)(nil)).Set("eater = '', ordered_by = '', payer = '', name = '', phone = '', code = ''").
		Set("home = '{}', wish = '', next = NULL")
}

// Personal is all that the service keeps about a person.
type Personal struct {
	Orders     []Order    `json:"orders"`
	Standing   []Standing `json:"standingOrders"`
	Categories []string   `json:"categories"`
	// Ratings are what they said about dishes, and what was said for them.
	Ratings []PersonalRating `json:"ratings"`
	// Suggestions are what they would like to be cooked, and voted for.
	Suggestions []PersonalSuggestion `json:"suggestions"`
}

func (s *service) export(ctx context.Context, person string) (any, error) {
	var rows []orderRow
	err := s.store.db.Reader().NewSelect().Model(&rows).Where("eater = ?", person).Order("day", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what is kept about a person: %w", err)
	}
	var p Personal
	if p.Orders, err = ordersOf(rows); err != nil {
		return nil, err
	}
	if p.Standing, err = s.store.Standings(ctx, Reach{Persons: []string{person}}); err != nil {
		return nil, err
	}
	if p.Categories, err = s.store.CategoriesOf(ctx, person); err != nil {
		return nil, err
	}
	if p.Ratings, err = s.store.ratingsAbout(ctx, person); err != nil {
		return nil, err
	}
	p.Suggestions, err = s.store.suggestionsAbout(ctx, person)
	return p, err
}

// Forget cancels what is ahead of a person and takes the person out of what was
// (PIPL Art. 47). Forgetting again is no error.
func (s *Store) Forget(ctx context.Context, person string, now time.Time) error {
	// Nothing is to be ordered for them meanwhile.
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return s.forgetStanding(ctx, tx, person, now) })
	if err != nil {
		return fmt.Errorf("forgetting a person: %w", err)
	}
	var live []uuid.UUID
	err = s.db.Reader().NewSelect().Model((*orderRow)(nil)).Column("id").Where("eater = ? AND state = ?", person, StatePlaced).Scan(ctx, &live)
	if err != nil {
		return fmt.Errorf("forgetting a person: %w", err)
	}
	for _, id := range live {
		if _, err := s.Cancel(ctx, Act{Reach: Reach{Actor: person, Staff: true}, ID: id, Now: now}); err != nil {
			return fmt.Errorf("forgetting a person: %w", err)
		}
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		// The money of what was cancelled is given back by the order's ID: it
		// needs no name.
		waiting, err := tx.NewSelect().Model((*orderRow)(nil)).Where("eater = ? AND money IN (?)", person, bun.List(due)).Exists(ctx)
		if err != nil {
			return err
		}
		if waiting {
			return errUnsettled
		}
		if _, err := anonymous(tx.NewUpdate()).Where("eater = ?", person).Exec(ctx); err != nil {
			return err
		}
		for _, column := range []string{"ordered_by", "payer"} {
			if _, err := tx.NewUpdate().Model((*orderRow)(nil)).Set("? = ''", bun.Ident(column)).Where("? = ?", bun.Ident(column), person).Exec(ctx); err != nil {
				return err
			}
		}
		if err := forgetRatings(ctx, tx, person); err != nil {
			return err
		}
		if err := forgetSuggestions(ctx, tx, person); err != nil {
			return err
		}
		for _, model := range []any{(*memberRow)(nil), (*idempotencyRow)(nil)} {
			if _, err := tx.NewDelete().Model(model).Where("person = ?", person).Exec(ctx); err != nil {
				return err
			}
		}
		return audit.Append(ctx, tx, now, audit.Entry{Action: Name + ".forget", Actor: person, Person: person})
	})
	if err != nil {
		return fmt.Errorf("forgetting a person: %w", err)
	}
	return nil
}

// errUnsettled means that a payment of the person is still due, after which
// they can be forgotten.
var errUnsettled = errors.New("a payment is still being settled")
