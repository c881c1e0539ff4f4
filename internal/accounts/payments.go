package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

type paymentRow struct {
	bun.BaseModel `bun:"table:payments"`

	ID            uuid.UUID `bun:",pk"`
	Purse         uuid.UUID
	Person        string
	Payer         string
	Amount        int64
	Channel       Channel
	State         PaymentState
	Address       string
	Number        string
	Received      int64
	Odd           Oddity
	TransactionID *uuid.UUID
	CreatedAt     int64
	ExpiresAt     int64
	CheckAt       int64
	Key           string
	DoneAt        *int64
	DoneBy        string
	Note          string
}

func (r paymentRow) payment() Payment {
	p := Payment{
		ID: r.ID, Purse: r.Purse, Person: r.Person, Payer: r.Payer, Amount: r.Amount, Channel: r.Channel, State: r.State, Address: r.Address,
		Number: r.Number, Received: r.Received, Odd: r.Odd, Transaction: idOf(r.TransactionID), CreatedAt: time.Unix(r.CreatedAt, 0),
		ExpiresAt: time.Unix(r.ExpiresAt, 0), CheckAt: time.Unix(r.CheckAt, 0), key: r.Key, DoneBy: r.DoneBy, Note: r.Note,
	}
	if r.DoneAt != nil {
		p.DoneAt = time.Unix(*r.DoneAt, 0)
	}
	return p
}

func (p Payment) row() paymentRow {
	r := paymentRow{
		ID: p.ID, Purse: p.Purse, Person: p.Person, Payer: p.Payer, Amount: p.Amount, Channel: p.Channel, State: p.State, Address: p.Address,
		Number: p.Number, Received: p.Received, Odd: p.Odd, TransactionID: pointerTo(p.Transaction), CreatedAt: p.CreatedAt.Unix(),
		ExpiresAt: p.ExpiresAt.Unix(), CheckAt: p.CheckAt.Unix(), Key: p.key, DoneBy: p.DoneBy, Note: p.Note,
	}
	if !p.DoneAt.IsZero() {
		at := p.DoneAt.Unix()
		r.DoneAt = &at
	}
	return r
}

// BeginPayment notes that somebody wants to pay into a purse. It is done once
// for a key of the payer.
func (s *Store) BeginPayment(ctx context.Context, a Act, person string, amount int64, channel Channel, key string) (p Payment, err error) {
	if key == "" || channel != ChannelNative && channel != ChannelH5 {
		return p, refuse(RuleInvalid, "name an idempotency key, and a channel")
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var row paymentRow
		err := tx.NewSelect().Model(&row).Where("payer = ? AND key = ?", a.Actor, key).Scan(ctx)
		if err == nil {
			if p = row.payment(); p.Person != person || p.Amount != amount || p.Channel != channel {
				return refuse(RuleReused, "this key was used for another payment")
			}
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("looking for a payment: %w", err)
		}
		purse, err := open(ctx, tx, person, a.Now)
		if err != nil {
			return err
		}
		var pending []paymentRow
		err = tx.NewSelect().Model(&pending).Where("state = ? AND (purse = ? OR payer = ?)", PaymentPending, purse.ID, a.Actor).Scan(ctx)
		if err != nil {
			return fmt.Errorf("reading what is on its way: %w", err)
		}
		var onItsWay int64
		for _, other := range pending {
			if other.Purse == purse.ID {
				onItsWay += other.Amount
			}
		}
		if refusal := checkPayment(amount, purse.Balance, onItsWay, len(pending)); refusal != nil {
			return refusal
		}
		id, err := newID()
		if err != nil {
			return err
		}
		now := time.Unix(a.Now.Unix(), 0)
		p = Payment{
			ID: id, Purse: purse.ID, Person: person, Payer: a.Actor, Amount: amount, Channel: channel, State: PaymentPending,
			CreatedAt: now, ExpiresAt: now.Add(payWithin), CheckAt: now.Add(askEvery), key: key,
		}
		row = p.row()
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
	return p, err
}

// Payment is a payment, or ErrNotFound.
func (s *Store) Payment(ctx context.Context, id uuid.UUID) (Payment, error) {
	return paymentIn(ctx, s.db.Reader(), id)
}

func paymentIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Payment, error) {
	var row paymentRow
	err := db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Payment{}, ErrNotFound
	}
	if err != nil {
		return Payment{}, fmt.Errorf("reading payment %s: %w", id, err)
	}
	return row.payment(), nil
}

// PaymentsOf are the payments that somebody has begun, or that go into their
// purse, the earliest first.
func (s *Store) PaymentsOf(ctx context.Context, person string) ([]Payment, error) {
	var rows []paymentRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("person = ? OR payer = ?", person, person).Order("created_at", "id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading somebody's payments: %w", err)
	}
	all := make([]Payment, len(rows))
	for i, row := range rows {
		all[i] = row.payment()
	}
	return all, nil
}

// Addressed notes where a payment is paid.
func (s *Store) Addressed(ctx context.Context, id uuid.UUID, address string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*paymentRow)(nil)).Set("address = ?", address).Where("id = ?", id).Exec(ctx)
		return err
	})
}

// Due are pending payments whose provider is to be asked now; they are asked
// again later.
func (s *Store) Due(ctx context.Context, now time.Time) (due []Payment, err error) {
	var rows []paymentRow
	which := func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("state = ? AND check_at <= ?", PaymentPending, now.Unix()).Order("check_at").Limit(expireBatch)
	}
	if err := which(s.db.Reader().NewSelect().Model(&rows)).Scan(ctx); err != nil || len(rows) == 0 {
		return nil, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		rows, due = nil, nil
		if err := which(tx.NewSelect().Model(&rows)).Scan(ctx); err != nil {
			return err
		}
		for _, row := range rows {
			due = append(due, row.payment())
			row.CheckAt = now.Add(askEvery).Unix()
			if _, err := tx.NewUpdate().Model(&row).Column("check_at").WherePK().Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return due, err
}

// Settle notes what a provider says of a payment, and books what was paid,
// once. It returns the payment as it is then, or ErrNotFound.
func (s *Store) Settle(ctx context.Context, a Act, o Outcome) (p Payment, err error) {
	id, err := paymentOf(o.Reference)
	if err != nil {
		return p, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		before, err := paymentIn(ctx, tx, id)
		if err != nil {
			return err
		}
		var changed bool
		if p, changed = before.after(o); !changed {
			return nil
		}
		if p.State == PaymentPaid {
			if err := s.book(ctx, tx, a, &p); err != nil {
				return err
			}
		}
		row := p.row()
		_, err = tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
		return err
	})
	return p, err
}

// book puts what was paid into the purse, also if that is nobody's any more.
func (s *Store) book(ctx context.Context, tx bun.Tx, a Act, p *Payment) error {
	purse, err := purseIn(ctx, tx, p.Purse)
	if err != nil {
		return err
	}
	a.Actor = p.Payer
	t := Transaction{Kind: KindTopUp, Purse: p.Purse}
	if err := post(ctx, tx, a, &t, once{caller: AccountWeChat, key: p.Reference()}, into(p.Purse, AccountWeChat, p.Amount)); err != nil {
		return err
	}
	p.Transaction = t.ID
	return s.toppedUp(ctx, tx, a, purse, t)
}

// OnItsWay is how much is being paid into somebody's purse.
func (s *Store) OnItsWay(ctx context.Context, person string) (amount int64, err error) {
	err = s.db.Reader().NewRaw("SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM payments WHERE person = ? AND state = ?", person, PaymentPending).Scan(ctx, &amount)
	if err != nil {
		return 0, fmt.Errorf("reading what is on its way: %w", err)
	}
	return amount, nil
}
