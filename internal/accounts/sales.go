package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/uptrace/bun"
)

type takenRow struct {
	bun.BaseModel `bun:"table:taken"`

	Service         string `bun:",pk"`
	Name            string `bun:",pk"`
	Person          string
	Amount          int64
	Subsidy         int64
	Refunded        int64
	RefundedSubsidy int64
	TransactionID   *uuid.UUID
	Request         string
}

type refundRow struct {
	bun.BaseModel `bun:"table:refunds"`

	Service       string `bun:",pk"`
	ID            string `bun:",pk"`
	TransactionID *uuid.UUID
	Request       string
}

func insertTaken(ctx context.Context, tx bun.Tx, t Taken, request string) error {
	row := takenRow{
		Service: t.Service, Name: t.Name, Person: t.Person, Amount: t.Amount, Subsidy: t.Subsidy, TransactionID: pointerTo(t.Transaction), Request: request,
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return fmt.Errorf("writing what was taken: %w", err)
	}
	return nil
}

// takenIn is what was taken under a name; known is false if nothing was.
func takenIn(ctx context.Context, db bun.IDB, service, name string) (t Taken, request string, known bool, err error) {
	var r takenRow
	err = db.NewSelect().Model(&r).Where("service = ? AND name = ?", service, name).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return t, "", false, nil
	}
	if err != nil {
		return t, "", false, fmt.Errorf("reading what was taken: %w", err)
	}
	return Taken{
		Service: r.Service, Name: r.Name, Person: r.Person, Amount: r.Amount, Subsidy: r.Subsidy,
		Refunded: r.Refunded, RefundedSubsidy: r.RefundedSubsidy, Transaction: idOf(r.TransactionID),
	}, r.Request, true, nil
}

// SaleOrder is something that was paid for in cash at a service's counter.
type SaleOrder struct {
	Service, ID     string
	Amount, Subsidy int64
	// Person is for whom it was; empty if nobody is named.
	Person string
	About  string
	Memo   Memo
}

// Sell notes a sale. It returns a *Refusal if the ID stands for another one.
func (s *Store) Sell(ctx context.Context, a Act, o SaleOrder) (t Taken, err error) {
	if o.ID == "" || o.Amount < 0 || o.Subsidy < 0 || o.Amount > MaxAmount || o.Subsidy > MaxAmount {
		return t, refuse(RuleInvalid, "id must be named, and amounts be between 0 and %d fen", MaxAmount)
	}
	request := digest("sale %d %d %q %q", o.Amount, o.Subsidy, o.Person, o.About)
	name := nameOfSale(o.ID)
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) (*Refusal, error) {
		before, was, known, err := takenIn(ctx, tx, o.Service, name)
		if err != nil {
			return nil, err
		}
		if known && was != request {
			return refuse(RuleReused, "this id is that of another sale"), nil
		}
		if t = before; known {
			t.PostedOn, err = postedOn(ctx, tx, before.Transaction)
			return nil, err
		}
		t = Taken{Service: o.Service, Name: name, Person: o.Person, Amount: o.Amount, Subsidy: o.Subsidy}
		if o.Amount != 0 || o.Subsidy != 0 {
			entry := Transaction{Kind: KindSale, Service: o.Service, About: o.About, Memo: o.Memo}
			if err := post(ctx, tx, a, &entry, once{caller: o.Service, key: name, request: request}, earn(AccountCash, o.Service, o.Amount, o.Subsidy)); err != nil {
				return nil, err
			}
			t.Transaction, t.PostedOn = entry.ID, entry.Day
		}
		return nil, insertTaken(ctx, tx, t, request)
	})
	return t, err
}

// RefundOrder gives back some of what a service took.
type RefundOrder struct {
	Service, ID string
	// Of is what was taken: holds/<id> or sales/<id>.
	Of              string
	Amount, Subsidy int64
	// To is ToPurse or ToCash.
	To string
}

// Refunded is what was given back.
type Refunded struct {
	RefundOrder
	// Transaction is nil if nothing had to be moved, PostedOn its day.
	Transaction uuid.UUID
	PostedOn    civil.Date
}

// Refund gives back some of what was taken, never more than that over all
// refunds. It returns a *Refusal or ErrNotFound.
func (s *Store) Refund(ctx context.Context, a Act, o RefundOrder) (r Refunded, err error) {
	if o.ID == "" || o.To != ToPurse && o.To != ToCash {
		return r, refuse(RuleInvalid, "id must be named, and to be %s or %s", ToPurse, ToCash)
	}
	request := digest("refund %q %d %d %q", o.Of, o.Amount, o.Subsidy, o.To)
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) (*Refusal, error) {
		r = Refunded{RefundOrder: o}
		var before refundRow
		err := tx.NewSelect().Model(&before).Where("service = ? AND id = ?", o.Service, o.ID).Scan(ctx)
		if err == nil {
			r.Transaction = idOf(before.TransactionID)
			if before.Request != request {
				return refuse(RuleReused, "this id is that of another refund"), nil
			}
			r.PostedOn, err = postedOn(ctx, tx, r.Transaction)
			return nil, err
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("reading refund %s of %s: %w", o.ID, o.Service, err)
		}
		taken, _, known, err := takenIn(ctx, tx, o.Service, o.Of)
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, ErrNotFound
		}
		if refusal := taken.refund(o.Amount, o.Subsidy); refusal != nil {
			return refusal, nil
		}
		if o.To == ToPurse && taken.Person == "" {
			return refuse(RuleNoPurse, "nobody is named into whose purse it could go: refund it in cash"), nil
		}
		if r.Transaction, err = refund(ctx, tx, a, taken, o, request); err != nil {
			return nil, err
		}
		if r.Transaction != uuid.Nil {
			r.PostedOn = a.Today()
		}
		row := refundRow{Service: o.Service, ID: o.ID, TransactionID: pointerTo(r.Transaction), Request: request}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return nil, fmt.Errorf("writing a refund: %w", err)
		}
		_, err = tx.NewUpdate().Model((*takenRow)(nil)).Set("refunded = refunded + ?", o.Amount).Set("refunded_subsidy = refunded_subsidy + ?", o.Subsidy).
			Where("service = ? AND name = ?", o.Service, o.Of).Exec(ctx)
		if err != nil {
			return nil, fmt.Errorf("writing a refund: %w", err)
		}
		return nil, nil
	})
	return r, err
}

// refund posts a refund; it returns nil as ID if nothing is moved.
func refund(ctx context.Context, tx bun.Tx, a Act, taken Taken, o RefundOrder, request string) (uuid.UUID, error) {
	if o.Amount == 0 && o.Subsidy == 0 {
		return uuid.Nil, nil
	}
	t := Transaction{Kind: KindRefund, Service: o.Service}
	if taken.Transaction != uuid.Nil {
		original, err := transactionIn(ctx, tx, taken.Transaction)
		if err != nil {
			return uuid.Nil, err
		}
		t.About, t.Memo = original.About, original.Memo
	}
	payer := AccountCash
	if o.To == ToPurse {
		purse, err := open(ctx, tx, taken.Person, a.Now)
		if err != nil {
			return uuid.Nil, err
		}
		t.Purse, payer = purse.ID, PurseAccount(purse.ID)
	}
	err := post(ctx, tx, a, &t, once{caller: o.Service, key: "refunds/" + o.ID, request: request}, earn(payer, o.Service, -o.Amount, -o.Subsidy))
	return t.ID, err
}

// Total is what a service has earned in a month, less what it gave back.
type Total struct {
	Month civil.Month `json:"month"`
	// Revenue has the Subsidy in it; both are in fen.
	Revenue      int64 `json:"revenue"`
	Subsidy      int64 `json:"subsidy"`
	Transactions int64 `json:"transactions"`
}

// Totals is what a service has earned by month, of the days from one to
// another, both among them. Months without any are left out.
func (s *Store) Totals(ctx context.Context, service string, from, to civil.Date) ([]Total, error) {
	totals := []Total{}
	err := s.db.Reader().NewRaw(`SELECT SUBSTR(day, 1, 7) AS month,
		CAST(COALESCE(SUM(CASE WHEN account = ? THEN amount END), 0) AS BIGINT) AS revenue,
		CAST(COALESCE(-SUM(CASE WHEN account = ? THEN amount END), 0) AS BIGINT) AS subsidy,
		COUNT(DISTINCT transaction_id) AS transactions
		FROM postings WHERE account IN (?, ?) AND day >= ? AND day <= ? GROUP BY 1 ORDER BY 1`,
		RevenueAccount(service), SubsidyAccount(service), RevenueAccount(service), SubsidyAccount(service), from.String(), to.String()).Scan(ctx, &totals)
	if err != nil {
		return nil, fmt.Errorf("adding up what %s has earned: %w", service, err)
	}
	return totals, nil
}
