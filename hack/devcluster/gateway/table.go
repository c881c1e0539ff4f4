package gateway

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Table is what the gateway serves: for each host the matches of its routes, in
// the order in which they are tried.
type Table struct {
	entries []entry
}

// entry is one match of a rule of a route under one host name.
type entry struct {
	host     string // lower case; "*.example.org" for a wildcard, "" for all
	path     gatewayv1.HTTPPathMatch
	method   string // "" for any
	headers  []gatewayv1.HTTPHeaderMatch
	query    []gatewayv1.HTTPQueryParamMatch
	backends []backend
	route    string // namespace/name
	created  time.Time
	order    int // of the match in its route
}

// backend is where a rule sends requests. Only ready Pods are named.
type backend struct {
	weight    int
	invalid   bool // the reference leads nowhere: an error of the route's author
	endpoints []string
}

// newTable sorts the entries as the Gateway API ranks them: the most specific
// host, then exact path, longest prefix, method, most headers, most query
// parameters, oldest route, name, order.
func newTable(entries []entry) *Table {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(
			-cmp.Compare(hostRank(a.host), hostRank(b.host)),
			-compareBool(isExact(a), isExact(b)),
			-cmp.Compare(len(*a.path.Value), len(*b.path.Value)),
			-compareBool(a.method != "", b.method != ""),
			-cmp.Compare(len(a.headers), len(b.headers)),
			-cmp.Compare(len(a.query), len(b.query)),
			a.created.Compare(b.created),
			cmp.Compare(a.route, b.route),
			cmp.Compare(a.order, b.order),
		)
	})
	return &Table{entries}
}

// hostRank puts exact names before wildcards, longer before shorter, all last.
func hostRank(host string) int {
	switch {
	case host == "":
		return 0
	case strings.HasPrefix(host, "*."):
		return len(host)
	default:
		return 1000 + len(host)
	}
}

func isExact(e entry) bool { return *e.path.Type == gatewayv1.PathMatchExact }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// find returns the entry for a request.
func (t *Table) find(r *http.Request) (entry, bool) {
	host := hostOf(r)
	for _, e := range t.entries {
		if matchesHost(e.host, host) && e.matches(r) {
			return e, true
		}
	}
	return entry{}, false
}

// hostOf is the request's host name in lower case, without port and final dot.
func hostOf(r *http.Request) string {
	host := strings.ToLower(r.Host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.TrimSuffix(host, ".")
}

// matchesHost tells whether a pattern covers a host; a wildcard stands for one
// label or more.
func matchesHost(pattern, host string) bool {
	if pattern == "" || pattern == host {
		return true
	}
	suffix, wildcard := strings.CutPrefix(pattern, "*")
	return wildcard && strings.HasSuffix(host, suffix) && len(host) > len(suffix)
}

func (e entry) matches(r *http.Request) bool {
	if !matchesPath(e.path, r.URL.Path) || e.method != "" && e.method != r.Method {
		return false
	}
	for _, h := range e.headers {
		if strings.Join(r.Header.Values(string(h.Name)), ",") != h.Value {
			return false
		}
	}
	for _, q := range e.query {
		if values, ok := r.URL.Query()[string(q.Name)]; !ok || values[0] != q.Value {
			return false
		}
	}
	return true
}

func matchesPath(m gatewayv1.HTTPPathMatch, path string) bool {
	if *m.Type == gatewayv1.PathMatchExact {
		return path == *m.Value
	}
	prefix := strings.TrimSuffix(*m.Value, "/")
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// choose picks a backend by weight, and false if none has any.
func choose(backends []backend) (backend, bool) {
	total := 0
	for _, b := range backends {
		total += b.weight
	}
	if total == 0 {
		return backend{}, false
	}
	pick := rand.IntN(total)
	for _, b := range backends {
		if pick < b.weight {
			return b, true
		}
		pick -= b.weight
	}
	return backend{}, false // not reached: pick is below the sum of all weights
}
