package idp

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// name is that of the provider's database and of its keys.
const name = "idp"

// Files of the keys directory, and the length of a key in bytes.
const (
	keyFile         = name + ".key"
	previousKeyFile = name + ".previous.key"
	keySize         = 32
)

// readKeys returns the provider's key and those that may have been in use
// before it.
func readKeys(dir string) ([][]byte, error) {
	var keys [][]byte
	for _, file := range []string{keyFile, previousKeyFile} {
		path := filepath.Join(dir, file)
		key, err := os.ReadFile(path)
		if file == previousKeyFile && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("key of the provider: %w; mount the Secret linli-idp-keys there", err)
		}
		if len(key) != keySize {
			return nil, fmt.Errorf("key %s has %d bytes, want %d random bytes", path, len(key), keySize)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// secrets is what the provider seals with and derives from. All of it comes
// from one random root, which lies in the database sealed with the key of the
// keys directory: that key can be changed without a subject becoming another.
type secrets struct {
	sealing                             cipher.AEAD
	numbers, addresses, codes, subjects []byte
}

// secretRow is a value that is sealed with the key of the keys directory.
type secretRow struct {
	bun.BaseModel `bun:"table:secrets"`
	Name          string `bun:",pk"`
	Sealed        string
}

const rootName = "root"

// openSecrets returns the secrets of the database, which are made if there are
// none. keys are the key to seal with and those that it may still be sealed with.
func openSecrets(ctx context.Context, db *database.DB, keys [][]byte) (*secrets, error) {
	var root []byte
	err := db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var row secretRow
		err := tx.NewSelect().Model(&row).Where("name = ?", rootName).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			root = make([]byte, keySize)
			rand.Read(root)
			row = secretRow{Name: rootName, Sealed: seal(wrapping(keys[0]), rootName, root)}
			_, err = tx.NewInsert().Model(&row).Exec(ctx)
			return err
		}
		if err != nil {
			return err
		}
		for i, key := range keys {
			if root, err = unseal(wrapping(key), rootName, row.Sealed); err != nil {
				continue
			}
			if i == 0 {
				return nil
			}
			row.Sealed = seal(wrapping(keys[0]), rootName, root)
			_, err = tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
			return err
		}
		return fmt.Errorf("the database was sealed with another %s: put that one back, beside a new one as %s", keyFile, previousKeyFile)
	})
	if err != nil {
		return nil, fmt.Errorf("secrets of the provider: %w", err)
	}
	return &secrets{
		sealing:   aead(derive(root, "linli idp sealing v1")),
		numbers:   derive(root, "linli idp phone numbers v1"),
		addresses: derive(root, "linli idp client addresses v1"),
		codes:     derive(root, "linli idp codes v1"),
		subjects:  derive(root, "linli idp pairwise subjects v1"),
	}, nil
}

func wrapping(key []byte) cipher.AEAD { return aead(derive(key, "linli idp root v1")) }

func derive(key []byte, purpose string) []byte {
	out, err := hkdf.Key(sha256.New, key, nil, purpose, keySize)
	if err != nil {
		panic(err) // only for a length that SHA-256 cannot give
	}
	return out
}

func aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for a key of another length
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for another cipher than AES
	}
	return a
}

// seal encrypts a value for the place that it is kept in; it cannot be opened
// anywhere else.
func seal(a cipher.AEAD, place string, value []byte) string {
	return base64.RawStdEncoding.EncodeToString(a.Seal(nil, nil, value, []byte(place)))
}

func unseal(a cipher.AEAD, place, sealed string) ([]byte, error) {
	raw, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, fmt.Errorf("sealed value of %s: %w", place, err)
	}
	value, err := a.Open(nil, nil, raw, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("sealed value of %s: %w", place, err)
	}
	return value, nil
}

func (s *secrets) seal(place string, value []byte) string { return seal(s.sealing, place, value) }

func (s *secrets) unseal(place, sealed string) ([]byte, error) {
	return unseal(s.sealing, place, sealed)
}

// number is what stands for a normal phone number in the database.
func (s *secrets) number(phone string) string { return mac(s.numbers, phone) }

// address is what stands for the address of somebody who asks for codes.
func (s *secrets) address(addr string) string { return mac(s.addresses, addr) }

// code is what is kept of a code that was sent in an attempt.
func (s *secrets) code(attempt, code string) string { return mac(s.codes, attempt, code) }

// subject is what an account is called in the community with that host name.
func (s *secrets) subject(account, host string) string {
	h := hmac.New(sha256.New, s.subjects)
	fmt.Fprintf(h, "%s\x00%s", host, account)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func mac(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(h, "%s\x00", p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digest is what is kept of a random secret that somebody else holds.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
