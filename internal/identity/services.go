package identity

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ServiceScheme is the scheme of the Authorization header with which a service
// asks another one that runs in another process of the community.
const ServiceScheme = "Linli-Service"

const (
	// serviceTokenLife is how long a service's token is good for. Each is made
	// for one request, which has to be answered sooner.
	serviceTokenLife = 30 * time.Second
	// serviceLeeway is how far the clocks of two processes may be apart.
	serviceLeeway = 5 * time.Second
)

// ErrNotAService is returned by Service for what is no token of a service of
// this community for the one that is asked, or was one too long ago.
var ErrNotAService = errors.New("the token is not one of a service of this community for the service that is asked, or it has expired")

// serviceClaims are what a service's token says: the issuer is the service
// that asks, the audience the one that is asked, and the subject the person on
// whose behalf.
type serviceClaims struct {
	jwt.Claims
	Community string `json:"community"`
}

// ServiceToken shows to a service of the community, in another process, which
// one is asking and on whose behalf. It is made with the older of the keys: the
// other process may not have seen the newer one yet.
func (k Keys) ServiceToken(community string, from Service, to string, now time.Time) (string, error) {
	keys, err := k.all(purposeService)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: keys[len(keys)-1]}, nil)
	if err != nil {
		return "", err
	}
	token, err := jwt.Signed(signer).Claims(serviceClaims{
		Claims: jwt.Claims{
			Issuer: from.Name, Subject: from.Actor, Audience: jwt.Audience{to},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(serviceTokenLife)),
		},
		Community: community,
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("making a token for service %s: %w", to, err)
	}
	return token, nil
}

// Service returns which service of the community made a token to ask another
// one, and on whose behalf; ErrNotAService if none did.
func (k Keys) Service(token, community, to string, now time.Time) (Service, error) {
	keys, err := k.all(purposeService)
	if err != nil {
		return Service{}, err
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return Service{}, ErrNotAService
	}
	for _, key := range keys {
		var c serviceClaims
		if parsed.Claims(key, &c) == nil && c.good(community, to, now) {
			return Service{Name: c.Issuer, Actor: c.Subject}, nil
		}
	}
	return Service{}, ErrNotAService
}

// good reports whether claims, which a service of this community has signed,
// hold here and now.
func (c serviceClaims) good(community, to string, now time.Time) bool {
	return c.Issuer != "" && c.Community == community &&
		len(c.Audience) == 1 && c.Audience[0] == to &&
		c.IssuedAt != nil && c.Expiry != nil && !c.Expiry.Time().After(c.IssuedAt.Time().Add(serviceTokenLife)) &&
		!expired(c.Expiry.Time(), now) && !now.Add(serviceLeeway).Before(c.IssuedAt.Time())
}
