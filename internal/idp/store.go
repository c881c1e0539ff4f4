package idp

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// What is kept how long.
const (
	// dormant is how long an account opens to its number without being used.
	// Carriers give numbers that were returned to others after 90 days.
	dormant = 180 * 24 * time.Hour
	// attempts, codes sent and assertions are erased after keepAttempts,
	// accounts keepClosed after they were closed.
	keepAttempts = 24 * time.Hour
	keepClosed   = 30 * 24 * time.Hour
)

// errNotFound is returned where a cookie or code leads to nothing, or to
// nothing that can be used any more.
var errNotFound = errors.New("not found, or not any more")

// account is who signs in: a phone number, for as long as it is used.
type account struct {
	bun.BaseModel `bun:"table:accounts"`

	ID        string `bun:",pk"`
	Number    string // see secrets.number
	CreatedAt int64
	UsedAt    int64
	ClosedAt  int64
	// Password is an argon2id hash, TOTP the sealed secret of the app; empty
	// for who is not enrolled as staff.
	Password string
	TOTP     string `bun:"totp"`
	TOTPStep int64  `bun:"totp_step"`
	Wrong    int
	// WaitUntil is until when passwords and codes of the app are not looked at.
	WaitUntil int64
}

func (a *account) totpPlace() string { return "account " + a.ID + " totp" }

// send is a code that was sent.
type send struct {
	bun.BaseModel `bun:"table:sends"`
	ID            string `bun:",pk"`
	Number        string
	Address       string
	At            int64
}

// assertion is one by which a department has proven itself.
type assertion struct {
	bun.BaseModel `bun:"table:assertions"`
	ID            string `bun:",pk"`
	Until         int64
}

// store keeps attempts and accounts.
type store struct {
	db      *database.DB
	secrets *secrets
}

// cookiePlace is what an attempt is sealed for in the browser's cookie.
const cookiePlace = "cookie of an attempt"

// begin returns a new attempt as the browser's cookie has it. It is kept from
// the first code on: whoever begins many costs nothing.
func (s *store) begin(a *attempt, now time.Time) (cookie string, err error) {
	a.ID, a.Step, a.CreatedAt = uuid.Must(uuid.NewV7()).String(), stepNumber, now.UnixMilli()
	content, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	return s.secrets.seal(cookiePlace, content), nil
}

// attemptOf returns the live attempt of a browser, by its cookie.
func (s *store) attemptOf(ctx context.Context, cookie string, now time.Time) (*attempt, error) {
	content, err := s.secrets.unseal(cookiePlace, cookie)
	if err != nil {
		return nil, errNotFound
	}
	begun := new(attempt)
	if err := json.Unmarshal(content, begun); err != nil || !begun.live(now) {
		return nil, errNotFound
	}
	kept, err := readAttempt(ctx, s.db.Reader(), "id", begun.ID, now)
	if errors.Is(err, errNotFound) {
		return begun, nil
	}
	return kept, err
}

func readAttempt(ctx context.Context, db bun.IDB, column, value string, now time.Time) (*attempt, error) {
	a := new(attempt)
	err := db.NewSelect().Model(a).Where("? = ?", bun.Ident(column), value).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !a.live(now) {
		return nil, errNotFound
	}
	return a, err
}

// advance changes an attempt. What f returns is returned; the attempt is kept
// as f leaves it unless that is an error.
func (s *store) advance(ctx context.Context, id string, now time.Time, f func(context.Context, bun.Tx, *attempt) error) (*attempt, error) {
	var a *attempt
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if a, err = readAttempt(ctx, tx, "id", id, now); err != nil {
			return err
		}
		if err = f(ctx, tx, a); err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model(a).WherePK().Exec(ctx)
		return err
	})
	return a, err
}

// tooMany is returned where no further code is sent for now.
type tooMany struct{ wait time.Duration }

func (e tooMany) Error() string { return "too many codes: wait " + e.wait.String() }

// prepareCode notes that a code is sent to a number, unless there were too
// many, and has the attempt wait for it. Nothing depends on whether the number
// has an account.
func (s *store) prepareCode(ctx context.Context, begun attempt, phone, code, address string, l limits, now time.Time) error {
	row := send{ID: uuid.Must(uuid.NewV7()).String(), Number: s.secrets.number(phone), Address: s.secrets.address(address), At: now.UnixMilli()}
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		a, err := readAttempt(ctx, tx, "id", begun.ID, now)
		first := errors.Is(err, errNotFound)
		if first {
			copied := begun
			a, err = &copied, nil
		}
		if err != nil {
			return err
		}
		if a.Step == stepDone || a.Step == stepEnded || !a.live(now) {
			return errNotFound
		}
		toNumber, err := sent(ctx, tx, "number", row.Number, now.Add(-24*time.Hour))
		if err != nil {
			return err
		}
		fromAddress, err := sent(ctx, tx, "address", row.Address, now.Add(-time.Hour))
		if err != nil {
			return err
		}
		if wait := l.wait(toNumber, fromAddress, now); wait > 0 {
			return tooMany{wait}
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		a.Step, a.Phone, a.Account = stepCode, s.secrets.seal(a.phonePlace(), []byte(phone)), ""
		a.Code, a.CodeUntil = s.secrets.code(a.ID, code), now.Add(codeLifetime).UnixMilli()
		a.Password, a.TOTP = "", ""
		if first {
			_, err = tx.NewInsert().Model(a).Exec(ctx)
		} else {
			_, err = tx.NewUpdate().Model(a).WherePK().Exec(ctx)
		}
		return err
	})
}

// sent returns when codes were sent, since then.
func sent(ctx context.Context, tx bun.Tx, column, value string, since time.Time) ([]time.Time, error) {
	var at []int64
	err := tx.NewSelect().Model((*send)(nil)).Column("at").
		Where("? = ?", bun.Ident(column), value).Where("at > ?", since.UnixMilli()).Scan(ctx, &at)
	times := make([]time.Time, len(at))
	for i := range at {
		times[i] = time.UnixMilli(at[i])
	}
	return times, err
}

// enterCode takes a code that was typed. If it is right the attempt has an
// account afterwards: the one of the number, or a new one.
func (s *store) enterCode(ctx context.Context, id, code string, now time.Time) (*attempt, outcome, error) {
	var o outcome
	a, err := s.advance(ctx, id, now, func(ctx context.Context, tx bun.Tx, a *attempt) error {
		if o = a.enter(s.secrets.code(a.ID, code), now); o != outcomeRight {
			return nil
		}
		phone, err := s.phone(a)
		if err != nil {
			return err
		}
		acc, err := s.openAccount(ctx, tx, phone, now)
		if err != nil {
			return err
		}
		a.Account = acc.ID
		switch {
		case a.ACR != ACRStaff:
			a.Step = stepDone
		case acc.Password == "":
			a.Step = stepEnrol
		default:
			a.Step = stepPassword
		}
		return nil
	})
	return a, o, err
}

// phone returns the number that was typed in an attempt.
func (s *store) phone(a *attempt) (string, error) {
	phone, err := s.secrets.unseal(a.phonePlace(), a.Phone)
	return string(phone), err
}

// openAccount returns the account of a number. One that was not used for long
// is closed and a new one made: the number may be somebody else's by now.
func (s *store) openAccount(ctx context.Context, tx bun.Tx, phone string, now time.Time) (*account, error) {
	acc := new(account)
	err := tx.NewSelect().Model(acc).Where("number = ?", s.secrets.number(phone)).Where("closed_at = 0").Scan(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	found := err == nil
	if found && now.Sub(time.UnixMilli(acc.UsedAt)) < dormant {
		acc.UsedAt = now.UnixMilli()
		_, err := tx.NewUpdate().Model(acc).Column("used_at").WherePK().Exec(ctx)
		return acc, err
	}
	if found {
		acc.ClosedAt = now.UnixMilli()
		if _, err := tx.NewUpdate().Model(acc).Column("closed_at").WherePK().Exec(ctx); err != nil {
			return nil, err
		}
	}
	acc = &account{
		ID: uuid.Must(uuid.NewV7()).String(), Number: s.secrets.number(phone),
		CreatedAt: now.UnixMilli(), UsedAt: now.UnixMilli(),
	}
	_, err = tx.NewInsert().Model(acc).Exec(ctx)
	return acc, err
}

// grant makes the authorization code of an attempt that is done. There is one
// per attempt.
func (s *store) grant(ctx context.Context, id string, now time.Time) (a *attempt, code string, err error) {
	code = rand.Text()
	a, err = s.advance(ctx, id, now, func(_ context.Context, _ bun.Tx, a *attempt) error {
		if a.Step != stepDone || a.SignedInAt != 0 {
			return errNotFound
		}
		a.Granted, a.GrantedUntil, a.SignedInAt = digest(code), now.Add(grantLifetime).UnixMilli(), now.UnixMilli()
		return nil
	})
	return a, code, err
}

// redeem returns what an authorization code was granted for, once, whatever
// becomes of it: a code that was shown wrongly is not good any more either.
func (s *store) redeem(ctx context.Context, code string, now time.Time) (authorization, error) {
	var a *attempt
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if a, err = readAttempt(ctx, tx, "granted", digest(code), now); err != nil {
			return err
		}
		a.Granted = ""
		_, err = tx.NewUpdate().Model(a).Column("granted").WherePK().Exec(ctx)
		return err
	})
	if err != nil {
		return authorization{}, err
	}
	if now.UnixMilli() >= a.GrantedUntil {
		return authorization{}, errNotFound
	}
	phone, err := s.phone(a)
	if err != nil {
		return authorization{}, err
	}
	return authorization{attempt: a, phone: phone, subject: s.secrets.subject(a.Account, a.Client)}, nil
}

// useOnce notes an assertion; false if it was used before.
func (s *store) useOnce(ctx context.Context, id string, expires time.Time) (bool, error) {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&assertion{ID: id, Until: expires.UnixMilli()}).Exec(ctx)
		return err
	})
	if database.IsUnique(err) {
		return false, nil
	}
	return err == nil, err
}

// erase removes what is not needed any more, and closes accounts that nobody
// can open any more.
func (s *store) erase(ctx context.Context, now time.Time) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*account)(nil)).Set("closed_at = ?", now.UnixMilli()).
			Where("closed_at = 0").Where("used_at <= ?", now.Add(-dormant).UnixMilli()).Exec(ctx)
		if err != nil {
			return err
		}
		for _, e := range []struct {
			model  any
			column string
			before time.Time
		}{
			{(*account)(nil), "closed_at", now.Add(-keepClosed)},
			{(*attempt)(nil), "created_at", now.Add(-keepAttempts)},
			{(*send)(nil), "at", now.Add(-keepAttempts)},
			{(*assertion)(nil), "until", now},
		} {
			_, err := tx.NewDelete().Model(e.model).
				Where("? > 0", bun.Ident(e.column)).Where("? <= ?", bun.Ident(e.column), e.before.UnixMilli()).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("erasing what is not needed any more: %w", err)
	}
	return nil
}
