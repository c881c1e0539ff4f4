package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// allOf are all transactions of a purse, the earliest first.
func (s *Store) allOf(ctx context.Context, purse uuid.UUID) ([]Transaction, error) {
	return transactionsIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("t.id IN (SELECT transaction_id FROM postings WHERE account = ?)", PurseAccount(purse)).Order("t.at", "t.id")
	})
}

// Forget takes a person out of the ledger (PIPL Art. 47), which itself stays:
// vouchers are kept for 30 years (会计档案管理办法). What is held is given back;
// money that came in while the person was being deleted stays in a purse of
// nobody. Forgetting again is no error.
func (s *Store) Forget(ctx context.Context, a Act, person string) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		p, err := purseOf(ctx, tx, person)
		if err != nil {
			return err
		}
		if p.ID != uuid.Nil {
			if err := releaseAll(ctx, tx, a, p.ID); err != nil {
				return err
			}
		}
		for _, change := range []*bun.UpdateQuery{
			tx.NewUpdate().Model((*purseRow)(nil)).Set("person = NULL").Where("person = ?", person),
			tx.NewUpdate().Model((*holdRow)(nil)).Set("person = ''").Where("person = ?", person),
			tx.NewUpdate().Model((*paymentRow)(nil)).Set("person = ''").Where("person = ?", person),
			// By its ID: the keys of a payer without a name must stay apart.
			tx.NewUpdate().Model((*paymentRow)(nil)).Set("payer = '', key = CAST(id AS TEXT)").Where("payer = ?", person),
			tx.NewUpdate().Model((*takenRow)(nil)).Set("person = ''").Where("person = ?", person),
			// Who has handled others' money stays named in its vouchers.
			tx.NewUpdate().Model((*transactionRow)(nil)).Set("actor = ''").Where("actor = ? AND receipt IS NULL AND kind <> ?", person, KindSale),
		} {
			if _, err := change.Exec(ctx); err != nil {
				return err
			}
		}
		return a.note(ctx, tx, "forget", person, "", nil)
	})
	if err != nil {
		return fmt.Errorf("forgetting a person: %w", err)
	}
	return nil
}

// releaseAll releases all that is held of a purse.
func releaseAll(ctx context.Context, tx bun.Tx, a Act, purse uuid.UUID) error {
	var rows []holdRow
	if err := tx.NewSelect().Model(&rows).Where("purse = ? AND state = ?", purse, HoldHeld).Scan(ctx); err != nil {
		return err
	}
	for _, row := range rows {
		before, err := row.hold()
		if err != nil {
			return err
		}
		after := before
		after.State, after.EndedAt = HoldReleased, a.Now
		if err := keep(ctx, tx, before, after); err != nil {
			return err
		}
	}
	return nil
}

// holdRetention is how long holds are kept of which nothing was taken, so that
// a late request finds how they ended.
const holdRetention = 90 * 24 * time.Hour

// paymentRetention is how long it is kept how something was paid online, in case
// of questions; what was paid stays in the ledger.
const paymentRetention = 365 * 24 * time.Hour

// Erase removes what is past its retention. The ledger stays.
func (s *Store) Erase(ctx context.Context, now time.Time) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*holdRow)(nil)).Where("state <> ? AND ended_at <= ?", HoldCaptured, now.Add(-holdRetention).Unix()).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewDelete().Model((*paymentRow)(nil)).Where("state <> ? AND created_at <= ?", PaymentPending, now.Add(-paymentRetention).Unix()).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("erasing holds and payments: %w", err)
	}
	return nil
}

// apiPersonal is all that the service keeps about a person, as the person
// downloads it.
type apiPersonal struct {
	Purse        apiPurse         `json:"purse"`
	Transactions []APITransaction `json:"transactions"`
	Payments     []apiPaymentBody `json:"payments"`
}

func (s *service) export(ctx context.Context, person string) (any, error) {
	out := apiPersonal{Purse: apiPurse{Person: person}, Transactions: []APITransaction{}, Payments: []apiPaymentBody{}}
	paid, err := s.store.PaymentsOf(ctx, person)
	if err != nil {
		return nil, err
	}
	for _, p := range paid {
		out.Payments = append(out.Payments, apiPaymentOf(p, s.location()))
	}
	p, err := s.store.Purse(ctx, person)
	if err != nil || p.ID == uuid.Nil {
		return out, err
	}
	held, err := s.store.Held(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	all, err := s.store.allOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out.Purse = apiPurseOf(p, held, s.location()).Body
	for _, t := range all {
		out.Transactions = append(out.Transactions, apiTransactionOf(t, t.OnPurse(), s.location()))
	}
	return out, nil
}

// forget takes a person out of the ledger.
func (s *service) forget(ctx context.Context, person string) error {
	return s.store.Forget(ctx, Act{Actor: person, Now: s.clock.Now(), Location: s.location()}, person)
}

// obstacle says why a person cannot be deleted yet, by language; nothing if
// they can be.
func (s *service) obstacle(ctx context.Context, person string) (map[string]string, error) {
	p, err := s.store.Purse(ctx, person)
	if err != nil {
		return nil, err
	}
	onItsWay, err := s.store.OnItsWay(ctx, person)
	if err != nil || p.Balance+onItsWay == 0 {
		return nil, err
	}
	text := map[string]string{}
	for lang, v := range s.words() {
		text[string(lang)] = v.T("accounts.obstacle", "Balance", v.Money(p.Balance+onItsWay))
	}
	return text, nil
}
