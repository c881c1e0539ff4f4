package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
)

// Peer is a service of the same community that runs in another process.
type Peer struct {
	// Service is known by its name, messages and actions, and by whether it has
	// a database; it is not registered here.
	Service Service
	// URL is where that process serves pages and APIs, without a path.
	URL *url.URL
}

// What asking a service in another process takes at most.
const (
	peerTimeout     = 5 * time.Second // from the request to the end of the answer
	peerDialTimeout = time.Second
	maxPeerAnswer   = 16 << 20 // bytes
	// maxPeerConnections are kept to each, for when nobody asks.
	maxPeerConnections = 32
)

// Client reaches another service of the community at http://<name>/, in the
// name of this one and on behalf of whoever makes the request of the context.
// A service that is not on answers 404. One that runs in another process can
// be reached beneath /<name>/internal/ only; where it does not answer in time,
// or not at all, the answer is 504 or 502, and it is not known whether it did
// what it was asked for.
func (rt *Runtime) Client(name string) *http.Client { return rt.host.client(rt.service, name) }

func (h *Host) client(from, to string) *http.Client {
	for _, p := range h.options.Peers {
		if p.Service.Name == to {
			return &http.Client{
				Transport:     between{host: h, from: from, peer: p},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
		}
	}
	return &http.Client{Transport: within{host: h, from: from, to: to}}
}

// checkPeers returns an error if a service is named among the peers that runs
// here.
func (o Options) checkPeers() error {
	for i, p := range o.Peers {
		same := func(s Service) bool { return s.Name == p.Service.Name }
		if slices.ContainsFunc(o.Services, same) {
			return fmt.Errorf("service %s runs in this process and cannot be a peer of it too: serve it here, or name another process as its peer", p.Service.Name)
		}
		if slices.ContainsFunc(o.Peers[:i], func(other Peer) bool { return same(other.Service) }) {
			return fmt.Errorf("service %s is named twice among the peers: name the one process that has it", p.Service.Name)
		}
	}
	return nil
}

// all are the services of the community that run here or in another process
// that is known.
func (o Options) all() []Service {
	all := slices.Clone(o.Services)
	for _, p := range o.Peers {
		all = append(all, p.Service)
	}
	return all
}

// unreached are the services that a community has on and that are not among all.
func (o Options) unreached(spec v1alpha1.CommunitySpec) []string {
	all := o.all()
	return slices.DeleteFunc(v1alpha1.ServicesOn(&spec), func(name string) bool {
		return slices.ContainsFunc(all, func(s Service) bool { return s.Name == name })
	})
}

// callerOf is the service in whose name, and the person on whose behalf, a
// request of a context is sent.
func callerOf(ctx context.Context, from string) identity.Service {
	caller := identity.Service{Name: from}
	if p, ok := identity.FromContext(ctx); ok {
		caller.Actor = p.ID
	} else if s, ok := identity.ServiceFromContext(ctx); ok {
		caller.Actor = s.Actor
	}
	return caller
}

// within hands requests to a service in the same process. What makes them
// those of a service is in their context, where nothing from outside gets.
type within struct {
	host     *Host
	from, to string
}

func (t within) RoundTrip(r *http.Request) (*http.Response, error) {
	request := r.Clone(identity.WithService(r.Context(), callerOf(r.Context(), t.from)))
	request.RequestURI = r.URL.RequestURI()
	if request.Body == nil {
		request.Body = http.NoBody
	}
	got := &received{header: http.Header{}}
	if mux := t.host.services[t.to]; mux != nil {
		mux.ServeHTTP(got, request)
	} else {
		got.WriteHeader(http.StatusNotFound)
	}
	if got.status == 0 {
		got.status = http.StatusOK
	}
	return got.response(r), nil
}

// received is what a service has answered to another one.
type received struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *received) Header() http.Header { return r.header }

func (r *received) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *received) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func (r *received) response(to *http.Request) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(r.status) + " " + http.StatusText(r.status), StatusCode: r.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, Body: io.NopCloser(&r.body), ContentLength: int64(r.body.Len()), Request: to,
	}
}

// between sends requests to a service in another process, with a token that
// says which service is asking.
type between struct {
	host *Host
	from string
	peer Peer
}

// RoundTrip returns no error but an answer of its own if there is none: an
// error of a client has the address in it, and with it whom somebody looked
// for, and would get into the log.
func (t between) RoundTrip(r *http.Request) (*http.Response, error) {
	got, err := t.ask(r)
	if err != nil {
		if r.Context().Err() == nil {
			t.host.options.Log.WarnContext(r.Context(), "a service in another process did not answer", "id", requestID(r.Context()),
				"service", t.from, "asked", t.peer.Service.Name, "error", oneLine(err))
		}
		got = &received{header: http.Header{}, status: http.StatusBadGateway}
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			got.status = http.StatusGatewayTimeout
		}
	}
	return got.response(r), nil
}

func (t between) ask(r *http.Request) (*received, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // it is only read
	}
	h := t.host
	token, err := h.keys.Load().ServiceToken(h.config.Current().Community.Name, callerOf(r.Context(), t.from), t.peer.Service.Name, h.options.Clock.Now())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), peerTimeout)
	defer cancel()
	request := r.Clone(ctx)
	request.URL.Scheme, request.URL.Host = t.peer.URL.Scheme, t.peer.URL.Host
	request.Host = h.name() // the only one for which the other process answers
	request.Header.Set("Authorization", identity.ServiceScheme+" "+token)
	if id := requestID(ctx); id != "" {
		request.Header.Set("X-Request-Id", id) // the logs of both fit together
	}
	answer, err := h.peers.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	got := &received{header: answer.Header, status: answer.StatusCode}
	if _, err := got.body.ReadFrom(http.MaxBytesReader(nil, answer.Body, maxPeerAnswer)); err != nil {
		return nil, err
	}
	return got, nil
}

// newPeerTransport connects to other processes of the community: directly,
// whatever the environment says of proxies.
func newPeerTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: peerDialTimeout}).DialContext,
		TLSHandshakeTimeout: peerDialTimeout,
		MaxIdleConnsPerHost: maxPeerConnections,
		IdleConnTimeout:     time.Minute,
		ForceAttemptHTTP2:   true,
	}
}

// internalPath is the part of a service's paths that is for other services.
func internalPath(service string) string { return "/" + service + "/internal/" }

// serviceToken is the token with which a service in another process asks;
// false if the request has none.
func serviceToken(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, identity.ServiceScheme)
}

// callingService is which service in another process is asking with a token.
// It is good for what is for services only, of the one service that it is for.
func (h *Host) callingService(r *http.Request, token string) (identity.Service, error) {
	// Escaped, as the routes are found: a %2F ends no part of a path.
	path := r.URL.EscapedPath()
	to, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if h.services[to] == nil || !strings.HasPrefix(path, internalPath(to)) {
		return identity.Service{}, identity.ErrNotAService
	}
	return h.keys.Load().Service(token, h.config.Current().Community.Name, to, h.options.Clock.Now())
}
