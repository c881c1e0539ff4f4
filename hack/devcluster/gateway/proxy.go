package gateway

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// Proxy passes requests on as its current table says.
type Proxy struct {
	table atomic.Pointer[Table]
	proxy httputil.ReverseProxy
	log   *slog.Logger
}

// target is the key of the chosen endpoint in a request's context.
type target struct{}

// NewProxy returns a proxy without routes.
func NewProxy(log *slog.Logger) *Proxy {
	p := &Proxy{log: log}
	p.table.Store(&Table{})
	p.proxy = httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: r.In.Context().Value(target{}).(string)})
			r.Out.Host = r.In.Host
			// What the client sent of these was dropped before.
			r.Out.Header.Del("X-Real-Ip")
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost:   100,
			IdleConnTimeout:       90 * time.Second,
			ExpectContinueTimeout: time.Second,
			DisableCompression:    true, // pass on what the service answers
		},
		FlushInterval: -1, // events reach the browser when they are written
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandler:  p.failed,
	}
	return p
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ok := p.table.Load().find(r)
	if !ok {
		http.Error(w, "There is no route for this address.", http.StatusNotFound)
		return
	}
	b, ok := choose(e.backends)
	switch {
	case !ok || b.invalid:
		http.Error(w, "The route "+e.route+" leads nowhere; its status says why.", http.StatusInternalServerError)
	case len(b.endpoints) == 0:
		unavailable(w)
	default:
		endpoint := b.endpoints[rand.IntN(len(b.endpoints))]
		p.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), target{}, endpoint)))
	}
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "The service is starting or stopping. Try again in a moment.", http.StatusServiceUnavailable)
}

// failed answers when the endpoint did not.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client went away
	}
	p.log.Warn("no answer", "host", r.Host, "path", r.URL.Path, "error", err)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		unavailable(w) // it never saw the request
		return
	}
	http.Error(w, "The service did not answer.", http.StatusBadGateway)
}

// newServer serves the proxy with limits for slow and large requests.
func newServer(p *Proxy) *http.Server {
	return &http.Server{
		Handler:           p,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelInfo),
	}
}
