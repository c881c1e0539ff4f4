package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// maxBody is the largest request body, in bytes: forms with a few fields.
const maxBody = 64 << 10

func (p *Provider) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(p.options.Log.Handler(), slog.LevelWarn),
	}
}

// handler puts what holds for every request around the routes. The first to
// see a request is the last in the list.
func (p *Provider) handler(protocol http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, pattern := range []string{
		"GET " + pathDiscovery, "GET " + pathAuthorize, "POST " + pathToken, "GET " + pathUserinfo, "POST " + pathUserinfo,
		"GET " + pathKeys, "GET " + pathEndSession,
	} {
		mux.Handle(pattern, fresh(protocol))
	}
	p.mount(mux)

	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.refuse(w, r, http.StatusForbidden, "The request did not come from the provider's own pages.")
	}))
	handler := p.routes(mux)
	handler = gzhttp.GzipHandler(handler)
	handler = http.MaxBytesHandler(handler, maxBody)
	handler = crossOrigin.Handler(handler)
	handler = p.ownName(handler)
	handler = p.recoverPanics(handler)
	handler = p.secure(handler)
	return p.observe(handler)
}

// fresh keeps what is about one sign-in out of caches.
func fresh(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Path == pathKeys || r.URL.Path == pathDiscovery {
			// Far shorter than keys are published before they sign.
			w.Header().Set("Cache-Control", "public, max-age=300")
		}
		next.ServeHTTP(w, r)
	})
}

// request is what the outer layers learn from the inner ones.
type request struct{ pattern string }

type requestKey struct{}

// routes notes which route took the request, for log and metrics, and answers
// where there is none.
func (p *Provider) routes(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, pattern := mux.Handler(r)
		if info, ok := r.Context().Value(requestKey{}).(*request); ok && pattern != "" {
			info.pattern = pattern
		}
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		no := &noAnswer{header: http.Header{}}
		own.ServeHTTP(no, r)
		if allow := no.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		p.refuse(w, r, no.status, "There is nothing at this address for this method.")
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

// observe counts, times and logs a request: the route only, never the path,
// the query or who it was.
func (p *Provider) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := &request{pattern: "none"}
		answer := &answer{ResponseWriter: w}
		start := p.options.Clock.Now()
		defer func() {
			took := p.options.Clock.Since(start)
			status := answer.status
			if status == 0 {
				status = http.StatusOK
			}
			p.metrics.requests.WithLabelValues(info.pattern, method(r.Method), strconv.Itoa(status)).Observe(took.Seconds())
			p.options.Log.Info("request", "method", method(r.Method), "route", info.pattern, "status", status,
				"ms", float64(took.Microseconds())/1000)
		}()
		next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), requestKey{}, info)))
	})
}

// answer notes what was answered.
type answer struct {
	http.ResponseWriter
	status int
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
	return a.ResponseWriter.Write(b)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// method keeps made-up methods out of labels and logs.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// contentSecurityPolicy allows a page nothing but the provider's own styles and
// images, and forms to it and to one other origin: Chromium holds the redirect
// that a form is answered with to form-action, too.
func contentSecurityPolicy(formsTo string) string {
	return "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action " +
		strings.TrimSpace("'self' "+formsTo) + "; frame-ancestors 'none'; base-uri 'none'"
}

func (p *Provider) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentSecurityPolicy(""))
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if p.issuer.Scheme == "https" {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanics makes an error page of a panic.
func (p *Provider) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			caught := recover()
			if caught == nil {
				return
			}
			if err, ok := caught.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(caught)
			}
			// Only the type of what was panicked with: its text may hold
			// what somebody typed.
			p.options.Log.Error("panic", "type", fmt.Sprintf("%T", caught), "stack", string(debug.Stack()))
			if a, ok := w.(*answer); ok && a.status != 0 {
				panic(http.ErrAbortHandler) // too late for another answer
			}
			p.refuse(w, r, http.StatusInternalServerError, "The error was recorded.")
		}()
		next.ServeHTTP(w, r)
	})
}

// ownName refuses requests for any host name but the issuer's own, so that a
// name made up for rebinding never reaches a handler.
func (p *Provider) ownName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Host
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			name = host
		}
		if !strings.EqualFold(strings.TrimSuffix(name, "."), p.issuer.Hostname()) {
			identity.Problem(w, http.StatusMisdirectedRequest, "This server answers for "+p.issuer.Hostname()+" only.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers with the friendly page, or with a problem document where a
// program asks.
func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		identity.Problem(w, status, detail)
		return
	}
	p.pages.Error(w, r, status)
}

// writeJSON answers a program that asks for the provider's health.
func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	// An error here is a lost connection: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// metrics count without saying who.
type metrics struct {
	requests *prometheus.HistogramVec
	codes    *prometheus.CounterVec
	signIns  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "linli_http_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "method", "code"}),
		codes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "linli_idp_codes_total",
			Help: "One-time codes that were asked for, by what became of it: sent, failed (the gateway did not take it) or limited.",
		}, []string{"outcome"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "linli_idp_sign_ins_total",
			Help: "Attempts that came to an end: resident or staff, or ended after too many wrong codes.",
		}, []string{"outcome"}),
	}
	r.MustRegister(m.requests, m.codes, m.signIns)
	return m
}

// healthHandler serves what Kubernetes and Prometheus ask for.
func (p *Provider) healthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if p.stopping.Load() {
			identity.Problem(w, http.StatusServiceUnavailable, "The provider is stopping.")
			return
		}
		if err := p.provider.Health(r.Context()); err != nil {
			p.options.Log.Warn("not ready", "error", err.Error())
			identity.Problem(w, http.StatusServiceUnavailable, "The database does not answer.")
			return
		}
		writeJSON(w, map[string]string{"status": "ready"})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}))
	return mux
}

// mount adds the pages.
func (p *Provider) mount(mux *http.ServeMux) {
	mux.Handle("GET "+web.AssetPrefix, p.pages.Assets())
	mux.HandleFunc("POST /preferences", p.pages.SetPreferences)
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("GET "+pathNumber, p.at(p.numberPage, stepNumber, stepCode))
	mux.HandleFunc("POST "+pathNumber, p.at(p.takeNumber, stepNumber, stepCode))
	mux.HandleFunc("GET "+pathCode, p.at(p.codePage, stepCode))
	mux.HandleFunc("POST "+pathCode, p.at(p.takeCode, stepCode))
	mux.HandleFunc("GET "+pathPassword, p.at(p.passwordPage, stepPassword))
	mux.HandleFunc("POST "+pathPassword, p.at(p.takePassword, stepPassword))
	mux.HandleFunc("GET "+pathEnrol, p.at(p.enrolPage, stepEnrol))
	mux.HandleFunc("POST "+pathEnrol, p.at(p.takeEnrolment, stepEnrol))
	mux.HandleFunc("GET "+pathApp, p.at(p.appPage, stepApp))
	mux.HandleFunc("POST "+pathApp, p.at(p.takeApp, stepApp))
}
