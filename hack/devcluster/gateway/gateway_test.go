package gateway

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// county has a gateway that takes routes of namespaces with a label, and routes
// that compete for requests.
const county = `
classes:
- {metadata: {name: devcluster}, spec: {controllerName: linli.io/devcluster}}
- {metadata: {name: other}, spec: {controllerName: example.org/other}}
gateways:
- metadata: {name: linli, namespace: gateway-system}
  spec:
    gatewayClassName: devcluster
    listeners:
    - name: http
      port: 8080
      protocol: HTTP
      hostname: "*.localhost"
      allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {county: yutai}}}}
    - {name: https, port: 8443, protocol: HTTPS}
- metadata: {name: elsewhere, namespace: gateway-system}
  spec: {gatewayClassName: other, listeners: [{name: http, port: 8080, protocol: HTTP}]}
namespaces:
- {metadata: {name: a, labels: {county: yutai}}}
- {metadata: {name: b, labels: {county: yutai}}}
- {metadata: {name: stranger}}
services:
- {metadata: {name: web, namespace: a}, spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}, {name: raw, port: 81, targetPort: 9000}]}}
- {metadata: {name: web, namespace: b}, spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}}
pods:
- metadata: {name: ready, namespace: a, labels: {app: web}}
  spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
  status: {podIP: 127.1.0.1, conditions: [{type: Ready, status: "True"}]}
- metadata: {name: starting, namespace: a, labels: {app: web}}
  spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
  status: {podIP: 127.1.0.2, conditions: [{type: Ready, status: "False"}]}
- metadata: {name: stopping, namespace: a, labels: {app: web}, deletionTimestamp: "2026-11-22T00:00:00Z"}
  spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
  status: {podIP: 127.1.0.3, conditions: [{type: Ready, status: "True"}]}
- metadata: {name: another, namespace: a, labels: {app: other}}
  spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
  status: {podIP: 127.1.0.4, conditions: [{type: Ready, status: "True"}]}
routes:
- metadata: {name: zhanqian, namespace: a}
  spec:
    parentRefs: [{name: linli, namespace: gateway-system}]
    hostnames: [zhanqian.localhost]
    rules:
    - {backendRefs: [{name: web, port: 80}]}
    - {matches: [{path: {type: PathPrefix, value: /booking}}], backendRefs: [{name: web, port: 81}]}
    - {matches: [{path: {type: Exact, value: /booking/card}}], backendRefs: [{name: web, port: 80}]}
    - {matches: [{path: {type: PathPrefix, value: /booking}, headers: [{name: X-Test, value: "1"}]}], backendRefs: [{name: web, port: 80}]}
- metadata: {name: wildcard, namespace: b}
  spec:
    parentRefs: [{name: linli, namespace: gateway-system, sectionName: http}]
    hostnames: ["*.localhost"]
    rules: [{backendRefs: [{name: web, port: 80}]}]
- metadata: {name: stranger, namespace: stranger}
  spec:
    parentRefs: [{name: linli, namespace: gateway-system}]
    hostnames: [stranger.localhost]
    rules: [{backendRefs: [{name: web, port: 80}]}]
- metadata: {name: foreign-name, namespace: a}
  spec: {parentRefs: [{name: linli, namespace: gateway-system}], hostnames: [example.org], rules: [{backendRefs: [{name: web, port: 80}]}]}
- metadata: {name: thief, namespace: b}
  spec: {parentRefs: [{name: linli, namespace: gateway-system}], hostnames: [thief.localhost], rules: [{backendRefs: [{name: web, namespace: a, port: 80}]}]}
- metadata: {name: guest, namespace: b}
  spec: {parentRefs: [{name: linli, namespace: gateway-system}], hostnames: [guest.localhost], rules: [{backendRefs: [{name: web, namespace: a, port: 81}]}]}
- metadata: {name: lost, namespace: a}
  spec: {parentRefs: [{name: linli, namespace: gateway-system}], hostnames: [lost.localhost], rules: [{backendRefs: [{name: nothing, port: 80}]}]}
- metadata: {name: not-ours, namespace: a}
  spec: {parentRefs: [{name: elsewhere, namespace: gateway-system}], hostnames: [zhanqian.localhost], rules: [{backendRefs: [{name: web, port: 80}]}]}
- metadata: {name: filtered, namespace: a}
  spec: {parentRefs: [{name: linli, namespace: gateway-system}], hostnames: [filtered.localhost], rules: [{filters: [{type: RequestRedirect, requestRedirect: {}}]}]}
`

func read(t *testing.T, change func(*objects)) objects {
	t.Helper()
	var file struct {
		Classes    []*gatewayv1.GatewayClass
		Gateways   []*gatewayv1.Gateway
		Routes     []*gatewayv1.HTTPRoute
		Namespaces []*v1.Namespace
		Services   []*v1.Service
		Pods       []*v1.Pod
	}
	if err := yaml.UnmarshalStrict([]byte(county), &file); err != nil {
		t.Fatal(err)
	}
	o := objects{classes: file.Classes, gateways: file.Gateways, routes: file.Routes, namespaces: file.Namespaces, services: file.Services, pods: file.Pods}
	if change != nil {
		change(&o)
	}
	return o
}

func TestRouting(t *testing.T) {
	table := resolve(read(t, nil), 8080).table
	for _, test := range []struct {
		url, header string
		route       string // empty: none
		endpoints   []string
	}{
		{url: "http://zhanqian.localhost:8080/", route: "a/zhanqian", endpoints: []string{"127.1.0.1:8080"}},
		{url: "http://ZhanQian.LOCALHOST./x", route: "a/zhanqian", endpoints: []string{"127.1.0.1:8080"}},
		{url: "http://zhanqian.localhost/booking", route: "a/zhanqian", endpoints: []string{"127.1.0.1:9000"}},
		{url: "http://zhanqian.localhost/booking/x", route: "a/zhanqian", endpoints: []string{"127.1.0.1:9000"}},
		{url: "http://zhanqian.localhost/bookings", route: "a/zhanqian", endpoints: []string{"127.1.0.1:8080"}},
		{url: "http://zhanqian.localhost/booking/card", route: "a/zhanqian", endpoints: []string{"127.1.0.1:8080"}},
		{url: "http://zhanqian.localhost/booking/card/x", route: "a/zhanqian", endpoints: []string{"127.1.0.1:9000"}},
		{url: "http://zhanqian.localhost/booking/x", header: "1", route: "a/zhanqian", endpoints: []string{"127.1.0.1:8080"}},
		{url: "http://guting.localhost/", route: "b/wildcard"},
		{url: "http://a.b.localhost/", route: "b/wildcard"},
		{url: "http://stranger.localhost/", route: "b/wildcard"},
		{url: "http://localhost/"},
		{url: "http://notlocalhost/"},
		{url: "http://example.org/"},
	} {
		request := httptest.NewRequest(http.MethodGet, test.url, nil)
		if test.header != "" {
			request.Header.Set("X-Test", test.header)
		}
		found, ok := table.find(request)
		if ok != (test.route != "") || found.route != test.route {
			t.Errorf("%s %s: route %q, want %q", test.url, test.header, found.route, test.route)
			continue
		}
		if ok && !reflect.DeepEqual(found.backends[0].endpoints, test.endpoints) {
			t.Errorf("%s %s: %q, want %q", test.url, test.header, found.backends[0].endpoints, test.endpoints)
		}
	}
}

func TestStatuses(t *testing.T) {
	grant := &gatewayv1.ReferenceGrant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "guests"},
		Spec: gatewayv1.ReferenceGrantSpec{
			From: []gatewayv1.ReferenceGrantFrom{{Group: gatewayv1.GroupName, Kind: "HTTPRoute", Namespace: "b"}},
			To:   []gatewayv1.ReferenceGrantTo{{Kind: "Service"}},
		},
	}
	for _, test := range []struct {
		route              string
		grants             []*gatewayv1.ReferenceGrant
		accepted, resolved string // reasons; "" if there is no status of ours
	}{
		{route: "zhanqian", accepted: "Accepted", resolved: "ResolvedRefs"},
		{route: "stranger", accepted: "NotAllowedByListeners", resolved: "BackendNotFound"},
		{route: "foreign-name", accepted: "NoMatchingListenerHostname", resolved: "ResolvedRefs"},
		{route: "thief", accepted: "Accepted", resolved: "RefNotPermitted"},
		{route: "thief", grants: []*gatewayv1.ReferenceGrant{grant}, accepted: "Accepted", resolved: "ResolvedRefs"},
		{route: "lost", accepted: "Accepted", resolved: "BackendNotFound"},
		{route: "filtered", accepted: "UnsupportedValue", resolved: "ResolvedRefs"},
		{route: "not-ours"},
	} {
		result := resolve(read(t, func(o *objects) { o.grants = test.grants }), 8080)
		for route, status := range result.routes {
			if route.Name != test.route {
				continue
			}
			var accepted, resolved string
			if len(status.Parents) > 0 {
				accepted = meta.FindStatusCondition(status.Parents[0].Conditions, "Accepted").Reason
				resolved = meta.FindStatusCondition(status.Parents[0].Conditions, "ResolvedRefs").Reason
			}
			if accepted != test.accepted || resolved != test.resolved {
				t.Errorf("%s: %q, %q; want %q, %q", test.route, accepted, resolved, test.accepted, test.resolved)
			}
		}
	}
	for g, status := range resolve(read(t, nil), 8080).gateways {
		if g.Name != "linli" {
			t.Errorf("wrote a status of %s, which is another controller's", g.Name)
		}
		if n := status.Listeners[0].AttachedRoutes; n != 5 {
			t.Errorf("%d attached routes, want 5", n)
		}
		if c := meta.FindStatusCondition(status.Listeners[1].Conditions, "Accepted"); c.Reason != "UnsupportedProtocol" {
			t.Errorf("HTTPS listener: %s", c.Reason)
		}
	}
}

func TestProxy(t *testing.T) {
	var seen http.Header
	var host string
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen, host = r.Header.Clone(), r.Host
	}))
	defer service.Close()
	address := netip.MustParseAddrPort(strings.TrimPrefix(service.URL, "http://"))
	proxy := NewProxy(slog.New(slog.DiscardHandler))
	route := func(endpoints ...string) *Table {
		entries := routeEntries(&gatewayv1.HTTPRoute{Spec: gatewayv1.HTTPRouteSpec{Rules: []gatewayv1.HTTPRouteRule{{}}}},
			[]string{"zhanqian.localhost"}, [][]backend{{{weight: 1, endpoints: endpoints}}})
		return newTable(entries)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, test := range []struct {
		name   string
		table  *Table
		status int
	}{
		{"no route", &Table{}, http.StatusNotFound},
		{"no ready Pod", route(), http.StatusServiceUnavailable},
		{"Pod just gone", route(strings.TrimPrefix(gone.URL, "http://")), http.StatusServiceUnavailable},
		{"served", route(address.String()), http.StatusOK},
	} {
		proxy.table.Store(test.table)
		request := httptest.NewRequest(http.MethodGet, "http://zhanqian.localhost:8080/", nil)
		request.RemoteAddr = "127.0.0.1:1234"
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip"} {
			request.Header.Set(name, "forged")
		}
		response := httptest.NewRecorder()
		proxy.ServeHTTP(response, request)
		if response.Code != test.status {
			t.Errorf("%s: %d, want %d", test.name, response.Code, test.status)
		}
		if test.status == http.StatusServiceUnavailable && response.Header().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", test.name)
		}
	}
	want := map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "zhanqian.localhost:8080", "X-Forwarded-Proto": "http", "Forwarded": "", "X-Real-Ip": ""}
	for name, value := range want {
		if got := strings.Join(seen.Values(name), ","); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if host != "zhanqian.localhost:8080" {
		t.Errorf("Host: %q", host)
	}
}

// A condition keeps the time of its last transition, or statuses would be
// written for ever.
func TestKeepTimes(t *testing.T) {
	old := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	was := []metav1.Condition{{Type: "Same", Status: "True", LastTransitionTime: old}, {Type: "Other", Status: "True", LastTransitionTime: old}}
	is := keepTimes(was, []metav1.Condition{{Type: "Same", Status: "True"}, {Type: "Other", Status: "False"}})
	if !is[0].LastTransitionTime.Equal(&old) || is[1].LastTransitionTime.Equal(&old) || is[1].LastTransitionTime.IsZero() {
		t.Errorf("%v", is)
	}
}
