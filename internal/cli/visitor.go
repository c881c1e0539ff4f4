package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/pquerna/otp/totp"
	"golang.org/x/oauth2"

	"github.com/linli-io/linli/internal/identity"
)

// visitor signs in as people do, at a provider that shows its codes on the
// page, as that of the embedded cluster does.
type visitor struct {
	now func() time.Time
	// secrets are the passwords and authenticator secrets of staff, by number.
	secrets map[string]staffSecret
	path    string
}

type staffSecret struct {
	Password string `json:"password"`
	// Secret is what the authenticator app keeps, in base32.
	Secret string `json:"secret"`
	// Used is the last code, which the provider takes only once.
	Used string `json:"used"`
}

// secretsFile keeps the secrets of sample staff.
const secretsFile = "sample-staff.json"

// newVisitor returns a visitor who remembers in a directory.
func newVisitor(dir string, now func() time.Time) (*visitor, error) {
	v := &visitor{now: now, secrets: map[string]staffSecret{}, path: filepath.Join(dir, secretsFile)}
	data, err := os.ReadFile(v.path)
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &v.secrets); err != nil {
		return nil, fmt.Errorf("%s: %w; remove it, and make reset", v.path, err)
	}
	return v, nil
}

func (v *visitor) remember(phone string, s staffSecret) error {
	v.secrets[phone] = s
	data, err := json.MarshalIndent(v.secrets, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(v.path, append(data, '\n'), 0o600)
}

// samplePassword is that of all sample staff. It guards nothing.
const samplePassword = "linli sample staff"

// token signs in at a community's provider and returns a token for the
// community.
func (v *visitor) token(ctx context.Context, site, phone string, staff bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: identity.LoopbackTransport(), Jar: jar}
	// The community tells where its people sign in, and under what name.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	begun, err := v.get(ctx, client, site+identity.SignInPath)
	if err != nil {
		return "", err
	}
	asked, err := url.Parse(begun.location)
	if err != nil || asked.Host == "" {
		return "", fmt.Errorf("%s does not lead to a provider: %d", site, begun.status)
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, client), asked.Scheme+"://"+asked.Host)
	if err != nil {
		return "", err
	}
	config := oauth2.Config{
		ClientID: asked.Query().Get("client_id"), RedirectURL: asked.Query().Get("redirect_uri"), Endpoint: provider.Endpoint(),
		Scopes: []string{oidc.ScopeOpenID, "phone"},
	}
	verifier, state := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oidc.Nonce(oauth2.GenerateVerifier())}
	if staff {
		options = append(options, oauth2.SetAuthURLParam("acr_values", "urn:linli:acr:staff"))
	}
	back := config.RedirectURL
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), back) || len(via) > 10 {
			return http.ErrUseLastResponse
		}
		return nil
	}
	p, err := v.get(ctx, client, config.AuthCodeURL(state, options...))
	if err != nil {
		return "", err
	}
	if p, err = v.prove(ctx, client, p, phone); err != nil {
		return "", err
	}
	done, err := url.Parse(p.location)
	if err != nil || done.Query().Get("code") == "" || done.Query().Get("state") != state {
		return "", fmt.Errorf("the provider answers %d at %s", p.status, p.path)
	}
	tokens, err := config.Exchange(oidc.ClientContext(ctx, client), done.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return "", err
	}
	return tokens.AccessToken, nil
}

// page is what a visitor sees.
type page struct {
	status         int
	path, location string
	base           *url.URL
	body           string
}

var (
	shownCode   = regexp.MustCompile(`id="demo-code">([0-9]+)<`)
	shownSecret = regexp.MustCompile(`id="app-secret">([^<]+)<`)
)

// find returns what a page shows.
func (p page) find(what *regexp.Regexp) (string, error) {
	m := what.FindStringSubmatch(p.body)
	if m == nil {
		return "", fmt.Errorf("the provider's page %s shows no such thing (%d): codes are shown on the page only where it runs with --demo", p.path, p.status)
	}
	return strings.ReplaceAll(html.UnescapeString(m[1]), " ", ""), nil
}

// maxSteps is more than the pages that a sign-in has.
const maxSteps = 8

// prove fills in the provider's pages until it leads back.
func (v *visitor) prove(ctx context.Context, client *http.Client, p page, phone string) (page, error) {
	var err error
	for step := 0; p.location == "" && step < maxSteps; step++ {
		form := url.Values{}
		secret := v.secrets[phone]
		switch p.path {
		case "/sign-in":
			form.Set("phone", phone)
		case "/sign-in/code":
			code, err := p.find(shownCode)
			if err != nil {
				return p, err
			}
			form.Set("code", code)
		case "/sign-in/enrol":
			form.Set("password", samplePassword)
			form.Set("again", samplePassword)
		case "/sign-in/app":
			if secret.Secret, err = p.find(shownSecret); err != nil {
				return p, err
			}
			secret.Password = samplePassword
			if secret.Used, err = totp.GenerateCode(secret.Secret, v.now()); err != nil {
				return p, err
			}
			form.Set("code", secret.Used)
		case "/sign-in/password":
			if secret.Secret == "" {
				return p, fmt.Errorf("%s has a password that is not known here: it was chosen by somebody else", phone)
			}
			if secret.Used, err = v.freshCode(ctx, secret); err != nil {
				return p, err
			}
			form.Set("password", secret.Password)
			form.Set("code", secret.Used)
		default:
			return p, fmt.Errorf("the provider answers %d at %s", p.status, p.path)
		}
		if secret.Secret != "" {
			if err := v.remember(phone, secret); err != nil {
				return p, err
			}
		}
		if p, err = v.post(ctx, client, p.base.String(), form); err != nil {
			return p, err
		}
		if p.status >= http.StatusBadRequest {
			return p, fmt.Errorf("the provider answers %d at %s", p.status, p.path)
		}
	}
	return p, nil
}

// freshCode waits for a code of the authenticator that was not used yet.
func (v *visitor) freshCode(ctx context.Context, s staffSecret) (string, error) {
	for {
		code, err := totp.GenerateCode(s.Secret, v.now())
		if err != nil || code != s.Used {
			return code, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (v *visitor) get(ctx context.Context, client *http.Client, address string) (page, error) {
	return v.do(ctx, client, http.MethodGet, address, nil)
}

func (v *visitor) post(ctx context.Context, client *http.Client, address string, form url.Values) (page, error) {
	return v.do(ctx, client, http.MethodPost, address, form)
}

func (v *visitor) do(ctx context.Context, client *http.Client, method, address string, form url.Values) (page, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, err
	}
	request.Header.Set("Accept", "text/html")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := client.Do(request)
	if err != nil {
		return page{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return page{}, err
	}
	return page{
		status: answer.StatusCode, path: answer.Request.URL.Path, location: answer.Header.Get("Location"),
		base: answer.Request.URL, body: string(body),
	}, nil
}

// tokens returns tokens for a community.
func (v *visitor) tokens(site string) func(ctx context.Context, phone string, staff bool) (string, error) {
	return func(ctx context.Context, phone string, staff bool) (string, error) {
		return v.token(ctx, site, phone, staff)
	}
}
