package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
)

// heard is what the service that is asked makes of a request.
type heard struct {
	Service  identity.Service
	Person   string
	Body     string
	Internal bool
}

// asked is a service that says who it thinks is asking: at an address for
// services, and at others, where nobody is one.
func asked() host.Service {
	return host.Service{Name: "asked", Register: func(_ context.Context, rt *host.Runtime) error {
		answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var h heard
			h.Service, h.Internal = identity.ServiceFromContext(r.Context())
			p, _ := identity.FromContext(r.Context())
			body, err := io.ReadAll(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			h.Person, h.Body = p.ID, string(body)
			_ = json.NewEncoder(w).Encode(h) // a lost connection
		})
		rt.Mux.Handle("/asked/internal/v1/who", rt.Identity.RequireService(answer))
		rt.Mux.Handle("GET /asked/page", answer)
		rt.Mux.Handle("GET /asked/{escaped}", answer)
		rt.Mux.Handle("GET /asked/api/mine", rt.Identity.RequirePerson(answer))
		return nil
	}}
}

// asking is a service whose client of another one is put into client, and that
// asks it on behalf of whoever looks at /asking/ask.
func asking(client **http.Client) host.Service {
	return host.Service{Name: "asking", Register: func(_ context.Context, rt *host.Runtime) error {
		*client = rt.Client("asked")
		rt.Mux.HandleFunc("GET /asking/ask", func(w http.ResponseWriter, r *http.Request) {
			request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://asked/asked/internal/v1/who", nil)
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			answer, err := (*client).Do(request)
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			defer answer.Body.Close()
			w.WriteHeader(answer.StatusCode)
			_, _ = io.Copy(w, answer.Body) // a lost connection
		})
		return nil
	}}
}

func peer(t *testing.T, name, address string) host.Peer {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return host.Peer{Service: host.Service{Name: name}, URL: u}
}

// processes runs the services asked and asking in two hosts of a community. Who
// is who, both ask the first.
func processes(t *testing.T) (there, here *hosttest.Server, client *http.Client) {
	t.Helper()
	there = hosttest.Start(t, hosttest.Options{Services: []host.Service{asked()}})
	release := hosttest.Release()
	release.Class.Identity.Issuer = there.Issuer.URL
	address := "http://" + there.Host.Addr().String()
	here = hosttest.Start(t, hosttest.Options{
		Services: []host.Service{asking(&client)}, Release: release,
		Peers: []host.Peer{peer(t, "asked", address), peer(t, "residents", address)},
	})
	return there, here, client
}

func TestServicesOfTwoProcesses(t *testing.T) {
	there, here, client := processes(t)

	answer, err := client.Post("http://asked/asked/internal/v1/who", "text/plain", strings.NewReader("what is asked for"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got heard
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got != (heard{Service: identity.Service{Name: "asking"}, Body: "what is asked for", Internal: true}) {
		t.Errorf("by itself: %s %+v, %v", answer.Status, got, err)
	}

	// The person is known here by what the other process says of them.
	person := hosttest.PersonID(t, "li-qiang")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, here.URL+"/asking/ask", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+there.Token(t, "li-qiang"))
	r, err := here.Client(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	got = heard{}
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got != (heard{Service: identity.Service{Name: "asking", Actor: person}, Internal: true}) {
		t.Errorf("on behalf of a person: %s %+v, %v", r.Status, got, err)
	}

	for path, want := range map[string]int{"/asked/internal/v1/nothing": 404, "/asked/page": 401, "/asked/api/mine": 401} {
		answer, err := client.Get("http://asked" + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, answer.Status, want)
		}
	}

	// Keys change, and the other process has not seen it.
	here.RotateKeys(t, bytes.Repeat([]byte("n"), identity.KeySize), here.Key())
	if _, body := get(t, here.Client(t), here.URL+"/asking/ask"); !strings.Contains(body, `"asking"`) {
		t.Errorf("after a change of the keys: %s", body)
	}
}

// What a stranger can send who reaches the port of pages and APIs: no proof but
// a token that this community's services made for the service that is asked
// opens what is for services, and that one opens nothing else.
func TestProofsOfServices(t *testing.T) {
	there, _, _ := processes(t)
	token := func(keys identity.Keys, community, to string, at time.Time) string {
		made, err := keys.ServiceToken(community, identity.Service{Name: "asking", Actor: hosttest.PersonID(t, "zhou-jianguo")}, to, at)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	own, now := identity.Keys{Current: there.Key()}, time.Now()
	good := token(own, "zhanqian", "asked", now)
	const scheme = identity.ServiceScheme + " "
	ask := func(path, authorization string, more ...*http.Cookie) (*http.Response, heard) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, there.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		for _, c := range more {
			request.AddCookie(c)
		}
		r, err := there.Client(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var h heard
		if r.StatusCode == http.StatusOK {
			if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
				t.Fatal(err)
			}
		}
		return r, h
	}

	if r, h := ask("/asked/internal/v1/who", scheme+good); r.StatusCode != http.StatusOK || h.Service.Name != "asking" || h.Person != "" {
		t.Fatalf("a service's own token: %s %+v", r.Status, h)
	}
	for name, c := range map[string]struct {
		authorization string
		want          int
	}{
		"nothing":                         {"", 404},
		"a resident's token":              {"Bearer " + there.Token(t, "li-qiang"), 404},
		"a manager's token":               {"Bearer " + there.Token(t, "zhou-jianguo"), 404},
		"a manager's token as a service":  {scheme + there.Token(t, "zhou-jianguo"), 401},
		"a service's token as a person's": {"Bearer " + good, 401},
		"an expired token":                {scheme + token(own, "zhanqian", "asked", now.Add(-time.Minute)), 401},
		"a token of later":                {scheme + token(own, "zhanqian", "asked", now.Add(time.Minute)), 401},
		"a token for another service":     {scheme + token(own, "zhanqian", "residents", now), 401},
		"a token of another community":    {scheme + token(own, "guting", "asked", now), 401},
		"another community's key":         {scheme + token(identity.Keys{Current: bytes.Repeat([]byte("x"), identity.KeySize)}, "zhanqian", "asked", now), 401},
		"something":                       {scheme + "asking", 401},
		"the scheme alone":                {identity.ServiceScheme, 401},
	} {
		if r, h := ask("/asked/internal/v1/who", c.authorization); r.StatusCode != c.want || h.Internal {
			t.Errorf("%s: %s %+v, want %d", name, r.Status, h, c.want)
		}
	}
	manager := there.SignIn(t, "zhou-jianguo")
	site, err := url.Parse(there.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookies := manager.Jar.Cookies(site)
	if r, _ := ask("/asked/internal/v1/who", "", cookies...); r.StatusCode != http.StatusNotFound {
		t.Errorf("a manager's session: %s", r.Status)
	}
	if r, h := ask("/asked/internal/v1/who", scheme+good, cookies...); r.StatusCode != http.StatusOK || h.Person != "" {
		t.Errorf("a service's token beside a manager's session makes %+v", h)
	}
	// Good where it is for services, it is refused everywhere else, also where
	// nobody need show anything and beside somebody's session; and there is no
	// way to write another address so that it looks like one for services.
	for _, path := range []string{
		"/", "/asked/page", "/asked/api/mine", "/identity/sessions", "/residents/internal/v1/people/" + hosttest.PersonID(t, "li-qiang"),
		"/asked%2Finternal/v1/who", "/asked/internal%2Fv1", "/asked/internal", "//asked/internal/v1/who", "/nothing/internal/v1/who",
	} {
		if r, h := ask(path, scheme+good, cookies...); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s with a service's token: %s %+v", path, r.Status, h)
		}
	}
	for _, path := range []string{"/asked/internal/../page", "/asked/internal/v1/../../api/mine", "/asked/internal/%2e%2e/page"} {
		if r, h := ask(path, scheme+good, cookies...); r.StatusCode == http.StatusOK {
			t.Errorf("%s with a service's token is answered %+v", path, h)
		}
	}
}

// Whatever becomes of a question to another process, there is an answer; that it
// is not known what has come of it is 502 or 504.
func TestPeersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	over := make(chan struct{})
	var redirected atomic.Int32
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/asked/internal/v1/slow":
			select {
			case <-over:
			case <-r.Context().Done():
			}
		case "/asked/internal/v1/halting":
			w.WriteHeader(http.StatusOK)
			fmt.Fprint(w, "half an ")
			w.(http.Flusher).Flush()
			select {
			case <-over:
			case <-r.Context().Done():
			}
		case "/asked/internal/v1/broken":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half an answer")
		case "/asked/internal/v1/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		case "/asked/internal/v1/redirected":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/elsewhere":
			redirected.Add(1)
		default:
			fmt.Fprintf(w, "%s|%s|%s", r.Host, strings.Fields(r.Header.Get("Authorization"))[0], r.Header.Get("Cookie"))
		}
	}))
	defer fake.Close()
	defer close(over)

	start := func(address string) (*http.Client, *hosttest.Server, *bytes.Buffer) {
		var client *http.Client
		var log bytes.Buffer
		s := hosttest.Start(t, hosttest.Options{Services: []host.Service{asking(&client)}, Peers: []host.Peer{peer(t, "asked", address)}, Log: &log})
		return client, s, &log
	}
	client, here, log := start(fake.URL)
	get := func(client *http.Client, path string) (int, string) {
		t.Helper()
		answer, err := client.Get("http://asked/asked/internal/v1/" + path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return answer.StatusCode, string(body)
	}
	if status, body := get(client, "fine"); status != http.StatusOK || body != "zhanqian.localhost|"+identity.ServiceScheme+"|" {
		t.Errorf("an answer: %d %q", status, body)
	}
	for path, want := range map[string]int{
		"slow?query=王桂花": http.StatusGatewayTimeout, "halting": http.StatusGatewayTimeout, "broken": http.StatusBadGateway,
		"endless": http.StatusBadGateway, "redirected": http.StatusTemporaryRedirect,
	} {
		began := time.Now()
		if status, body := get(client, path); status != want || status >= 500 && body != "" {
			t.Errorf("%s: %d %q, want %d", path, status, body, want)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("%s was waited for %s", path, took)
		}
	}
	if redirected.Load() > 0 {
		t.Error("a redirect was followed")
	}
	toNobody, alone, aloneLog := start("http://" + gone.Addr().String())
	if status, _ := get(toNobody, "people?query=王桂花"); status != http.StatusBadGateway {
		t.Errorf("where nobody listens: %d", status)
	}
	here.Stop(t)
	alone.Stop(t)
	if text := log.String() + aloneLog.String(); !strings.Contains(text, "did not answer") || strings.Contains(text, "people") || strings.Contains(text, "query") || strings.Contains(text, "王桂花") {
		t.Errorf("the log should say that somebody did not answer, and not what was asked: %s", text)
	}
}

// Those who ask all services ask the ones in other processes too.
func TestPeersAreServicesOfTheCommunity(t *testing.T) {
	other := host.Peer{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, Service: host.Service{
		Name: "other", Migrations: fstest.MapFS{}, Actions: map[string]string{"other.look": "other.action.look"},
	}}
	var runtime *host.Runtime
	var log bytes.Buffer
	hosttest.Start(t, hosttest.Options{Log: &log, Peers: []host.Peer{other, peer(t, "residents", "http://127.0.0.1:1")}, Services: []host.Service{service(func(rt *host.Runtime) {
		runtime = rt
		rt.Personal(host.Personal{})
	})}})
	// Whom nobody named is not asked, and that is said.
	if !strings.Contains(log.String(), `services="portal messages"`) {
		t.Errorf("it is not said which services are not reached: %s", log.String())
	}
	if got := runtime.PersonalServices(); !slices.Equal(got, []string{"other", "probe"}) {
		t.Errorf("personal data is kept by %v", got)
	}
	if got := runtime.AuditedServices(); !slices.Equal(got, []string{"other"}) {
		t.Errorf("a record of who did what is kept by %v", got)
	}
	if got := runtime.Actions()["other.look"]; got != "other.action.look" {
		t.Errorf("the action is called %q", got)
	}

	for _, peers := range [][]host.Peer{{peer(t, "probe", "http://127.0.0.1:1")}, {other, other}} {
		_, err := hosttest.TryStart(t, hosttest.Options{Peers: peers, Services: []host.Service{service(func(*host.Runtime) {})}})
		if err == nil || !strings.Contains(err.Error(), "service "+peers[0].Service.Name) {
			t.Errorf("started with peers %v: %v", peers, err)
		}
	}
}
