// Package audit keeps a record of what staff change, and of what is looked up,
// exported or printed about a person. An entry is written in the transaction
// that does what it tells of, into the same database; so each database has a
// record of its own.
//
// The entries are chained: each has a hash over its content and the hash of the
// one before, so that an entry that was changed, removed, put in between or
// moved does not fit any more. Whoever can write to the database can also make
// a new chain: only a head that was noted elsewhere shows that (Verify).
package audit

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// Name is the library's name among database.Options.Libraries.
const Name = "audit"

//go:embed migrations/*/*.sql
var migrationFiles embed.FS

// Migrations are those of the record's tables, by engine.
func Migrations() (fs.FS, error) { return fs.Sub(migrationFiles, "migrations") }

// Entry is what somebody did. It outlives what it tells of, also the person:
// it holds IDs, numbers and names of fields, never names of people, phone
// numbers or free text.
type Entry struct {
	// Action is what was done, such as "booking.cancel".
	Action string
	// Actor is who did it: the ID of a person, or of a service.
	Actor string
	// Person is the ID of the person whom it is about, if it is about one.
	Person string
	// Object is the ID of what it was done to, if it was done to something.
	Object string
	// Detail says more, such as the names of the fields that were changed.
	Detail map[string]string
}

// Record is an entry as it is kept.
type Record struct {
	Entry
	// Seq counts the entries of a database from 1.
	Seq int64
	// At is when it was done, to the millisecond.
	At time.Time
}

// row is an entry in the database.
type row struct {
	bun.BaseModel `bun:"table:audit"`

	Seq    int64 `bun:",pk"`
	At     int64
	Action string
	Actor  string
	Person string
	Object string
	Detail string
	Hash   string
}

// maxTogether is how many entries are written in one statement at most.
const maxTogether = 500

// Append adds entries, in order, in a transaction of database.DB.Write, as the
// last that it does if it can: others who add one wait for the end of the
// transaction. Unless the transaction is committed, there is no entry.
func Append(ctx context.Context, tx bun.Tx, at time.Time, entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]row, len(entries))
	for i, e := range entries {
		var err error
		if rows[i], err = newRow(at, e); err != nil {
			return fmt.Errorf("audit of %q: %w", e.Action, err)
		}
	}
	// Two who add at the same time do not see each other's entries. That both
	// change the head keeps them apart: PostgreSQL lets the second of them begin
	// again, with a serialization failure.
	var last int64
	var hash string
	err := tx.NewRaw("UPDATE audit_head SET seq = seq + ? RETURNING seq, hash", len(rows)).Scan(ctx, &last, &hash)
	if err != nil {
		return fmt.Errorf("audit of %q: head of the record: %w", entries[0].Action, err)
	}
	for i := range rows {
		rows[i].Seq = last - int64(len(rows)-1-i)
		rows[i].Hash = rows[i].digest(hash)
		hash = rows[i].Hash
	}
	for some := range slices.Chunk(rows, maxTogether) {
		if _, err := tx.NewInsert().Model(&some).Exec(ctx); err != nil {
			return fmt.Errorf("audit of %q: %w", some[0].Action, err)
		}
	}
	if _, err := tx.NewRaw("UPDATE audit_head SET hash = ?", hash).Exec(ctx); err != nil {
		return fmt.Errorf("audit of %q: head of the record: %w", entries[0].Action, err)
	}
	return nil
}

// newRow is an entry that has no place in the record yet.
func newRow(at time.Time, e Entry) (row, error) {
	if err := e.check(); err != nil {
		return row{}, err
	}
	detail := "{}"
	if len(e.Detail) > 0 {
		written, err := json.Marshal(e.Detail)
		if err != nil {
			return row{}, err
		}
		detail = string(written)
	}
	return row{At: at.UnixMilli(), Action: e.Action, Actor: e.Actor, Person: e.Person, Object: e.Object, Detail: detail}, nil
}

// check refuses what the two engines would keep differently or not at all.
func (e Entry) check() error {
	if e.Action == "" || e.Actor == "" {
		return errors.New("action and actor must be named")
	}
	texts := []string{e.Action, e.Actor, e.Person, e.Object}
	for key, value := range e.Detail {
		texts = append(texts, key, value)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("%q is no text", text)
		}
	}
	return nil
}

// digest is the hash of an entry that follows the one with the hash before.
// Every field is preceded by its length, so that no two contents are written
// the same way.
func (r row) digest(before string) string {
	h := sha256.New()
	number := func(n int64) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	text := func(s string) {
		number(int64(len(s)))
		h.Write([]byte(s))
	}
	text("linli audit 1")
	text(before)
	number(r.Seq)
	number(r.At)
	for _, s := range []string{r.Action, r.Actor, r.Person, r.Object, r.Detail} {
		text(s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// About returns the latest entries about a person, the newest first.
func About(ctx context.Context, db *database.DB, person string, limit int) ([]Record, error) {
	var rows []row
	err := db.Reader().NewSelect().Model(&rows).Where("person = ? AND person <> ''", person).
		OrderExpr("seq DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit about a person: %w", err)
	}
	records := make([]Record, 0, len(rows))
	for _, r := range rows {
		record := Record{
			Entry: Entry{Action: r.Action, Actor: r.Actor, Person: r.Person, Object: r.Object},
			Seq:   r.Seq, At: time.UnixMilli(r.At),
		}
		if err := json.Unmarshal([]byte(r.Detail), &record.Detail); err != nil {
			return nil, fmt.Errorf("audit entry %d: its detail was changed: %w", r.Seq, err)
		}
		records = append(records, record)
	}
	return records, nil
}

// separator is between IDs, in none of which it is.
const separator = "\n"

// Noted are the people about whom somebody has an entry of an action since a
// moment, for who wants to note the same once a day and not each time.
func Noted(ctx context.Context, db *database.DB, actor, action string, since time.Time) (map[string]bool, error) {
	// Somebody at the front desk sees thousands in a day: one row with all of them
	// is read in less than half the time of a row for each.
	var people []string
	err := db.Query(ctx, &people, "SELECT STRING_AGG(person, ?) FROM audit WHERE actor = ? AND action = ? AND at >= ? AND person <> '' HAVING COUNT(*) > 0",
		separator, actor, action, since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("audit of what somebody did: %w", err)
	}
	if len(people) == 0 {
		return nil, nil
	}
	ids := strings.Split(people[0], separator)
	noted := make(map[string]bool, len(ids))
	for _, p := range ids {
		noted[p] = true
	}
	return noted, nil
}
