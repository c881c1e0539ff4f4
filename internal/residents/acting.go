package residents

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity"
)

// Basis is why somebody may act for another.
type Basis string

// The reasons for acting for somebody.
const (
	// BasisOwn: the person has said so in their own account.
	BasisOwn Basis = "Own"
	// BasisPaper: the person has signed for it, and staff have seen that.
	BasisPaper Basis = "Paper"
	// BasisParent: a parent acts for a child of the same household, and staff
	// have confirmed it. It ends on the child's 18th birthday.
	BasisParent Basis = "Parent"
)

// Acting is that somebody acts for another.
type Acting struct {
	ID                 uuid.UUID
	Actor, Represented uuid.UUID
	Scopes             []identity.Scope
	Basis              Basis
	// Until is the last day, in the community's zone; empty for none.
	Until Date
	// Document is the scan of what was signed; nil if there is none.
	Document           uuid.UUID
	CreatedAt, EndedAt time.Time
}

// Holds says that it holds on a day.
func (a Acting) Holds(on Date) bool { return a.EndedAt.IsZero() && (a.Until == "" || on <= a.Until) }

// Covers says that it is for something.
func (a Acting) Covers(s identity.Scope) bool { return slices.Contains(a.Scopes, s) }

// checkActing completes what is to be, or says why it cannot be.
func checkActing(want Acting, actor, represented Person, today Date) (Acting, error) {
	if actor.ID == represented.ID {
		return want, fmt.Errorf("%w: nobody acts for themselves", ErrInvalid)
	}
	if !actor.Here() || !represented.Here() {
		return want, fmt.Errorf("%w: both must live or work here", ErrInvalid)
	}
	if len(want.Scopes) == 0 {
		return want, fmt.Errorf("%w: choose what for", ErrInvalid)
	}
	var scopes []identity.Scope
	for _, s := range identity.Scopes {
		if slices.Contains(want.Scopes, s) {
			scopes = append(scopes, s)
		}
	}
	if len(scopes) != len(want.Scopes) {
		return want, fmt.Errorf("%w: the scopes are Book and Order", ErrInvalid)
	}
	want.Scopes = scopes
	if want.Until != "" && want.Until < today {
		return want, fmt.Errorf("%w: the last day has passed", ErrInvalid)
	}
	switch want.Basis {
	case BasisOwn, BasisPaper:
		return want, nil
	case BasisParent:
	default:
		return want, fmt.Errorf("%w: there is no basis %q", ErrInvalid, want.Basis)
	}
	ofAge := represented.BornOn.ComesOfAge()
	switch {
	case ofAge == "":
		return want, fmt.Errorf("%w: the child's birthday is not known", ErrInvalid)
	case ofAge <= today:
		return want, fmt.Errorf("%w: who is 18 or older is no child", ErrInvalid)
	case actor.BornOn == "" || actor.BornOn.ComesOfAge() > today:
		return want, fmt.Errorf("%w: a parent is 18 or older, and the birthday is known", ErrInvalid)
	case !Household(actor, represented):
		return want, fmt.Errorf("%w: parent and child live in the same home", ErrInvalid)
	}
	if last := Date(ofAge.time().AddDate(0, 0, -1).Format(dateLayout)); want.Until == "" || want.Until > last {
		want.Until = last
	}
	return want, nil
}

type actingRow struct {
	bun.BaseModel `bun:"table:acting"`

	ID          uuid.UUID `bun:",pk"`
	Actor       uuid.UUID
	Represented uuid.UUID
	Scopes      string
	Basis       Basis
	Until       string
	Document    *uuid.UUID
	CreatedBy   string
	CreatedAt   int64
	EndedAt     *int64
	EndedBy     string
}

func scopesText(scopes []identity.Scope) string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return strings.Join(texts, ",")
}

func scopesOf(text string) []identity.Scope {
	var scopes []identity.Scope
	for _, s := range strings.Split(text, ",") {
		if s != "" {
			scopes = append(scopes, identity.Scope(s))
		}
	}
	return scopes
}

func (r actingRow) acting() Acting {
	a := Acting{
		ID: r.ID, Actor: r.Actor, Represented: r.Represented, Scopes: scopesOf(r.Scopes), Basis: r.Basis, Until: Date(r.Until),
		CreatedAt: time.Unix(r.CreatedAt, 0), EndedAt: timeOf(r.EndedAt),
	}
	if r.Document != nil {
		a.Document = *r.Document
	}
	return a
}

// sameAs says that two agreements are for the same, for the same reason.
func (a Acting) sameAs(b Acting) bool {
	return a.Basis == b.Basis && a.Until == b.Until && a.Document == b.Document && slices.Equal(a.Scopes, b.Scopes)
}

// LetAct has somebody act for another, as the staff have it on paper or know
// them for parent and child.
func (s *Store) LetAct(ctx context.Context, a Act, want Acting) (made Acting, err error) {
	if want.Basis == BasisOwn {
		return want, ErrInvalid // only the person can say so
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		made, err = letActIn(ctx, tx, a, want)
		return err
	})
	return made, err
}

// letActIn puts a new agreement in the place of the former one, if there is
// one that says something else.
func letActIn(ctx context.Context, tx bun.Tx, a Act, want Acting) (Acting, error) {
	actor, err := personIn(ctx, tx, want.Actor)
	if err != nil {
		return want, err
	}
	represented, err := personIn(ctx, tx, want.Represented)
	if err != nil {
		return want, err
	}
	if want, err = checkActing(want, actor, represented, a.Today()); err != nil {
		return want, err
	}
	var held []actingRow
	if err := tx.NewSelect().Model(&held).Where("actor = ? AND represented = ? AND ended_at IS NULL", want.Actor, want.Represented).Scan(ctx); err != nil {
		return want, fmt.Errorf("reading who acts: %w", err)
	}
	if len(held) > 0 && want.sameAs(held[0].acting()) {
		return held[0].acting(), nil
	}
	if want.ID, err = newID(); err != nil {
		return want, err
	}
	if _, err := endIn(ctx, tx, a, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Where("actor = ? AND represented = ?", want.Actor, want.Represented)
	}); err != nil {
		return want, err
	}
	row := actingRow{
		ID: want.ID, Actor: want.Actor, Represented: want.Represented, Scopes: scopesText(want.Scopes), Basis: want.Basis, Until: string(want.Until),
		CreatedBy: a.Actor, CreatedAt: a.Now.Unix(),
	}
	if want.Document != uuid.Nil {
		row.Document = &want.Document
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		if database.IsUnique(err) {
			return want, ErrOpen
		}
		return want, fmt.Errorf("letting somebody act: %w", err)
	}
	want.CreatedAt = time.Unix(a.Now.Unix(), 0)
	return want, a.note(ctx, tx, "acting.begin", want.Represented, want.ID.String(),
		map[string]string{"actor": want.Actor.String(), "scopes": row.Scopes, "basis": string(want.Basis)})
}

// endIn ends what holds of the agreements that are selected, and says how many
// that were. Each end is audited.
func endIn(ctx context.Context, tx bun.Tx, a Act, which func(*bun.UpdateQuery) *bun.UpdateQuery) (int, error) {
	var ended []actingRow
	q := which(tx.NewUpdate().Model((*actingRow)(nil)).Set("ended_at = ?", a.Now.Unix()).Set("ended_by = ?", a.Actor).Where("ended_at IS NULL"))
	if err := q.Returning("*").Scan(ctx, &ended); err != nil {
		return 0, fmt.Errorf("ending that somebody acts: %w", err)
	}
	for _, row := range ended {
		if err := a.note(ctx, tx, "acting.end", row.Represented, row.ID.String(), map[string]string{"actor": row.Actor.String()}); err != nil {
			return 0, err
		}
	}
	return len(ended), nil
}

// endActingOf ends what holds for a person on either side.
func endActingOf(ctx context.Context, tx bun.Tx, a Act, person uuid.UUID) error {
	_, err := endIn(ctx, tx, a, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Where("(actor = ? OR represented = ?)", person, person)
	})
	return err
}

// EndActing ends that somebody acts for another. by is the person on either
// side who ends it; nil if staff do. Ending again is no error.
func (s *Store) EndActing(ctx context.Context, a Act, id, by uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []actingRow
		if err := tx.NewSelect().Model(&rows).Where("id = ?", id).Scan(ctx); err != nil {
			return fmt.Errorf("reading who acts: %w", err)
		}
		if len(rows) == 0 || by != uuid.Nil && rows[0].Actor != by && rows[0].Represented != by {
			return ErrNotFound
		}
		_, err := endIn(ctx, tx, a, func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Where("id = ?", id) })
		return err
	})
}

// ActingOf is who acts for a person and for whom the person acts, with what
// has ended, the latest first.
func (s *Store) ActingOf(ctx context.Context, person uuid.UUID) ([]Acting, error) {
	var rows []actingRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("actor = ? OR represented = ?", person, person).Order("created_at DESC", "id DESC").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading who acts: %w", err)
	}
	acting := make([]Acting, len(rows))
	for i, r := range rows {
		acting[i] = r.acting()
	}
	return acting, nil
}

// Represented is somebody for whom another acts, and what for.
type Represented struct {
	Person
	Scopes []identity.Scope
}

// ActsFor are the people for whom a person acts on a day, by when that began.
func (s *Store) ActsFor(ctx context.Context, person uuid.UUID, on Date) ([]Represented, error) {
	var rows []actingRow
	err := s.db.Query(ctx, &rows, "SELECT id, represented, scopes FROM acting "+
		"WHERE actor = ? AND ended_at IS NULL AND (until = '' OR until >= ?) ORDER BY created_at, id", person, string(on))
	if err != nil {
		return nil, fmt.Errorf("reading for whom somebody acts: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.Represented
	}
	people, err := peopleIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("id IN (?)", bun.List(ids)) })
	if err != nil {
		return nil, err
	}
	var out []Represented
	for _, r := range rows {
		i := slices.IndexFunc(people, func(p Person) bool { return p.ID == r.Represented })
		if i >= 0 && people[i].Here() {
			out = append(out, Represented{Person: people[i], Scopes: scopesOf(r.Scopes)})
		}
	}
	return out, nil
}

// OfferActing makes a code by which somebody else may act for a person, who
// has asked for it in their own account. It is kept nowhere.
func (s *Store) OfferActing(ctx context.Context, a Act, person uuid.UUID, scopes []identity.Scope, until Date) (code string, err error) {
	if len(scopes) == 0 || until != "" && until < a.Today() {
		return "", ErrInvalid
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		code, err = putCode(ctx, tx, a, codeRow{Kind: codeActing, Person: person, Scopes: scopesText(scopes), Until: string(until)})
		return err
	})
	return code, err
}

// AcceptActing has a person act for the one who gave the code. ErrNotFound
// means that the code is not good, ErrTooOften that too many were tried.
func (s *Store) AcceptActing(ctx context.Context, a Act, person uuid.UUID, code string) (made Acting, err error) {
	if err := s.try(ctx, a, person.String(), tryCode); err != nil {
		return made, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		row, err := takeCode(ctx, tx, a, codeActing, code)
		if err != nil {
			return err
		}
		made, err = letActIn(ctx, tx, a, Acting{
			Actor: person, Represented: row.Person, Scopes: scopesOf(row.Scopes), Until: Date(row.Until), Basis: BasisOwn,
		})
		return err
	})
	return made, err
}

// EndPast ends what held until a day that has passed, so that it is audited
// when it ended. What holds does not wait for this.
func (s *Store) EndPast(ctx context.Context, a Act) (ended int, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		ended, err = endIn(ctx, tx, a, func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Where("until <> '' AND until < ?", a.Today()) })
		return err
	})
	return ended, err
}
