package booking

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Member may book at a venue for members.
type Member struct {
	Venue, Person, Name string
	AddedBy             string
	AddedAt             time.Time
}

type memberRow struct {
	bun.BaseModel `bun:"table:members"`

	Venue   string
	Person  string
	Name    string
	AddedBy string
	AddedAt int64
}

func isMember(ctx context.Context, db bun.IDB, venue, person string) (bool, error) {
	is, err := db.NewSelect().Model((*memberRow)(nil)).Where("venue = ? AND person = ?", venue, person).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the members of venue %q: %w", venue, err)
	}
	return is, nil
}

// IsMember reports whether a person is on a venue's list of members.
func (s *Store) IsMember(ctx context.Context, venue, person string) (bool, error) {
	return isMember(ctx, s.db.Reader(), venue, person)
}

// Members are a venue's members by name.
func (s *Store) Members(ctx context.Context, venue string) ([]Member, error) {
	var rows []memberRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("venue = ?", venue).Order("name", "person").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the members of venue %q: %w", venue, err)
	}
	members := make([]Member, len(rows))
	for i, r := range rows {
		members[i] = Member{Venue: r.Venue, Person: r.Person, Name: r.Name, AddedBy: r.AddedBy, AddedAt: time.Unix(r.AddedAt, 0)}
	}
	return members, nil
}

// membersOf are who the members are.
func membersOf(members []Member) []string {
	people := make([]string, len(members))
	for i, m := range members {
		people[i] = m.Person
	}
	return people
}

// AddMember puts a person on a venue's list. Adding again is no error.
func (s *Store) AddMember(ctx context.Context, m Member) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := venueRowIn(ctx, in(tx), m.Venue); err != nil {
			return err
		}
		row := memberRow{Venue: m.Venue, Person: m.Person, Name: m.Name, AddedBy: m.AddedBy, AddedAt: m.AddedAt.Unix()}
		added, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return fmt.Errorf("adding a member to venue %q: %w", m.Venue, err)
		}
		if n, err := added.RowsAffected(); err != nil || n == 0 {
			return err
		}
		a := Act{Reach: Reach{Actor: m.AddedBy, Staff: true}, Now: m.AddedAt}
		return a.note(ctx, tx, actionMemberAdd, m.Person, m.Venue, nil)
	})
}

// RemoveMember takes a person off a venue's list; bookings stay. Removing
// again is no error.
func (s *Store) RemoveMember(ctx context.Context, a Act, venue, person string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		removed, err := tx.NewDelete().Model((*memberRow)(nil)).Where("venue = ? AND person = ?", venue, person).Exec(ctx)
		if err != nil {
			return fmt.Errorf("removing a member of venue %q: %w", venue, err)
		}
		if n, err := removed.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return a.note(ctx, tx, actionMemberRemove, person, venue, nil)
	})
}
