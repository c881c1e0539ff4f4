package canteen

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/civil"
)

// What meals brought in is counted on the day under which the ledger has it,
// in the transaction in which an order's money is noted as taken or given back:
// a month that was reported stays as it was, and is what the ledger says of it.

// Posted are the days, in the community's zone, under which the ledger has what
// came of an order's money.
type Posted struct{ Taken, Returned civil.Date }

// posted counts what has come of an order's money, before that is noted. An
// order whose money is given back may never have been noted as taken: it was
// taken all the same, and is counted then.
func posted(ctx context.Context, tx bun.Tx, o *Order, to Money, on Posted) error {
	if to != MoneyCaptured && to != MoneySold && to != MoneyRefunded {
		return nil
	}
	if o.TakenOn == (civil.Date{}) {
		if err := count(ctx, tx, *o, on.Taken, 1); err != nil {
			return err
		}
		if err := countEater(ctx, tx, *o, civil.MonthOf(on.Taken)); err != nil {
			return err
		}
		o.TakenOn = on.Taken
	}
	if to == MoneyRefunded {
		return count(ctx, tx, *o, on.Returned, -1)
	}
	return nil
}

// count adds an order to the takings of a day n times; -1 takes it off.
func count(ctx context.Context, tx bun.Tx, o Order, day civil.Date, n int64) error {
	_, err := tx.NewRaw("INSERT INTO takings (day, tier, orders, total, subsidy) VALUES (?, ?, ?, ?, ?) ON CONFLICT (day, tier) DO UPDATE SET "+
		"orders = takings.orders + EXCLUDED.orders, total = takings.total + EXCLUDED.total, subsidy = takings.subsidy + EXCLUDED.subsidy",
		day.String(), o.Tier, n, n*o.Total, n*o.Subsidy).Exec(ctx)
	if err != nil {
		return fmt.Errorf("counting the takings of %s: %w", day, err)
	}
	return nil
}

// countEater counts who eats, once for a month and tier: which is known only
// while the month's orders are kept. Who is given back all money stays counted.
func countEater(ctx context.Context, tx bun.Tx, o Order, month civil.Month) error {
	again, err := tx.NewSelect().Model((*orderRow)(nil)).Where("eater = ? AND tier = ? AND id <> ?", o.Eater, o.Tier, o.ID).
		Where("taken_on >= ? AND taken_on <= ?", month.First().String(), month.Last().String()).Exists(ctx)
	if err == nil && !again {
		_, err = tx.NewRaw("INSERT INTO takings_eaters (month, tier, eaters) VALUES (?, ?, 1) ON CONFLICT (month, tier) DO UPDATE SET "+
			"eaters = takings_eaters.eaters + 1", string(month), o.Tier).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("counting the eaters of %s: %w", month, err)
	}
	return nil
}

// SubsidyRow is what was subsidised for a tier in a month.
type SubsidyRow struct {
	// Month is that of the days under which the ledger has it; Tier is empty
	// for those who paid all.
	Month civil.Month
	Tier  string
	// Orders is how many were paid, less those whose money was given back.
	Orders int
	// Total is what the meals cost, Subsidy what of that the subsidy paid, in
	// fen.
	Total, Subsidy int64
}

// Subsidies are what was subsidised in the months from first to last, by tier.
// What was given back within its month is left out.
func (s *Store) Subsidies(ctx context.Context, first, last civil.Month) ([]SubsidyRow, error) {
	var rows []SubsidyRow
	err := s.db.Reader().NewRaw("SELECT SUBSTR(day, 1, 7) AS month, tier, CAST(SUM(orders) AS BIGINT) AS orders, "+
		"CAST(SUM(total) AS BIGINT) AS total, CAST(SUM(subsidy) AS BIGINT) AS subsidy FROM takings WHERE day >= ? AND day <= ? GROUP BY 1, 2 "+
		"HAVING SUM(orders) <> 0 OR SUM(total) <> 0 OR SUM(subsidy) <> 0 ORDER BY 1, 2", first.First().String(), last.Last().String()).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("adding up subsidies: %w", err)
	}
	return rows, nil
}

// MonthCheck holds a month of the canteen against the ledger, in fen.
type MonthCheck struct {
	Month civil.Month
	// Total and Subsidy are the canteen's.
	Total, Subsidy             int64
	LedgerTotal, LedgerSubsidy int64
}

// Agrees says that there is no difference.
func (c MonthCheck) Agrees() bool { return c.Total == c.LedgerTotal && c.Subsidy == c.LedgerSubsidy }

// ledgerMonth is what the ledger says that the canteen has earned in a month.
type ledgerMonth struct {
	Month            civil.Month
	Revenue, Subsidy int64
}

// compare holds each month of which one of the two knows anything against the
// other.
func compare(rows []SubsidyRow, ledger []ledgerMonth) []MonthCheck {
	by := map[civil.Month]MonthCheck{}
	for _, row := range rows {
		c := by[row.Month]
		c.Month, c.Total, c.Subsidy = row.Month, c.Total+row.Total, c.Subsidy+row.Subsidy
		by[row.Month] = c
	}
	for _, l := range ledger {
		c := by[l.Month]
		c.Month, c.LedgerTotal, c.LedgerSubsidy = l.Month, l.Revenue, l.Subsidy
		by[l.Month] = c
	}
	checks := make([]MonthCheck, 0, len(by))
	for _, c := range by {
		checks = append(checks, c)
	}
	slices.SortFunc(checks, func(a, b MonthCheck) int { return cmp.Compare(a.Month, b.Month) })
	return checks
}
