package identity

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// A token is good between two services of the community that made it, for
// seconds, whichever of its keys the two processes have read last.
func TestServiceTokens(t *testing.T) {
	first, second, third := bytes.Repeat([]byte("1"), KeySize), bytes.Repeat([]byte("2"), KeySize), bytes.Repeat([]byte("3"), KeySize)
	now := time.Unix(1_795_000_000, 0)
	from := Service{Name: "canteen", Actor: "0198a0aa-9fd2-7d2e-8f4e-0123456789ab"}
	for name, c := range map[string]struct {
		make, read    Keys
		community, to string
		later         time.Duration
		good          bool
	}{
		"at once":                           {Keys{Current: first}, Keys{Current: first}, "zhanqian", "accounts", 0, true},
		"read by who has the new key":       {Keys{Current: first}, Keys{Current: second, Previous: first}, "zhanqian", "accounts", 0, true},
		"made by who has the new key":       {Keys{Current: second, Previous: first}, Keys{Current: first}, "zhanqian", "accounts", 0, true},
		"both have the new key":             {Keys{Current: second, Previous: first}, Keys{Current: second, Previous: first}, "zhanqian", "accounts", 0, true},
		"made before the next change":       {Keys{Current: second, Previous: first}, Keys{Current: third, Previous: second}, "zhanqian", "accounts", 0, false},
		"from a clock that is a bit ahead":  {Keys{Current: first}, Keys{Current: first}, "zhanqian", "accounts", -serviceLeeway, true},
		"from a clock that is wrong":        {Keys{Current: first}, Keys{Current: first}, "zhanqian", "accounts", -serviceLeeway - time.Second, false},
		"just in time":                      {Keys{Current: first}, Keys{Current: first}, "zhanqian", "accounts", serviceTokenLife - time.Second, true},
		"too late":                          {Keys{Current: first}, Keys{Current: first}, "zhanqian", "accounts", serviceTokenLife, false},
		"another community's key":           {Keys{Current: second}, Keys{Current: first}, "zhanqian", "accounts", 0, false},
		"another community by the same key": {Keys{Current: first}, Keys{Current: first}, "guting", "accounts", 0, false},
		"for another service":               {Keys{Current: first}, Keys{Current: first}, "zhanqian", "residents", 0, false},
	} {
		token, err := c.make.ServiceToken("zhanqian", from, "accounts", now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.read.Service(token, c.community, c.to, now.Add(c.later))
		if (err == nil) != c.good || c.good && got != from || !c.good && !errors.Is(err, ErrNotAService) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// What claims to be a service's token must be signed in the one way that there
// is, with the key that is for it, and say all that it must.
func TestForgedServiceTokens(t *testing.T) {
	keys := Keys{Current: bytes.Repeat([]byte("1"), KeySize)}
	now := time.Unix(1_795_000_000, 0)
	keyFor := func(purpose string) []byte {
		all, err := keys.all(purpose)
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	sign := func(algorithm jose.SignatureAlgorithm, key []byte, change func(map[string]any)) string {
		claims := map[string]any{"iss": "canteen", "aud": "accounts", "community": "zhanqian", "iat": now.Unix(), "exp": now.Unix() + 30}
		if change != nil {
			change(claims)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	without := func(claim string) func(map[string]any) { return func(m map[string]any) { delete(m, claim) } }
	key := keyFor(purposeService)
	good := sign(jose.HS256, key, nil)
	if _, err := keys.Service(good, "zhanqian", "accounts", now); err != nil {
		t.Fatal(err)
	}
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	_, content, _ := strings.Cut(good, ".")
	content, _, _ = strings.Cut(content, ".")
	for name, token := range map[string]string{
		"nothing":                         "",
		"no token":                        "canteen",
		"without a signature":             part(`{"alg":"none"}`) + "." + content + ".",
		"another signature":               good[:len(good)-4] + "AAAA",
		"another algorithm":               sign(jose.HS512, append(key, key...), nil),
		"the secret itself":               sign(jose.HS256, keys.Current, nil),
		"the key of cookies":              sign(jose.HS256, keyFor(purposeSignIn), nil),
		"without who asks":                sign(jose.HS256, key, without("iss")),
		"without whom":                    sign(jose.HS256, key, without("aud")),
		"without a community":             sign(jose.HS256, key, without("community")),
		"without an end":                  sign(jose.HS256, key, without("exp")),
		"without a beginning":             sign(jose.HS256, key, without("iat")),
		"for several services":            sign(jose.HS256, key, func(m map[string]any) { m["aud"] = []string{"accounts", "residents"} }),
		"for longer than any is good for": sign(jose.HS256, key, func(m map[string]any) { m["exp"] = now.Unix() + 31 }),
	} {
		if got, err := keys.Service(token, "zhanqian", "accounts", now); !errors.Is(err, ErrNotAService) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
