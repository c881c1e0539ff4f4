package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

type holdRow struct {
	bun.BaseModel `bun:"table:holds"`

	Service          string `bun:",pk"`
	ID               string `bun:",pk"`
	Person           string
	Purse            *uuid.UUID
	Revision         int64
	Amount           int64
	RefusedRevision  int64
	RefusedAvailable int64
	State            HoldState
	ExpiresAt        int64
	About            string
	Memo             string
	CreatedAt        int64
	EndedAt          *int64
	Captured         int64
	Subsidy          int64
	TransactionID    *uuid.UUID
}

func (r holdRow) hold() (Hold, error) {
	h := Hold{
		Service: r.Service, ID: r.ID, Person: r.Person, Purse: idOf(r.Purse), Revision: r.Revision, Amount: r.Amount,
		RefusedRevision: r.RefusedRevision, RefusedAvailable: r.RefusedAvailable, State: r.State, ExpiresAt: time.Unix(r.ExpiresAt, 0),
		About: r.About, CreatedAt: time.Unix(r.CreatedAt, 0), EndedAt: timeOf(r.EndedAt), Captured: r.Captured, Subsidy: r.Subsidy, Transaction: idOf(r.TransactionID),
	}
	var err error
	if h.Memo, err = parseMemo(r.Memo); err != nil {
		return h, fmt.Errorf("hold %s of %s in the database: %w", r.ID, r.Service, err)
	}
	return h, nil
}

// rowOf is a hold as it is kept.
func (h Hold) row() (holdRow, error) {
	memo, err := h.Memo.text()
	r := holdRow{
		Service: h.Service, ID: h.ID, Person: h.Person, Purse: pointerTo(h.Purse), Revision: h.Revision, Amount: h.Amount,
		RefusedRevision: h.RefusedRevision, RefusedAvailable: h.RefusedAvailable, State: h.State, ExpiresAt: h.ExpiresAt.Unix(),
		About: h.About, Memo: memo, CreatedAt: h.CreatedAt.Unix(), Captured: h.Captured, Subsidy: h.Subsidy, TransactionID: pointerTo(h.Transaction),
	}
	if !h.EndedAt.IsZero() {
		ended := h.EndedAt.Unix()
		r.EndedAt = &ended
	}
	return r, err
}

// keeping keeps a hold that is new or was changed.
func (r holdRow) keeping() database.Statement {
	return r.insert("(service, id) DO UPDATE SET " +
		"person = EXCLUDED.person, purse = EXCLUDED.purse, revision = EXCLUDED.revision, amount = EXCLUDED.amount, refused_revision = EXCLUDED.refused_revision, refused_available = EXCLUDED.refused_available, " +
		"state = EXCLUDED.state, expires_at = EXCLUDED.expires_at, about = EXCLUDED.about, memo = EXCLUDED.memo, ended_at = EXCLUDED.ended_at, " +
		"captured = EXCLUDED.captured, subsidy = EXCLUDED.subsidy, transaction_id = EXCLUDED.transaction_id")
}

// adding keeps a hold that is new, and affects no row if there is one.
func (r holdRow) adding() database.Statement { return r.insert("DO NOTHING") }

func (r holdRow) insert(onConflict string) database.Statement {
	return database.Statement{
		For: "keeping a hold",
		Text: "INSERT INTO holds (service, id, person, purse, revision, amount, refused_revision, refused_available, state, expires_at, about, memo, " +
			"created_at, ended_at, captured, subsidy, transaction_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT " + onConflict,
		Args: []any{r.Service, r.ID, r.Person, r.Purse, r.Revision, r.Amount, r.RefusedRevision, r.RefusedAvailable, string(r.State), r.ExpiresAt, r.About, r.Memo,
			r.CreatedAt, r.EndedAt, r.Captured, r.Subsidy, r.TransactionID},
	}
}

// kept is what a hold keeps of its purse.
func (h Hold) kept() int64 {
	if h.State != HoldHeld {
		return 0
	}
	return h.Amount
}

// holdIn is a hold; known is false if there is none.
func holdIn(ctx context.Context, db bun.IDB, service, id string) (h Hold, known bool, err error) {
	var row holdRow
	err = db.NewSelect().Model(&row).Where("service = ? AND id = ?", service, id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Hold{}, false, nil
	}
	if err != nil {
		return Hold{}, false, fmt.Errorf("reading hold %s of %s: %w", id, service, err)
	}
	h, err = row.hold()
	return h, true, err
}

// keep writes what has become of a hold, and what that keeps of its purse.
func keep(ctx context.Context, tx bun.Tx, before, after Hold) error {
	row, err := after.row()
	if err != nil {
		return err
	}
	var statements []database.Statement
	if more := after.kept() - before.kept(); more != 0 {
		statements = append(statements, database.Statement{
			For: "holding money", Text: "UPDATE accounts SET held = held + ? WHERE name = ?", Args: []any{more, PurseAccount(after.Purse)},
		})
	}
	if _, err := database.Exec(ctx, tx, append(statements, row.keeping())...); err != nil {
		return fmt.Errorf("hold %s of %s: %w", after.ID, after.Service, err)
	}
	return nil
}

// Hold keeps money in a purse for a service, or changes how much is kept. It
// returns a *Refusal if that cannot be done; one for want of money stands for
// its revision for ever.
func (s *Store) Hold(ctx context.Context, a Act, o HoldOrder) (h Hold, err error) {
	if refusal := o.check(a.Now); refusal != nil {
		return Hold{}, refusal
	}
	if h, err = s.holdNew(ctx, a, o); !errors.Is(err, errNotAtOnce) {
		return h, err
	}
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) (*Refusal, error) {
		before, known, err := holdIn(ctx, tx, o.Service, o.ID)
		if err != nil {
			return nil, err
		}
		var purse Purse
		if !known {
			if purse, err = open(ctx, tx, o.Person, a.Now); err != nil {
				return nil, err
			}
			before = newHold(o, purse.ID, a.Now)
		} else if before.Purse != uuid.Nil {
			if purse, err = purseIn(ctx, tx, before.Purse); err != nil {
				return nil, err
			}
		}
		after, changed, refusal := before.revise(o, purse.Available(), a.Now)
		h = after
		if !changed {
			return refusal, nil
		}
		return refusal, keep(ctx, tx, before, after)
	})
	return h, err
}

// newHold is a hold that was never asked for before.
func newHold(o HoldOrder, purse uuid.UUID, now time.Time) Hold {
	return Hold{Service: o.Service, ID: o.ID, Person: o.Person, Purse: purse, State: HoldRefused, ExpiresAt: o.ExpiresAt, Memo: o.Memo, About: o.About, CreatedAt: now}
}

// errNotAtOnce means that a hold is not new, or that there may be too little.
var errNotAtOnce = errors.New("the hold cannot be made at once")

// holdNew is Hold for one that is new and for which there is enough, as almost
// all are: nothing is read while others wait to write. It returns errNotAtOnce,
// having done nothing, if it is not so.
func (s *Store) holdNew(ctx context.Context, a Act, o HoldOrder) (h Hold, err error) {
	if o.Revision > 1 {
		return h, errNotAtOnce // it was asked for before
	}
	purse, err := s.Purse(ctx, o.Person)
	if err != nil {
		return h, err
	}
	h, changed, refusal := newHold(o, purse.ID, a.Now).revise(o, purse.Available(), a.Now)
	if !changed || refusal != nil || purse.ID == uuid.Nil {
		return h, errNotAtOnce
	}
	row, err := h.row()
	if err != nil {
		return h, err
	}
	// The purse may be nobody's any more, and have less than a moment ago.
	holding := database.Statement{
		For: "holding money",
		Text: "UPDATE accounts SET held = held + ? WHERE name = ? AND balance - held >= ? " +
			"AND EXISTS (SELECT 1 FROM purses WHERE id = ? AND person = ?)",
		Args: []any{h.Amount, PurseAccount(purse.ID), h.Amount, purse.ID, o.Person},
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		affected, err := database.Exec(ctx, tx, row.adding(), holding)
		if err == nil && slices.Contains(affected, 0) {
			err = errNotAtOnce
		}
		return err
	})
	return h, err
}

// Capture takes money that is held, for the service that holds it, and adds a
// subsidy; what is left of the hold is released. It returns a *Refusal or
// ErrNotFound.
func (s *Store) Capture(ctx context.Context, a Act, service, id string, amount, subsidy int64) (h Hold, err error) {
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) (*Refusal, error) {
		before, known, err := holdIn(ctx, tx, service, id)
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, ErrNotFound
		}
		h = before
		due, refusal := before.capture(amount, subsidy, a.Now)
		if !due {
			h.PostedOn, err = postedOn(ctx, tx, before.Transaction)
			return refusal, err
		}
		h.State, h.EndedAt, h.Captured, h.Subsidy = HoldCaptured, a.Now, amount, subsidy
		// Released first: no account may hold more than it has.
		if err := keep(ctx, tx, before, h); err != nil {
			return nil, err
		}
		taken := Taken{Service: service, Name: nameOfHold(id), Person: h.Person, Amount: amount, Subsidy: subsidy}
		if amount != 0 || subsidy != 0 {
			t := Transaction{Kind: KindCapture, Service: service, About: h.About, Memo: h.Memo, Purse: h.Purse}
			if err := post(ctx, tx, a, &t, once{caller: service, key: taken.Name}, earn(PurseAccount(h.Purse), service, amount, subsidy)); err != nil {
				return nil, err
			}
			h.Transaction, h.PostedOn, taken.Transaction = t.ID, t.Day, t.ID
			if _, err := tx.NewUpdate().Model((*holdRow)(nil)).Set("transaction_id = ?", t.ID).Where("service = ? AND id = ?", service, id).Exec(ctx); err != nil {
				return nil, fmt.Errorf("writing hold %s of %s: %w", id, service, err)
			}
		}
		if err := insertTaken(ctx, tx, taken, ""); err != nil {
			return nil, err
		}
		return nil, s.tellLow(ctx, tx, a, h.Purse)
	})
	return h, err
}

// Release gives back what is held. One that never was is released beforehand:
// it cannot be held any more.
func (s *Store) Release(ctx context.Context, a Act, service, id string) (h Hold, err error) {
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) (*Refusal, error) {
		before, known, err := holdIn(ctx, tx, service, id)
		if err != nil {
			return nil, err
		}
		h = before
		switch {
		case before.State == HoldCaptured:
			return notHeld(before.State), nil
		case before.State == HoldReleased, before.State == HoldExpired:
			return nil, nil
		case !known:
			h = Hold{Service: service, ID: id, CreatedAt: a.Now, ExpiresAt: a.Now}
		}
		h.State, h.EndedAt = HoldReleased, a.Now
		return nil, keep(ctx, tx, before, h)
	})
	return h, err
}

// expireBatch is how many holds expire in one transaction, so that nobody
// waits long.
const expireBatch = 200

// Expire releases the holds whose time is over, and returns how many.
func (s *Store) Expire(ctx context.Context, now time.Time) (int, error) {
	expired := 0
	for {
		var due []holdRow
		which := func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("state = ? AND expires_at <= ?", HoldHeld, now.Unix()).Order("expires_at").Limit(expireBatch)
		}
		// Almost always there is none, which is found out beside the writers.
		if err := which(s.db.Reader().NewSelect().Model(&due)).Scan(ctx); err != nil {
			return expired, fmt.Errorf("looking for holds that are over: %w", err)
		}
		if len(due) == 0 {
			return expired, nil
		}
		err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			due = nil
			if err := which(tx.NewSelect().Model(&due)).Scan(ctx); err != nil {
				return err
			}
			for _, row := range due {
				before, err := row.hold()
				if err != nil {
					return err
				}
				after := before
				after.State, after.EndedAt = HoldExpired, now
				if err := keep(ctx, tx, before, after); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return expired, fmt.Errorf("expiring holds: %w", err)
		}
		expired += len(due)
	}
}

// Held are the holds that stand on a purse, the first to expire first.
func (s *Store) Held(ctx context.Context, purse uuid.UUID) ([]Hold, error) {
	var rows []holdRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("purse = ? AND state = ?", purse, HoldHeld).Order("expires_at", "service", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what is held: %w", err)
	}
	holds := make([]Hold, len(rows))
	for i, row := range rows {
		if holds[i], err = row.hold(); err != nil {
			return nil, err
		}
	}
	return holds, nil
}
