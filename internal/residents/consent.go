package residents

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// Purpose is something for which a person's data are used only if they agree
// (PIPL, Art. 13). What the services need to do what a person asks of them is
// not among these.
type Purpose string

// Purposes are all purposes.
var Purposes = []Purpose{
	"News",   // news and offers of the community, beyond one's own bookings
	"Photos", // photographs of events on the community's boards and pages
	"Care",   // regular calls and visits to people who live alone
}

// ConsentBasis is how a consent was given.
type ConsentBasis string

// How a consent was given.
const (
	ConsentPage  ConsentBasis = "Page"
	ConsentPaper ConsentBasis = "Paper"
)

// Consent is what a person agreed to.
type Consent struct {
	ID       uuid.UUID
	Person   uuid.UUID
	Purpose  Purpose
	Basis    ConsentBasis
	Document uuid.UUID
	GivenAt  time.Time
	// WithdrawnAt is zero while it stands.
	WithdrawnAt time.Time
}

type consentRow struct {
	bun.BaseModel `bun:"table:consents"`

	ID          uuid.UUID `bun:",pk"`
	Person      uuid.UUID
	Purpose     Purpose
	Basis       ConsentBasis
	Document    *uuid.UUID
	GivenBy     string
	GivenAt     int64
	WithdrawnBy string
	WithdrawnAt *int64
}

func (r consentRow) consent() Consent {
	c := Consent{ID: r.ID, Person: r.Person, Purpose: r.Purpose, Basis: r.Basis, GivenAt: time.Unix(r.GivenAt, 0), WithdrawnAt: timeOf(r.WithdrawnAt)}
	if r.Document != nil {
		c.Document = *r.Document
	}
	return c
}

// Consent notes that a person agrees. Agreeing again is no error.
func (s *Store) Consent(ctx context.Context, a Act, c Consent) error {
	if !slices.Contains(Purposes, c.Purpose) {
		return fmt.Errorf("%w: there is no purpose %q", ErrInvalid, c.Purpose)
	}
	id, err := newID()
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := personIn(ctx, tx, c.Person); err != nil {
			return err
		}
		row := consentRow{ID: id, Person: c.Person, Purpose: c.Purpose, Basis: c.Basis, GivenBy: a.Actor, GivenAt: a.Now.Unix()}
		if c.Document != uuid.Nil {
			row.Document = &c.Document
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		return a.note(ctx, tx, "consent.give", c.Person, id.String(), map[string]string{"purpose": string(c.Purpose), "basis": string(c.Basis)})
	})
	if database.IsUnique(err) {
		return nil
	}
	return err
}

// WithdrawConsent notes that a person does not agree any more. Withdrawing
// again is no error.
func (s *Store) WithdrawConsent(ctx context.Context, a Act, person uuid.UUID, purpose Purpose) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []consentRow
		err := tx.NewUpdate().Model((*consentRow)(nil)).Set("withdrawn_at = ?", a.Now.Unix()).Set("withdrawn_by = ?", a.Actor).
			Where("person = ? AND purpose = ? AND withdrawn_at IS NULL", person, purpose).Returning("*").Scan(ctx, &rows)
		if err != nil {
			return fmt.Errorf("withdrawing a consent: %w", err)
		}
		for _, r := range rows {
			if err := a.note(ctx, tx, "consent.withdraw", person, r.ID.String(), map[string]string{"purpose": string(purpose)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Consents are what a person agrees and has agreed to, the latest first.
func (s *Store) Consents(ctx context.Context, person uuid.UUID) ([]Consent, error) {
	var rows []consentRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("person = ?", person).Order("given_at DESC", "id DESC").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading consents: %w", err)
	}
	consents := make([]Consent, len(rows))
	for i, r := range rows {
		consents[i] = r.consent()
	}
	return consents, nil
}

// Document is the scan of a paper.
type Document struct {
	ID, Person  uuid.UUID
	ContentType string
	Content     []byte
}

// MaxDocumentBytes is how large a scan may be.
const MaxDocumentBytes = 1 << 20

// Errors of scans.
var (
	ErrDocumentTooLarge = errors.New("the scan is larger than 1 MB: save it in lower quality")
	ErrDocumentType     = errors.New("the scan is neither PNG nor JPEG nor PDF")
)

type documentRow struct {
	bun.BaseModel `bun:"table:documents"`

	ID          uuid.UUID `bun:",pk"`
	Person      uuid.UUID
	ContentType string
	Content     []byte
	CreatedBy   string
	CreatedAt   int64
}

// PutDocument keeps a scan about a person. What kind of file it is is seen from
// its content, whatever it is called.
func (s *Store) PutDocument(ctx context.Context, a Act, person uuid.UUID, content []byte) (uuid.UUID, error) {
	if len(content) > MaxDocumentBytes {
		return uuid.Nil, ErrDocumentTooLarge
	}
	kind := http.DetectContentType(content)
	if !slices.Contains([]string{"image/png", "image/jpeg", "application/pdf"}, kind) {
		return uuid.Nil, ErrDocumentType
	}
	id, err := newID()
	if err != nil {
		return id, err
	}
	row := documentRow{ID: id, Person: person, ContentType: kind, Content: content, CreatedBy: a.Actor, CreatedAt: a.Now.Unix()}
	return id, s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := personIn(ctx, tx, person); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("keeping a scan: %w", err)
		}
		return a.note(ctx, tx, "document.add", person, id.String(), nil)
	})
}

// Document is a scan, seeing which is audited.
func (s *Store) Document(ctx context.Context, a Act, id uuid.UUID) (d Document, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []documentRow
		if err := tx.NewSelect().Model(&rows).Where("id = ?", id).Scan(ctx); err != nil {
			return fmt.Errorf("reading a scan: %w", err)
		}
		if len(rows) == 0 {
			return ErrNotFound
		}
		d = Document{ID: id, Person: rows[0].Person, ContentType: rows[0].ContentType, Content: rows[0].Content}
		return a.note(ctx, tx, "document.view", d.Person, id.String(), nil)
	})
	return d, err
}
