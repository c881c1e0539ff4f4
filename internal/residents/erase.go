package residents

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// How long records outlive their use.
const (
	// requestRetention is how long an answered request can be read.
	requestRetention = 30 * 24 * time.Hour
	// unansweredRetention is how long a request waits that nobody answers.
	unansweredRetention = 180 * 24 * time.Hour
	// awayRetention is how long the record of somebody is kept who has moved
	// away, in case of questions and of coming back.
	awayRetention = 365 * 24 * time.Hour
	// paperRetention is how long scans and what they prove outlive it: within
	// three years it can be disputed (Civil Code, Art. 188).
	paperRetention = 3 * 365 * 24 * time.Hour
)

// BeginErasing has a person be deleted: from now on nobody knows them here, and
// Erase removes the record when the other services have removed theirs.
// Beginning again is no error. The last manager and whom the manifest names
// cannot be deleted.
func (s *Store) BeginErasing(ctx context.Context, a Act, id uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		p, err := personIn(ctx, tx, id)
		if err != nil {
			return err
		}
		return beginErasing(ctx, tx, a, p)
	})
}

func beginErasing(ctx context.Context, tx bun.Tx, a Act, p Person) error {
	if err := withoutDuties(ctx, tx, a, p); err != nil {
		return err
	}
	if err := endActingOf(ctx, tx, a, p.ID); err != nil {
		return err
	}
	p.ErasingAt = time.Unix(a.Now.Unix(), 0)
	if err := saveIn(ctx, tx, a, &p); err != nil {
		return err
	}
	return a.note(ctx, tx, "person.erasing", p.ID, "", nil)
}

// Leaving is somebody who is being deleted.
type Leaving struct {
	ID uuid.UUID
	// Subject is with which account they signed in; empty if with none.
	Subject string
}

// Erasing are the people who are being deleted.
func (s *Store) Erasing(ctx context.Context) ([]Leaving, error) {
	var rows []personRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("erasing_at IS NOT NULL").Order("erasing_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading who is being deleted: %w", err)
	}
	leaving := make([]Leaving, len(rows))
	for i, row := range rows {
		leaving[i] = Leaving{row.ID, row.person().Subject}
	}
	return leaving, nil
}

// Erase removes all that is kept of a person who is being deleted. The audit
// stays: it has the ID and no name. Erasing again is no error.
func (s *Store) Erase(ctx context.Context, a Act, id uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []personRow
		if err := tx.NewDelete().Model(&rows).Where("id = ? AND erasing_at IS NOT NULL", id).Returning("*").Scan(ctx); err != nil {
			return fmt.Errorf("erasing a person: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		if err := eraseMentions(ctx, tx, rows[0].person()); err != nil {
			return fmt.Errorf("erasing what mentions a person: %w", err)
		}
		return a.note(ctx, tx, "person.erased", id, "", nil)
	})
}

// eraseMentions removes what is written about a person outside of their
// record; what belongs to the record has gone with it.
func eraseMentions(ctx context.Context, tx bun.Tx, p Person) error {
	// Imports that nobody has confirmed can be read again from their files.
	_, err := tx.NewDelete().Model((*draftRow)(nil)).Where("confirmed_at IS NULL AND rows LIKE ?", "%"+escaped(p.Name)+"%").Exec(ctx)
	if err != nil {
		return err
	}
	_, err = tx.NewDelete().Model((*triesRow)(nil)).Where("subject = ? OR (? <> '' AND subject = ?)", p.ID.String(), p.Subject, p.Subject).Exec(ctx)
	if err != nil {
		return err
	}
	// A subject who is several persons has asked for one of them by name.
	mentions, err := requestsIn(ctx, tx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("person = ? OR details LIKE ?", p.ID, "%"+escaped(p.Name)+"%")
	})
	if err != nil {
		return err
	}
	for _, r := range mentions {
		same := r.Details.Name == p.Name && (r.Details.BornOn == "" || p.BornOn == "" || r.Details.BornOn == p.BornOn)
		if r.Person == p.ID || same {
			if _, err := tx.NewDelete().Model((*requestRow)(nil)).Where("id = ?", r.ID).Exec(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Expire removes what is past its retention, and begins to delete who has long
// moved away. It returns how many people that are.
func (s *Store) Expire(ctx context.Context, a Act) (leaving int, err error) {
	before := func(d time.Duration) int64 { return a.Now.Add(-d).Unix() }
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, q := range []*bun.DeleteQuery{
			tx.NewDelete().Model((*requestRow)(nil)).Where("decided_at <= ?", before(requestRetention)),
			tx.NewDelete().Model((*requestRow)(nil)).Where("state = ? AND created_at <= ?", RequestOpen, before(unansweredRetention)),
			tx.NewDelete().Model((*draftRow)(nil)).Where("created_at <= ?", before(draftLifetime)),
			tx.NewDelete().Model((*codeRow)(nil)).Where("expires_at <= ?", a.Now.Unix()),
			tx.NewDelete().Model((*triesRow)(nil)).Where("day < ?", a.Today()),
			tx.NewDelete().Model((*actingRow)(nil)).Where("ended_at <= ?", before(paperRetention)),
			tx.NewDelete().Model((*consentRow)(nil)).Where("withdrawn_at <= ?", before(paperRetention)),
			// What they prove is gone by now, or stays.
			tx.NewDelete().Model((*documentRow)(nil)).Where("created_at <= ?", before(paperRetention)).
				Where("id NOT IN (SELECT document FROM acting WHERE document IS NOT NULL)").
				Where("id NOT IN (SELECT document FROM consents WHERE document IS NOT NULL)"),
		} {
			if _, err := q.Exec(ctx); err != nil {
				return err
			}
		}
		gone, err := peopleIn(ctx, tx, func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("moved_away_at <= ?", before(awayRetention)).Limit(maxTogether)
		})
		if err != nil {
			return err
		}
		for _, p := range gone {
			if err := beginErasing(ctx, tx, a, p); err != nil {
				return err
			}
		}
		leaving = len(gone)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("removing what is past its retention: %w", err)
	}
	return leaving, nil
}
