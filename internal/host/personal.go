package host

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/notify"
)

// Personal is what a service keeps about people, to be handed over to them and
// to be erased (PIPL Arts. 45 and 47).
type Personal struct {
	// Export returns what the service keeps about a person, for JSON.
	Export func(ctx context.Context, person string) (any, error)
	// Erase removes it, in so far as no law says that it must stay. Erasing
	// again is no error.
	Erase func(ctx context.Context, person string) error
	// Obstacle, if set, says by language (zh-CN and en) why a person cannot be
	// deleted yet, such as for money that is theirs; empty if they can be.
	Obstacle func(ctx context.Context, person string) (map[string]string, error)
}

// personalPath is where a service answers the service of residents.
func personalPath(service string) string {
	return internalPath(service) + "personal/v1/people/{person}"
}

// Personal lets the service of residents hand over and erase what this service
// keeps about people.
func (rt *Runtime) Personal(p Personal) {
	rt.host.personal = append(rt.host.personal, rt.service)
	failed := func(w http.ResponseWriter, r *http.Request, err error) {
		rt.Log.ErrorContext(r.Context(), "personal data not handled", "error", oneLine(err))
		identity.Problem(w, http.StatusInternalServerError, "The service could not do this; it was recorded.")
	}
	rt.Mux.Handle("GET "+personalPath(rt.service), rt.Identity.RequireService(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := p.Export(r.Context(), r.PathValue("person"))
		if err != nil {
			failed(w, r, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, http.StatusOK, data)
	})))
	if p.Obstacle != nil {
		rt.Mux.Handle("GET "+personalPath(rt.service)+"/obstacle", rt.Identity.RequireService(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, err := p.Obstacle(r.Context(), r.PathValue("person"))
			if err != nil {
				failed(w, r, err)
				return
			}
			writeJSON(w, http.StatusOK, map[string]any{"text": text})
		})))
	}
	rt.Mux.Handle("DELETE "+personalPath(rt.service), rt.Identity.RequireService(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := rt.erase(r.Context(), p, r.PathValue("person")); err != nil {
			failed(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})))
}

// erase removes what a service keeps about a person, and what it still had to
// tell them.
func (rt *Runtime) erase(ctx context.Context, p Personal, person string) error {
	if err := p.Erase(ctx, person); err != nil || rt.DB == nil {
		return err
	}
	return rt.DB.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return notify.Forget(ctx, tx, person) })
}

// PersonalServices are the services that keep something about people: of those
// in other processes all that keep anything. It is complete once the host
// serves.
func (rt *Runtime) PersonalServices() []string { return append(rt.host.keeping(), rt.host.personal...) }

// keeping are the services in other processes that have a database.
func (h *Host) keeping() (names []string) {
	for _, p := range h.options.Peers {
		if p.Service.Migrations != nil {
			names = append(names, p.Service.Name)
		}
	}
	return names
}

const (
	// maxAudit is how many entries about a person are handed over, the latest.
	maxAudit = 1000
	// maxAuditBetween is how many entries of a time are.
	maxAuditBetween = 2000
)

// mountAudit lets the service of residents ask who did what, about a person or
// from a moment on and before another (from and to, RFC 3339).
func (rt *Runtime) mountAudit() {
	handle := func(path string, read func(r *http.Request) ([]audit.Record, error)) {
		rt.Mux.Handle("GET "+internalPath(rt.service)+"audit/v1/"+path, rt.Identity.RequireService(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			records, err := read(r)
			if err != nil {
				rt.Log.ErrorContext(r.Context(), "audit not read", "error", oneLine(err))
				identity.Problem(w, http.StatusInternalServerError, "The service could not do this; it was recorded.")
				return
			}
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, http.StatusOK, map[string]any{"records": records})
		})))
	}
	handle("people/{person}", func(r *http.Request) ([]audit.Record, error) {
		return audit.About(r.Context(), rt.DB, r.PathValue("person"), maxAudit)
	})
	handle("entries", func(r *http.Request) ([]audit.Record, error) {
		from, err := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
		if err != nil {
			return nil, err
		}
		to, err := time.Parse(time.RFC3339, r.URL.Query().Get("to"))
		if err != nil {
			return nil, err
		}
		return audit.Between(r.Context(), rt.DB, from, to, maxAuditBetween)
	})
	rt.host.audited = append(rt.host.audited, rt.service)
}

// Actions are what the actions in the audits of all services are called: ids of
// messages, by action.
func (rt *Runtime) Actions() map[string]string {
	all := map[string]string{}
	for _, s := range rt.host.options.all() {
		maps.Copy(all, s.Actions)
	}
	return all
}

// AuditedServices are the services that can say who did what, at
// /<name>/internal/audit/v1/people/{person} and /<name>/internal/audit/v1/entries.
// It is complete once the host serves.
func (rt *Runtime) AuditedServices() []string { return append(rt.host.keeping(), rt.host.audited...) }
