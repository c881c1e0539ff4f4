package host

import (
	"net/http"

	"github.com/linli-io/linli/internal/sharing"
	"github.com/linli-io/linli/internal/web"
)

// Router takes a service's routes and remembers them, so that a test can ask
// of every one of them who may use it.
type Router struct {
	*http.ServeMux
	patterns []string
	// datasets are what the service could share, and pages have their titles.
	datasets []sharing.Dataset
	pages    *web.Pages
}

// Handle registers a handler for a pattern of http.ServeMux.
func (r *Router) Handle(pattern string, handler http.Handler) {
	r.patterns = append(r.patterns, pattern)
	r.ServeMux.Handle(pattern, handler)
}

// HandleFunc is Handle for a function.
func (r *Router) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	r.Handle(pattern, http.HandlerFunc(handler))
}

// Routes are the patterns of all routes of the community: of the host's own
// and of its services.
func (h *Host) Routes() []string {
	routes := append([]string(nil), h.own.patterns...)
	for _, s := range h.options.Services {
		routes = append(routes, h.services[s.Name].patterns...)
	}
	return routes
}
