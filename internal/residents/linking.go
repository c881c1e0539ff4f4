package residents

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// What may be tried a few times a day only.
const (
	tryJoin = "Join"
	tryCode = "Code"
)

// maxTries is how often a subject may try something on a day.
const maxTries = 5

type triesRow struct {
	bun.BaseModel `bun:"table:tries,alias:tries"`

	Subject string
	Kind    string
	Day     string
	N       int
}

// try counts a try, or returns ErrTooOften. It is a transaction of its own, so
// that it counts whatever comes of the try.
func (s *Store) try(ctx context.Context, a Act, who, kind string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := triesRow{Subject: who, Kind: kind, Day: string(a.Today()), N: 1}
		var n int
		err := tx.NewInsert().Model(&row).On("CONFLICT (subject, kind, day) DO UPDATE").Set("n = tries.n + 1").Returning("n").Scan(ctx, &n)
		if err != nil {
			return fmt.Errorf("counting tries: %w", err)
		}
		if n > maxTries {
			return ErrTooOften
		}
		return nil
	})
}

// Join links a subject, who has proven to hold a phone number, with the one
// record of that number and name that nobody is linked with. It returns false
// if there is none such, more than one, or if anything about the number makes
// it a matter for the staff: the answer is the same for all of these, so that
// nobody learns whose records there are. It returns ErrTooOften after maxTries
// on a day.
func (s *Store) Join(ctx context.Context, a Act, subject, phone, name string) (linked bool, err error) {
	if subject == "" || phone == "" {
		return false, ErrInvalid
	}
	if err := s.try(ctx, a, subject, tryJoin); err != nil {
		return false, err
	}
	phone, name = CleanPhone(phone), CleanName(name)
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		linked = false
		people, err := peopleIn(ctx, tx, func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("phone = ? AND moved_away_at IS NULL", phone)
		})
		if err != nil {
			return err
		}
		p, ok := joining(people, subject, name)
		if !ok {
			return nil
		}
		linked = true
		return linkIn(ctx, tx, a, p, subject)
	})
	return linked && err == nil, err
}

// joining is the person among those with a number whom the subject, who has
// it, becomes by saying the name; false if staff have to look at it.
func joining(withNumber []Person, subject, name string) (Person, bool) {
	var found []Person
	for _, p := range withNumber {
		if p.Subject != "" && p.Subject != subject {
			return Person{}, false // the number may have been given to somebody else
		}
		if p.Subject == "" && p.Name == name {
			found = append(found, p)
		}
	}
	// Staff are invited with a code.
	if len(found) != 1 || found[0].Kind != Resident || len(found[0].Duties) > 0 {
		return Person{}, false
	}
	return found[0], true
}

// linkIn makes a subject sign in as a person whom nobody is linked with.
func linkIn(ctx context.Context, tx bun.Tx, a Act, p Person, subject string) error {
	if p.Subject == subject {
		return nil
	}
	if p.Subject != "" {
		return ErrLinked
	}
	p.Subject = subject
	if err := saveIn(ctx, tx, a, &p); err != nil {
		return err
	}
	if a.Actor == "" { // who links themselves
		a.Actor = p.ID.String()
	}
	return a.note(ctx, tx, "person.link", p.ID, "", nil)
}

// Link makes a subject sign in as a person whom nobody is linked with.
func (s *Store) Link(ctx context.Context, a Act, id uuid.UUID, subject string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		p, err := personIn(ctx, tx, id)
		if err != nil {
			return err
		}
		return linkIn(ctx, tx, a, p, subject)
	})
}

// Unlink makes nobody sign in as a person any more.
func (s *Store) Unlink(ctx context.Context, a Act, id uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		p, err := personIn(ctx, tx, id)
		if err != nil || p.Subject == "" {
			return err
		}
		p.Subject = ""
		if err := saveIn(ctx, tx, a, &p); err != nil {
			return err
		}
		return a.note(ctx, tx, "person.unlink", id, "", nil)
	})
}

// What a code is good for.
const (
	codeInvitation = "Invitation"
	codeActing     = "Acting"
)

// codeLifetime is how long a code can be used.
const codeLifetime = 7 * 24 * time.Hour

type codeRow struct {
	bun.BaseModel `bun:"table:codes"`

	Hash      string
	Kind      string
	Person    uuid.UUID
	Scopes    string
	Until     string
	CreatedBy string
	CreatedAt int64
	ExpiresAt int64
}

// newCode is a secret that can be read aloud, such as 7GQ4-MZ2P-XK5T: 60 bits.
func newCode() string {
	text := rand.Text()
	return text[:4] + "-" + text[4:8] + "-" + text[8:12]
}

// codeHash is what is kept of a code, however it is typed.
func codeHash(kind, code string) string {
	code = strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(Clean(code)))
	sum := sha256.Sum256([]byte(kind + "/" + code))
	return hex.EncodeToString(sum[:])
}

// putCode keeps a new code instead of those of its kind that the person has.
func putCode(ctx context.Context, tx bun.Tx, a Act, row codeRow) (string, error) {
	if _, err := tx.NewDelete().Model((*codeRow)(nil)).Where("person = ? AND kind = ?", row.Person, row.Kind).Exec(ctx); err != nil {
		return "", fmt.Errorf("removing former codes: %w", err)
	}
	code := newCode()
	row.Hash, row.CreatedBy, row.CreatedAt, row.ExpiresAt = codeHash(row.Kind, code), a.Actor, a.Now.Unix(), a.Now.Add(codeLifetime).Unix()
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return "", fmt.Errorf("keeping a code: %w", err)
	}
	return code, nil
}

// takeCode uses a code up, or returns ErrNotFound if there is none that is good.
func takeCode(ctx context.Context, tx bun.Tx, a Act, kind, code string) (codeRow, error) {
	var rows []codeRow
	err := tx.NewDelete().Model(&rows).Where("hash = ? AND expires_at > ?", codeHash(kind, code), a.Now.Unix()).Returning("*").Scan(ctx)
	if err != nil {
		return codeRow{}, fmt.Errorf("looking for a code: %w", err)
	}
	if len(rows) == 0 {
		return codeRow{}, ErrNotFound
	}
	return rows[0], nil
}

// Invite makes a code with which somebody becomes this person, once, within a
// week. The code is kept nowhere, and former ones are void.
func (s *Store) Invite(ctx context.Context, a Act, id uuid.UUID) (code string, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		p, err := personIn(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.Subject != "" {
			return ErrLinked
		}
		if code, err = putCode(ctx, tx, a, codeRow{Kind: codeInvitation, Person: id}); err != nil {
			return err
		}
		return a.note(ctx, tx, "person.invite", id, "", nil)
	})
	return code, err
}

// AcceptInvitation makes a subject the person for whom the code is. of says for
// which of the manifest's managers a code is, if it is for one. ErrNotFound
// means that the code is not good, ErrTooOften that too many were tried.
func (s *Store) AcceptInvitation(ctx context.Context, a Act, subject, code string, of func(code string) (manager string, ok bool)) (p Person, err error) {
	if subject == "" {
		return p, ErrInvalid
	}
	if err := s.try(ctx, a, subject, tryCode); err != nil {
		return p, err
	}
	manager, ofManifest := of(code)
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if ofManifest {
			people, err := peopleIn(ctx, tx, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("manifest = ?", manager) })
			if err != nil {
				return err
			}
			if len(people) == 0 || people[0].Subject != "" {
				return ErrNotFound // used up
			}
			p = people[0]
			return linkIn(ctx, tx, a, p, subject)
		}
		row, err := takeCode(ctx, tx, a, codeInvitation, code)
		if err != nil {
			return err
		}
		if p, err = personIn(ctx, tx, row.Person); err != nil {
			return err
		}
		return linkIn(ctx, tx, a, p, subject)
	})
	return p, err
}
