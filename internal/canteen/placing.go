package canteen

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
)

// Wanted is an order that somebody asks for.
type Wanted struct {
	Sitting
	Eater, OrderedBy, Payer string
	Name, Phone             string
	Payment                 Payment
	// Content has no prices yet.
	Content
	Standing uuid.UUID
	// Who and Tiers are what the price depends on.
	Who   Eater
	Tiers []v1alpha1.Tier
	// Staff orders for somebody at the counter.
	Staff bool
	// Key is the idempotency key; empty means that every order is another one.
	Key      string
	Now      time.Time
	Location *time.Location
}

// digest tells orders under one key apart.
func (w Wanted) digest() (string, error) {
	eater := w.Eater
	if isGuest(eater) {
		eater = w.Name // a guest has another ID each time
	}
	return digestOf(w.Sitting, eater, w.Payer, w.Payment, w.Lines, w.Way, w.Wish)
}

// digestOf tells requests apart by what they ask for.
func digestOf(parts ...any) (string, error) {
	text, err := asJSON(parts)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:]), err
}

type idempotencyRow struct {
	bun.BaseModel `bun:"table:idempotency"`

	Person    string
	Key       string
	Request   string
	Result    uuid.UUID
	CreatedAt int64
}

// underKey is what was done under an idempotency key; false if nothing was. It
// returns ErrKeyReused if that was something else.
func underKey(ctx context.Context, tx bun.Tx, person, key, digest string) (result uuid.UUID, found bool, err error) {
	if key == "" {
		return uuid.Nil, false, nil
	}
	var known idempotencyRow
	err = tx.NewSelect().Model(&known).Where("person = ? AND key = ?", person, key).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	if err == nil && known.Request != digest {
		err = ErrKeyReused
	}
	return known.Result, err == nil, err
}

// keepKey notes what was done under an idempotency key.
func keepKey(ctx context.Context, tx bun.Tx, person, key, digest string, result uuid.UUID, now time.Time) error {
	if key == "" {
		return nil
	}
	_, err := database.Exec(ctx, tx, database.Statement{
		For:  "noting what was done under a key",
		Text: "INSERT INTO idempotency (person, key, request, result, created_at) VALUES (?, ?, ?, ?, ?)",
		Args: []any{person, key, digest, result, now.Unix()},
	})
	return err
}

// Place takes the portions of an order and keeps it: placed, if nothing is to
// be held in a purse, or else asking the purse. It returns a *Refusal if the
// order breaks a rule, ErrKeyReused if the key stands for another one. What was
// done under its key is answered with the order as it is now, and replayed is
// true.
func (s *Store) Place(ctx context.Context, w Wanted) (o Order, replayed bool, err error) {
	digest, err := w.digest()
	if err != nil {
		return o, false, err
	}
	// Most of what is read is read beside the writers: on SQLite all wait for one.
	seen, unseen := offeringIn(ctx, s.db.Reader(), w.Sitting)
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var known uuid.UUID
		var err error
		if known, replayed, err = underKey(ctx, tx, w.OrderedBy, w.Key, digest); err != nil {
			return err
		}
		if replayed {
			o, err = orderIn(ctx, tx, known)
			return err
		}
		if unseen != nil {
			return unseen
		}
		now, err := seen.now(ctx, tx)
		if err != nil {
			return err
		}
		if o, err = place(ctx, tx, w, now); err != nil {
			return err
		}
		return keepKey(ctx, tx, w.OrderedBy, w.Key, digest, o.ID, w.Now)
	})
	if database.IsUnique(err) {
		err = refuse(RuleOrdered, 0, "there is an order for this meal already; change that one")
	}
	return o, replayed, err
}

// offering is what can be ordered for a sitting, and where.
type offering struct {
	canteen Canteen
	menu    Menu
}

// offeringIn is what is offered at a sitting. It returns a *Refusal if the canteen takes
// no orders.
func offeringIn(ctx context.Context, db bun.IDB, sitting Sitting) (o offering, err error) {
	o.canteen, err = canteenIn(ctx, db, sitting.Canteen)
	if errors.Is(err, ErrNotFound) || err == nil && o.canteen.retired {
		return o, refuse(RuleUnknownSitting, 0, "there is no canteen %q", sitting.Canteen)
	}
	if err != nil {
		return o, err
	}
	o.menu, err = menuIn(ctx, db, sitting)
	return o, err
}

// now is an offering that was read before as it is now: it is read again if the
// menu was changed. How much is left is not looked at.
func (o offering) now(ctx context.Context, tx bun.Tx) (offering, error) {
	m := o.menu
	same, err := tx.NewSelect().Model((*menuRow)(nil)).
		Where("canteen = ? AND day = ? AND meal = ? AND version = ?", m.Canteen, m.Day.String(), m.Meal, m.Version).Exists(ctx)
	if err != nil {
		return o, fmt.Errorf("looking whether a menu was changed: %w", err)
	}
	if same {
		return o, nil
	}
	return offeringIn(ctx, tx, m.Sitting)
}

// place places an order from an offering.
func place(ctx context.Context, tx bun.Tx, w Wanted, from offering) (o Order, err error) {
	m := from.menu
	if refusal := Check(from.canteen, m, w.Content, w.Staff, w.Now, w.Location); refusal != nil {
		return o, refusal
	}
	w.Lines = priced(m, w.Lines)
	w.Quote = Price(w.Tiers, w.Who, w.Day, w.Lines)
	id, err := newID()
	if err != nil {
		return o, err
	}
	code, err := newCode()
	if err != nil {
		return o, err
	}
	now := time.Unix(w.Now.Unix(), 0)
	o = Order{
		ID: id, Sitting: w.Sitting, Eater: w.Eater, OrderedBy: w.OrderedBy, Payer: w.Payer, Name: w.Name, Phone: w.Phone,
		Payment: w.Payment, Content: w.Content, Revision: 1, State: StatePlaced, Code: code, Standing: w.Standing,
		CreatedAt: now, UpdatedAt: now,
	}
	if o.Payment == PayPurse {
		o.State, o.Money, o.Next = StatePlacing, MoneyHolding, &w.Content
	}
	row, err := orderRowOf(o)
	if err != nil {
		return o, err
	}
	err = take(ctx, tx, w.Sitting, w.Lines, row.keeping())
	if err == nil && w.Staff {
		err = audited(ctx, tx, w.Now, Name+".order", w.OrderedBy, o)
	}
	return o, err
}

// newCode is what is said when a meal is picked up: four digits, read out
// easily. It proves nothing to a machine; the kitchen sees the name too.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(10_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%04d", n), nil
}

// take takes portions of dishes of a sitting, or gives back those of lines with
// less than none. It returns a *Refusal if there are not enough.
//
// After a refusal portions of other lines may have been taken: the transaction
// cannot go on.
func take(ctx context.Context, tx bun.Tx, sitting Sitting, lines []Line, more ...database.Statement) error {
	statements := make([]database.Statement, len(lines), len(lines)+len(more))
	for i, l := range lines {
		statements[i] = database.Statement{
			For:  "taking portions",
			Text: "UPDATE items SET taken = taken + ? WHERE canteen = ? AND day = ? AND meal = ? AND dish = ? AND taken + ? <= stock",
			Args: []any{l.Portions, sitting.Canteen, sitting.Day.String(), sitting.Meal, idOf(l.Dish), l.Portions},
		}
	}
	affected, err := database.Exec(ctx, tx, append(statements, more...)...)
	if err != nil {
		return err
	}
	for i, l := range lines {
		if affected[i] == 1 {
			continue
		}
		var left int64
		err := tx.NewSelect().Model((*itemRow)(nil)).ColumnExpr("stock - taken").
			Where("canteen = ? AND day = ? AND meal = ? AND dish = ?", sitting.Canteen, sitting.Day.String(), sitting.Meal, idOf(l.Dish)).Scan(ctx, &left)
		if err != nil {
			return fmt.Errorf("looking how many portions are left: %w", err)
		}
		return &Refusal{Rule: RuleSoldOut, Dish: l.Dish, Limit: left, Text: fmt.Sprintf("only %d portions of a dish are left", left)}
	}
	return nil
}

// giveBack gives back the portions of lines.
func giveBack(ctx context.Context, tx bun.Tx, sitting Sitting, lines []Line) error {
	return take(ctx, tx, sitting, delta(lines, nil))
}
