package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/uptrace/bun"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// How signing keys follow each other.
const (
	// keyLife is how long a key signs.
	keyLife = 30 * 24 * time.Hour
	// keyNotice is how long a key is published before it signs, so that nobody
	// meets a token of a key that they have not fetched.
	keyNotice = 24 * time.Hour
	// keyOverlap is how long a key stays published after it has signed last;
	// longer than any token lives.
	keyOverlap = 24 * time.Hour
)

const signingAlgorithm = jose.ES256

// signingKey is a key that tokens are signed with, from a moment until the
// next key's.
type signingKey struct {
	bun.BaseModel `bun:"table:signing_keys"`
	KeyID         string `bun:"id,pk"`
	Sealed        string // PKCS #8
	SignsFrom     int64

	private *ecdsa.PrivateKey
}

func (k *signingKey) place() string { return "signing key " + k.KeyID }

// signing is a key as the library wants one to sign with, published as it
// wants one to show.
type signing struct{ *signingKey }

func (k signing) ID() string                                  { return k.KeyID }
func (k signing) SignatureAlgorithm() jose.SignatureAlgorithm { return signingAlgorithm }
func (k signing) Key() any                                    { return k.private }

type published struct{ *signingKey }

func (k published) ID() string                         { return k.KeyID }
func (k published) Algorithm() jose.SignatureAlgorithm { return signingAlgorithm }
func (k published) Use() string                        { return "sig" }
func (k published) Key() any                           { return k.private.Public() }

// inForce returns the key of those, ordered by when they begin, that signs at
// a moment, and those that are published then.
func inForce(keys []*signingKey, now time.Time) (signs *signingKey, shown []*signingKey) {
	for i, k := range keys {
		if k.SignsFrom <= now.UnixMilli() {
			signs = k
		}
		if i+1 < len(keys) && !now.Before(time.UnixMilli(keys[i+1].SignsFrom).Add(keyOverlap)) {
			continue // its successor has signed for long enough
		}
		shown = append(shown, k)
	}
	return signs, shown
}

// nextFrom is from when a new key is to sign; false if none is needed yet.
func nextFrom(keys []*signingKey, now time.Time) (time.Time, bool) {
	if len(keys) == 0 {
		return now, true
	}
	next := time.UnixMilli(keys[len(keys)-1].SignsFrom).Add(keyLife)
	if now.Before(next.Add(-keyNotice)) {
		return time.Time{}, false
	}
	if earliest := now.Add(keyNotice); next.Before(earliest) {
		next = earliest
	}
	return next, true
}

// rotateKeys makes the key that is due and removes those that are not
// published any more.
func (s *store) rotateKeys(ctx context.Context, now time.Time) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		keys, err := listKeys(ctx, tx)
		if err != nil {
			return err
		}
		if from, due := nextFrom(keys, now); due {
			k, err := s.newKey(from)
			if err != nil {
				return err
			}
			if _, err := tx.NewInsert().Model(k).Exec(ctx); err != nil {
				return err
			}
			keys = append(keys, k)
		}
		_, shown := inForce(keys, now)
		for _, k := range keys {
			if slices.Contains(shown, k) {
				continue
			}
			if _, err := tx.NewDelete().Model(k).WherePK().Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("rotating the signing keys: %w", err)
	}
	return nil
}

func listKeys(ctx context.Context, db bun.IDB) (keys []*signingKey, err error) {
	err = db.NewSelect().Model(&keys).Order("signs_from", "id").Scan(ctx)
	return keys, err
}

func (s *store) newKey(from time.Time) (*signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	k := &signingKey{KeyID: rand.Text(), SignsFrom: from.UnixMilli()}
	k.Sealed = s.secrets.seal(k.place(), der)
	return k, nil
}

// keys returns the key that signs now and those that are published.
func (s *store) keys(ctx context.Context, now time.Time) (signs *signingKey, shown []*signingKey, err error) {
	keys, err := listKeys(ctx, s.db.Reader())
	if err != nil {
		return nil, nil, fmt.Errorf("signing keys: %w", err)
	}
	signs, shown = inForce(keys, now)
	if signs == nil {
		return nil, nil, errors.New("there is no signing key yet")
	}
	for _, k := range shown {
		der, err := s.secrets.unseal(k.place(), k.Sealed)
		if err != nil {
			return nil, nil, err
		}
		private, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", k.place(), err)
		}
		var ok bool
		if k.private, ok = private.(*ecdsa.PrivateKey); !ok {
			return nil, nil, fmt.Errorf("%s is no ECDSA key", k.place())
		}
	}
	return signs, shown, nil
}

// SigningKey, KeySet and SignatureAlgorithms are how the library asks for keys.
func (p *provider) SigningKey(ctx context.Context) (op.SigningKey, error) {
	signs, _, err := p.store.keys(ctx, p.clock.Now())
	if err != nil {
		return nil, p.failed("signing", err)
	}
	return signing{signs}, nil
}

func (p *provider) KeySet(ctx context.Context) ([]op.Key, error) {
	_, shown, err := p.store.keys(ctx, p.clock.Now())
	if err != nil {
		return nil, p.failed("publishing keys", err)
	}
	set := make([]op.Key, len(shown))
	for i, k := range shown {
		set[i] = published{k}
	}
	return set, nil
}

func (p *provider) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{signingAlgorithm}, nil
}
