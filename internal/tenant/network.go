package tenant

import (
	"net/url"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1ac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
)

// Ports of a Pod. The metrics port carries health too and is never routed.
const (
	portHTTP    = 8080
	portMetrics = 8081

	portNameHTTP    = "http"
	portNameMetrics = "metrics"
)

// monitoringNamespace is where Prometheus is expected.
const monitoringNamespace = "monitoring"

// weChatPay is where payments by WeChat Pay are begun and asked for.
const weChatPay = "https://api.mch.weixin.qq.com"

// networkPolicies close a tenant in both directions and open what is needed:
// the gateway to the pages, the platform and monitoring to the metrics, the
// cluster's DNS, and the ports of the issuer, of the gateway for text
// messages and of WeChat Pay, wherever those are: a policy cannot name a host.
func networkPolicies(c *v1alpha1.Community, r *v1alpha1.Release) []*networkingv1ac.NetworkPolicyApplyConfiguration {
	policy := func(name string) *networkingv1ac.NetworkPolicyApplyConfiguration {
		return networkingv1ac.NetworkPolicy(name, v1alpha1.NamespaceOf(c.Name)).WithLabels(labels(c))
	}
	everyPod := metav1ac.LabelSelector
	ingress := func(port int32, namespaces ...string) *networkingv1ac.NetworkPolicySpecApplyConfiguration {
		rule := networkingv1ac.NetworkPolicyIngressRule().WithPorts(networkPort(corev1.ProtocolTCP, port))
		for _, namespace := range namespaces {
			rule.WithFrom(networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(namespaceNamed(namespace)))
		}
		return networkingv1ac.NetworkPolicySpec().
			WithPodSelector(everyPod()).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(rule)
	}
	policies := []*networkingv1ac.NetworkPolicyApplyConfiguration{
		policy("default-deny").WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(everyPod()).
			WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)),
		policy("allow-gateway").WithSpec(ingress(portHTTP, r.Class.Gateway.Namespace)),
		policy("allow-metrics").WithSpec(ingress(portMetrics, v1alpha1.PlatformNamespace, monitoringNamespace)),
		policy("allow-dns").WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(everyPod()).
			WithPolicyTypes(networkingv1.PolicyTypeEgress).
			WithEgress(networkingv1ac.NetworkPolicyEgressRule().
				WithTo(networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(namespaceNamed("kube-system"))).
				WithPorts(networkPort(corev1.ProtocolUDP, 53), networkPort(corev1.ProtocolTCP, 53)))),
		policy("allow-issuer").WithSpec(egressTo(r.Class.Identity.Issuer)),
	}
	if sms := r.Class.Notifications.SMSWebhook; sms != "" {
		policies = append(policies, policy("allow-sms").WithSpec(egressTo(sms)))
	}
	if accounts := c.Spec.Services.Accounts; accounts != nil && accounts.WeChatPay != nil {
		policies = append(policies, policy("allow-wechat-pay").WithSpec(egressTo(weChatPay)))
	}
	return policies
}

// egressTo lets every Pod reach the port of a web address.
func egressTo(address string) *networkingv1ac.NetworkPolicySpecApplyConfiguration {
	return networkingv1ac.NetworkPolicySpec().
		WithPodSelector(metav1ac.LabelSelector()).
		WithPolicyTypes(networkingv1.PolicyTypeEgress).
		WithEgress(networkingv1ac.NetworkPolicyEgressRule().
			WithTo(
				// Not to link-local addresses, where clouds hand out their secrets.
				networkingv1ac.NetworkPolicyPeer().WithIPBlock(networkingv1ac.IPBlock().WithCIDR("0.0.0.0/0").WithExcept("169.254.0.0/16")),
				networkingv1ac.NetworkPolicyPeer().WithIPBlock(networkingv1ac.IPBlock().WithCIDR("::/0").WithExcept("fe80::/10"))).
			WithPorts(networkPort(corev1.ProtocolTCP, portOf(address))))
}

// portOf is the port of an address that the class's validation has let pass.
func portOf(address string) int32 {
	u, err := url.Parse(address)
	if err != nil {
		return 443
	}
	if port, err := strconv.ParseInt(u.Port(), 10, 32); err == nil {
		return int32(port)
	}
	if u.Scheme == string(v1alpha1.SchemeHTTP) {
		return 80
	}
	return 443
}

func namespaceNamed(name string) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(map[string]string{corev1.LabelMetadataName: name})
}

func networkPort(protocol corev1.Protocol, port int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(port))
}

func service(c *v1alpha1.Community) *corev1ac.ServiceApplyConfiguration {
	port := func(name string, number int32) *corev1ac.ServicePortApplyConfiguration {
		return corev1ac.ServicePort().
			WithName(name).
			WithPort(number).
			WithProtocol(corev1.ProtocolTCP).
			WithTargetPort(intstr.FromString(name))
	}
	return corev1ac.Service(Name, v1alpha1.NamespaceOf(c.Name)).
		WithLabels(podLabels(c)).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(selector(c)).
			WithPorts(port(portNameHTTP, portHTTP), port(portNameMetrics, portMetrics)))
}

func httpRoute(c *v1alpha1.Community, r *v1alpha1.Release) *gatewayv1ac.HTTPRouteApplyConfiguration {
	gateway := r.Class.Gateway
	return gatewayv1ac.HTTPRoute(Name, v1alpha1.NamespaceOf(c.Name)).
		WithLabels(labels(c)).
		WithSpec(gatewayv1ac.HTTPRouteSpec().
			WithParentRefs(gatewayv1ac.ParentReference().
				WithGroup(gatewayv1.GroupName).
				WithKind("Gateway").
				WithNamespace(gatewayv1.Namespace(gateway.Namespace)).
				WithName(gatewayv1.ObjectName(gateway.Name))).
			WithHostnames(gatewayv1.Hostname(r.Class.Host(c.Name))).
			WithRules(gatewayv1ac.HTTPRouteRule().
				WithMatches(gatewayv1ac.HTTPRouteMatch().
					WithPath(gatewayv1ac.HTTPPathMatch().
						WithType(gatewayv1.PathMatchPathPrefix).
						WithValue("/"))).
				WithBackendRefs(gatewayv1ac.HTTPBackendRef().
					WithName(Name).
					WithPort(portHTTP))))
}
