package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
)

// whoami says who is calling, to pages and to programs.
func whoami() host.Service {
	return host.Service{Name: "who", Register: func(_ context.Context, rt *host.Runtime) error {
		answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, _ := identity.FromContext(r.Context())
			fmt.Fprint(w, p.Name)
		})
		rt.Mux.Handle("GET /who/ami", rt.Identity.RequirePerson(answer))
		rt.Mux.Handle("GET /who/api/ami", rt.Identity.RequirePerson(answer))
		rt.Mux.Handle("POST /who/ami", rt.Identity.RequirePerson(answer))
		rt.Mux.Handle("GET /who/desk", rt.Identity.RequireDuty(identity.FrontDesk, rt.Pages.Error, answer))
		rt.Mux.Handle("GET /who/manager", rt.Identity.RequireDuty(identity.Manager, rt.Pages.Error, answer))
		rt.Mux.Handle("GET /who/api/desk", rt.Identity.RequireDuty(identity.FrontDesk, rt.Pages.Error, answer))
		return nil
	}}
}

func TestSignInAndBack(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	client := s.Client(t)
	r, _ := get(t, client, s.URL+"/who/ami")
	location := r.Header.Get("Location")
	if r.StatusCode != http.StatusSeeOther || location != "/identity/sign-in?return=%2Fwho%2Fami" {
		t.Fatalf("without signing in: %s to %q", r.Status, location)
	}
	_, page := get(t, client, s.URL+location)
	for _, want := range []string{"这是演示", `name="return" value="/who/ami"`, `value="wang-guihua"`, "王桂花"} {
		if !strings.Contains(page, want) {
			t.Errorf("the sign-in page does not have %q", want)
		}
	}
	r = post(t, client, s.URL+"/identity/sign-in", url.Values{"person": {"wang-guihua"}, "return": {"/who/ami"}}, nil)
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/who/ami" {
		t.Fatalf("signing in: %s to %q", r.Status, r.Header.Get("Location"))
	}
	if _, body := get(t, client, s.URL+"/who/ami"); body != "王桂花" {
		t.Errorf("signed in as %q", body)
	}
	if _, body := get(t, client, s.URL+"/who/api/ami"); body != "王桂花" {
		t.Errorf("the session in the API is of %q", body)
	}
	if r := post(t, client, s.URL+"/identity/sign-out", nil, nil); r.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out: %s", r.Status)
	}
	if r, _ := get(t, client, s.URL+"/who/ami"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out: %s", r.Status)
	}
	if r := post(t, client, s.URL+"/identity/sign-in", url.Values{"person": {"nobody"}}, nil); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("signing in as nobody: %s", r.Status)
	}
}

func TestPagesOfStaff(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	for _, c := range []struct {
		account, path string
		status        int
		text          string
	}{
		{"sun-li", "/who/desk", http.StatusOK, "孙丽"},
		{"sun-li", "/who/api/desk", http.StatusOK, "孙丽"},
		{"zhou-jianguo", "/who/desk", http.StatusOK, "周建国"},
		{"zhou-jianguo", "/who/manager", http.StatusOK, "周建国"},
		{"sun-li", "/who/manager", http.StatusForbidden, "<h1>这里不能进入</h1>"},
		{"li-qiang", "/who/desk", http.StatusForbidden, "<h1>这里不能进入</h1>"},
		{"li-qiang", "/who/api/desk", http.StatusForbidden, "FrontDesk"},
	} {
		r, body := get(t, s.SignIn(t, c.account), s.URL+c.path)
		if r.StatusCode != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s at %s: %s, want %d with %q", c.account, c.path, r.Status, c.status, c.text)
		}
	}
	if r, _ := get(t, s.Client(t), s.URL+"/who/desk"); r.Header.Get("Location") != "/identity/sign-in?return=%2Fwho%2Fdesk" {
		t.Errorf("without signing in: %s to %q", r.Status, r.Header.Get("Location"))
	}
}

func TestReturnAddressStaysHere(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{})
	for _, evil := range []string{
		"https://evil.example/", "//evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "javascript:alert(1)",
		"evil.example", " //evil.example", "/%0a/evil", "http:evil", "", "///evil.example", "/a\r\nSet-Cookie: x=y",
	} {
		for _, form := range []string{"/identity/sign-in", "/preferences"} {
			r := post(t, s.Client(t), s.URL+form, url.Values{"person": {"li-qiang"}, "lang": {"en"}, "return": {evil}}, nil)
			if got := r.Header.Get("Location"); got != "/" && evil != "/%0a/evil" {
				t.Errorf("%s with return address %q leads to %q", form, evil, got)
			}
		}
		_, page := get(t, s.Client(t), s.URL+"/identity/sign-in?return="+url.QueryEscape(evil))
		if evil != "/%0a/evil" && !strings.Contains(page, `name="return" value="/"><ul`) {
			t.Errorf("the sign-in page takes the return address %q", evil)
		}
	}
}

func TestCrossSiteRequestsAreRefused(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	client := s.SignIn(t, "li-qiang")
	sibling := strings.Replace(s.URL, "zhanqian", "guting", 1)
	for name, c := range map[string]struct {
		header http.Header
		status int
	}{
		"our own page":                  {http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {s.URL}}, http.StatusOK},
		"a script":                      {nil, http.StatusOK},
		"an old browser, our own page":  {http.Header{"Origin": {s.URL}}, http.StatusOK},
		"another site":                  {http.Header{"Sec-Fetch-Site": {"cross-site"}}, http.StatusForbidden},
		"a sibling community":           {http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {sibling}}, http.StatusForbidden},
		"an old browser on a sibling":   {http.Header{"Origin": {sibling}}, http.StatusForbidden},
		"an old browser on no origin":   {http.Header{"Origin": {"null"}}, http.StatusForbidden},
		"an old browser, another port":  {http.Header{"Origin": {"http://zhanqian.localhost:1"}}, http.StatusForbidden},
		"another site without a cookie": {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Cookie": {"x=y"}}, http.StatusForbidden},
	} {
		if r := post(t, client, s.URL+"/who/ami", nil, c.header); r.StatusCode != c.status {
			t.Errorf("a form of %s: %s, want %d", name, r.Status, c.status)
		}
		if name == "our own page" || name == "a script" || strings.HasSuffix(name, "our own page") {
			continue
		}
		for _, form := range []string{"/identity/sign-out", "/identity/sign-in", "/preferences", "/identity/demo/token"} {
			if r := post(t, client, s.URL+form, nil, c.header); r.StatusCode != http.StatusForbidden {
				t.Errorf("%s from %s: %s", form, name, r.Status)
			}
		}
	}
	if _, body := get(t, client, s.URL+"/who/ami"); body != "李强" {
		t.Error("a request from elsewhere signed the person out")
	}
}

func TestTokens(t *testing.T) {
	ours := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	siblings := hosttest.Community()
	siblings.Name, siblings.UID = "guting", "another"
	sibling := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}, Community: siblings})

	ask := func(token string) (int, string) {
		request, err := http.NewRequest(http.MethodGet, ours.URL+"/who/api/ami", nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		r, err := ours.Client(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return r.StatusCode, ""
		}
		var problem struct{ Detail string }
		if err := json.NewDecoder(r.Body).Decode(&problem); err != nil {
			t.Errorf("no problem document: %v", err)
		}
		if r.Header.Get("WWW-Authenticate") == "" {
			t.Error("no WWW-Authenticate")
		}
		return r.StatusCode, problem.Detail
	}
	if status, detail := ask(ours.Token(t, "sun-li")); status != http.StatusOK {
		t.Errorf("with a token: %d %s", status, detail)
	}
	for name, token := range map[string]string{"none": "", "nonsense": "nonsense", "a sibling's": sibling.Token(t, "sun-li")} {
		if status, detail := ask(token); status != http.StatusUnauthorized || detail == "" {
			t.Errorf("with a token that is %s: %d %q", name, status, detail)
		}
	}
}

// With a class that is not for demonstrations there is no way in, and no link
// to one.
func TestNoDemoOutsideOfLocalhost(t *testing.T) {
	release := hosttest.Release()
	release.Class.Domain = "yutai.example"
	release.Class.Gateway.Scheme = v1alpha1.SchemeHTTPS
	s := hosttest.Start(t, hosttest.Options{Release: release, Services: []host.Service{whoami()}})
	client := s.Client(t)
	if r, page := get(t, client, s.URL+"/identity/sign-in"); r.StatusCode != http.StatusNotFound || strings.Contains(page, "王桂花") ||
		strings.Contains(page, "/identity/sign-in?") {
		t.Errorf("the sign-in page: %s", r.Status)
	}
	if r, _ := get(t, client, s.URL+"/identity/demo/people"); r.StatusCode != http.StatusNotFound {
		t.Errorf("the list of people: %s", r.Status)
	}
	for _, path := range []string{"/identity/sign-in", "/identity/demo/token"} {
		r, err := client.Post(s.URL+path, "application/json", strings.NewReader(`{"person":"li-qiang"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusNotFound || len(r.Cookies()) > 0 {
			t.Errorf("%s: %s, cookies %v", path, r.Status, r.Cookies())
		}
	}
}

func TestPreferences(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{})
	client := s.Client(t)
	page := func() string {
		_, body := get(t, client, s.URL+"/identity/sign-in?return=%2Fa")
		return body
	}
	if p := page(); !strings.Contains(p, `lang="zh-CN"`) || !strings.Contains(p, "要不要换成长辈版") || strings.Contains(p, `class="elder"`) {
		t.Error("the first visit is not in Chinese, in standard mode, with elder mode on offer")
	}
	if p := page(); !strings.Contains(p, `name="return" value="/identity/sign-in?return=%2Fa"`) {
		t.Error("the switches do not lead back to the page")
	}
	r := post(t, client, s.URL+"/preferences", url.Values{"mode": {"elder"}, "return": {"/identity/sign-in?return=%2Fa"}}, nil)
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/identity/sign-in?return=%2Fa" {
		t.Fatalf("choosing elder mode: %s to %q", r.Status, r.Header.Get("Location"))
	}
	c := r.Cookies()[0]
	if c.Name != "linli-preferences" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge < int((300*24*time.Hour).Seconds()) {
		t.Errorf("the preferences cookie: %+v", c)
	}
	if p := page(); !strings.Contains(p, `class="elder"`) || strings.Contains(p, "要不要换成长辈版") {
		t.Error("elder mode is not in force, or still on offer")
	}
	post(t, client, s.URL+"/preferences", url.Values{"lang": {"en"}}, nil)
	if p := page(); !strings.Contains(p, `class="elder"`) || !strings.Contains(p, `<html lang="en"`) {
		t.Error("English, or elder mode with it, is not in force")
	}
	post(t, client, s.URL+"/preferences", url.Values{"lang": {"xx"}, "mode": {"tiny"}}, nil)
	if p := page(); !strings.Contains(p, `class="elder"`) || !strings.Contains(p, `<html lang="en"`) {
		t.Error("choices that do not exist changed something")
	}
	post(t, client, s.URL+"/preferences", url.Values{"mode": {"standard"}}, nil)
	if p := page(); strings.Contains(p, `class="elder"`) || strings.Contains(p, "Would you like elder mode") {
		t.Error("standard mode is not in force, or elder mode is on offer again")
	}
}

func post(t *testing.T, client *http.Client, url string, form url.Values, header http.Header) *http.Response {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range header {
		request.Header[name] = values
	}
	r, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r
}
