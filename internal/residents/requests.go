package residents

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity"
)

// RequestKind says what is asked of the staff.
type RequestKind string

// The kinds of requests.
const (
	// RequestJoin asks to be known as a resident.
	RequestJoin RequestKind = "Join"
	// RequestCorrection asks to have one's own record corrected.
	RequestCorrection RequestKind = "Correction"
	// RequestActing asks to act for somebody, whom the details describe.
	RequestActing RequestKind = "Acting"
)

// RequestState says what has become of a request.
type RequestState string

// The states of requests.
const (
	RequestOpen     RequestState = "Open"
	RequestGranted  RequestState = "Granted"
	RequestRefused  RequestState = "Refused"
	RequestReturned RequestState = "Withdrawn"
)

// Request is what somebody asks of the staff.
type Request struct {
	ID   uuid.UUID
	Kind RequestKind
	// Subject asks to join; empty if somebody asks who is known.
	Subject string
	// Person asks; of a request to join who it was granted to.
	Person  uuid.UUID
	Details Details
	Note    string
	State   RequestState
	// Reason is why it was refused.
	Reason               string
	CreatedAt, DecidedAt time.Time
}

type requestRow struct {
	bun.BaseModel `bun:"table:requests"`

	ID        uuid.UUID `bun:",pk"`
	Kind      RequestKind
	Subject   string
	Person    *uuid.UUID
	Details   string
	Note      string
	State     RequestState
	Reason    string
	CreatedAt int64
	DecidedAt *int64
	DecidedBy string
}

func (r requestRow) request() (Request, error) {
	out := Request{
		ID: r.ID, Kind: r.Kind, Subject: r.Subject, Note: r.Note, State: r.State, Reason: r.Reason,
		CreatedAt: time.Unix(r.CreatedAt, 0), DecidedAt: timeOf(r.DecidedAt),
	}
	if r.Person != nil {
		out.Person = *r.Person
	}
	if err := json.Unmarshal([]byte(r.Details), &out.Details); err != nil {
		return out, fmt.Errorf("request %s in the database: details: %w", r.ID, err)
	}
	return out, nil
}

// Ask keeps a request. Whoever asks has one open request of a kind at most; the
// others are ErrOpen.
func (s *Store) Ask(ctx context.Context, a Act, r Request) (Request, error) {
	d, problems := Check(r.Details, a.Estates, a.Today())
	if len(problems) > 0 {
		return r, problems[0]
	}
	if (r.Subject == "") == (r.Person == uuid.Nil) || utf8.RuneCountInString(r.Note) > maxNote {
		return r, ErrInvalid
	}
	id, err := newID()
	if err != nil {
		return r, err
	}
	r.ID, r.Details, r.State, r.CreatedAt = id, d, RequestOpen, time.Unix(a.Now.Unix(), 0)
	details, err := json.Marshal(d)
	if err != nil {
		return r, fmt.Errorf("writing a request: %w", err)
	}
	row := requestRow{ID: id, Kind: r.Kind, Subject: r.Subject, Details: string(details), Note: strings.TrimSpace(r.Note), State: RequestOpen, CreatedAt: a.Now.Unix()}
	if r.Person != uuid.Nil {
		row.Person = &r.Person
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
	if database.IsUnique(err) {
		return r, ErrOpen
	}
	if err != nil {
		return r, fmt.Errorf("keeping a request: %w", err)
	}
	return r, nil
}

// Open are the requests that wait for an answer, the oldest first.
func (s *Store) Open(ctx context.Context) ([]Request, error) {
	return requestsIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("state = ?", RequestOpen).Order("created_at", "id").Limit(maxTogether)
	})
}

// Asked is a request beside the records that are likely of whom it is about.
type Asked struct {
	Request
	Likely []Person
}

// SeeOpen are the requests that wait for an answer, as staff see them: who is
// shown beside them is audited.
func (s *Store) SeeOpen(ctx context.Context, a Act) (asked []Asked, err error) {
	requests, err := s.Open(ctx)
	if err != nil || len(requests) == 0 {
		return nil, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		asked = nil
		seen := map[uuid.UUID]bool{}
		for _, r := range requests {
			likely, err := likelyIn(ctx, tx, r.Details)
			if err != nil {
				return err
			}
			if r.Kind == RequestCorrection {
				likely = nil // the request says whose record it is about
				if p, err := personIn(ctx, tx, r.Person); err == nil {
					likely = []Person{p}
				}
			}
			for _, p := range likely {
				seen[p.ID] = true
			}
			asked = append(asked, Asked{r, likely})
		}
		for id := range seen {
			if err := a.note(ctx, tx, "request.compare", id, "", nil); err != nil {
				return err
			}
		}
		return nil
	})
	return asked, err
}

// CountOpen is how many requests wait for an answer.
func (s *Store) CountOpen(ctx context.Context) (int, error) {
	n, err := s.db.Reader().NewSelect().Model((*requestRow)(nil)).Where("state = ?", RequestOpen).Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("counting requests: %w", err)
	}
	return int(n), nil
}

// Request is a request by its ID.
func (s *Store) Request(ctx context.Context, id uuid.UUID) (Request, error) {
	return requestIn(ctx, s.db.Reader(), id)
}

// RequestsOf are the requests of a subject or of a person, the latest first.
func (s *Store) RequestsOf(ctx context.Context, subject string, person uuid.UUID) ([]Request, error) {
	return requestsIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("(subject <> '' AND subject = ?) OR person = ?", subject, person).Order("created_at DESC", "id DESC")
	})
}

func requestIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Request, error) {
	requests, err := requestsIn(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("id = ?", id) })
	if err != nil {
		return Request{}, err
	}
	if len(requests) == 0 {
		return Request{}, ErrNotFound
	}
	return requests[0], nil
}

func requestsIn(ctx context.Context, db bun.IDB, which func(*bun.SelectQuery) *bun.SelectQuery) ([]Request, error) {
	var rows []requestRow
	if err := which(db.NewSelect().Model(&rows)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading requests: %w", err)
	}
	requests := make([]Request, len(rows))
	for i, row := range rows {
		var err error
		if requests[i], err = row.request(); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

// Withdraw takes back the open requests of a kind that a subject or a person
// has made.
func (s *Store) Withdraw(ctx context.Context, a Act, kind RequestKind, subject string, person uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*requestRow)(nil)).Where("kind = ? AND state = ?", kind, RequestOpen).
			Where("(subject <> '' AND subject = ?) OR person = ?", subject, person).Exec(ctx)
		if err != nil {
			return fmt.Errorf("withdrawing a request: %w", err)
		}
		return nil
	})
}

// Granting is how a request is granted.
type Granting struct {
	ID uuid.UUID
	// As is the record that a request to join is linked with, or that somebody
	// acts for; nil makes a new one of a request to join.
	As uuid.UUID
	// Scopes, Basis and Until are those of acting for somebody.
	Scopes []identity.Scope
	Basis  Basis
	Until  Date
}

// Grant does what a request asks for. Granting again is no error.
func (s *Store) Grant(ctx context.Context, a Act, g Granting) (r Request, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if r, err = requestIn(ctx, tx, g.ID); err != nil || r.State == RequestGranted {
			return err
		}
		if r.State != RequestOpen {
			return ErrDecided
		}
		switch r.Kind {
		case RequestJoin:
			r.Person, err = grantJoin(ctx, tx, a, r, g.As)
		case RequestCorrection:
			err = grantCorrection(ctx, tx, a, r)
		case RequestActing:
			_, err = letActIn(ctx, tx, a, Acting{Actor: r.Person, Represented: g.As, Scopes: g.Scopes, Basis: g.Basis, Until: g.Until})
		}
		if err != nil {
			return err
		}
		return decideIn(ctx, tx, a, &r, RequestGranted, "")
	})
	return r, err
}

// grantJoin links who asks to join with a record, or with a new one.
func grantJoin(ctx context.Context, tx bun.Tx, a Act, r Request, as uuid.UUID) (uuid.UUID, error) {
	if as == uuid.Nil {
		p, err := addIn(ctx, tx, a, Resident, r.Details)
		if err != nil {
			return uuid.Nil, err
		}
		return p.ID, linkIn(ctx, tx, a, p, r.Subject)
	}
	p, err := personIn(ctx, tx, as)
	if err != nil {
		return uuid.Nil, err
	}
	if !p.MovedAwayAt.IsZero() || p.Kind != Resident {
		return uuid.Nil, fmt.Errorf("%w: not a resident of now", ErrInvalid)
	}
	if err := linkIn(ctx, tx, a, p, r.Subject); err != nil {
		return uuid.Nil, err
	}
	p.Subject = r.Subject
	// What staff know of a person stands; what they do not know is completed.
	_, err = changeIn(ctx, tx, a, p, r.Details.Completed(p.Details))
	return p.ID, err
}

func grantCorrection(ctx context.Context, tx bun.Tx, a Act, r Request) error {
	p, err := personIn(ctx, tx, r.Person)
	if err != nil {
		return err
	}
	_, err = changeIn(ctx, tx, a, p, p.Details.Completed(r.Details))
	return err
}

// decideIn answers a request. What was typed stays only where somebody may
// want to know why it was refused.
func decideIn(ctx context.Context, tx bun.Tx, a Act, r *Request, state RequestState, reason string) error {
	q := tx.NewUpdate().Model((*requestRow)(nil)).Where("id = ?", r.ID).
		Set("state = ?", state).Set("reason = ?", reason).Set("decided_at = ?", a.Now.Unix()).Set("decided_by = ?", a.Actor)
	if state == RequestGranted {
		q = q.Set("details = '{}'").Set("note = ''").Set("person = ?", r.Person)
	}
	if _, err := q.Exec(ctx); err != nil {
		return fmt.Errorf("answering a request: %w", err)
	}
	r.State, r.Reason = state, reason
	action := "request.grant"
	if state == RequestRefused {
		action = "request.refuse"
	}
	return a.note(ctx, tx, action, r.Person, r.ID.String(), map[string]string{"kind": string(r.Kind)})
}

// maxReason is how many characters a reason may have.
const maxReason = 200

// Refuse turns a request down, with a reason that who asks can read. Refusing
// again is no error.
func (s *Store) Refuse(ctx context.Context, a Act, id uuid.UUID, reason string) error {
	reason = strings.Join(strings.Fields(reason), " ")
	if reason == "" || utf8.RuneCountInString(reason) > maxReason {
		return ErrInvalid
	}
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		r, err := requestIn(ctx, tx, id)
		if err != nil || r.State == RequestRefused {
			return err
		}
		if r.State != RequestOpen {
			return ErrDecided
		}
		return decideIn(ctx, tx, a, &r, RequestRefused, reason)
	})
}
