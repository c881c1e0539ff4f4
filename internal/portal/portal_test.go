package portal_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/portal"
	"github.com/linli-io/linli/internal/web"
)

func start(t *testing.T, o hosttest.Options) *hosttest.Server {
	t.Helper()
	p, err := portal.Service()
	if err != nil {
		t.Fatal(err)
	}
	o.Services = append([]host.Service{p}, o.Services...)
	return hosttest.Start(t, o)
}

func get(t *testing.T, client *http.Client, url, language string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Language", language)
	request.Header.Set("Accept", "text/html")
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

func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

func TestFrontPage(t *testing.T) {
	// 8 o'clock in the evening in the community, noon in UTC.
	c := testclock.NewFakeClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	s := start(t, hosttest.Options{Clock: c})
	r, page := get(t, s.Client(t), s.URL+"/", "zh-CN")
	if r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	wants(t, page, "晚上好", "欢迎来到站前社区", "鱼台县", "滨湖街道", "tel:05370000101", "2个", "516户", "站前花园", "铁路家属院")
	_, page = get(t, s.Client(t), s.URL+"/", "en-GB,en;q=0.9")
	wants(t, page, "Good evening", "Welcome to 站前社区", "2 estates", "516 homes", "铁路家属院")
	_, page = get(t, s.Client(t), s.URL+"/", "")
	wants(t, page, "晚上好")

	s.Configure(t, func(c *v1alpha1.Community) { c.Spec.Estates = c.Spec.Estates[:1] })
	client := s.Client(t)
	deadline := time.After(20 * time.Second)
	for {
		if _, page = get(t, client, s.URL+"/", "en"); strings.Contains(page, "1 estate<") {
			break
		}
		select {
		case <-deadline:
			t.Fatal("the front page does not follow the manifest")
		default:
		}
	}
}

// carded is a service that has a card.
func carded(name string, card func(ctx context.Context, v web.View) templ.Component) host.Service {
	return host.Service{Name: name, Register: func(_ context.Context, rt *host.Runtime) error {
		rt.Card(card)
		return nil
	}}
}

func TestCards(t *testing.T) {
	s := start(t, hosttest.Options{Services: []host.Service{
		carded("one", func(ctx context.Context, v web.View) templ.Component {
			p, _ := identity.FromContext(ctx)
			return templ.Raw("<p>card of one for " + p.Name + " in " + string(v.Lang) + "</p>")
		}),
		carded("two", func(context.Context, web.View) templ.Component {
			return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
				io.WriteString(w, "half a card")
				return errors.New("no")
			})
		}),
		carded("three", func(context.Context, web.View) templ.Component { panic("no") }),
		carded("four", func(ctx context.Context, _ web.View) templ.Component {
			<-ctx.Done() // hangs as long as it is let
			return templ.ComponentFunc(func(ctx context.Context, _ io.Writer) error { return ctx.Err() })
		}),
	}})
	_, page := get(t, s.SignIn(t, "li-qiang"), s.URL+"/", "en")
	wants(t, page, "<p>card of one for 李强 in en</p>", `href="/two/"`, `href="/three/"`, `href="/four/"`, "</html>")
	if strings.Contains(page, "half a card") {
		t.Error("half of a card is on the page")
	}
}

func TestWellKnownFiles(t *testing.T) {
	s := start(t, hosttest.Options{})
	if r, body := get(t, s.Client(t), s.URL+"/robots.txt", "en"); r.StatusCode != http.StatusOK || !strings.Contains(body, "Disallow: /") {
		t.Errorf("robots.txt: %s, %s", r.Status, body)
	}
	r, _ := get(t, s.Client(t), s.URL+"/favicon.ico", "en")
	if r, body := get(t, s.Client(t), s.URL+r.Header.Get("Location"), "en"); r.Header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(body, "<svg") {
		t.Errorf("favicon.ico leads to %s", r.Header.Get("Content-Type"))
	}
}
