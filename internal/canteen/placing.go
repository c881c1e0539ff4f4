package canteen

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
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
func underKey(ctx context.Context, db bun.IDB, person, key, digest string) (result uuid.UUID, found bool, err error) {
	if key == "" {
		return uuid.Nil, false, nil
	}
	var known idempotencyRow
	err = db.NewSelect().Model(&known).Where("person = ? AND key = ?", person, key).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	if err == nil && known.Request != digest {
		err = ErrKeyReused
	}
	return known.Result, err == nil, err
}

// keepingKey notes what is done under an idempotency key; it affects no row if
// the key was used before.
func keepingKey(person, key, digest string, result uuid.UUID, now time.Time) database.Statement {
	return database.Statement{
		For:  "noting what was done under a key",
		Text: "INSERT INTO idempotency (person, key, request, result, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		Args: []any{person, key, digest, result, now.Unix()},
	}
}

var (
	// errKeyUsed means that something was done under the idempotency key before.
	errKeyUsed = errors.New("the idempotency key was used")
	// errMenuChanged means that the menu is not the one that was seen any more.
	errMenuChanged = errors.New("the menu was changed meanwhile")
)

// placeAttempts is how often it is tried to place an order while the menu is
// changed each time.
const placeAttempts = 10

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
	for range placeAttempts {
		o, err = s.placeNew(ctx, w, digest)
		_, refused := errors.AsType[*Refusal](err)
		switch {
		case errors.Is(err, errMenuChanged):
			continue
		case !refused && !database.IsUnique(err) && !errors.Is(err, errKeyUsed):
			return o, false, err
		}
		// What cannot be done may have been done before. Almost no key was used
		// before, so that this is looked for last.
		known, found, lookup := underKey(ctx, s.db.Reader(), w.OrderedBy, w.Key, digest)
		switch {
		case lookup != nil:
			return o, false, lookup
		case found:
			o, err = orderIn(ctx, s.db.Reader(), known)
			return o, err == nil, err
		case database.IsUnique(err):
			return o, false, refuse(RuleOrdered, 0, "there is an order for this meal already; change that one")
		case refused:
			return o, false, err
		}
	}
	return o, false, err
}

// placeNew places an order that was not placed before.
func (s *Store) placeNew(ctx context.Context, w Wanted, digest string) (o Order, err error) {
	// What is offered is read beside the writers: on SQLite all wait for one.
	from, err := s.offering(ctx, w.Sitting)
	if err != nil {
		return o, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		o, err = place(ctx, tx, w, from, digest)
		return err
	})
	return o, err
}

// offering is what can be ordered for a sitting, and where.
type offering struct {
	canteen Canteen
	// menu has of its dishes the IDs only.
	menu Menu
}

// offering is what is offered at a sitting. It returns a *Refusal if the canteen
// takes no orders.
func (s *Store) offering(ctx context.Context, sitting Sitting) (o offering, err error) {
	o.canteen, err = s.Canteen(ctx, sitting.Canteen)
	if errors.Is(err, ErrNotFound) || err == nil && o.canteen.retired {
		return o, refuse(RuleUnknownSitting, 0, "there is no canteen %q", sitting.Canteen)
	}
	if err != nil {
		return o, err
	}
	var rows []struct {
		PublishedAt        int64
		Version            int
		Dish               *uuid.UUID // nil of a menu without dishes
		Price              int64
		Stock, MaxPerOrder int
	}
	err = s.db.Query(ctx, &rows, "SELECT m.published_at, m.version, i.dish, COALESCE(i.price, 0) AS price, COALESCE(i.stock, 0) AS stock, "+
		"COALESCE(i.max_per_order, 0) AS max_per_order FROM menus m "+
		"LEFT JOIN items i ON i.canteen = m.canteen AND i.day = m.day AND i.meal = m.meal "+
		"WHERE m.canteen = ? AND m.day = ? AND m.meal = ? AND m.published_at IS NOT NULL ORDER BY i.position, i.dish",
		sitting.Canteen, sitting.Day.String(), sitting.Meal)
	if err != nil {
		return o, fmt.Errorf("reading what can be ordered: %w", err)
	}
	o.menu.Sitting = sitting
	for _, row := range rows {
		o.menu.PublishedAt, o.menu.Version = time.Unix(row.PublishedAt, 0), row.Version
		if row.Dish != nil {
			o.menu.Items = append(o.menu.Items, Item{Dish: Dish{ID: *row.Dish}, Price: row.Price, Stock: row.Stock, MaxPerOrder: row.MaxPerOrder})
		}
	}
	return o, nil
}

// place places an order from an offering, and notes that under the digest if it
// has a key. It returns errMenuChanged if that is not what is offered any more,
// errKeyUsed if the key was used before.
func place(ctx context.Context, tx bun.Tx, w Wanted, from offering, digest string) (o Order, err error) {
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
	var key []database.Statement
	if w.Key != "" {
		key = append(key, keepingKey(w.OrderedBy, w.Key, digest, o.ID, w.Now))
	}
	affected, err := database.Exec(ctx, tx, slices.Concat(key, takingFrom(m, w.Lines), []database.Statement{row.keeping()})...)
	switch {
	case err != nil:
		return o, err
	case len(key) > 0 && affected[0] == 0:
		return o, errKeyUsed
	}
	if err := taken(ctx, tx, w.Sitting, w.Lines, affected[len(key):]); err != nil {
		if same, unseen := unchanged(ctx, tx, m); unseen != nil || !same {
			err = cmp.Or(unseen, errMenuChanged)
		}
		return o, err
	}
	if w.Staff {
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

// taking takes portions of dishes of a sitting, or gives back those of lines
// with less than none. A statement affects no row if there are not enough.
func taking(sitting Sitting, lines []Line) []database.Statement {
	statements := make([]database.Statement, len(lines))
	for i, l := range lines {
		statements[i] = database.Statement{
			For:  "taking portions",
			Text: "UPDATE items SET taken = taken + ? WHERE canteen = ? AND day = ? AND meal = ? AND dish = ? AND taken + ? <= stock",
			Args: []any{l.Portions, sitting.Canteen, sitting.Day.String(), sitting.Meal, idOf(l.Dish), l.Portions},
		}
	}
	return statements
}

// takingFrom is taking from a menu; nothing is affected if it was changed
// meanwhile.
func takingFrom(m Menu, lines []Line) []database.Statement {
	statements := taking(m.Sitting, lines)
	for i := range statements {
		statements[i].Text += " AND EXISTS (SELECT 1 FROM menus WHERE menus.canteen = items.canteen AND menus.day = items.day AND menus.meal = items.meal AND menus.version = ?)"
		statements[i].Args = append(statements[i].Args, m.Version)
	}
	return statements
}

// unchanged reports whether a menu is as it was seen. How much is left of it is
// not looked at.
func unchanged(ctx context.Context, tx bun.Tx, m Menu) (bool, error) {
	same, err := tx.NewSelect().Model((*menuRow)(nil)).
		Where("canteen = ? AND day = ? AND meal = ? AND version = ?", m.Canteen, m.Day.String(), m.Meal, m.Version).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("looking whether a menu was changed: %w", err)
	}
	return same, nil
}

// take takes portions of dishes of a sitting, or gives back those of lines with
// less than none. It returns a *Refusal if there are not enough.
//
// After a refusal portions of other lines may have been taken: the transaction
// cannot go on.
func take(ctx context.Context, tx bun.Tx, sitting Sitting, lines []Line) error {
	affected, err := database.Exec(ctx, tx, taking(sitting, lines)...)
	if err != nil {
		return err
	}
	return taken(ctx, tx, sitting, lines, affected)
}

// taken returns a *Refusal if there were not enough portions for a line, by how
// many rows taking it affected.
func taken(ctx context.Context, tx bun.Tx, sitting Sitting, lines []Line, affected []int64) error {
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
