package canteen

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

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database"
)

//go:embed migrations/*/*.sql
var migrationFiles embed.FS

// Migrations are the migrations of the service's database, by engine.
func Migrations() (fs.FS, error) { return fs.Sub(migrationFiles, "migrations") }

// What the store answers beside Refusals.
var (
	// ErrNotFound means that there is no such thing within reach.
	ErrNotFound = errors.New("not found")
	// ErrKeyReused means that the person has used the idempotency key for
	// another request.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
	// ErrStale means that somebody else has changed it meanwhile.
	ErrStale = errors.New("somebody else has changed this meanwhile")
	// ErrInUse means that what is to be taken away was ordered.
	ErrInUse = errors.New("it was ordered")
)

// Store keeps menus and orders. That a dish is not sold twice, and that nobody
// has two orders for a meal, is kept by constraints of the database, whoever
// else writes to it.
type Store struct {
	db *database.DB
	// tell is told of news, in the transaction in which it happens.
	tell func(ctx context.Context, tx bun.Tx, n News) error
}

// NewStore is a store in a database that has the Migrations.
func NewStore(db *database.DB) *Store {
	return &Store{db: db, tell: func(context.Context, bun.Tx, News) error { return nil }}
}

// newID is an ID for something new.
func newID() (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return id, fmt.Errorf("making an id: %w", err)
	}
	return id, nil
}

// unix is a moment as it is kept; nil is never.
func unix(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	seconds := t.Unix()
	return &seconds
}

func timeOf(seconds *int64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.Unix(*seconds, 0)
}

// asJSON is a value as it is kept.
func asJSON(value any) (string, error) {
	data, err := json.Marshal(value)
	return string(data), err
}

type canteenRow struct {
	bun.BaseModel `bun:"table:canteens"`

	Name      string `bun:",pk"`
	Position  int
	Spec      string
	RetiredAt *int64
	Version   int
}

func (r canteenRow) canteen() (Canteen, error) {
	var spec v1alpha1.CanteenPlace
	if err := json.Unmarshal([]byte(r.Spec), &spec); err != nil {
		return Canteen{}, fmt.Errorf("canteen %q in the database: %w", r.Name, err)
	}
	c, err := ParseCanteen(spec)
	c.retired, c.Version = r.RetiredAt != nil, r.Version
	return c, err
}

// Canteens are those that take orders, in the order in which they are listed.
func (s *Store) Canteens(ctx context.Context) ([]Canteen, error) { return s.canteens(ctx, false) }

func (s *Store) canteens(ctx context.Context, retired bool) ([]Canteen, error) {
	var rows []canteenRow
	q := s.db.Reader().NewSelect().Model(&rows).Order("position", "name")
	if retired {
		q.Where("retired_at IS NOT NULL")
	} else {
		q.Where("retired_at IS NULL")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing the canteens: %w", err)
	}
	canteens := make([]Canteen, len(rows))
	for i, row := range rows {
		var err error
		if canteens[i], err = row.canteen(); err != nil {
			return nil, err
		}
	}
	return canteens, nil
}

// Canteen is the canteen of that name, also if it takes no orders any more, or
// ErrNotFound.
func (s *Store) Canteen(ctx context.Context, name string) (Canteen, error) {
	var rows []canteenRow
	err := s.db.Query(ctx, &rows, "SELECT name, position, spec, retired_at, version FROM canteens WHERE name = ?", name)
	if err != nil {
		return Canteen{}, fmt.Errorf("reading canteen %q: %w", name, err)
	}
	if len(rows) == 0 {
		return Canteen{}, ErrNotFound
	}
	return rows[0].canteen()
}

func canteenIn(ctx context.Context, db bun.IDB, name string) (Canteen, error) {
	var row canteenRow
	err := db.NewSelect().Model(&row).Where("name = ?", name).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Canteen{}, ErrNotFound
	}
	if err != nil {
		return Canteen{}, fmt.Errorf("reading canteen %q: %w", name, err)
	}
	return row.canteen()
}

// SyncCanteens brings the canteens in line with the manifest. Managed by the
// community, they are made once, by name, and never changed after. Managed by
// the manifest, they follow it: a canteen that it no longer has is retired,
// which keeps its orders and takes no new ones.
func (s *Store) SyncCanteens(ctx context.Context, by v1alpha1.ManagedBy, canteens []v1alpha1.CanteenPlace, now time.Time) error {
	for i, c := range canteens {
		if _, err := ParseCanteen(c); err != nil {
			return fmt.Errorf("services.canteen.canteens[%d]: %w", i, err)
		}
	}
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return syncCanteens(ctx, tx, by, canteens, now) })
	if err != nil {
		return fmt.Errorf("bringing the canteens in line with the manifest: %w", err)
	}
	return nil
}

func syncCanteens(ctx context.Context, tx bun.Tx, by v1alpha1.ManagedBy, canteens []v1alpha1.CanteenPlace, now time.Time) error {
	var known []canteenRow
	if err := tx.NewSelect().Model(&known).Scan(ctx); err != nil {
		return err
	}
	before := make(map[string]canteenRow, len(known))
	for _, row := range known {
		before[row.Name] = row
	}
	for i, spec := range canteens {
		old, exists := before[spec.Name]
		delete(before, spec.Name)
		if exists && by != v1alpha1.ManagedByManifest {
			continue
		}
		row := canteenRow{Name: spec.Name, Position: i, Version: 1}
		var err error
		if row.Spec, err = asJSON(spec); err != nil {
			return err
		}
		if exists && row.Spec == old.Spec && row.Position == old.Position && old.RetiredAt == nil {
			continue
		}
		if err := putCanteen(ctx, tx, row); err != nil {
			return err
		}
	}
	if by != v1alpha1.ManagedByManifest {
		return nil
	}
	for name, old := range before {
		if old.RetiredAt != nil {
			continue
		}
		if _, err := tx.NewUpdate().Model((*canteenRow)(nil)).Set("retired_at = ?", now.Unix()).Where("name = ?", name).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func putCanteen(ctx context.Context, tx bun.Tx, row canteenRow) error {
	_, err := tx.NewInsert().Model(&row).On("CONFLICT (name) DO UPDATE").
		Set("position = EXCLUDED.position, spec = EXCLUDED.spec, retired_at = NULL, version = ?TableAlias.version + 1").Exec(ctx)
	if err != nil {
		return fmt.Errorf("keeping canteen %q: %w", row.Name, err)
	}
	return nil
}

type memberRow struct {
	bun.BaseModel `bun:"table:category_members"`

	Category string `bun:",pk"`
	Person   string `bun:",pk"`
}

// CategoriesOf are the names of the categories that a person belongs to.
func (s *Store) CategoriesOf(ctx context.Context, person string) ([]string, error) {
	var names []string
	if err := s.db.Query(ctx, &names, "SELECT category FROM category_members WHERE person = ? ORDER BY category", person); err != nil {
		return nil, fmt.Errorf("reading a person's categories: %w", err)
	}
	return names, nil
}

// sittingOf is a sitting as it is kept.
func sittingOf(canteen, day, meal string) (Sitting, error) {
	d, err := civil.ParseDate(day)
	if err != nil {
		return Sitting{}, fmt.Errorf("a day in the database: %w", err)
	}
	return Sitting{Canteen: canteen, Day: d, Meal: meal}, nil
}
