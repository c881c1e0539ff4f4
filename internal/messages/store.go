package messages

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/web"
)

//go:embed migrations/*/*.sql
var migrationFiles embed.FS

// Migrations are the migrations of the service's database, by engine.
func Migrations() (fs.FS, error) { return fs.Sub(migrationFiles, "migrations") }

// ErrNotFound means that there is no such message to do that with.
var ErrNotFound = errors.New("not found")

// Store keeps messages and what people have chosen.
type Store struct{ db *database.DB }

// NewStore is a store in a database that has the Migrations, and the tables of
// the audit.
func NewStore(db *database.DB) *Store { return &Store{db: db} }

type itemRow struct {
	bun.BaseModel `bun:"table:messages"`

	ID         uuid.UUID `bun:",pk"`
	Person     string
	ForPerson  string
	Name       string
	Phone      string
	Kind       string
	About      string
	Link       string
	Urgent     bool
	At         int64
	NotAfter   int64
	Text       string
	Short      string
	State      State
	DueAt      *int64
	Attempts   int
	ReceivedAt int64
	ReadAt     *int64
	DoneAt     *int64
	Note       string
}

type receivedRow struct {
	bun.BaseModel `bun:"table:received"`

	ID         uuid.UUID `bun:",pk"`
	ReceivedAt int64
}

type preferencesRow struct {
	bun.BaseModel `bun:"table:preferences"`

	Person    string `bun:",pk"`
	Way       Way
	Language  web.Language
	ChangedAt int64
}

// millis is a moment as it is kept; nil is never.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.UnixMilli()
	return &n
}

func timeOf(n *int64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return time.UnixMilli(*n)
}

func rowOf(i Item, now time.Time) (itemRow, error) {
	text, err := json.Marshal(i.Text)
	if err != nil {
		return itemRow{}, err
	}
	short, err := json.Marshal(i.Short)
	if err != nil {
		return itemRow{}, err
	}
	return itemRow{
		ID: i.ID, Person: i.Person, ForPerson: i.For, Name: i.Name, Phone: i.Phone, Kind: i.Kind, About: i.About, Link: i.Link,
		Urgent: i.Urgent, At: i.At.UnixMilli(), NotAfter: i.NotAfter.UnixMilli(), Text: string(text), Short: string(short),
		State: i.State, DueAt: millis(i.DueAt), ReceivedAt: now.UnixMilli(),
	}, nil
}

func (r itemRow) item() (Item, error) {
	i := Item{
		ID: r.ID, Person: r.Person, For: r.ForPerson, Name: r.Name, Phone: r.Phone, Kind: r.Kind, About: r.About, Link: r.Link,
		Urgent: r.Urgent, At: time.UnixMilli(r.At), NotAfter: time.UnixMilli(r.NotAfter),
		State: r.State, DueAt: timeOf(r.DueAt), Attempts: r.Attempts, ReadAt: timeOf(r.ReadAt), DoneAt: timeOf(r.DoneAt), Note: r.Note,
	}
	if err := errors.Join(json.Unmarshal([]byte(r.Text), &i.Text), json.Unmarshal([]byte(r.Short), &i.Short)); err != nil {
		return i, fmt.Errorf("message %s in the database: %w", r.ID, err)
	}
	return i, nil
}

func itemsOf(rows []itemRow) ([]Item, error) {
	list := make([]Item, len(rows))
	for n, r := range rows {
		var err error
		if list[n], err = r.item(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Receive keeps the items of the message with an ID. One that was received
// before changes nothing; known is then true. Of what a person was told a short
// while ago nothing comes again; if it is not the same any more the later one
// takes its place, and nobody's phone rings twice within the window.
func (s *Store) Receive(ctx context.Context, id uuid.UUID, items []Item, now time.Time) (known bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		inserted, err := tx.NewInsert().Model(&receivedRow{ID: id, ReceivedAt: now.UnixMilli()}).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		n, err := inserted.RowsAffected()
		if known = n == 0; err != nil || known {
			return err
		}
		for _, item := range items {
			if err := receive(ctx, tx, item, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("receiving a message: %w", err)
	}
	return known, nil
}

func receive(ctx context.Context, tx bun.Tx, item Item, now time.Time) error {
	row, err := rowOf(item, now)
	if err != nil {
		return err
	}
	var before []itemRow
	err = tx.NewSelect().Model(&before).
		Where("person = ? AND for_person = ? AND kind = ? AND about = ?", row.Person, row.ForPerson, row.Kind, row.About).
		Where("received_at > ?", now.Add(-window).UnixMilli()).Order("received_at DESC", "id DESC").Scan(ctx)
	if err != nil {
		return err
	}
	if len(before) > 0 && before[0].Text == row.Text && before[0].Short == row.Short {
		return nil
	}
	for _, b := range before {
		if row.DueAt != nil && (b.State == StateSent || b.Attempts > 0) {
			// The phone rang, or may be about to: this one waits.
			rang := now
			if b.DoneAt != nil {
				rang = timeOf(b.DoneAt)
			}
			if again := rang.Add(window); again.After(timeOf(row.DueAt)) {
				row.DueAt = millis(again)
			}
		}
		if _, err := tx.NewUpdate().Model((*itemRow)(nil)).
			Set("state = CASE WHEN state IN (?, ?) THEN state ELSE ? END, read_at = COALESCE(read_at, ?)",
				StateSent, StateCalled, StateReplaced, now.UnixMilli()).
			Where("id = ?", b.ID).Exec(ctx); err != nil {
			return err
		}
	}
	_, err = tx.NewInsert().Model(&row).Exec(ctx)
	return err
}

// Inbox are the messages of a person, the newest first: those that come after
// the one with an ID, or from the beginning if it is nil.
func (s *Store) Inbox(ctx context.Context, person string, after uuid.UUID, limit int) ([]Item, error) {
	var rows []itemRow
	q := s.db.Reader().NewSelect().Model(&rows).Where("person = ? AND state <> ?", person, StateReplaced).
		Order("received_at DESC", "id DESC").Limit(int64(limit))
	if after != uuid.Nil {
		q.Where("(received_at, id) < (SELECT received_at, id FROM messages WHERE id = ?)", after)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the messages of a person: %w", err)
	}
	return itemsOf(rows)
}

// Unread is how many messages a person has not read yet.
func (s *Store) Unread(ctx context.Context, person string) (int, error) {
	n, err := s.db.Reader().NewSelect().Model((*itemRow)(nil)).
		Where("person = ? AND state <> ? AND read_at IS NULL", person, StateReplaced).Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("counting the messages of a person: %w", err)
	}
	return int(n), nil
}

// Read notes that a person has read all messages up to and with the one with an
// ID; later ones stay unread.
func (s *Store) Read(ctx context.Context, person string, upTo uuid.UUID, now time.Time) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var newest itemRow
		err := tx.NewSelect().Model(&newest).Where("id = ? AND person = ?", upTo, person).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model((*itemRow)(nil)).Set("read_at = ?", now.UnixMilli()).
			Where("person = ? AND read_at IS NULL AND (received_at, id) <= (?, ?)", person, newest.ReceivedAt, newest.ID).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting messages as read: %w", err)
	}
	return nil
}

// Preferences are what a person has chosen, or the defaults.
func (s *Store) Preferences(ctx context.Context, person string) (Preferences, error) {
	var row preferencesRow
	err := s.db.Reader().NewSelect().Model(&row).Where("person = ?", person).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return defaults, nil
	}
	if err != nil {
		return Preferences{}, fmt.Errorf("reading the preferences of a person: %w", err)
	}
	return Preferences{Way: row.Way, Language: row.Language}, nil
}

// Prefer keeps what a person has chosen.
func (s *Store) Prefer(ctx context.Context, person string, p Preferences, now time.Time) error {
	row := preferencesRow{Person: person, Way: p.Way, Language: p.Language, ChangedAt: now.UnixMilli()}
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).
			On("CONFLICT (person) DO UPDATE SET way = EXCLUDED.way, language = EXCLUDED.language, changed_at = EXCLUDED.changed_at").Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping the preferences of a person: %w", err)
	}
	return nil
}

// maxCalls is how many calls are shown at a time.
const maxCalls = 50

// ToCall are the people to be told by the front desk who are longest on its
// list, and how many there are in all. That somebody looks is recorded first.
func (s *Store) ToCall(ctx context.Context, actor string, now time.Time) (calls []Item, all int, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []itemRow
		q := tx.NewSelect().Model(&rows).Where("state = ? AND not_after > ?", StateToCall, now.UnixMilli()).
			Order("attempts", "received_at", "id").Limit(maxCalls)
		n, err := q.ScanAndCount(ctx)
		if err != nil {
			return err
		}
		all = int(n)
		if calls, err = itemsOf(rows); err != nil {
			return err
		}
		for _, c := range calls {
			e := audit.Entry{Action: actionLook, Actor: actor, Person: c.Person, Object: c.ID.String()}
			if err := audit.Append(ctx, tx, now, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading the call list: %w", err)
	}
	return calls, all, nil
}

// Called notes how a call went: told ends it, otherwise it stays on the list.
// It returns ErrNotFound if there is no such call, or if another has told the
// person already.
func (s *Store) Called(ctx context.Context, actor string, id uuid.UUID, told bool, note string, now time.Time) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var row itemRow
		err := tx.NewSelect().Model(&row).Where("id = ? AND state = ?", id, StateToCall).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		row.Attempts++
		row.Note = note
		outcome := "not reached"
		if told {
			outcome, row.State, row.DoneAt = "told", StateCalled, millis(now)
		}
		if _, err := tx.NewUpdate().Model(&row).Column("attempts", "note", "state", "done_at").WherePK().Exec(ctx); err != nil {
			return err
		}
		return audit.Append(ctx, tx, now, audit.Entry{
			Action: actionNote, Actor: actor, Person: row.Person, Object: id.String(), Detail: map[string]string{"outcome": outcome},
		})
	})
	if err != nil {
		return fmt.Errorf("noting a call: %w", err)
	}
	return nil
}

// Of are all messages of a person and what the person has chosen, for the
// person to have.
func (s *Store) Of(ctx context.Context, person string) ([]Item, Preferences, error) {
	var rows []itemRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("person = ?", person).Order("received_at", "id").Scan(ctx); err != nil {
		return nil, Preferences{}, fmt.Errorf("reading the messages of a person: %w", err)
	}
	list, err := itemsOf(rows)
	if err != nil {
		return nil, Preferences{}, err
	}
	p, err := s.Preferences(ctx, person)
	return list, p, err
}

// Forget erases everything about a person, also what was told to others about
// them.
func (s *Store) Forget(ctx context.Context, person string) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*itemRow)(nil)).Where("person = ? OR for_person = ?", person, person).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewDelete().Model((*preferencesRow)(nil)).Where("person = ?", person).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("erasing the messages of a person: %w", err)
	}
	return nil
}

// Erase removes messages that are past their retention. It returns how many.
func (s *Store) Erase(ctx context.Context, now time.Time) (erased int, err error) {
	until := now.Add(-retention).UnixMilli()
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewDelete().Model((*itemRow)(nil)).Where("received_at <= ?", until).Exec(ctx)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		erased = int(n)
		// A message that is of use for longer than that is delivered long before.
		_, err = tx.NewDelete().Model((*receivedRow)(nil)).Where("received_at <= ?", until).Exec(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("erasing messages past their retention: %w", err)
	}
	return erased, nil
}
