// Package portal is a community's front page: who the community is, how to
// reach it, and the services that are on.
package portal

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/web"
)

//go:embed messages/*.toml
var messages embed.FS

// Service is the portal. It owns every path that no other service has.
func Service() (host.Service, error) {
	texts, err := fs.Sub(messages, "messages")
	if err != nil {
		return host.Service{}, err
	}
	return host.Service{Name: "portal", Root: true, Messages: texts, Register: register}, nil
}

func register(_ context.Context, rt *host.Runtime) error {
	p := &portal{rt}
	rt.Mux.HandleFunc("GET /{$}", p.front)
	rt.Mux.HandleFunc("GET /robots.txt", robots)
	rt.Mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, web.Asset("logo.svg"), http.StatusFound)
	})
	return nil
}

type portal struct{ rt *host.Runtime }

func (p *portal) front(w http.ResponseWriter, r *http.Request) {
	v := p.rt.Pages.View(r)
	var cards []templ.Component
	for _, c := range p.rt.Cards() {
		cards = append(cards, p.card(r.Context(), v, c))
	}
	page := frontPage(v, greeting(p.rt.Clock.Now().In(v.Location)), cards)
	p.rt.Pages.Render(w, r, http.StatusOK, page)
}

// cardTime is how long a service may take for its card.
const cardTime = time.Second

// card renders the card of a service. One that fails or dawdles is replaced by
// a plain link: no service can take the front page down.
func (p *portal) card(ctx context.Context, v web.View, c host.Card) templ.Component {
	ctx, cancel := context.WithTimeout(ctx, cardTime)
	defer cancel()
	html, err := renderCard(ctx, v, c)
	if err != nil {
		p.rt.Log.Error("card not rendered", "card", c.Service, "error", err.Error())
		return plainCard(v, c.Service)
	}
	return templ.Raw(html)
}

func renderCard(ctx context.Context, v web.View, c host.Card) (html string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic with a %T", p)
		}
	}()
	var b bytes.Buffer
	if err := c.Render(ctx, v).Render(ctx, &b); err != nil {
		return "", err
	}
	return b.String(), nil
}

// greeting is the message that greets at a time of day.
func greeting(now time.Time) string {
	switch h := now.Hour(); {
	case h < 5 || h >= 22:
		return "portal.greeting.night"
	case h < 12:
		return "portal.greeting.morning"
	case h < 18:
		return "portal.greeting.afternoon"
	}
	return "portal.greeting.evening"
}

// homes is the number of homes in all estates.
func homes(estates []v1alpha1.Estate) int {
	n := 0
	for _, e := range estates {
		n += int(e.Households)
	}
	return n
}

// robots asks search engines to stay with the front page: what is beneath it
// is for residents.
func robots(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	// An error here is a lost connection.
	_, _ = w.Write([]byte("User-agent: *\nAllow: /$\nDisallow: /\n"))
}
