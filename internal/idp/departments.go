package idp

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Departments knows the public keys of those who prove themselves by one.
type Departments interface {
	// Key returns the public key with that id of the department with that
	// client id, and an error if there is none.
	Key(ctx context.Context, department, keyID string) (*jose.JSONWebKey, error)
}

// noDepartments is where there are none.
type noDepartments struct{}

func (noDepartments) Key(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errors.New("there are no departments here")
}

// assertionAlgorithms are those that departments may sign with.
var assertionAlgorithms = []string{string(jose.ES256), string(jose.PS256), string(jose.RS256)}

// assertionAge is how old an assertion may be when it is shown.
const assertionAge = 5 * time.Minute

// VerifyClient says who asks for a token: a community, which has nothing to
// prove itself by but PKCE, or a department by an assertion signed with its key
// (private_key_jwt), which is good once.
func (p server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	if r.Data.ClientAssertion == "" {
		if r.Data.ClientSecret != "" {
			return nil, oidc.ErrInvalidClient().WithDescription("clients have no secrets here")
		}
		return p.GetClientByClientID(ctx, r.Data.ClientID)
	}
	verifier := op.NewJWTProfileVerifier(p.provider, p.issuer, assertionAge, time.Second)
	asserted, err := op.VerifyJWTAssertion(ctx, r.Data.ClientAssertion, verifier)
	if err != nil {
		return nil, oidc.ErrInvalidClient().WithDescription("the client assertion is not valid").WithParent(err)
	}
	if r.Data.ClientID != "" && r.Data.ClientID != asserted.Issuer {
		return nil, oidc.ErrInvalidClient().WithDescription("client_id is not who the assertion is of")
	}
	if asserted.ExpiresAt.AsTime().Sub(asserted.IssuedAt.AsTime()) > assertionAge {
		return nil, oidc.ErrInvalidClient().WithDescription("an assertion is good for at most five minutes")
	}
	first, err := p.store.useOnce(ctx, digest(r.Data.ClientAssertion), asserted.ExpiresAt.AsTime().Add(assertionAge))
	if err != nil {
		return nil, p.failed("noting an assertion", err)
	}
	if !first {
		return nil, oidc.ErrInvalidClient().WithDescription("the assertion was used before: make one for each request")
	}
	return department{id: asserted.Issuer}, nil
}

// departmentRequest is what a department's token is made of.
type departmentRequest struct {
	department, audience string
	scopes               []string
}

func (r departmentRequest) GetSubject() string    { return r.department }
func (r departmentRequest) GetAudience() []string { return []string{r.audience} }
func (r departmentRequest) GetScopes() []string   { return r.scopes }

// ClientCredentialsExchange gives a department a token for the address that it
// names as resource (RFC 8707): one community's, or that of the exchange.
func (p server) ClientCredentialsExchange(ctx context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	audience, err := p.oneAudience(r.Form["resource"])
	if err != nil {
		return nil, err
	}
	g := granting{provider: p.provider, life: departmentLifetime}
	response, err := op.CreateClientCredentialsTokenResponse(ctx, departmentRequest{department: r.Client.GetID(), audience: audience}, g, r.Client)
	if err != nil {
		return nil, err
	}
	response.ExpiresIn = uint64(g.life / time.Second)
	return op.NewResponse(response), nil
}

// oneAudience is the address that a token is asked for.
func (p *provider) oneAudience(asked []string) (string, error) {
	if len(asked) != 1 {
		return "", errTarget().WithDescription("name the address of one community: resource=https://<community>.<domain>")
	}
	audience, err := p.realm.audience(asked[0])
	if err != nil {
		return "", errTarget().WithDescription("%s", err.Error())
	}
	return audience, nil
}

// errTarget is the error of RFC 8693 and RFC 8707 for a wrong audience.
func errTarget() *oidc.Error { return &oidc.Error{ErrorType: "invalid_target"} }

// TokenExchange gives a token of a department for another address (RFC 8693).
// The department itself may ask, or who the token was for: then the new token
// says in act who that is. It lives no longer than the one that it is given
// for. Tokens of residents and staff are not exchanged.
func (p server) TokenExchange(ctx context.Context, r *op.ClientRequest[oidc.TokenExchangeRequest]) (*op.Response, error) {
	if r.Data.ActorToken != "" || r.Data.SubjectTokenType != oidc.AccessTokenType ||
		r.Data.RequestedTokenType != "" && r.Data.RequestedTokenType != oidc.AccessTokenType {
		return nil, oidc.ErrInvalidRequest().WithDescription("an access token is exchanged for an access token, without an actor_token")
	}
	audience, err := p.oneAudience(append(r.Form["resource"], r.Form["audience"]...))
	if err != nil {
		return nil, err
	}
	subject, err := op.VerifyAccessToken[*oidc.AccessTokenClaims](ctx, r.Data.SubjectToken, p.library.AccessTokenVerifier(ctx))
	if err != nil || subject.Claims["acr"] != nil {
		return nil, oidc.ErrInvalidRequest().WithDescription("subject_token is not a valid access token of a department")
	}
	asks := r.Client.GetID()
	if asks != subject.Subject && !slices.Contains(subject.Audience, p.realm.origin(asks)) {
		return nil, oidc.ErrInvalidRequest().WithDescription("subject_token is neither of nor for who asks")
	}
	g := granting{provider: p.provider, life: min(departmentLifetime, subject.GetExpiration().Sub(p.clock.Now()))}
	if asks != subject.Subject {
		act := map[string]any{"sub": asks}
		if before := subject.Claims["act"]; before != nil {
			act["act"] = before
		}
		g.claims = map[string]any{"act": act}
	}
	token, _, _, err := op.CreateAccessToken(ctx, departmentRequest{department: subject.Subject, audience: audience}, op.AccessTokenTypeJWT, g, r.Client, "")
	if err != nil {
		return nil, err
	}
	return op.NewResponse(&oidc.TokenExchangeResponse{
		AccessToken: token, IssuedTokenType: oidc.AccessTokenType, TokenType: oidc.BearerToken,
		ExpiresIn: uint64(g.life / time.Second),
	}), nil
}
