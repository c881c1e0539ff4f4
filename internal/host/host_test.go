package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/a-h/templ"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/web"
)

// service is one with what each test gives it.
func service(register func(rt *host.Runtime)) host.Service {
	return host.Service{Name: "probe", Register: func(_ context.Context, rt *host.Runtime) error {
		register(rt)
		return nil
	}}
}

func TestStopLetsRequestsFinish(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Mux.HandleFunc("GET /probe/slow", func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-finish
			io.WriteString(w, "done")
		})
		rt.Mux.HandleFunc("GET /probe/quick", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "quick") })
	})}})
	slow := make(chan string)
	go func() {
		_, body := get(t, s.Client(t), s.URL+"/probe/slow")
		slow <- body
	}()
	<-entered
	s.BeginStop()
	client := s.Client(t)
	await(t, "requests turned away while stopping", func() bool {
		r, _ := get(t, client, s.URL+"/probe/quick")
		return r.StatusCode == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != ""
	})
	if r, _ := get(t, http.DefaultClient, s.MetricsURL+"/readyz"); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready while stopping: %s", r.Status)
	}
	if r, _ := get(t, http.DefaultClient, s.MetricsURL+"/livez"); r.StatusCode != http.StatusOK {
		t.Errorf("not alive while stopping: %s", r.Status)
	}
	close(finish)
	if body := <-slow; body != "done" {
		t.Errorf("the slow request got %q", body)
	}
	if err := <-s.Ended(); err != nil {
		t.Error(err)
	}
}

func TestConfigurationChanges(t *testing.T) {
	phones := make(chan string, 10)
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Config.OnChange(func(_ context.Context, s host.Snapshot) error {
			phones <- s.Community.Spec.Phone
			return nil
		})
	})}})
	if got := <-phones; got != "0537-0000101" {
		t.Errorf("at the start the phone number is %q", got)
	}
	s.Configure(t, func(c *v1alpha1.Community) { c.Spec.Phone = "0537-7777777" })
	if got := <-phones; got != "0537-7777777" {
		t.Errorf("after the change the phone number is %q", got)
	}
	await(t, "the new number on a page", func() bool {
		_, body := get(t, s.Client(t), s.URL+"/nowhere")
		return strings.Contains(body, "0537-7777777")
	})

	// A broken file keeps what was good, and says so.
	path := filepath.Join(s.ConfigDir, "community.yaml")
	if err := os.WriteFile(path, []byte("spec: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the metric to say that the configuration is broken", func() bool {
		return metric(t, s, "linli_config_good") == "0"
	})
	if _, body := get(t, s.Client(t), s.URL+"/nowhere"); !strings.Contains(body, "0537-7777777") {
		t.Error("the last good configuration is gone")
	}
	s.WriteConfig(t)
	await(t, "the metric to say that the configuration is good", func() bool {
		return metric(t, s, "linli_config_good") == "1"
	})
}

// Kubernetes replaces a ConfigMap by swapping the link ..data in the directory.
func TestConfigurationChangesAsKubernetesDoesIt(t *testing.T) {
	phones := make(chan string, 10)
	s := hosttest.Start(t, hosttest.Options{
		ConfigVolume: true,
		Services: []host.Service{service(func(rt *host.Runtime) {
			rt.Config.OnChange(func(_ context.Context, s host.Snapshot) error {
				phones <- s.Community.Spec.Phone
				return nil
			})
		})}})
	<-phones
	s.Configure(t, func(c *v1alpha1.Community) { c.Spec.Phone = "0537-7777777" })
	select {
	case got := <-phones:
		if got != "0537-7777777" {
			t.Errorf("after the change the phone number is %q", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("the change did not arrive")
	}
}

func TestAnotherCommunitysConfigurationIsNotTaken(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{})
	s.Configure(t, func(c *v1alpha1.Community) { c.UID = "another"; c.Spec.Phone = "0537-6666666" })
	await(t, "the metric to say that the configuration is broken", func() bool {
		return metric(t, s, "linli_config_good") == "0"
	})
	if _, body := get(t, s.Client(t), s.URL+"/nowhere"); strings.Contains(body, "0537-6666666") {
		t.Error("the configuration of another community is in force")
	}
}

func TestBadConfigurationKeepsFromStarting(t *testing.T) {
	for field, change := range map[string]func(*v1alpha1.Community, *v1alpha1.Release){
		"metadata.uid":  func(c *v1alpha1.Community, _ *v1alpha1.Release) { c.UID = "" },
		"spec.timeZone": func(c *v1alpha1.Community, _ *v1alpha1.Release) { c.Spec.TimeZone = "Asia/Yutai" },
		"class.domain":  func(_ *v1alpha1.Community, r *v1alpha1.Release) { r.Class.Domain = "" },
	} {
		c, r := hosttest.Community(), hosttest.Release()
		change(c, r)
		_, err := hosttest.TryStart(t, hosttest.Options{Community: c, Release: r})
		if err == nil || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), ".yaml") {
			t.Errorf("started with a bad %s, or the error does not name it: %v", field, err)
		}
	}
}

func TestServiceThatRefusesTheConfigurationKeepsFromStarting(t *testing.T) {
	_, err := hosttest.TryStart(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Config.OnChange(func(context.Context, host.Snapshot) error { return errors.New("no such venue") })
	})}})
	if err == nil || !strings.Contains(err.Error(), "no such venue") {
		t.Errorf("got %v", err)
	}
}

func TestBackgroundWork(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Go("work", func(ctx context.Context) error {
			close(began)
			<-ctx.Done()
			close(ended)
			return ctx.Err()
		})
	})}})
	<-began
	s.Stop(t)
	select {
	case <-ended:
	default:
		t.Error("the host stopped before its background work")
	}

	broken := hosttest.Start(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Go("work", func(context.Context) error { return errors.New("out of luck") })
	})}})
	if err := <-broken.Ended(); err == nil || !strings.Contains(err.Error(), "probe/work: out of luck") {
		t.Errorf("the host ended with %v", err)
	}
}

func TestServiceStaysBeneathItsPrefix(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Mux.HandleFunc("GET /other/page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "mine") })
		rt.Mux.HandleFunc("POST /identity/sign-out", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "mine") })
	})}})
	if _, body := get(t, s.Client(t), s.URL+"/other/page"); body == "mine" {
		t.Error("a service answers outside of its prefix")
	}
	r, err := s.Client(t).Post(s.URL+"/identity/sign-out", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out: %s, want the host's own answer", r.Status)
	}
}

func TestErrorsAreFriendly(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Mux.HandleFunc("GET /probe/panic", func(http.ResponseWriter, *http.Request) { panic("secret 13800138000") })
		rt.Mux.HandleFunc("GET /probe/api/panic", func(http.ResponseWriter, *http.Request) { panic("secret 13800138000") })
		rt.Mux.HandleFunc("GET /probe/broken", func(w http.ResponseWriter, r *http.Request) {
			rt.Pages.Render(w, r, http.StatusOK, templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
				io.WriteString(w, "half a page")
				return errors.New("secret 13800138000")
			}))
		})
	})}})
	for _, c := range []struct {
		path   string
		status int
		page   bool
	}{
		{"/probe/panic", 500, true},
		{"/probe/api/panic", 500, false},
		{"/probe/broken", 500, true},
		{"/probe/nothing", 404, true},
		{"/nothing", 404, true},
		{"/static/nothing.css", 404, true},
		{"/probe/api/nothing", 404, false},
		{"/preferences", 405, true},
	} {
		r, body := get(t, s.Client(t), s.URL+c.path)
		if r.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", c.path, r.Status, c.status)
		}
		if strings.Contains(body, "13800138000") || strings.Contains(body, "half a page") {
			t.Errorf("%s shows what went wrong inside: %s", c.path, body)
		}
		if c.page && (!strings.Contains(body, "tel:05370000101") || !strings.Contains(body, "</html>")) {
			t.Errorf("%s: no page with the phone number: %s", c.path, body)
		}
		var document struct{ Status int }
		if !c.page && (r.Header.Get("Content-Type") != "application/problem+json" ||
			json.Unmarshal([]byte(body), &document) != nil || document.Status != c.status) {
			t.Errorf("%s: not a problem document: %s", c.path, body)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Mux.HandleFunc("GET /probe/panic", func(http.ResponseWriter, *http.Request) { panic("no") })
	})}})
	inline := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son\w+=|javascript:`)
	for _, path := range []string{"/identity/sign-in", web.Asset("style.css"), "/nothing", "/probe/panic", "/identity/sessions"} {
		r, body := get(t, s.Client(t), s.URL+path)
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
				"form-action 'self' " + s.Issuer.URL + "; frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "same-origin",
		} {
			if got := r.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
		if r.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s has no request id", path)
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") && inline.MatchString(body) {
			t.Errorf("%s has something inline that the policy forbids: %s", path, inline.FindString(body))
		}
	}
	if r, _ := get(t, s.Client(t), s.URL+web.Asset("style.css")); !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("styles are not kept by browsers: %q", r.Header.Get("Cache-Control"))
	}
}

// An id that a proxy gave a request is kept, so that its log and ours fit; what
// a caller makes up instead comes into no log.
func TestRequestID(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{})
	for id, kept := range map[string]bool{
		"0198a0aa-9fd2-7d2e-8f4e-0123456789ab": true, "4bf92f3577b34da6a3ce929d0e0e4736": true,
		"": false, "13911115678": false, "110101195001011234": false, "Li-Qiang.1988": false, "{0198a0aa-9fd2-7d2e-8f4e-0123456789ab}": false,
		strings.Repeat("x", 36): false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/nowhere", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Request-Id", id)
		answer, err := s.Client(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if got := answer.Header.Get("X-Request-Id"); got == "" || (got == id) != kept {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestFirstPageIsSmall(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{})
	total := 0
	for _, path := range []string{"/nowhere", web.Asset("style.css"), web.Asset("logo.svg"), web.Asset("lane.svg")} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept-Encoding", "gzip") // set by hand: the client does not unpack it
		r, err := s.Client(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(body) > 2048 && r.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not compressed", path)
		}
		total += len(body)
	}
	if total > 60<<10 {
		t.Errorf("the first page has %d bytes, want at most 60 KB", total)
	}
	t.Logf("%d bytes compressed", total)
}

func TestOtherHostNamesAreRefused(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{})
	for _, name := range []string{"guting.localhost", "localhost", "127.0.0.1", "zhanqian.localhost.evil.example", "evil.example:8080"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/robots", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = name
		r, err := s.Client(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("a request for %s: %s", name, r.Status)
		}
	}
}

func TestLogsAndMetricsHoldNothingPersonal(t *testing.T) {
	var log bytes.Buffer
	s := hosttest.Start(t, hosttest.Options{Log: &log, Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Mux.HandleFunc("GET /probe/people/{id}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	})}})
	client := s.SignIn(t, "li-qiang")
	get(t, client, s.URL+"/probe/people/13800138000?name=%E6%9D%8E%E5%BC%BA")
	get(t, client, s.URL+"/probe/nobody/13800138000")
	await(t, "the route in the metrics", func() bool {
		_, body := get(t, http.DefaultClient, s.MetricsURL+"/metrics")
		return strings.Contains(body, `route="GET /probe/people/{id}"`)
	})
	_, metrics := get(t, http.DefaultClient, s.MetricsURL+"/metrics")
	s.Stop(t)
	for _, secret := range []string{"13800138000", "%E6%9D%8E", "李强", "li-qiang", "Li Qiang"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
		if strings.Contains(metrics, secret) {
			t.Errorf("the metrics hold %q", secret)
		}
	}
	if !strings.Contains(log.String(), "GET /probe/people/{id}") {
		t.Errorf("the log does not name the route:\n%s", log.String())
	}
}

func TestCards(t *testing.T) {
	var cards []host.Card
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{service(func(rt *host.Runtime) {
		rt.Card(func(context.Context, web.View) templ.Component { return templ.Raw("<p>two seats free</p>") })
		rt.Mux.HandleFunc("GET /probe/cards", func(http.ResponseWriter, *http.Request) { cards = rt.Cards() })
	})}})
	if _, body := get(t, s.Client(t), s.URL+"/probe/card"); body != "<p>two seats free</p>" {
		t.Errorf("the card is %q", body)
	}
	get(t, s.Client(t), s.URL+"/probe/cards")
	if len(cards) != 1 || cards[0].Service != "probe" {
		t.Errorf("the cards are %v", cards)
	}
}

func get(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html,*/*")
	r, err := client.Do(request)
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

// metric returns the value of a metric without labels.
func metric(t *testing.T, s *hosttest.Server, name string) string {
	t.Helper()
	_, body := get(t, http.DefaultClient, s.MetricsURL+"/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// await asks again and again until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	over := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

var notes = fstest.MapFS{
	"sqlite/00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (id INTEGER PRIMARY KEY, body BLOB NOT NULL);\n")},
}
