package identity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/identity/identitytest"
)

// whoami says who is calling, to pages and to programs.
func whoami() host.Service {
	return host.Service{Name: "who", Register: func(_ context.Context, rt *host.Runtime) error {
		answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, _ := identity.FromContext(r.Context())
			fmt.Fprint(w, p.Name)
		})
		rt.Mux.HandleFunc("GET /who/anybody", answer)
		rt.Mux.Handle("GET /who/proven", rt.Identity.RequireProof(answer))
		rt.Mux.Handle("GET /who/ami", rt.Identity.RequirePerson(answer))
		rt.Mux.Handle("GET /who/api/ami", rt.Identity.RequirePerson(answer))
		rt.Mux.Handle("GET /who/api/desk", rt.Identity.RequireDuty(identity.FrontDesk, rt.Pages.Error, answer))
		return nil
	}}
}

// ask sends a request with a token, and with the header that says who it is if
// person is not empty.
func ask(t *testing.T, s *hosttest.Server, path, token, person string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if person != "" {
		request.Header.Set(identity.PersonHeader, person)
	}
	r, err := s.Client(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// A token that was not issued to the community's own client is nobody's,
// whomever it names.
func TestTokensOfProgramsAreNobodys(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	client := identitytest.ClientOf(s.Site())
	token := func(change map[string]any) string {
		claims := map[string]any{
			"iss": s.Issuer.URL, "sub": "sun-li", "aud": s.Site(), "exp": time.Now().Add(time.Minute).Unix(),
			"acr": "urn:linli:acr:staff", "phone_number": "13800000005", "phone_number_verified": true, "client_id": client,
		}
		for name, value := range change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		return s.Issuer.Sign(t, claims)
	}
	for name, change := range map[string]map[string]any{
		"as Linli's own provider has it": {},
		"as older providers have it":     {"client_id": nil, "azp": client},
	} {
		if status, body := ask(t, s, "/who/api/desk", token(change), ""); status != http.StatusOK || body != "孙丽" {
			t.Errorf("a person's token, %s: %d %s", name, status, body)
		}
	}
	for name, change := range map[string]map[string]any{
		"a department":                         {"sub": "civil-affairs", "client_id": "civil-affairs", "acr": nil},
		"a department, by way of the exchange": {"sub": "civil-affairs", "client_id": "sharing.localhost", "act": map[string]any{"sub": "sharing.localhost"}},
		"a service account of Keycloak":        {"sub": "5c4f6b7e", "client_id": "civil-affairs", "azp": "civil-affairs", "acr": "1"},
		"a service account without client_id":  {"client_id": nil, "azp": "civil-affairs"},
		"an app that acts for a person":        {"client_id": "some-app"},
		"a sibling's client":                   {"client_id": "guting.localhost"},
		"no client at all":                     {"client_id": nil},
		"the community's client itself":        {"sub": client},
		"somebody who acts for a person":       {"act": map[string]any{"sub": "civil-affairs"}},
		"client_id and azp that disagree":      {"client_id": "civil-affairs", "azp": client},
	} {
		for _, path := range []string{"/who/proven", "/who/ami", "/who/api/ami", "/who/api/desk", "/identity/sessions"} {
			status, body := ask(t, s, path, token(change), "")
			if status != http.StatusForbidden || !strings.Contains(body, "department") {
				t.Errorf("%s at %s: %d %s", name, path, status, body)
			}
		}
		if status, body := ask(t, s, "/who/anybody", token(change), hosttest.PersonID(t, "sun-li")); status != http.StatusOK || body != "" {
			t.Errorf("%s, where anybody may look: %d %q", name, status, body)
		}
	}
}

// sharing answers for the service of residents: whoever signs in shares an
// account with somebody.
func sharing(people ...string) host.Service {
	return host.Service{Name: "residents", Register: func(_ context.Context, rt *host.Runtime) error {
		rt.Mux.HandleFunc("GET /residents/internal/v1/subjects/{subject}", func(w http.ResponseWriter, _ *http.Request) {
			var known []identity.Known
			for _, account := range people {
				m, _ := identitytest.MemberOf(account)
				known = append(known, m.Known())
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"people": known}) // within the process
		})
		return nil
	}}
}

// Who shares an account says with each request which of the people it is.
func TestPersonHeader(t *testing.T) {
	guihua, qiang, sun := hosttest.PersonID(t, "wang-guihua"), hosttest.PersonID(t, "li-qiang"), hosttest.PersonID(t, "sun-li")
	start := func(people ...string) (*hosttest.Server, string) {
		s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami(), sharing(people...)}})
		token, err := s.Issuer.TokenFor("family", "13800000003", s.Site(), false)
		if err != nil {
			t.Fatal(err)
		}
		return s, token
	}
	shared, token := start("wang-guihua", "li-qiang")
	status, body := ask(t, shared, "/who/api/ami", token, "")
	if status != http.StatusForbidden || !strings.Contains(body, identity.PersonHeader) || !strings.Contains(body, guihua) || !strings.Contains(body, qiang) || strings.Contains(body, "李强") {
		t.Errorf("without saying who: %d %s", status, body)
	}
	for person, want := range map[string]string{guihua: "王桂花", qiang: "李强"} {
		if status, body := ask(t, shared, "/who/api/ami", token, person); status != http.StatusOK || body != want {
			t.Errorf("as %s: %d %s", want, status, body)
		}
	}
	alone, own := start("wang-guihua")
	if status, body := ask(t, alone, "/who/api/ami", own, guihua); status != http.StatusOK || body != "王桂花" {
		t.Errorf("whoever shares with nobody, as themselves: %d %s", status, body)
	}
	unknown, strangers := start()
	for name, c := range map[string]struct {
		s             *hosttest.Server
		token, person string
	}{
		"somebody else":               {shared, token, sun},
		"nobody":                      {shared, token, "nobody"},
		"somebody else, sharing none": {alone, own, qiang},
		"somebody, while unknown":     {unknown, strangers, guihua},
	} {
		for _, path := range []string{"/who/api/ami", "/who/proven", "/who/anybody"} {
			if status, body := ask(t, c.s, path, c.token, c.person); status != http.StatusForbidden || !strings.Contains(body, identity.PersonHeader) {
				t.Errorf("as %s at %s: %d %s", name, path, status, body)
			}
		}
	}
}

// An issuer may differ from Linli's own as Keycloak does; see
// identitytest.Issuer.LikeKeycloak.
func TestKeycloak(t *testing.T) {
	release := hosttest.Release()
	release.Class.Identity.StaffACR = identitytest.KeycloakStaffACR
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}, Release: release})
	s.Issuer.LikeKeycloak()

	get := func(client *http.Client, path string) (*http.Response, string) {
		t.Helper()
		r, err := client.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(body)
	}
	r, _ := get(s.Client(t), "/identity/sign-in?staff=true")
	asked, err := url.Parse(r.Header.Get("Location"))
	if err != nil || asked.Query().Get("acr_values") != identitytest.KeycloakStaffACR {
		t.Errorf("signing in as staff leads to %s", r.Header.Get("Location"))
	}
	staff, resident := s.SignIn(t, "sun-li"), s.Client(t)
	s.SignInWith(t, resident, "sun-li", false)
	if r, body := get(staff, "/who/api/desk"); r.StatusCode != http.StatusOK || body != "孙丽" {
		t.Errorf("staff at the desk: %s %s", r.Status, body)
	}
	if r, _ := get(resident, "/who/api/desk"); r.StatusCode != http.StatusForbidden {
		t.Errorf("staff by the first level alone, at the desk: %s", r.Status)
	}
	if r, body := get(resident, "/who/ami"); r.StatusCode != http.StatusOK || body != "孙丽" {
		t.Errorf("staff by the first level alone, as a resident: %s %s", r.Status, body)
	}
	if status, body := ask(t, s, "/who/api/desk", s.Token(t, "sun-li"), ""); status != http.StatusOK || body != "孙丽" {
		t.Errorf("a token of staff: %d %s", status, body)
	}
	if status, body := ask(t, s, "/who/api/ami", s.Token(t, "li-qiang"), ""); status != http.StatusOK || body != "李强" {
		t.Errorf("a token of a resident: %d %s", status, body)
	}
	s.Issuer.Rotate()
	if status, body := ask(t, s, "/who/api/ami", s.Token(t, "li-qiang"), ""); status != http.StatusOK || body != "李强" {
		t.Errorf("a token signed with a new key: %d %s", status, body)
	}
	for name, change := range map[string]func(map[string]any){
		"without the community's audience": func(c map[string]any) { c["aud"] = "account" },
		"that is an ID token": func(c map[string]any) {
			c["aud"], c["typ"] = identitytest.ClientOf(s.Site()), "ID"
		},
		"of a sibling": func(c map[string]any) {
			c["aud"] = []string{strings.Replace(s.Site(), "zhanqian", "guting", 1), "account"}
		},
	} {
		s.Issuer.Claims = change
		token := s.Token(t, "sun-li")
		s.Issuer.Claims = nil
		if status, body := ask(t, s, "/who/api/ami", token, ""); status != http.StatusUnauthorized {
			t.Errorf("a token %s: %d %s", name, status, body)
		}
	}
	s.Issuer.Claims = func(c map[string]any) { c["acr"] = "1" }
	level1 := s.Token(t, "sun-li")
	s.Issuer.Claims = nil
	if status, _ := ask(t, s, "/who/api/desk", level1, ""); status != http.StatusForbidden {
		t.Errorf("a token of staff of the first level, at the desk: %d", status)
	}
	s.Issuer.Claims = func(c map[string]any) { c["azp"] = "civil-affairs" }
	program := s.Token(t, "sun-li")
	s.Issuer.Claims = nil
	if status, body := ask(t, s, "/who/proven", program, ""); status != http.StatusForbidden || !strings.Contains(body, "department") {
		t.Errorf("a token of another client: %d %s", status, body)
	}
}
