package host

import (
	"bytes"
	"io"
	"net/http"
	"strconv"

	"github.com/linli-io/linli/internal/identity"
)

// Client reaches another service of the community at http://<name>/, in the
// name of this one and on behalf of whoever makes the request of the context.
// A service that is not on answers 404.
func (rt *Runtime) Client(name string) *http.Client {
	return &http.Client{Transport: within{host: rt.host, from: rt.service, to: name}}
}

// within hands requests to a service in the same process. What makes them
// those of a service is in their context, where nothing from outside gets.
type within struct {
	host     *Host
	from, to string
}

func (t within) RoundTrip(r *http.Request) (*http.Response, error) {
	caller := identity.Service{Name: t.from}
	if p, ok := identity.FromContext(r.Context()); ok {
		caller.Actor = p.ID
	} else if s, ok := identity.ServiceFromContext(r.Context()); ok {
		caller.Actor = s.Actor
	}
	request := r.Clone(identity.WithService(r.Context(), caller))
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
	return &http.Response{
		Status: strconv.Itoa(got.status) + " " + http.StatusText(got.status), StatusCode: got.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: got.header, Body: io.NopCloser(&got.body), ContentLength: int64(got.body.Len()), Request: r,
	}, nil
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
