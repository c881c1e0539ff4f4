package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/linli-io/linli/internal/identity"
)

// maxBody is the largest request body, in bytes.
const maxBody = 1 << 20

// contentSecurityPolicy allows a page nothing but this community's own styles,
// scripts, images and forms; nothing inline. Browsers also ask it where a form
// may be led on to, and a form that was sent after the session had ended leads
// to the issuer.
func (h *Host) contentSecurityPolicy() string {
	return "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
		"connect-src 'self'; form-action 'self' " + h.identity.FormTargets() + "; frame-ancestors 'none'; base-uri 'none'"
}

// handler puts what holds for every request around the routes. The first to
// see a request is the last in the list.
func (h *Host) handler(routes http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.refuse(w, r, http.StatusForbidden, "The request did not come from this community's own pages.")
	}))
	handler := noteRoute(routes)
	handler = gzhttp.GzipHandler(handler)
	handler = h.authenticate(handler)
	handler = h.limitBody(handler)
	handler = crossOrigin.Handler(handler)
	handler = h.ownName(handler)
	handler = h.admit(handler)
	handler = h.recoverPanics(handler)
	handler = h.secure(handler)
	return h.observe(handler)
}

// request is what the outer layers learn from the inner ones.
type request struct {
	id      string
	pattern string
}

type requestKey struct{}

// requestID returns the id of the request of this context.
func requestID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.id
	}
	return ""
}

// noteRoute notes which route took the request, for log and metrics.
func noteRoute(routes http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if info, ok := r.Context().Value(requestKey{}).(*request); ok {
				info.pattern = r.Pattern
			}
		}()
		routes.ServeHTTP(w, r)
	})
}

// isRequestID says that a request came with an id as proxies make them: a UUID,
// or the same without hyphens. Anything else may be what a caller made up, a
// telephone number for example, and would come into the log.
func isRequestID(id string) bool { return (len(id) == 36 || len(id) == 32) && uuid.Validate(id) == nil }

// observe gives the request an id, counts and times it, and logs it: the route
// only, never the path, the query or who it was.
func (h *Host) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := &request{id: r.Header.Get("X-Request-Id"), pattern: "none"}
		if !isRequestID(info.id) {
			info.id = uuid.Must(uuid.NewV7()).String()
		}
		w.Header().Set("X-Request-Id", info.id)
		answer := &answer{ResponseWriter: w}
		start := h.options.Clock.Now()
		defer func() {
			took := h.options.Clock.Since(start)
			status := answer.status
			if status == 0 {
				status = http.StatusOK
			}
			h.requests.observe(info.pattern, r.Method, status, took)
			h.options.Log.Info("request", "id", info.id, "method", method(r.Method), "route", info.pattern,
				"status", status, "bytes", answer.bytes, "ms", float64(took.Microseconds())/1000)
		}()
		next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), requestKey{}, info)))
	})
}

// answer notes what was answered.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// limitBody limits how large a request's body may be.
func (h *Host) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxBody)
		if upload, ok := h.uploads[r.URL.Path]; ok {
			limit = upload
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

func (h *Host) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", h.contentSecurityPolicy())
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		next.ServeHTTP(w, r)
	})
}

// recoverPanics makes an error page of a panic.
func (h *Host) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			// Only the type of what was panicked with: its text may hold
			// what somebody typed.
			h.options.Log.Error("panic", "id", requestID(r.Context()), "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			if a, ok := w.(*answer); ok && a.status != 0 {
				panic(http.ErrAbortHandler) // too late for another answer
			}
			h.refuse(w, r, http.StatusInternalServerError, "The error was recorded.")
		}()
		next.ServeHTTP(w, r)
	})
}

// admit lets requests in until the host stops.
func (h *Host) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.inflight.Add(1)
		defer h.inflight.Add(-1)
		if h.stopping.Load() {
			w.Header().Set("Retry-After", "10")
			w.Header().Set("Connection", "close")
			h.refuse(w, r, http.StatusServiceUnavailable, "The service is being updated. Try again in ten seconds.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// name is the community's own host name.
func (h *Host) name() string {
	s := h.config.Current()
	return s.Community.Name + "." + s.Release.Class.Domain
}

// ownName refuses requests for any host name but the community's own, so that
// a page of a sibling or a name made up for rebinding never reaches a handler.
func (h *Host) ownName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := h.name()
		name := r.Host
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			name = host
		}
		if !strings.EqualFold(strings.TrimSuffix(name, "."), own) {
			identity.Problem(w, http.StatusMisdirectedRequest, "This server answers for "+own+" only.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authenticate puts who is calling into the context.
func (h *Host) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, ok := serviceToken(r); ok {
			caller, err := h.callingService(r, token)
			if err != nil {
				identity.Unauthorized(w, identity.ErrNotAService.Error())
				return
			}
			next.ServeHTTP(w, r.WithContext(identity.WithService(r.Context(), caller)))
			return
		}
		ctx, err := h.identity.Authenticate(r)
		switch {
		case errors.Is(err, identity.ErrBadToken):
			identity.Unauthorized(w, identity.ErrBadToken.Error())
			return
		case errors.Is(err, identity.ErrNotACandidate):
			identity.Problem(w, http.StatusForbidden, identity.PersonHeader+": "+identity.ErrNotACandidate.Error())
			return
		case err != nil:
			h.options.Log.ErrorContext(ctx, "not known who is calling", "id", requestID(ctx), "error", oneLine(err))
			w.Header().Set("Retry-After", "5")
			h.refuse(w, r, http.StatusServiceUnavailable, identity.ErrUnavailable.Error())
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// guard serves a mux and answers in the host's own manner where it has no route.
func (h *Host) guard(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		r.Pattern = "none"
		no := &noAnswer{header: http.Header{}}
		own.ServeHTTP(no, r)
		if allow := no.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		h.refuse(w, r, no.status, "There is nothing at this address for this method.")
	})
}

// noAnswer takes a ServeMux's plain answer, of which only the status and the
// allowed methods are wanted.
type noAnswer struct {
	header http.Header
	status int
}

func (n *noAnswer) Header() http.Header         { return n.header }
func (n *noAnswer) WriteHeader(status int)      { n.status = status }
func (n *noAnswer) Write(b []byte) (int, error) { return len(b), nil }

// refuse answers with the friendly page, or with a problem document where a
// program asks.
func (h *Host) refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if strings.Contains(r.URL.Path, "/api/") || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		identity.Problem(w, status, detail)
		return
	}
	h.pages.Error(w, r, status)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here is a lost connection: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}

type requestMetrics struct {
	duration *prometheus.HistogramVec
}

func newRequestMetrics(r prometheus.Registerer) *requestMetrics {
	m := &requestMetrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "linli_http_request_duration_seconds",
		Help:    "Time from a request's header to the end of its answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route", "method", "code"})}
	r.MustRegister(m.duration)
	return m
}

func (m *requestMetrics) observe(route, verb string, status int, took time.Duration) {
	m.duration.WithLabelValues(route, method(verb), strconv.Itoa(status)).Observe(took.Seconds())
}

// method keeps made-up methods out of labels and logs.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// healthHandler serves what Kubernetes and Prometheus ask for.
func (h *Host) healthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if h.stopping.Load() {
			identity.Problem(w, http.StatusServiceUnavailable, "The host is stopping.")
			return
		}
		for name, db := range h.databases {
			if _, err := db.Reader().ExecContext(r.Context(), "SELECT 1"); err != nil {
				h.options.Log.Warn("not ready", "service", name, "error", err.Error())
				identity.Problem(w, http.StatusServiceUnavailable, "The database of "+name+" does not answer.")
				return
			}
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	return mux
}
