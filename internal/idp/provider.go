package idp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"k8s.io/utils/clock"
)

// Paths of the protocol.
const (
	pathDiscovery  = oidc.DiscoveryEndpoint
	pathAuthorize  = "/authorize"
	pathToken      = "/oauth/token"
	pathUserinfo   = "/userinfo"
	pathKeys       = "/keys"
	pathEndSession = "/end_session"
)

// provider is what the library asks of a storage, and what the protocol needs.
type provider struct {
	issuer      string
	realm       realm
	store       *store
	departments Departments
	clock       clock.PassiveClock
	log         *slog.Logger
	// begun sets the cookie of an attempt that has begun.
	begun func(http.Header, string)

	library *op.Provider
	legacy  *op.LegacyServer
}

// server is the protocol where it is stricter here than the library's. What it
// has no method for is not offered.
type server struct {
	op.UnimplementedServer
	*provider
}

// Health is asked for elsewhere, see Provider.
func (p server) Health(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	return p.UnimplementedServer.Health(ctx, r)
}

// newProvider returns the protocol's handler as well.
func newProvider(p *provider) (http.Handler, error) {
	silent := slog.New(slog.DiscardHandler) // the library logs addresses with their queries
	options := []op.Option{
		op.WithLogger(silent),
		op.WithCORSOptions(nil),
		op.WithAccessTokenVerifierOpts(op.WithSupportedAccessTokenSigningAlgorithms(string(signingAlgorithm))),
		op.WithIDTokenHintVerifierOpts(op.WithSupportedIDTokenHintSigningAlgorithms(string(signingAlgorithm))),
	}
	if strings.HasPrefix(p.issuer, "http://") {
		options = append(options, op.WithAllowInsecure())
	}
	var err error
	p.library, err = op.NewProvider(&op.Config{
		DefaultLogoutRedirectURI: homePath,
		CodeMethodS256:           true,
		AuthMethodPrivateKeyJWT:  true,
		SupportedScopes:          []string{oidc.ScopeOpenID, oidc.ScopePhone},
		SupportedClaims: []string{"sub", "aud", "exp", "iat", "iss", "auth_time", "nonce", "acr", "amr", "at_hash", "c_hash", "azp",
			"client_id", "phone_number", "phone_number_verified"},
	}, p, op.StaticIssuer(p.issuer), options...)
	if err != nil {
		return nil, err
	}
	endpoints := op.Endpoints{
		Authorization: op.NewEndpoint(pathAuthorize),
		Token:         op.NewEndpoint(pathToken),
		Userinfo:      op.NewEndpoint(pathUserinfo),
		JwksURI:       op.NewEndpoint(pathKeys),
		EndSession:    op.NewEndpoint(pathEndSession),
	}
	p.legacy = op.NewLegacyServer(p.library, endpoints)
	return op.RegisterServer(server{provider: p}, endpoints,
		op.WithServerCORSOptions(nil),
		op.WithFallbackLogger(silent),
		op.WithHTTPMiddleware(op.NewIssuerInterceptor(p.library.IssuerFromRequest).Handler)), nil
}

// failed logs an error of the storage, of which the library would tell nobody
// but the caller, and hides it from that one.
func (p *provider) failed(doing string, err error) error {
	p.log.Error("the provider failed", "doing", doing, "error", err.Error())
	return oidc.ErrServerError().WithDescription("try again later")
}

// Discovery says what holds here, where the library would say more.
func (p server) Discovery(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	response, err := p.legacy.Discovery(ctx, r)
	if err != nil {
		return nil, err
	}
	d, ok := response.Data.(*oidc.DiscoveryConfiguration)
	if !ok {
		return nil, errors.New("the library's discovery has another form")
	}
	d.ResponseTypesSupported = []string{string(oidc.ResponseTypeCode)}
	d.ResponseModesSupported = []string{string(oidc.ResponseModeQuery)}
	d.GrantTypesSupported = []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeClientCredentials, oidc.GrantTypeTokenExchange}
	d.SubjectTypesSupported = []string{"pairwise"}
	d.ACRValuesSupported = []string{ACRResident, ACRStaff}
	d.TokenEndpointAuthMethodsSupported = []oidc.AuthMethod{oidc.AuthMethodNone, oidc.AuthMethodPrivateKeyJWT}
	d.TokenEndpointAuthSigningAlgValuesSupported = assertionAlgorithms
	d.IntrospectionEndpointAuthMethodsSupported, d.IntrospectionEndpointAuthSigningAlgValuesSupported = nil, nil
	d.RevocationEndpointAuthMethodsSupported, d.RevocationEndpointAuthSigningAlgValuesSupported = nil, nil
	return response, nil
}

// Keys publishes the keys that tokens are checked with.
func (p server) Keys(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	return p.legacy.Keys(ctx, r)
}

// EndSession leads back to the community. There is no session here that could
// end: every sign-in asks for a code.
func (p server) EndSession(ctx context.Context, r *op.Request[oidc.EndSessionRequest]) (*op.Redirect, error) {
	return p.legacy.EndSession(ctx, r)
}

// VerifyAuthRequest looks whose request it is.
func (p server) VerifyAuthRequest(ctx context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	if r.Data.RequestParam != "" {
		return nil, oidc.ErrRequestNotSupported()
	}
	if r.Data.RedirectURI == "" {
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("redirect_uri is missing")
	}
	return p.legacy.VerifyAuthRequest(ctx, r)
}

// Authorize begins an attempt. When it is called, client and redirect address
// belong together.
func (p server) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	refuse := func(err *oidc.Error) (*op.Redirect, error) {
		return op.TryErrorRedirect(ctx, r.Data, err, p.library.Encoder(), p.library.Logger())
	}
	ask := r.Data
	// The answer goes into the query whatever was asked for, errors too.
	if ask.ResponseMode != "" && ask.ResponseMode != oidc.ResponseModeQuery {
		ask.ResponseMode = ""
		return refuse(oidc.ErrInvalidRequest().WithDescription("response_mode must be query, or left out"))
	}
	switch {
	case ask.CodeChallengeMethod != oidc.CodeChallengeMethodS256 || !isChallenge(ask.CodeChallenge):
		return refuse(oidc.ErrInvalidRequest().WithDescription("PKCE is required: code_challenge with code_challenge_method S256"))
	case !slices.Contains(ask.Scopes, oidc.ScopeOpenID):
		return refuse(oidc.ErrInvalidScope().WithDescription("the scope openid is required"))
	case slices.Contains(ask.Prompt, oidc.PromptNone):
		return refuse(oidc.ErrLoginRequired().WithDescription("every sign-in asks for a code"))
	case len(ask.State) > maxParameter || len(ask.Nonce) > maxParameter:
		return refuse(oidc.ErrInvalidRequest().WithDescription("state and nonce have at most %d characters", maxParameter))
	}
	cookie, err := p.store.begin(&attempt{
		Client: r.Client.GetID(), RedirectURI: ask.RedirectURI, State: ask.State, Nonce: ask.Nonce,
		Challenge: ask.CodeChallenge, Scopes: strings.Join(knownScopes(ask.Scopes), " "), ACR: wantedACR(ask.ACRValues),
	}, p.clock.Now())
	if err != nil {
		return nil, p.failed("beginning an attempt", err)
	}
	redirect := op.NewRedirect(r.Client.LoginURL(""))
	p.begun(redirect.Header, cookie)
	return redirect, nil
}

// maxParameter bounds what is kept of a request, in bytes.
const maxParameter = 512

// isChallenge says that a PKCE challenge can be a SHA-256 (RFC 7636).
func isChallenge(c string) bool {
	return len(c) == 43 && !strings.ContainsFunc(c, func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

func knownScopes(scopes []string) []string {
	var known []string
	for _, s := range []string{oidc.ScopeOpenID, oidc.ScopePhone} {
		if slices.Contains(scopes, s) {
			known = append(known, s)
		}
	}
	return known
}

// answer is where the browser of an attempt goes with its authorization code.
func (p *provider) answer(a *attempt, code string) (string, error) {
	return op.AuthResponseURL(a.RedirectURI, oidc.ResponseTypeCode, oidc.ResponseModeQuery, &struct {
		Code  string `schema:"code"`
		State string `schema:"state,omitempty"`
	}{code, a.State}, p.library.Encoder())
}

// CodeExchange gives tokens for an authorization code.
func (p server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	now := p.clock.Now()
	a, err := p.store.redeem(ctx, r.Data.Code, now)
	if errors.Is(err, errNotFound) {
		return nil, oidc.ErrInvalidGrant().WithDescription("the code is unknown, expired or used")
	}
	if err != nil {
		return nil, p.failed("redeeming a code", err)
	}
	if a.Client != r.Client.GetID() || a.RedirectURI != r.Data.RedirectURI {
		return nil, oidc.ErrInvalidGrant().WithDescription("the code was granted to another client or redirect_uri")
	}
	if err := op.AuthorizeCodeChallenge(r.Data.CodeVerifier, a.GetCodeChallenge()); err != nil {
		return nil, err
	}
	g := granting{provider: p.provider, claims: a.claims()}
	token, _, _, err := op.CreateAccessToken(ctx, access{a, p.realm.origin(a.Client)}, op.AccessTokenTypeJWT, g, r.Client, "")
	if err != nil {
		return nil, err
	}
	idToken, err := op.CreateIDToken(ctx, p.issuer, a, tokenLifetime, token, r.Data.Code, g, r.Client)
	if err != nil {
		return nil, err
	}
	return op.NewResponse(&oidc.AccessTokenResponse{
		AccessToken: token, IDToken: idToken, TokenType: oidc.BearerToken,
		ExpiresIn: uint64(tokenLifetime / time.Second), Scope: a.GetScopes(),
	}), nil
}

// UserInfo tells what the access token itself says: it was signed here.
func (p server) UserInfo(ctx context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	claims, err := op.VerifyAccessToken[*oidc.AccessTokenClaims](ctx, r.Data.AccessToken, p.library.AccessTokenVerifier(ctx))
	if err != nil || claims.Claims["acr"] == nil {
		return nil, op.NewStatusError(oidc.ErrAccessDenied().WithDescription("the access token is not valid here"), http.StatusUnauthorized)
	}
	info := map[string]any{"sub": claims.Subject}
	for _, name := range []string{"acr", "auth_time", "phone_number", "phone_number_verified"} {
		if value, ok := claims.Claims[name]; ok {
			info[name] = value
		}
	}
	return op.NewResponse(info), nil
}

// granting is the storage while the tokens of one grant are made: the library
// asks it for an access token's claims without saying for which grant.
type granting struct {
	*provider
	claims map[string]any
	life   time.Duration // departments' only
}

func (g granting) Storage() op.Storage { return g }
func (g granting) Crypto() op.Crypto   { return g.library.Crypto() }

func (g granting) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return g.claims, nil
}

func (g granting) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	life := g.life
	if life == 0 {
		life = tokenLifetime
	}
	return uuid.NewString(), g.clock.Now().Add(life), nil
}

// SetUserinfoFromRequest fills the ID token.
func (p *provider) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, request op.IDTokenRequest, scopes []string) error {
	info.Subject = request.GetSubject()
	if a, ok := request.(authorization); ok && slices.Contains(scopes, oidc.ScopePhone) {
		info.PhoneNumber, info.PhoneNumberVerified = e164(a.phone), true
	}
	return nil
}

// SetUserinfoFromScopes has nothing to add to SetUserinfoFromRequest.
func (p *provider) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// GetClientByClientID returns a community, by the rule, or a department.
func (p *provider) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c, ok := p.realm.community(id); ok {
		return c, nil
	}
	return nil, oidc.ErrInvalidClient().WithDescription("no community of this provider has that host name")
}

// TerminateSession has nothing to do, see EndSession.
func (p *provider) TerminateSession(context.Context, string, string) error { return nil }

// Health says whether the database answers.
func (p *provider) Health(ctx context.Context) error {
	_, err := p.store.db.Reader().ExecContext(ctx, "SELECT 1")
	return err
}

// clientOrigin is the origin of the community that an attempt leads back to.
func clientOrigin(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil {
		return "" // it was compared with an address that can be parsed
	}
	return u.Scheme + "://" + u.Host
}

// errUnused is what the library is told where it would ask for what is not
// offered here: opaque and refresh tokens, introspection, secrets of clients.
var errUnused = oidc.ErrInvalidRequest().WithDescription("not offered")

// The rest of op.Storage serves what is not offered.

func (p *provider) CreateAuthRequest(context.Context, *oidc.AuthRequest, string) (op.AuthRequest, error) {
	return nil, errUnused
}
func (p *provider) AuthRequestByID(context.Context, string) (op.AuthRequest, error) {
	return nil, errUnused
}
func (p *provider) AuthRequestByCode(context.Context, string) (op.AuthRequest, error) {
	return nil, errUnused
}
func (p *provider) SaveAuthCode(context.Context, string, string) error { return errUnused }
func (p *provider) DeleteAuthRequest(context.Context, string) error    { return errUnused }
func (p *provider) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return "", time.Time{}, errUnused
}
func (p *provider) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, errUnused
}
func (p *provider) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errUnused
}
func (p *provider) RevokeToken(context.Context, string, string, string) *oidc.Error { return errUnused }
func (p *provider) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}
func (p *provider) AuthorizeClientIDSecret(context.Context, string, string) error { return errUnused }
func (p *provider) SetUserinfoFromToken(context.Context, *oidc.UserInfo, string, string, string) error {
	return errUnused
}
func (p *provider) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errUnused
}
func (p *provider) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, errUnused
}
func (p *provider) GetKeyByIDAndClientID(ctx context.Context, keyID, id string) (*jose.JSONWebKey, error) {
	return p.departments.Key(ctx, id, keyID)
}
func (p *provider) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errUnused
}
