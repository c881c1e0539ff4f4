package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// KeySize is the length of a community's secret, in bytes.
const KeySize = 32

// Keys are a community's secret, and the one before it, with which what was
// made just before a change is still read.
type Keys struct {
	Current []byte
	// Previous is empty if there is none.
	Previous []byte
}

// all are the keys for a purpose, the one to make things with first. Each
// purpose has keys of its own, so that what is made for one is worth nothing
// for another.
func (k Keys) all(purpose string) ([][]byte, error) {
	var derived [][]byte
	for _, secret := range [][]byte{k.Current, k.Previous} {
		if len(secret) == 0 {
			continue
		}
		key, err := hkdf.Key(sha256.New, secret, nil, purpose, sha256.Size)
		if err != nil {
			return nil, err
		}
		derived = append(derived, key)
	}
	return derived, nil
}

// Purposes of keys.
const (
	purposeSignIn     = "linli sign-in cookie v2"
	purposeInvitation = "linli invitation v1"
	purposeService    = "linli service token v1"
)

var errNotOurs = errors.New("was not made by this community, or too long ago")

// seal makes of v what nobody else can read or make.
func (k Keys) seal(purpose string, v any) (string, error) {
	keys, err := k.all(purpose)
	if err != nil {
		return "", err
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: keys[0]}, nil)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	sealed, err := encrypter.Encrypt(data)
	if err != nil {
		return "", err
	}
	return sealed.CompactSerialize()
}

// open reads what seal made.
func (k Keys) open(purpose, sealed string, v any) error {
	object, err := jose.ParseEncryptedCompact(sealed, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return errNotOurs
	}
	keys, err := k.all(purpose)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if data, err := object.Decrypt(key); err == nil {
			return json.Unmarshal(data, v)
		}
	}
	return errNotOurs
}

// codeLetters are without those that are taken for one another.
var codeLetters = base32.NewEncoding("ABCDEFGHJKLMNPQRSTUVWXYZ23456789").WithPadding(base32.NoPadding)

// Invitation is the code with which somebody whom the manifest names as a
// manager shows that county IT means them. It follows from the community's
// secret, which county IT can read, and is good for as long as that is known,
// at most until it has been changed twice.
func (k Keys) Invitation(community, manager string) (string, error) {
	keys, err := k.all(purposeInvitation)
	if err != nil {
		return "", err
	}
	return invitation(keys[0], community, manager), nil
}

// CheckInvitation reports whether a code is a manager's invitation.
func (i *Identity) CheckInvitation(manager, code string) bool {
	keys, err := i.keys().all(purposeInvitation)
	if err != nil {
		return false
	}
	for _, key := range keys {
		if hmac.Equal([]byte(invitation(key, i.settings().Community, manager)), []byte(code)) {
			return true
		}
	}
	return false
}

func invitation(key []byte, community, manager string) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%q %q", community, manager)
	return codeLetters.EncodeToString(mac.Sum(nil)[:15])
}

// expired reports whether a moment has come.
func expired(at, now time.Time) bool { return !now.Before(at) }
