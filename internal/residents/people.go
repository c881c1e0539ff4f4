package residents

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
)

// Add makes a record.
func (s *Store) Add(ctx context.Context, a Act, kind Kind, d Details) (p Person, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		p, err = addIn(ctx, tx, a, kind, d)
		return err
	})
	return p, err
}

func addIn(ctx context.Context, tx bun.Tx, a Act, kind Kind, d Details) (Person, error) {
	p, err := newPerson(a, kind, d)
	if err != nil {
		return p, err
	}
	row := rowOf(p)
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return p, fmt.Errorf("adding a person: %w", err)
	}
	return p, a.note(ctx, tx, "person.add", p.ID, "", nil)
}

func newPerson(a Act, kind Kind, d Details) (Person, error) {
	id, err := newID()
	if err != nil {
		return Person{}, err
	}
	d, problems := Check(d, a.Estates, a.Today())
	if len(problems) > 0 {
		return Person{}, problems[0]
	}
	now := time.Unix(a.Now.Unix(), 0)
	return Person{ID: id, Details: d, Kind: kind, CreatedAt: now, UpdatedAt: now}, nil
}

// See is a person as staff see them, which is audited.
func (s *Store) See(ctx context.Context, a Act, id uuid.UUID) (p Person, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if p, err = personIn(ctx, tx, id); err != nil {
			return err
		}
		return a.note(ctx, tx, "person.view", id, "", nil)
	})
	return p, err
}

// Change writes anew what is written down about a person.
func (s *Store) Change(ctx context.Context, a Act, id uuid.UUID, d Details) (p Person, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if p, err = personIn(ctx, tx, id); err != nil {
			return err
		}
		p, err = changeIn(ctx, tx, a, p, d)
		return err
	})
	return p, err
}

func changeIn(ctx context.Context, tx bun.Tx, a Act, p Person, d Details) (Person, error) {
	d, problems := Check(d, a.Estates, a.Today())
	if len(problems) > 0 {
		return p, problems[0]
	}
	fields := Unlike(p.Details, d)
	if len(fields) == 0 {
		return p, nil
	}
	p.Details = d
	if err := saveIn(ctx, tx, a, &p); err != nil {
		return p, err
	}
	return p, a.note(ctx, tx, "person.change", p.ID, "", map[string]string{"fields": strings.Join(fields, ",")})
}

// saveIn writes a person as they are now.
func saveIn(ctx context.Context, tx bun.Tx, a Act, p *Person) error {
	p.UpdatedAt = time.Unix(a.Now.Unix(), 0)
	row := rowOf(*p)
	if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("writing a person: %w", err)
	}
	return nil
}

// MoveAway notes that a person has left the community, or has come back. Who
// has left is not known here any more, acts for nobody, and is erased in time.
func (s *Store) MoveAway(ctx context.Context, a Act, id uuid.UUID, away bool) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		p, err := personIn(ctx, tx, id)
		if err != nil || away == !p.MovedAwayAt.IsZero() {
			return err
		}
		action := "person.return"
		p.MovedAwayAt = time.Time{}
		if away {
			action, p.MovedAwayAt = "person.move-away", time.Unix(a.Now.Unix(), 0)
			if err := withoutDuties(ctx, tx, a, p); err != nil {
				return err
			}
			if err := endActingOf(ctx, tx, a, id); err != nil {
				return err
			}
		}
		if err := saveIn(ctx, tx, a, &p); err != nil {
			return err
		}
		return a.note(ctx, tx, action, id, "", nil)
	})
}

// Find looks for people by name or phone number, on behalf of the actor, which
// is audited for everybody who is found.
func (s *Store) Find(ctx context.Context, a Act, text string, limit int) (found []Person, err error) {
	q := queryOf(text)
	if q.empty() {
		return nil, nil
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		found = nil
		people, err := peopleIn(ctx, tx, func(s *bun.SelectQuery) *bun.SelectQuery { return q.where(s).Order("name", "id") })
		if err != nil {
			return err
		}
		for _, p := range people {
			if len(found) < limit && q.matches(p.Details) && p.Here() {
				found = append(found, p)
			}
		}
		if len(found) == 0 {
			return a.note(ctx, tx, "find", uuid.Nil, "", map[string]string{"found": "0"})
		}
		for _, p := range found {
			if err := a.note(ctx, tx, "find", p.ID, "", nil); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// where narrows a selection of people to those who may match.
func (q query) where(s *bun.SelectQuery) *bun.SelectQuery {
	if q.digits != "" {
		return s.Where("phone <> '' AND (phone LIKE ? OR ? LIKE '%' || phone)", "%"+q.digits+"%", q.digits)
	}
	for _, word := range q.words {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(word) + "%"
		s = s.Where(`(LOWER(name) LIKE ? ESCAPE '\' OR LOWER(latin_name) LIKE ? ESCAPE '\' OR LOWER(REPLACE(latin_name, ' ', '')) LIKE ? ESCAPE '\')`,
			like, like, like)
	}
	return s
}

// Filter says which people are listed.
type Filter struct {
	// Estate and Building are where they live; empty is anywhere.
	Estate, Building string
	// Away lists those who have moved away, and nobody else.
	Away bool
}

func (f Filter) where(q *bun.SelectQuery) *bun.SelectQuery {
	if f.Estate != "" {
		q = q.Where("estate = ?", f.Estate)
	}
	if f.Building != "" {
		q = q.Where("building = ?", f.Building)
	}
	if f.Away {
		return q.Where("moved_away_at IS NOT NULL")
	}
	return q.Where("moved_away_at IS NULL")
}

// List are up to limit people by home, after skipping some, and how many there
// are in all. It is audited as action, with how many were shown.
func (s *Store) List(ctx context.Context, a Act, action string, f Filter, skip, limit int) (people []Person, all int, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := f.where(tx.NewSelect().Model((*personRow)(nil)).Where("erasing_at IS NULL")).Count(ctx)
		if err != nil {
			return fmt.Errorf("counting people: %w", err)
		}
		all = int(n)
		people, err = peopleIn(ctx, tx, func(q *bun.SelectQuery) *bun.SelectQuery {
			return f.where(q).Order("estate", "building", "unit", "room", "name", "id").Offset(int64(skip)).Limit(int64(limit))
		})
		if err != nil {
			return err
		}
		detail := map[string]string{"people": strconv.Itoa(len(people))}
		// Nothing that was typed gets into the audit.
		if slices.ContainsFunc(a.Estates, func(e v1alpha1.Estate) bool { return e.Name == f.Estate }) {
			detail["estate"] = f.Estate
		}
		return a.note(ctx, tx, action, uuid.Nil, "", detail)
	})
	return people, all, err
}

// HouseholdOf are those who live in the same home as a person, by age.
func (s *Store) HouseholdOf(ctx context.Context, p Person) ([]Person, error) {
	if !p.Home.Known() || p.Kind != Resident {
		return nil, nil
	}
	return peopleIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("estate = ? AND building = ? AND unit = ? AND room = ?", p.Estate, p.Building, p.Unit, p.Room).
			Where("kind = ? AND moved_away_at IS NULL AND id <> ?", Resident, p.ID).Order("born_on", "id")
	})
}

// likelyIn are the records that are likely of the person who is described.
func likelyIn(ctx context.Context, db bun.IDB, d Details) ([]Person, error) {
	people, err := peopleIn(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("name = ?", d.Name).Order("id")
	})
	if err != nil {
		return nil, err
	}
	var likely []Person
	for _, p := range people {
		if Likely(p.Details, d) {
			likely = append(likely, p)
		}
	}
	return likely, nil
}

// Likely are the records that are likely of the person who is described.
func (s *Store) Likely(ctx context.Context, d Details) ([]Person, error) {
	d, _ = Check(d, nil, "9999-12-31")
	return likelyIn(ctx, s.db.Reader(), d)
}
