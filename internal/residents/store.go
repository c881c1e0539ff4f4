package residents

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity"
)

//go:embed migrations/*/*.sql
var migrationFiles embed.FS

// Migrations are the migrations of the service's database, by engine.
func Migrations() (fs.FS, error) { return fs.Sub(migrationFiles, "migrations") }

// What the store answers.
var (
	// ErrNotFound means that there is no such record, or none within reach.
	ErrNotFound = errors.New("not found")
	// ErrLinked means that somebody else signs in as this person.
	ErrLinked = errors.New("somebody else signs in as this person: unlink them first")
	// ErrTooOften means that something was tried too often today.
	ErrTooOften = errors.New("tried too often today")
	// ErrOpen means that the same was asked for and is not answered yet.
	ErrOpen = errors.New("the same was asked for and is not answered yet")
	// ErrDecided means that a request has been answered.
	ErrDecided = errors.New("the request has been answered")
	// ErrLastManager means that nobody would be left who can appoint staff.
	ErrLastManager = errors.New("the last manager stays: appoint another first")
	// ErrManifest means that the county's manifest says so.
	ErrManifest = errors.New("the community's manifest names this manager: ask county IT to change it")
	// ErrInvalid means that what was asked for makes no sense.
	ErrInvalid = errors.New("this cannot be")
)

// Store keeps the records of people. What staff do with them, reading too, is
// audited in the transaction that does it.
type Store struct{ db *database.DB }

// NewStore is a store in a database that has the Migrations, and those of audit.
func NewStore(db *database.DB) *Store { return &Store{db: db} }

// Act is who does something, and when.
type Act struct {
	// Actor is the ID of the person who does it, or the name of the service.
	Actor string
	Now   time.Time
	// Location is the community's zone.
	Location *time.Location
	// Estates are the community's.
	Estates []v1alpha1.Estate
}

// Today is the day in the community's zone.
func (a Act) Today() Date { return DateOf(a.Now, a.Location) }

// note audits what the act does.
func (a Act) note(ctx context.Context, tx bun.Tx, action string, person uuid.UUID, object string, detail map[string]string) error {
	e := audit.Entry{Action: Name + "." + action, Actor: a.Actor, Object: object, Detail: detail}
	if person != uuid.Nil {
		e.Person = person.String()
	}
	return audit.Append(ctx, tx, a.Now, e)
}

func newID() (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return id, fmt.Errorf("making an id: %w", err)
	}
	return id, nil
}

type personRow struct {
	bun.BaseModel `bun:"table:people"`

	ID          uuid.UUID `bun:",pk"`
	Kind        Kind
	Name        string
	LatinName   string
	Phone       string
	BornOn      string
	Relation    string
	Estate      string
	Building    string
	Unit        string
	Room        string
	Subject     string
	Manifest    *string
	MovedAwayAt *int64
	ErasingAt   *int64
	SignedInAt  *int64
	CreatedAt   int64
	UpdatedAt   int64
}

func (r personRow) person() Person {
	p := Person{
		ID: r.ID, Kind: r.Kind, Subject: r.Subject,
		Details: Details{
			Name: r.Name, LatinName: r.LatinName, Phone: r.Phone, BornOn: Date(r.BornOn), Relation: Relation(r.Relation),
			Home: Home{Estate: r.Estate, Building: r.Building, Unit: r.Unit, Room: r.Room},
		},
		MovedAwayAt: timeOf(r.MovedAwayAt), ErasingAt: timeOf(r.ErasingAt), SignedInAt: timeOf(r.SignedInAt),
		CreatedAt: time.Unix(r.CreatedAt, 0), UpdatedAt: time.Unix(r.UpdatedAt, 0),
	}
	if r.Manifest != nil {
		p.Manifest = *r.Manifest
	}
	return p
}

// rowOf is a person as they are kept.
func rowOf(p Person) personRow {
	row := personRow{
		ID: p.ID, Kind: p.Kind, Subject: p.Subject, Name: p.Name, LatinName: p.LatinName, Phone: p.Phone, BornOn: string(p.BornOn), Relation: string(p.Relation),
		Estate: p.Estate, Building: p.Building, Unit: p.Unit, Room: p.Room,
		MovedAwayAt: unix(p.MovedAwayAt), ErasingAt: unix(p.ErasingAt), SignedInAt: unix(p.SignedInAt),
		CreatedAt: p.CreatedAt.Unix(), UpdatedAt: p.UpdatedAt.Unix(),
	}
	if p.Manifest != "" {
		row.Manifest = &p.Manifest
	}
	return row
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

// personIn is the person with an ID, with duties; ErrNotFound if there is none
// or the person is being deleted.
func personIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Person, error) {
	people, err := peopleIn(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("id = ?", id) })
	if err != nil {
		return Person{}, err
	}
	if len(people) == 0 {
		return Person{}, ErrNotFound
	}
	return people[0], nil
}

// peopleIn are the people that a query selects, with their duties, without
// those who are being deleted.
func peopleIn(ctx context.Context, db bun.IDB, which func(*bun.SelectQuery) *bun.SelectQuery) ([]Person, error) {
	var rows []personRow
	q := which(db.NewSelect().Model(&rows).Where("erasing_at IS NULL"))
	if err := q.Scan(ctx); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("reading people: %w", err)
	}
	people := personsOf(rows)
	return people, withDuties(ctx, db, people)
}

func personsOf(rows []personRow) []Person {
	people := make([]Person, len(rows))
	for i, r := range rows {
		people[i] = r.person()
	}
	return people
}

func withDuties(ctx context.Context, db bun.IDB, people []Person) error {
	if len(people) == 0 {
		return nil
	}
	// A list of more than maxTogether is of residents at large: there the few
	// who are charged with a duty are quicker found among all.
	var rows []dutyRow
	q := db.NewSelect().Model(&rows)
	if len(people) <= maxTogether {
		ids := make([]uuid.UUID, len(people))
		for i, p := range people {
			ids[i] = p.ID
		}
		q = q.Where("person IN (?)", bun.List(ids))
	}
	if err := q.Scan(ctx); err != nil {
		return fmt.Errorf("reading duties: %w", err)
	}
	charge(people, rows)
	return nil
}

// charge gives people their duties.
func charge(people []Person, rows []dutyRow) {
	if len(rows) == 0 {
		return
	}
	duties := map[uuid.UUID]map[identity.Duty]bool{}
	for _, r := range rows {
		if duties[r.Person] == nil {
			duties[r.Person] = map[identity.Duty]bool{}
		}
		duties[r.Person][r.Duty] = true
	}
	for i := range people {
		for _, d := range identity.Duties {
			if duties[people[i].ID][d] {
				people[i].Duties = append(people[i].Duties, d)
			}
		}
	}
}

// maxTogether is how many rows are named or written in one statement at most:
// engines limit how long it may be.
const maxTogether = 500

// Person is the person with an ID; it is not audited, and for the services'
// own use.
func (s *Store) Person(ctx context.Context, id uuid.UUID) (Person, error) {
	return personIn(ctx, s.db.Reader(), id)
}

// OfSubject are the people as whom a subject signs in, by name.
func (s *Store) OfSubject(ctx context.Context, subject string) ([]Person, error) {
	if subject == "" {
		return nil, nil
	}
	// Every request of somebody who is signed in asks this.
	var rows []personRow
	err := s.db.Query(ctx, &rows, "SELECT id, kind, name, latin_name, phone, born_on, relation, estate, building, unit, room, subject, manifest, "+
		"moved_away_at, erasing_at, signed_in_at, created_at, updated_at FROM people "+
		"WHERE subject = ? AND subject <> '' AND erasing_at IS NULL ORDER BY name, id", subject)
	if err != nil {
		return nil, fmt.Errorf("reading people: %w", err)
	}
	var duties []dutyRow
	err = s.db.Query(ctx, &duties, "SELECT person, duty, origin, granted_by, granted_at FROM duties "+
		"WHERE person IN (SELECT id FROM people WHERE subject = ? AND subject <> '')", subject)
	if err != nil {
		return nil, fmt.Errorf("reading duties: %w", err)
	}
	people := personsOf(rows)
	charge(people, duties)
	return here(people), nil
}

// here are those who are the community's.
func here(people []Person) []Person {
	var some []Person
	for _, p := range people {
		if p.Here() {
			some = append(some, p)
		}
	}
	return some
}

// SignIn notes that a subject has signed in, and returns as whom.
func (s *Store) SignIn(ctx context.Context, subject string, now time.Time) ([]Person, error) {
	people, err := s.OfSubject(ctx, subject)
	if err != nil || len(people) == 0 {
		return nil, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*personRow)(nil)).Set("signed_in_at = ?", now.Unix()).Where("subject = ?", subject).Exec(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("noting a sign-in: %w", err)
	}
	return people, nil
}
