package idp

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Paths of a community that the provider sends browsers back to.
const (
	callbackPath = "/identity/callback"
	homePath     = "/"
)

// reserved are the names beneath the domain that are no community's, as the
// Community's own validation has them.
var reserved = []string{
	"admin", "api", "app", "apps", "assets", "auth", "autodiscover", "cdn", "community", "console", "demo", "dev", "docs",
	"exchange", "files", "ftp", "gateway", "grafana", "help", "id", "imap", "linli", "localhost", "login", "loki", "mail",
	"metrics", "mobile", "monitoring", "mqtt", "ns", "pop", "portal", "prometheus", "proxy", "root", "sharing", "smtp", "sso",
	"staging", "static", "status", "support", "system", "test", "vpn", "webmail", "wpad", "www",
}

// communityName is what a Community may be called.
var communityName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?$`)

// realm is the communities that the provider serves: all beneath one domain,
// reached by one scheme and port.
type realm struct {
	domain string
	scheme string
	port   string // empty where it is the scheme's own
}

// newRealm returns the communities beneath domain, reached as the issuer is.
func newRealm(issuer *url.URL, domain string) realm {
	r := realm{domain: domain, scheme: issuer.Scheme, port: issuer.Port()}
	if r.scheme == "https" && r.port == "443" || r.scheme == "http" && r.port == "80" {
		r.port = ""
	}
	return r
}

// origin is the address of a host beneath the domain.
func (r realm) origin(host string) string {
	if r.port != "" {
		host = net.JoinHostPort(host, r.port)
	}
	return r.scheme + "://" + host
}

// community returns the client with that id: every community of the domain is
// one, by its host name, and nobody else is.
func (r realm) community(id string) (client, bool) {
	name, ok := strings.CutSuffix(id, "."+r.domain)
	if !ok || !communityName.MatchString(name) || slices.Contains(reserved, name) {
		return client{}, false
	}
	return client{host: id, origin: r.origin(id)}, true
}

// audience returns the address if it is that of a community, or of a service
// beside them that the county runs.
func (r realm) audience(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is no address of a community", address)
	}
	host := u.Hostname()
	_, community := r.community(host)
	if (!community && host != "sharing."+r.domain) || strings.TrimSuffix(address, "/") != r.origin(host) {
		return "", fmt.Errorf("%q is no address of a community", address)
	}
	return r.origin(host), nil
}

// defaults are those answers of a client that are the same for all.
type defaults struct{}

func (defaults) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (defaults) ClockSkew() time.Duration            { return 0 }
func (defaults) IDTokenUserinfoClaimsAssertion() bool {
	return true // communities ask for nothing but the ID token
}
func (defaults) IsScopeAllowed(string) bool { return false }
func (defaults) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
func (defaults) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// client is a community as a client: public, with PKCE.
type client struct {
	defaults
	host, origin string
}

func (c client) GetID() string                       { return c.host }
func (c client) RedirectURIs() []string              { return []string{c.origin + callbackPath} }
func (c client) PostLogoutRedirectURIs() []string    { return []string{c.origin + homePath} }
func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeUserAgent }
func (c client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodNone }
func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c client) GrantTypes() []oidc.GrantType   { return []oidc.GrantType{oidc.GrantTypeCode} }
func (c client) LoginURL(string) string         { return pathNumber }
func (c client) IDTokenLifetime() time.Duration { return tokenLifetime }

// DevMode is how the library calls it that an address may begin with http; the
// settings allow that on localhost only.
func (c client) DevMode() bool { return strings.HasPrefix(c.origin, "http://") }

// department is a client that proves itself by a key.
type department struct {
	defaults
	id string
}

func (d department) GetID() string                       { return d.id }
func (d department) RedirectURIs() []string              { return nil }
func (d department) PostLogoutRedirectURIs() []string    { return nil }
func (d department) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (d department) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodPrivateKeyJWT }
func (d department) ResponseTypes() []oidc.ResponseType  { return nil }
func (d department) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeClientCredentials, oidc.GrantTypeTokenExchange}
}
func (d department) LoginURL(string) string         { return homePath }
func (d department) IDTokenLifetime() time.Duration { return departmentLifetime }
func (d department) DevMode() bool                  { return false }
