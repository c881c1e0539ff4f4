package canteen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

// OnNews has tell called for all news, in the transaction in which it happens.
// It is to be set before the store is used.
func (s *Store) OnNews(tell func(ctx context.Context, tx bun.Tx, n News) error) { s.tell = tell }

// retention is for how long it is kept whose an order was, in days after its
// meal. Complaints and illnesses are traced within it; what was subsidised
// stays in the ledger without names.
const retention = 180

// keysFor is for how long idempotency keys are kept.
const keysFor = 24 * time.Hour

// Erase takes out of orders whose they were when they are past their retention,
// and removes idempotency keys that nobody will repeat. It returns how many
// orders were nobody's after it.
func (s *Store) Erase(ctx context.Context, now time.Time, loc *time.Location) (erased int64, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*idempotencyRow)(nil)).Where("created_at < ?", now.Add(-keysFor).Unix()).Exec(ctx); err != nil {
			return err
		}
		result, err := anonymous(tx.NewUpdate()).Where("eater <> '' AND day < ?", civil.DateOf(now, loc).AddDays(-retention).String()).
			Where("state NOT IN (?)", bun.List([]State{StatePlacing, StatePlaced})).Exec(ctx)
		if err != nil {
			return err
		}
		erased, err = result.RowsAffected()
		return err
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
	Orders     []Order  `json:"orders"`
	Categories []string `json:"categories"`
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
	p.Categories, err = s.store.CategoriesOf(ctx, person)
	return p, err
}

// Forget cancels what is ahead of a person and takes the person out of what was
// (PIPL Art. 47). Forgetting again is no error.
func (s *Store) Forget(ctx context.Context, person string, now time.Time) error {
	var live []uuid.UUID
	err := s.db.Reader().NewSelect().Model((*orderRow)(nil)).Column("id").Where("eater = ? AND state = ?", person, StatePlaced).Scan(ctx, &live)
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
		due := []Money{MoneyHolding, MoneyCapture, MoneyRelease, MoneySale, MoneyRefund}
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
		for _, model := range []any{(*memberRow)(nil), (*idempotencyRow)(nil)} {
			if _, err := tx.NewDelete().Model(model).Where("person = ?", person).Exec(ctx); err != nil {
				return err
			}
		}
		return audit.Append(ctx, tx, now, audit.Entry{Action: "canteen-forget", Actor: person, Person: person})
	})
	if err != nil {
		return fmt.Errorf("forgetting a person: %w", err)
	}
	return nil
}

// errUnsettled means that a payment of the person is still due, after which
// they can be forgotten.
var errUnsettled = errors.New("a payment is still being settled")

// Reports are of orders whose money was taken.
var taken = []Money{MoneyCaptured, MoneySold}

// SubsidyRow is what was subsidised for a tier in a month.
type SubsidyRow struct {
	// Month is YYYY-MM, of the days of the meals; Tier is empty for those who
	// paid all.
	Month, Tier string
	Orders      int
	// Total is what the meals cost, Subsidy what of that the subsidy paid, in
	// fen.
	Total, Subsidy int64
}

// Subsidies are what was subsidised in the months from first to last, by tier.
func (s *Store) Subsidies(ctx context.Context, first, last string) ([]SubsidyRow, error) {
	var rows []SubsidyRow
	err := s.db.Reader().NewSelect().Model((*orderRow)(nil)).
		ColumnExpr("SUBSTR(day, 1, 7) AS month, tier, COUNT(*) AS orders, CAST(SUM(total) AS BIGINT) AS total, CAST(SUM(subsidy) AS BIGINT) AS subsidy").
		Where("day >= ? AND day <= ?", first+"-01", last+"-31").Where("money IN (?)", bun.List(slices.Clone(taken))).
		GroupExpr("1, 2").OrderExpr("1, 2").Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("adding up subsidies: %w", err)
	}
	return rows, nil
}
