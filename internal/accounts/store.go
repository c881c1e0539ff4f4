package accounts

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database"
)

//go:embed migrations/*/*.sql
var migrationFiles embed.FS

// Migrations are the migrations of the service's database, by engine.
func Migrations() (fs.FS, error) { return fs.Sub(migrationFiles, "migrations") }

// ErrNotFound means that there is no such thing.
var ErrNotFound = errors.New("not found")

// Store keeps the ledger. That no purse is overdrawn, and nothing is done
// twice, is kept by constraints of the database and by its transactions,
// whoever else writes to it.
type Store struct {
	db *database.DB
	// tell is told of news, in the transaction in which it happens.
	tell func(ctx context.Context, tx bun.Tx, n News) error
}

// NewStore is a store in a database that has the Migrations, and those of audit.
func NewStore(db *database.DB) *Store {
	return &Store{db: db, tell: func(context.Context, bun.Tx, News) error { return nil }}
}

// Act is who does something, and when.
type Act struct {
	// Actor is the ID of the person who does it, or the name of a service.
	Actor string
	Now   time.Time
	// Location is the community's zone.
	Location *time.Location
}

// Today is the day in the community's zone.
func (a Act) Today() civil.Date { return civil.DateOf(a.Now, a.Location) }

// note audits what the act does.
func (a Act) note(ctx context.Context, tx bun.Tx, action, person, object string, detail map[string]string) error {
	return audit.Append(ctx, tx, a.Now, audit.Entry{Action: Name + "." + action, Actor: a.Actor, Person: person, Object: object, Detail: detail})
}

type purseRow struct {
	bun.BaseModel `bun:"table:purses"`

	ID       uuid.UUID `bun:",pk"`
	Person   *string
	OpenedAt int64
	ToldLow  int
}

type accountRow struct {
	bun.BaseModel `bun:"table:accounts"`

	Name    string `bun:",pk"`
	Balance int64
	Held    int64
}

type transactionRow struct {
	bun.BaseModel `bun:"table:transactions"`

	ID          uuid.UUID `bun:",pk"`
	At          int64
	Day         string
	Kind        Kind
	Service     string
	About       string
	Memo        string
	Actor       string
	Purse       *uuid.UUID
	ReceiptYear *int
	Receipt     *int
	Reverses    *uuid.UUID
	Reason      string
	Caller      string
	Key         string
	Request     string
}

type postingRow struct {
	bun.BaseModel `bun:"table:postings"`

	TransactionID uuid.UUID `bun:",pk"`
	Account       string    `bun:",pk"`
	Day           string
	Amount        int64
	Balance       int64
}

type receiptRow struct {
	bun.BaseModel `bun:"table:receipts"`

	Year int `bun:",pk"`
	Last int
}

func (r transactionRow) transaction() (Transaction, error) {
	t := Transaction{
		ID: r.ID, At: time.Unix(r.At, 0), Kind: r.Kind, Service: r.Service, About: r.About, Actor: r.Actor,
		Purse: idOf(r.Purse), Reverses: idOf(r.Reverses), Reason: r.Reason,
	}
	if r.Receipt != nil && r.ReceiptYear != nil {
		t.Receipt = Receipt{Year: *r.ReceiptYear, Number: *r.Receipt}
	}
	var err error
	if t.Day, err = civil.ParseDate(r.Day); err != nil {
		return t, fmt.Errorf("transaction %s in the database: %w", r.ID, err)
	}
	if t.Memo, err = parseMemo(r.Memo); err != nil {
		return t, fmt.Errorf("transaction %s in the database: %w", r.ID, err)
	}
	return t, nil
}

func parseMemo(text string) (m Memo, err error) {
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fmt.Errorf("memo: %w", err)
	}
	return m, nil
}

// text is a memo as it is kept.
func (m Memo) text() (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	text, err := json.Marshal(m)
	return string(text), err
}

// idOf is an ID that may be missing in a row, and pointerTo the way back.
func idOf(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

func pointerTo(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func timeOf(seconds *int64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.Unix(*seconds, 0)
}

func newID() (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return id, fmt.Errorf("making an id: %w", err)
	}
	return id, nil
}

// digest tells requests under one key apart.
func digest(format string, args ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return hex.EncodeToString(sum[:16])
}

// once is what is done once: what a caller asks for under a key. The request
// is a digest of what that is.
type once struct{ caller, key, request string }

// doneBefore is the transaction that was made before, if one was; a refusal if the
// caller used the key for something else.
func doneBefore(ctx context.Context, db bun.IDB, o once) (t Transaction, ok bool, err error) {
	var row transactionRow
	err = db.NewSelect().Model(&row).Where("caller = ? AND key = ?", o.caller, o.key).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return t, false, nil
	case err != nil:
		return t, false, fmt.Errorf("looking for what was done: %w", err)
	case row.Request != o.request:
		return t, false, refuse(RuleReused, "this was used for another request")
	}
	t, err = transactionIn(ctx, db, row.ID)
	return t, err == nil, err
}

// postedOn is the day under which a transaction was posted; zero of none.
func postedOn(ctx context.Context, db bun.IDB, id uuid.UUID) (d civil.Date, err error) {
	if id == uuid.Nil {
		return d, nil
	}
	var day string
	if err := db.NewSelect().Model((*transactionRow)(nil)).Column("day").Where("id = ?", id).Scan(ctx, &day); err != nil {
		return d, fmt.Errorf("reading the day of transaction %s: %w", id, err)
	}
	if d, err = civil.ParseDate(day); err != nil {
		return d, fmt.Errorf("transaction %s in the database: %w", id, err)
	}
	return d, nil
}

// post writes a transaction: its postings, and what they make of the balances.
// It sets its ID, day and postings. The unused part of the transaction's purse
// must suffice.
func post(ctx context.Context, tx bun.Tx, a Act, t *Transaction, o once, postings []Posting) (err error) {
	if t.ID, err = newID(); err != nil {
		return err
	}
	t.At, t.Day, t.Actor = time.Unix(a.Now.Unix(), 0), a.Today(), a.Actor
	if t.Postings, err = checked(postings); err != nil {
		return err
	}
	memo, err := t.Memo.text()
	if err != nil {
		return err
	}
	row := transactionRow{
		ID: t.ID, At: t.At.Unix(), Day: t.Day.String(), Kind: t.Kind, Service: t.Service, About: t.About, Memo: memo, Actor: t.Actor,
		Purse: pointerTo(t.Purse), Reverses: pointerTo(t.Reverses), Reason: t.Reason, Caller: o.caller, Key: o.key, Request: o.request,
	}
	if t.Receipt.Number != 0 {
		row.ReceiptYear, row.Receipt = &t.Receipt.Year, &t.Receipt.Number
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return fmt.Errorf("writing a transaction: %w", err)
	}
	for i := range t.Postings {
		if err := move(ctx, tx, t, &t.Postings[i]); err != nil {
			return fmt.Errorf("posting to %s: %w", t.Postings[i].Account, err)
		}
	}
	return nil
}

// move writes a posting and what it makes of its account.
func move(ctx context.Context, tx bun.Tx, t *Transaction, p *Posting) error {
	if !isPurse(p.Account) {
		if _, err := tx.NewInsert().Model(&accountRow{Name: p.Account}).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return err
		}
	}
	err := tx.NewRaw("UPDATE accounts SET balance = balance + ? WHERE name = ? RETURNING balance", p.Amount, p.Account).Scan(ctx, &p.Balance)
	if err != nil {
		return err
	}
	row := postingRow{TransactionID: t.ID, Account: p.Account, Day: t.Day.String(), Amount: p.Amount, Balance: p.Balance}
	_, err = tx.NewInsert().Model(&row).Exec(ctx)
	return err
}

// number gives a transaction the next receipt of its year.
func number(ctx context.Context, tx bun.Tx, a Act) (r Receipt, err error) {
	r.Year = a.Today().Year
	if _, err := tx.NewInsert().Model(&receiptRow{Year: r.Year}).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return r, fmt.Errorf("numbering a receipt: %w", err)
	}
	if err := tx.NewRaw("UPDATE receipts SET last = last + 1 WHERE year = ? RETURNING last", r.Year).Scan(ctx, &r.Number); err != nil {
		return r, fmt.Errorf("numbering a receipt: %w", err)
	}
	return r, nil
}

// Purse is what somebody has.
type Purse struct {
	// ID is nil of who has none yet.
	ID     uuid.UUID
	Person string
	// Balance is what is in it, Held what of that is kept for holds, in fen.
	Balance, Held int64
}

// Available is what can be spent.
func (p Purse) Available() int64 { return p.Balance - p.Held }

// Purse is what a person has.
func (s *Store) Purse(ctx context.Context, person string) (Purse, error) {
	return purseOf(ctx, s.db.Reader(), person)
}

// purseOf is a person's purse; an empty one without ID if there is none.
func purseOf(ctx context.Context, db bun.IDB, person string) (Purse, error) {
	p := Purse{Person: person}
	err := db.NewRaw(`SELECT p.id, a.balance, a.held FROM purses p
		JOIN accounts a ON a.name = ? || CAST(p.id AS TEXT) WHERE p.person = ?`, pursePrefix, person).Scan(ctx, &p.ID, &p.Balance, &p.Held)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("reading a purse: %w", err)
	}
	return p, nil
}

// purseIn is the purse with an ID.
func purseIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Purse, error) {
	p := Purse{ID: id}
	var person *string
	err := db.NewRaw(`SELECT p.person, a.balance, a.held FROM purses p, accounts a WHERE p.id = ? AND a.name = ?`, id, PurseAccount(id)).
		Scan(ctx, &person, &p.Balance, &p.Held)
	if err != nil {
		return p, fmt.Errorf("reading purse %s: %w", id, err)
	}
	if person != nil {
		p.Person = *person
	}
	return p, nil
}

// open is a person's purse, opened if there is none.
func open(ctx context.Context, tx bun.Tx, person string, now time.Time) (Purse, error) {
	p, err := purseOf(ctx, tx, person)
	if err != nil || p.ID != uuid.Nil {
		return p, err
	}
	if p.ID, err = newID(); err != nil {
		return p, err
	}
	if _, err := tx.NewInsert().Model(&purseRow{ID: p.ID, Person: &person, OpenedAt: now.Unix()}).Exec(ctx); err != nil {
		return p, fmt.Errorf("opening a purse: %w", err)
	}
	if _, err := tx.NewInsert().Model(&accountRow{Name: PurseAccount(p.ID)}).Exec(ctx); err != nil {
		return p, fmt.Errorf("opening a purse: %w", err)
	}
	return p, nil
}

// transactionIn is a transaction with its postings, or ErrNotFound.
func transactionIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Transaction, error) {
	all, err := transactionsIn(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("t.id = ?", id) })
	if err != nil {
		return Transaction{}, err
	}
	if len(all) == 0 {
		return Transaction{}, ErrNotFound
	}
	return all[0], nil
}

// transactionsIn are the transactions, called t, that a query selects, with
// their postings.
func transactionsIn(ctx context.Context, db bun.IDB, which func(*bun.SelectQuery) *bun.SelectQuery) ([]Transaction, error) {
	var rows []struct {
		transactionRow `bun:",extend"`
		ReversedBy     *uuid.UUID
	}
	q := db.NewSelect().Model(&rows).ModelTableExpr("transactions AS t").ColumnExpr("t.*").
		ColumnExpr("(SELECT r.id FROM transactions r WHERE r.reverses = t.id) AS reversed_by")
	if err := which(q).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading transactions: %w", err)
	}
	all, at := make([]Transaction, len(rows)), make(map[uuid.UUID]int, len(rows))
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		var err error
		if all[i], err = row.transaction(); err != nil {
			return nil, err
		}
		all[i].ReversedBy = idOf(row.ReversedBy)
		at[row.ID], ids[i] = i, row.ID
	}
	for len(ids) > 0 {
		some := ids[:min(len(ids), maxTogether)]
		ids = ids[len(some):]
		var postings []postingRow
		if err := db.NewSelect().Model(&postings).Where("transaction_id IN (?)", bun.List(some)).Order("transaction_id", "account").Scan(ctx); err != nil {
			return nil, fmt.Errorf("reading postings: %w", err)
		}
		for _, p := range postings {
			t := &all[at[p.TransactionID]]
			t.Postings = append(t.Postings, Posting{Account: p.Account, Amount: p.Amount, Balance: p.Balance})
		}
	}
	return all, nil
}

// maxTogether is how many rows are named in one statement at most: engines
// limit how long it may be.
const maxTogether = 500

// write is a transaction of the store. What f returns as refusal is returned
// after what f wrote is kept.
func (s *Store) write(ctx context.Context, f func(ctx context.Context, tx bun.Tx) (kept *Refusal, err error)) error {
	var kept *Refusal
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		kept, err = f(ctx, tx)
		return err
	})
	if err == nil && kept != nil {
		return kept
	}
	return err
}
