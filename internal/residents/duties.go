package residents

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
)

// origin is who gave a duty.
type origin string

const (
	byManifest origin = "Manifest"
	byManager  origin = "Manager"
)

type dutyRow struct {
	bun.BaseModel `bun:"table:duties"`

	Person    uuid.UUID
	Duty      identity.Duty
	Origin    origin
	GrantedBy string
	GrantedAt int64
}

// Staff are the people who are charged with something, by name.
func (s *Store) Staff(ctx context.Context) ([]Person, error) {
	return peopleIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("id IN (SELECT person FROM duties)").Order("name", "id")
	})
}

// Appoint charges a person with exactly these duties; without any, the person
// is dismissed. The last manager stays, and so does whom the manifest names.
func (s *Store) Appoint(ctx context.Context, a Act, id uuid.UUID, duties []identity.Duty) (p Person, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if p, err = personIn(ctx, tx, id); err != nil {
			return err
		}
		if !p.MovedAwayAt.IsZero() && p.Kind == Resident && len(duties) > 0 {
			return fmt.Errorf("%w: who has moved away is charged with nothing", ErrInvalid)
		}
		if err := setDuties(ctx, tx, a, p, duties); err != nil {
			return err
		}
		if p, err = personIn(ctx, tx, id); err != nil {
			return err
		}
		return leaveIn(ctx, tx, a, &p)
	})
	return p, err
}

// leaveIn notes that somebody has left who lives elsewhere and does not work
// here any more, so that the record is erased in time; or has come back.
func leaveIn(ctx context.Context, tx bun.Tx, a Act, p *Person) error {
	left := len(p.Duties) == 0
	if p.Kind != External || left == !p.MovedAwayAt.IsZero() {
		return nil
	}
	p.MovedAwayAt = time.Time{}
	if left {
		p.MovedAwayAt = time.Unix(a.Now.Unix(), 0)
	}
	return saveIn(ctx, tx, a, p)
}

// setDuties gives and takes duties, each of which is audited.
func setDuties(ctx context.Context, tx bun.Tx, a Act, p Person, duties []identity.Duty) error {
	for _, d := range duties {
		if !slices.Contains(identity.Duties, d) {
			return fmt.Errorf("%w: there is no duty %q", ErrInvalid, d)
		}
	}
	for _, d := range identity.Duties {
		switch wanted, has := slices.Contains(duties, d), p.Has(d); {
		case wanted && !has:
			row := dutyRow{Person: p.ID, Duty: d, Origin: byManager, GrantedBy: a.Actor, GrantedAt: a.Now.Unix()}
			if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
				return fmt.Errorf("giving a duty: %w", err)
			}
			if err := a.note(ctx, tx, "duty.give", p.ID, "", map[string]string{"duty": string(d)}); err != nil {
				return err
			}
		case has && !wanted:
			if err := takeDuty(ctx, tx, a, p, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// Has says that the person is charged with a duty.
func (p Person) Has(d identity.Duty) bool { return slices.Contains(p.Duties, d) }

func takeDuty(ctx context.Context, tx bun.Tx, a Act, p Person, d identity.Duty) error {
	if _, err := tx.NewDelete().Model((*dutyRow)(nil)).Where("person = ? AND duty = ? AND origin = ?", p.ID, d, byManager).Exec(ctx); err != nil {
		return fmt.Errorf("taking a duty: %w", err)
	}
	var left []dutyRow
	if err := tx.NewSelect().Model(&left).Where("duty = ?", d).Scan(ctx); err != nil {
		return fmt.Errorf("reading duties: %w", err)
	}
	if slices.ContainsFunc(left, func(r dutyRow) bool { return r.Person == p.ID }) {
		return ErrManifest
	}
	if d == identity.Manager && len(left) == 0 {
		return ErrLastManager
	}
	return a.note(ctx, tx, "duty.take", p.ID, "", map[string]string{"duty": string(d)})
}

// withoutDuties dismisses who leaves.
func withoutDuties(ctx context.Context, tx bun.Tx, a Act, p Person) error {
	return setDuties(ctx, tx, a, p, nil)
}

// manifestActor stands in the audit for what the manifest brings about.
const manifestActor = "manifest"

// SyncManagers has the manifest's managers be managers: a record is made for
// each who has none, and who is not named any more loses what the manifest
// gave. What managers gave stays. It changes nothing if nothing has changed.
func (s *Store) SyncManagers(ctx context.Context, a Act, managers []v1alpha1.Manager) error {
	a.Actor = manifestActor
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		known, err := peopleIn(ctx, tx, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("manifest IS NOT NULL") })
		if err != nil {
			return err
		}
		for _, p := range known {
			if !slices.ContainsFunc(managers, func(m v1alpha1.Manager) bool { return m.Name == p.Manifest }) {
				if err := unnamed(ctx, tx, a, p); err != nil {
					return err
				}
			}
		}
		for _, m := range managers {
			if !slices.ContainsFunc(known, func(p Person) bool { return p.Manifest == m.Name }) {
				if err := named(ctx, tx, a, m); err != nil {
					return fmt.Errorf("manager %q of the manifest: %w", m.Name, err)
				}
			}
		}
		return nil
	})
}

func named(ctx context.Context, tx bun.Tx, a Act, m v1alpha1.Manager) error {
	p, err := newPerson(a, External, Details{Name: m.DisplayName})
	if err != nil {
		return err
	}
	p.Manifest = m.Name
	row := rowOf(p)
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return fmt.Errorf("adding a person: %w", err)
	}
	duty := dutyRow{Person: p.ID, Duty: identity.Manager, Origin: byManifest, GrantedBy: a.Actor, GrantedAt: a.Now.Unix()}
	if _, err := tx.NewInsert().Model(&duty).Exec(ctx); err != nil {
		return fmt.Errorf("giving a duty: %w", err)
	}
	return a.note(ctx, tx, "duty.give", p.ID, "", map[string]string{"duty": string(identity.Manager)})
}

func unnamed(ctx context.Context, tx bun.Tx, a Act, p Person) error {
	p.Manifest = ""
	if err := saveIn(ctx, tx, a, &p); err != nil {
		return err
	}
	if _, err := tx.NewDelete().Model((*dutyRow)(nil)).Where("person = ? AND origin = ?", p.ID, byManifest).Exec(ctx); err != nil {
		return fmt.Errorf("taking a duty: %w", err)
	}
	now, err := personIn(ctx, tx, p.ID)
	if err != nil {
		return err
	}
	if err := leaveIn(ctx, tx, a, &now); err != nil {
		return err
	}
	if now.Has(identity.Manager) {
		return nil // managers gave it too
	}
	return a.note(ctx, tx, "duty.take", p.ID, "", map[string]string{"duty": string(identity.Manager)})
}

// OfManifest is the person who is named among the manifest's managers.
func (s *Store) OfManifest(ctx context.Context, name string) (Person, error) {
	people, err := peopleIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("manifest = ?", name) })
	if err != nil {
		return Person{}, err
	}
	if len(people) == 0 {
		return Person{}, ErrNotFound
	}
	return people[0], nil
}
