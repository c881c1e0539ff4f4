// Package host is what every service of a community runs in. One process runs
// any set of services; the host gives each its database, routes, languages,
// the community's configuration as it changes, and who is calling, and looks
// after starting, stopping, health, metrics and failing storage.
package host

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/a-h/templ"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/sharing"
	"github.com/linli-io/linli/internal/web"
)

// Service is one service of a community.
type Service struct {
	// Name is the prefix of its paths, /<Name>/, the name of its database and
	// its label in metrics.
	Name string
	// Root says that the service owns every path that is nobody else's.
	Root bool
	// Migrations holds sqlite/*.sql and postgres/*.sql for goose. Nil means
	// that the service has no database.
	Migrations fs.FS
	// Messages holds zh-CN.toml and en.toml, all ids beginning with "<Name>.".
	Messages fs.FS
	// Actions are what the actions in the service's audit are called: ids of
	// messages, by action. People read them where they see who did what.
	Actions map[string]string
	// Retention says how long the rows of each table of the database are kept.
	Retention []database.Retention
	// Datasets are what the service could share. Its API lists them.
	Datasets []sharing.Dataset
	// Register mounts the service's routes and starts what it needs.
	Register func(ctx context.Context, rt *Runtime) error
}

// Runtime is what a service may use.
type Runtime struct {
	// Mux takes the service's routes with their full paths, such as
	// "GET /booking/{$}". Requests reach it only beneath the service's prefix.
	Mux *Router
	// DB is the service's own database, migrated; nil without migrations.
	DB       *database.DB
	Config   *Config
	Identity *identity.Identity
	// People are whom the community knows.
	People *identity.Directory
	Pages  *web.Pages
	Clock  clock.WithTicker
	Log    *slog.Logger
	// Metrics are labelled with the service's name.
	Metrics prometheus.Registerer

	host    *Host
	service string
}

// Go runs f in the background from when the host serves until it stops; then
// ctx is done and the host waits for f. An error before that stops the host.
func (rt *Runtime) Go(name string, f func(ctx context.Context) error) {
	rt.host.background = append(rt.host.background, background{rt.service + "/" + name, f})
}

// Every has f called in the background, at once when the host serves and then
// at intervals, until the host stops.
func (rt *Runtime) Every(name string, interval time.Duration, f func(ctx context.Context)) {
	rt.Go(name, func(ctx context.Context) error { return every(ctx, rt.Clock, interval, f) })
}

// every calls f at once and then at intervals, until ctx is done.
func every(ctx context.Context, c clock.WithTicker, interval time.Duration, f func(ctx context.Context)) error {
	ticker := c.NewTicker(interval)
	defer ticker.Stop()
	for {
		f(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// Card makes f the service's card: what the portal shows of it to a reader,
// also served as a fragment at /<name>/card. The context knows who reads
// (identity.FromContext).
func (rt *Runtime) Card(f func(ctx context.Context, v web.View) templ.Component) {
	rt.host.cards = append(rt.host.cards, Card{Service: rt.service, Render: f})
	rt.Mux.HandleFunc("GET /"+rt.service+"/card", func(w http.ResponseWriter, r *http.Request) {
		rt.Pages.Render(w, r, http.StatusOK, f(r.Context(), rt.Pages.View(r)))
	})
}

// Cards returns the cards of the services that are on, in the order in which
// the services were given. It is complete once the host serves.
func (rt *Runtime) Cards() []Card { return rt.host.cards }

// Card is what the portal shows of a service.
type Card struct {
	Service string
	Render  func(ctx context.Context, v web.View) templ.Component
}

// Upload lets requests to a path have bodies of up to max bytes. All others
// may have maxBody.
func (rt *Runtime) Upload(path string, max int64) { rt.host.uploads[path] = max }

type background struct {
	name string
	run  func(ctx context.Context) error
}
