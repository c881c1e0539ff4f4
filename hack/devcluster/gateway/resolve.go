package gateway

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// objects is everything the gateway looks at.
type objects struct {
	classes    []*gatewayv1.GatewayClass
	gateways   []*gatewayv1.Gateway
	routes     []*gatewayv1.HTTPRoute
	grants     []*gatewayv1.ReferenceGrant
	namespaces []*v1.Namespace
	services   []*v1.Service
	pods       []*v1.Pod
}

// resolved is what follows from the objects: what to serve, and what to say
// about it.
type resolved struct {
	table    *Table
	gateways map[*gatewayv1.Gateway]gatewayv1.GatewayStatus
	routes   map[*gatewayv1.HTTPRoute]gatewayv1.RouteStatus
}

// resolver is one run of resolve.
type resolver struct {
	objects
	port       int32 // on which the gateway listens
	namespaces map[string]labels.Set
	services   map[string]*v1.Service
	pods       map[string][]*v1.Pod // by namespace
	attached   map[*gatewayv1.Listener]int32
}

// resolve works out table and statuses. It changes none of the objects; the
// times of conditions are left to whoever writes the statuses.
func resolve(o objects, port int32) resolved {
	r := resolver{
		objects:    o,
		port:       port,
		namespaces: map[string]labels.Set{},
		services:   map[string]*v1.Service{},
		pods:       map[string][]*v1.Pod{},
		attached:   map[*gatewayv1.Listener]int32{},
	}
	for _, n := range o.namespaces {
		r.namespaces[n.Name] = n.Labels
	}
	for _, s := range o.services {
		r.services[s.Namespace+"/"+s.Name] = s
	}
	for _, p := range o.pods {
		r.pods[p.Namespace] = append(r.pods[p.Namespace], p)
	}
	own := map[string]*gatewayv1.Gateway{}
	for _, g := range o.gateways {
		if slices.ContainsFunc(o.classes, func(c *gatewayv1.GatewayClass) bool {
			return c.Spec.ControllerName == controllerName && c.Name == string(g.Spec.GatewayClassName)
		}) {
			own[g.Namespace+"/"+g.Name] = g
		}
	}
	result := resolved{
		gateways: map[*gatewayv1.Gateway]gatewayv1.GatewayStatus{},
		routes:   map[*gatewayv1.HTTPRoute]gatewayv1.RouteStatus{},
	}
	var entries []entry
	for _, route := range o.routes {
		// The statuses that other controllers wrote stay.
		parents := slices.DeleteFunc(slices.Clone(route.Status.Parents), func(p gatewayv1.RouteParentStatus) bool {
			return p.ControllerName == controllerName
		})
		for _, ref := range route.Spec.ParentRefs {
			g := own[string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(route.Namespace)))+"/"+string(ref.Name)]
			if g == nil || !isKind(ref.Group, ref.Kind, gatewayv1.GroupName, "Gateway") {
				continue
			}
			hosts, accepted := r.attach(route, ref, g)
			backends, resolvedRefs := r.backends(route)
			if accepted.Status == metav1.ConditionTrue {
				entries = append(entries, routeEntries(route, hosts, backends)...)
			}
			parents = append(parents, gatewayv1.RouteParentStatus{
				ParentRef: ref, ControllerName: controllerName, Conditions: []metav1.Condition{accepted, resolvedRefs},
			})
		}
		result.routes[route] = gatewayv1.RouteStatus{Parents: parents}
	}
	for _, g := range own {
		result.gateways[g] = r.gatewayStatus(g)
	}
	result.table = newTable(entries)
	return result
}

func isKind(group *gatewayv1.Group, kind *gatewayv1.Kind, wantGroup, wantKind string) bool {
	return string(ptr.Deref(group, gatewayv1.Group(wantGroup))) == wantGroup && string(ptr.Deref(kind, gatewayv1.Kind(wantKind))) == wantKind
}

// attach finds the host names under which a route is served through a gateway,
// and the condition Accepted.
func (r *resolver) attach(route *gatewayv1.HTTPRoute, ref gatewayv1.ParentReference, g *gatewayv1.Gateway) ([]string, metav1.Condition) {
	refuse := func(reason gatewayv1.RouteConditionReason, message string) ([]string, metav1.Condition) {
		return nil, condition(string(gatewayv1.RouteConditionAccepted), false, string(reason), message, route.Generation)
	}
	if what := unsupported(route); what != "" {
		return refuse(gatewayv1.RouteReasonUnsupportedValue, what)
	}
	var hosts []string
	reason, message := gatewayv1.RouteReasonNoMatchingParent, "The Gateway has no such listener."
	for i := range g.Spec.Listeners {
		listener := &g.Spec.Listeners[i]
		if ref.SectionName != nil && *ref.SectionName != listener.Name || ref.Port != nil && *ref.Port != listener.Port || !r.serves(*listener) {
			continue
		}
		if !r.allows(*listener, g.Namespace, route.Namespace) {
			reason = gatewayv1.RouteReasonNotAllowedByListeners
			message = fmt.Sprintf("The listener %s does not allow routes of namespace %s; see its allowedRoutes.", listener.Name, route.Namespace)
			continue
		}
		common := commonHosts(string(ptr.Deref(listener.Hostname, "")), route.Spec.Hostnames)
		if len(common) == 0 {
			reason = gatewayv1.RouteReasonNoMatchingListenerHostname
			message = fmt.Sprintf("None of the host names is one of the listener %s.", listener.Name)
			continue
		}
		hosts = append(hosts, common...)
		r.attached[listener]++
	}
	if len(hosts) == 0 {
		return refuse(reason, message)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), condition(string(gatewayv1.RouteConditionAccepted), true, string(gatewayv1.RouteReasonAccepted), "The route is served.", route.Generation)
}

// unsupported names what a route asks for that this gateway does not do.
func unsupported(route *gatewayv1.HTTPRoute) string {
	for i, rule := range route.Spec.Rules {
		at := fmt.Sprintf("spec.rules[%d]", i)
		if len(rule.Filters) > 0 {
			return at + ".filters: this gateway has no filters."
		}
		for j, b := range rule.BackendRefs {
			if len(b.Filters) > 0 {
				return fmt.Sprintf("%s.backendRefs[%d].filters: this gateway has no filters.", at, j)
			}
		}
		for j, m := range rule.Matches {
			at := fmt.Sprintf("%s.matches[%d]", at, j)
			if m.Path != nil && ptr.Deref(m.Path.Type, gatewayv1.PathMatchPathPrefix) == gatewayv1.PathMatchRegularExpression {
				return at + ".path.type: this gateway has no regular expressions."
			}
			for k, h := range m.Headers {
				if ptr.Deref(h.Type, gatewayv1.HeaderMatchExact) != gatewayv1.HeaderMatchExact {
					return fmt.Sprintf("%s.headers[%d].type: this gateway has no regular expressions.", at, k)
				}
			}
			for k, q := range m.QueryParams {
				if ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact) != gatewayv1.QueryParamMatchExact {
					return fmt.Sprintf("%s.queryParams[%d].type: this gateway has no regular expressions.", at, k)
				}
			}
		}
	}
	return ""
}

func (r *resolver) serves(l gatewayv1.Listener) bool {
	return l.Protocol == gatewayv1.HTTPProtocolType && l.Port == r.port
}

// allows tells whether a listener takes HTTPRoutes of a namespace.
func (r *resolver) allows(l gatewayv1.Listener, own, namespace string) bool {
	allowed := ptr.Deref(l.AllowedRoutes, gatewayv1.AllowedRoutes{})
	if len(allowed.Kinds) > 0 && !slices.ContainsFunc(allowed.Kinds, isHTTPRoute) {
		return false
	}
	from := ptr.Deref(allowed.Namespaces, gatewayv1.RouteNamespaces{})
	switch ptr.Deref(from.From, gatewayv1.NamespacesFromSame) {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSame:
		return own == namespace
	case gatewayv1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(from.Selector)
		return err == nil && selector.Matches(r.namespaces[namespace])
	default:
		return false
	}
}

func isHTTPRoute(kind gatewayv1.RouteGroupKind) bool {
	return kind.Kind == "HTTPRoute" && ptr.Deref(kind.Group, gatewayv1.GroupName) == gatewayv1.GroupName
}

// commonHosts returns the more specific of each pair of a listener's and a
// route's host name where one covers the other.
func commonHosts(listener string, route []gatewayv1.Hostname) []string {
	if len(route) == 0 {
		return []string{strings.ToLower(listener)}
	}
	var common []string
	for _, name := range route {
		host := strings.ToLower(string(name))
		switch {
		case covers(strings.ToLower(listener), host):
			common = append(common, host)
		case covers(host, strings.ToLower(listener)):
			common = append(common, strings.ToLower(listener))
		}
	}
	return common
}

// covers tells whether a host name or wildcard includes another one.
func covers(pattern, other string) bool {
	return matchesHost(pattern, strings.TrimPrefix(other, "*.")) && !strings.HasPrefix(other, "*.") ||
		pattern == other ||
		strings.HasPrefix(other, "*.") && (pattern == "" || matchesHost(pattern, other[2:]))
}

// backends resolves the backends of each rule, and the condition ResolvedRefs.
func (r *resolver) backends(route *gatewayv1.HTTPRoute) ([][]backend, metav1.Condition) {
	resolvedRefs := condition(string(gatewayv1.RouteConditionResolvedRefs), true, string(gatewayv1.RouteReasonResolvedRefs), "All backends are known.", route.Generation)
	var all [][]backend
	for i, rule := range route.Spec.Rules {
		var backends []backend
		for j, ref := range rule.BackendRefs {
			b := backend{weight: int(ptr.Deref(ref.Weight, 1))}
			endpoints, reason, message := r.endpoints(route.Namespace, ref.BackendObjectReference)
			if reason != "" {
				b.invalid = true
				resolvedRefs = condition(string(gatewayv1.RouteConditionResolvedRefs), false, string(reason),
					fmt.Sprintf("spec.rules[%d].backendRefs[%d]: %s", i, j, message), route.Generation)
			}
			b.endpoints = endpoints
			backends = append(backends, b)
		}
		all = append(all, backends)
	}
	return all, resolvedRefs
}

// endpoints finds the addresses of the ready Pods behind a Service's port.
func (r *resolver) endpoints(namespace string, ref gatewayv1.BackendObjectReference) (_ []string, _ gatewayv1.RouteConditionReason, message string) {
	if !isKind(ref.Group, ref.Kind, "", "Service") {
		return nil, gatewayv1.RouteReasonInvalidKind, "this gateway sends requests to Services only."
	}
	target := string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace)))
	if target != namespace && !r.granted(namespace, target, string(ref.Name)) {
		return nil, gatewayv1.RouteReasonRefNotPermitted, fmt.Sprintf("no ReferenceGrant in namespace %s allows it.", target)
	}
	key := target + "/" + string(ref.Name)
	service := r.services[key]
	if service == nil {
		return nil, gatewayv1.RouteReasonBackendNotFound, fmt.Sprintf("there is no Service %s.", key)
	}
	i := slices.IndexFunc(service.Spec.Ports, func(p v1.ServicePort) bool { return p.Port == ptr.Deref(ref.Port, 0) })
	if i < 0 {
		return nil, gatewayv1.RouteReasonBackendNotFound, fmt.Sprintf("the Service %s has no port %d.", key, ptr.Deref(ref.Port, 0))
	}
	return r.readyPods(service, service.Spec.Ports[i]), "", ""
}

// readyPods finds the addresses of a Service's port. It looks at the Pods and
// not at EndpointSlices: Kubernetes refuses loopback addresses in those.
func (r *resolver) readyPods(service *v1.Service, port v1.ServicePort) []string {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	var addresses []string
	for _, pod := range r.pods[service.Namespace] {
		if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) || !isReady(pod) {
			continue
		}
		if number := targetPort(pod, port); number != 0 {
			addresses = append(addresses, net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(number))))
		}
	}
	return addresses
}

func isReady(pod *v1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.PodIP != "" && slices.ContainsFunc(pod.Status.Conditions, func(c v1.PodCondition) bool {
		return c.Type == v1.PodReady && c.Status == v1.ConditionTrue
	})
}

// targetPort is the port of the Pod to which a Service's port leads, 0 if the
// Pod has none of that name.
func targetPort(pod *v1.Pod, port v1.ServicePort) int32 {
	switch {
	case port.TargetPort.Type == intstr.Int && port.TargetPort.IntVal != 0:
		return port.TargetPort.IntVal
	case port.TargetPort.Type == intstr.Int:
		return port.Port
	}
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == port.TargetPort.StrVal && cmp.Or(p.Protocol, v1.ProtocolTCP) == cmp.Or(port.Protocol, v1.ProtocolTCP) {
				return p.ContainerPort
			}
		}
	}
	return 0
}

func (r *resolver) granted(from, to, service string) bool {
	return slices.ContainsFunc(r.grants, func(g *gatewayv1.ReferenceGrant) bool {
		return g.Namespace == to &&
			slices.ContainsFunc(g.Spec.From, func(f gatewayv1.ReferenceGrantFrom) bool {
				return f.Group == gatewayv1.GroupName && f.Kind == "HTTPRoute" && string(f.Namespace) == from
			}) &&
			slices.ContainsFunc(g.Spec.To, func(t gatewayv1.ReferenceGrantTo) bool {
				return t.Group == "" && t.Kind == "Service" && (t.Name == nil || *t.Name == "" || string(*t.Name) == service)
			})
	})
}

// routeEntries spreads a route's rules over its host names.
func routeEntries(route *gatewayv1.HTTPRoute, hosts []string, backends [][]backend) []entry {
	everything := gatewayv1.HTTPPathMatch{Type: ptr.To(gatewayv1.PathMatchPathPrefix), Value: ptr.To("/")}
	var entries []entry
	for _, host := range hosts {
		order := 0
		for i, rule := range route.Spec.Rules {
			matches := rule.Matches
			if len(matches) == 0 {
				matches = []gatewayv1.HTTPRouteMatch{{}}
			}
			for _, m := range matches {
				path := ptr.Deref(m.Path, everything)
				path.Type = cmp.Or(path.Type, everything.Type)
				path.Value = cmp.Or(path.Value, everything.Value)
				entries = append(entries, entry{
					host: host, path: path, method: string(ptr.Deref(m.Method, "")), headers: m.Headers, query: m.QueryParams,
					backends: backends[i], route: route.Namespace + "/" + route.Name, created: route.CreationTimestamp.Time, order: order,
				})
				order++
			}
		}
	}
	return entries
}

// gatewayStatus says how a gateway and its listeners fare. It comes after all
// routes are attached.
func (r *resolver) gatewayStatus(g *gatewayv1.Gateway) gatewayv1.GatewayStatus {
	status := gatewayv1.GatewayStatus{
		Addresses: []gatewayv1.GatewayStatusAddress{{Type: ptr.To(gatewayv1.IPAddressType), Value: "127.0.0.1"}},
	}
	allServed := true
	for i := range g.Spec.Listeners {
		l := &g.Spec.Listeners[i]
		served := r.serves(*l)
		reason, message := string(gatewayv1.ListenerReasonAccepted), "The listener is served."
		switch {
		case l.Protocol != gatewayv1.HTTPProtocolType:
			reason, message = string(gatewayv1.ListenerReasonUnsupportedProtocol), "This gateway speaks HTTP only."
		case !served:
			reason, message = string(gatewayv1.ListenerReasonPortUnavailable), fmt.Sprintf("This gateway listens on port %d.", r.port)
		}
		programmed := string(gatewayv1.ListenerReasonProgrammed)
		if !served {
			allServed, programmed = false, string(gatewayv1.ListenerReasonInvalid)
		}
		status.Listeners = append(status.Listeners, gatewayv1.ListenerStatus{
			Name:           l.Name,
			SupportedKinds: []gatewayv1.RouteGroupKind{{Group: ptr.To(gatewayv1.Group(gatewayv1.GroupName)), Kind: "HTTPRoute"}},
			AttachedRoutes: r.attached[l],
			Conditions: []metav1.Condition{
				condition(string(gatewayv1.ListenerConditionAccepted), served, reason, message, g.Generation),
				condition(string(gatewayv1.ListenerConditionProgrammed), served, programmed, message, g.Generation),
				condition(string(gatewayv1.ListenerConditionResolvedRefs), true, string(gatewayv1.ListenerReasonResolvedRefs), "Nothing is referred to.", g.Generation),
			},
		})
	}
	accepted, programmed, message := string(gatewayv1.GatewayReasonAccepted), string(gatewayv1.GatewayReasonProgrammed), "The gateway is served."
	if !allServed {
		accepted, programmed, message = string(gatewayv1.GatewayReasonListenersNotValid), string(gatewayv1.GatewayReasonInvalid), "Not all listeners can be served."
	}
	status.Conditions = []metav1.Condition{
		condition(string(gatewayv1.GatewayConditionAccepted), allServed, accepted, message, g.Generation),
		condition(string(gatewayv1.GatewayConditionProgrammed), allServed, programmed, message, g.Generation),
	}
	return status
}

func condition(kind string, is bool, reason, message string, generation int64) metav1.Condition {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: generation}
}
