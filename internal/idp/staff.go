package idp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"github.com/uptrace/bun"
)

// What authenticator apps do unless told otherwise (RFC 6238).
const (
	totpPeriod = 30 // seconds
	totpSecret = 20 // bytes
)

var totpOptions = totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// appStep returns the period whose code was typed: this one, the one before or
// the one after; clocks of phones differ a little. False if it is none of them.
func appStep(secret, code string, now time.Time) (int64, bool) {
	for _, offset := range []int64{0, -1, 1} {
		step := now.Unix()/totpPeriod + offset
		want, err := totp.GenerateCodeCustom(secret, time.Unix(step*totpPeriod, 0), totpOptions)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return step, true
		}
	}
	return 0, false
}

// appAddress is what an authenticator app reads from the QR code.
func appAddress(issuer, secret string) string {
	q := url.Values{"secret": {secret}, "issuer": {issuer}}
	return "otpauth://totp/" + url.PathEscape(issuer) + "?" + q.Encode()
}

// groups is a secret as people can type it.
func groups(secret string) string {
	var parts []string
	for len(secret) > 4 {
		parts, secret = append(parts, secret[:4]), secret[4:]
	}
	return strings.Join(append(parts, secret), " ")
}

// proveStaff looks at a password and a code of the app. What is typed is
// counted as wrong before it is looked at, and forgiven if it was right: so
// many tries at the same time are counted like as many one after the other.
func (p *Provider) proveStaff(ctx context.Context, tried *attempt, password, code string) (a *attempt, o outcome, wait time.Duration, err error) {
	now := p.options.Clock.Now()
	var acc account
	a, err = p.store.advance(ctx, tried.ID, now, func(ctx context.Context, tx bun.Tx, a *attempt) error {
		if a.Step != stepPassword {
			o = outcomeMoved
			return nil
		}
		acc = account{}
		if err := tx.NewSelect().Model(&acc).Where("id = ?", a.Account).Scan(ctx); err != nil {
			return fmt.Errorf("account of an attempt: %w", err)
		}
		if wait = time.UnixMilli(acc.WaitUntil).Sub(now); wait > 0 {
			o = outcomeWait
			return nil
		}
		acc.Wrong++
		acc.WaitUntil = now.Add(staffWait(acc.Wrong)).UnixMilli()
		o = a.miss()
		_, err := tx.NewUpdate().Model(&acc).Column("wrong", "wait_until").WherePK().Exec(ctx)
		return err
	})
	if err != nil || o == outcomeMoved || o == outcomeWait {
		return a, o, wait, err
	}
	secret, err := p.store.secrets.unseal(acc.totpPlace(), acc.TOTP)
	if err != nil {
		return nil, o, 0, err
	}
	right := false
	if err := p.withHasher(ctx, func() { right = isPassword(acc.Password, normalPassword(password)) }); err != nil {
		return nil, o, 0, err
	}
	step, ok := appStep(string(secret), code, now)
	if !right || !ok {
		return a, o, 0, nil
	}
	a, err = p.store.advance(ctx, tried.ID, now, func(ctx context.Context, tx bun.Tx, a *attempt) error {
		result, err := tx.NewUpdate().Model((*account)(nil)).
			Set("totp_step = ?", step).Set("wrong = 0").Set("wait_until = 0").
			Where("id = ?", acc.ID).Where("closed_at = 0").Where("totp_step < ?", step).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err // the code of the app was used before: it stays a wrong one
		}
		o, a.Step, a.Wrong = outcomeRight, stepDone, 0
		return nil
	})
	return a, o, 0, err
}

// beginEnrolment keeps the chosen password with the attempt, and the secret of
// an app that is to be set up.
func (p *Provider) beginEnrolment(ctx context.Context, chosen *attempt, password string) (*attempt, error) {
	var hash string
	if err := p.withHasher(ctx, func() { hash = hashPassword(password) }); err != nil {
		return nil, err
	}
	raw := make([]byte, totpSecret)
	rand.Read(raw)
	secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	return p.store.advance(ctx, chosen.ID, p.options.Clock.Now(), func(_ context.Context, _ bun.Tx, a *attempt) error {
		if a.Step == stepEnrol {
			a.Step, a.Password, a.TOTP = stepApp, hash, p.store.secrets.seal(a.totpPlace(), []byte(secret))
		}
		return nil
	})
}

// confirmEnrolment gives the account its password and app, when a code of the
// app shows that it is set up.
func (p *Provider) confirmEnrolment(ctx context.Context, id, code string) (*attempt, outcome, error) {
	now, o := p.options.Clock.Now(), outcomeMoved
	a, err := p.store.advance(ctx, id, now, func(ctx context.Context, tx bun.Tx, a *attempt) error {
		if o = outcomeMoved; a.Step != stepApp {
			return nil
		}
		secret, err := p.store.secrets.unseal(a.totpPlace(), a.TOTP)
		if err != nil {
			return err
		}
		step, ok := appStep(string(secret), code, now)
		if !ok {
			o = a.miss()
			return nil
		}
		acc := account{ID: a.Account}
		result, err := tx.NewUpdate().Model((*account)(nil)).
			Set("password = ?", a.Password).Set("totp = ?", p.store.secrets.seal(acc.totpPlace(), secret)).
			Set("totp_step = ?", step).Set("wrong = 0").Set("wait_until = 0").
			Where("id = ?", a.Account).Where("closed_at = 0").Where("password = ''").Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			o, a.Step = outcomeEnded, stepEnded // another attempt was faster
			return err
		}
		o, a.Step, a.Password, a.TOTP = outcomeRight, stepDone, "", ""
		return nil
	})
	return a, o, err
}
