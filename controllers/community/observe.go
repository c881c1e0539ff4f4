package community

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/tenant"
)

// observed is what a tenant looks like in the cache. The generations are those
// of the last apply: an older object in the cache says nothing yet.
type observed struct {
	spec *v1alpha1.CommunitySpec
	// name is the community's name.
	name  string
	class *v1alpha1.CommunityClassSpec

	deployment           *appsv1.Deployment
	deploymentGeneration int64
	pods                 []corev1.Pod
	route                *gatewayv1.HTTPRoute
	routeGeneration      int64
}

// observe judges how the services do.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	c := s.community
	name := client.ObjectKey{Namespace: v1alpha1.NamespaceOf(c.Name), Name: tenant.Name}
	o := observed{spec: &c.Spec, name: c.Name, class: &s.release.Class}

	var deployment appsv1.Deployment
	if err := r.Client.Get(ctx, name, &deployment); err == nil {
		o.deployment = &deployment
	} else if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("its Deployment %s: %w", name, err)
	}
	var route gatewayv1.HTTPRoute
	if err := r.Client.Get(ctx, name, &route); err == nil {
		o.route = &route
	} else if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("its HTTPRoute %s: %w", name, err)
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(name.Namespace), client.MatchingLabels{v1alpha1.LabelCommunity: c.Name}); err != nil {
		return fmt.Errorf("its Pods in %s: %w", name.Namespace, err)
	}
	o.pods = pods.Items
	applied, _ := r.applied.get(c.Name, key{deploymentKind, name})
	o.deploymentGeneration = applied.generation
	applied, _ = r.applied.get(c.Name, key{routeKind, name})
	o.routeGeneration = applied.generation

	s.verdict = judge(o)
	s.services = serviceStates(o)
	return nil
}

// judge is a chain of pure decisions: the first that has something to say says
// how the community is.
func judge(o observed) verdict {
	for _, decide := range []func(observed) *verdict{judgeSuspension, judgePods, judgeDeployment, judgeRoute} {
		if v := decide(o); v != nil {
			return *v
		}
	}
	return ready(fmt.Sprintf("%s: all ready at %s", strings.Join(v1alpha1.ServicesOn(o.spec), ", "), o.class.URL(o.name)))
}

func judgeSuspension(o observed) *verdict {
	if o.spec.RunPolicy != v1alpha1.RunPolicySuspended {
		return nil
	}
	v := suspended("The services are stopped and everything is kept; set spec.runPolicy to Running to start them")
	if !current(o) || o.deployment.Status.Replicas > 0 {
		v = progressing(v1alpha1.ReasonSuspending, "The services are being stopped")
	}
	return &v
}

// judgePods looks for what keeps the Pod from becoming ready. What a container
// said when it last ended counts until it is ready again, so that a container
// that fails over and over does not change the verdict each time.
func judgePods(o observed) *verdict {
	if available(o) {
		return nil
	}
	for _, pod := range o.pods {
		if !pod.DeletionTimestamp.IsZero() {
			continue
		}
		for _, container := range pod.Status.ContainerStatuses {
			if container.Ready {
				continue
			}
			if v := judgeContainer(container); v != nil {
				return v
			}
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse && condition.Reason == corev1.PodReasonUnschedulable {
				// Every Pod is so for a moment, until its claim is bound.
				v := progressing(v1alpha1.ReasonPodNotStarting, "No node takes the Pod: "+oneLine(condition.Message))
				return &v
			}
		}
	}
	return nil
}

func judgeContainer(container corev1.ContainerStatus) *verdict {
	if waiting := container.State.Waiting; waiting != nil {
		var v verdict
		switch waiting.Reason {
		case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName":
			// One message for all: they take turns.
			v = failed(v1alpha1.ReasonPodNotStarting, fmt.Sprintf("Image %s cannot be had; check the image and imagePullSecrets of the CommunityClass", container.Image))
			return &v
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			v = failed(v1alpha1.ReasonPodNotStarting, "The container cannot be started: "+oneLine(waiting.Message))
			return &v
		}
	}
	ended := container.State.Terminated
	if ended == nil {
		ended = container.LastTerminationState.Terminated
	}
	if ended == nil || ended.ExitCode == 0 {
		return nil
	}
	message := oneLine(ended.Message)
	switch {
	case message != "":
	case ended.Reason == "OOMKilled":
		message = "The container used more memory than its limit; raise resources.limits.memory of the CommunityClass"
	default:
		message = fmt.Sprintf("The container ended with exit code %d and left no message; its log says more (kubectl logs --previous)", ended.ExitCode)
	}
	v := failed(v1alpha1.ReasonServiceFailed, message)
	return &v
}

func judgeDeployment(o observed) *verdict {
	if available(o) {
		return nil
	}
	v := progressing(v1alpha1.ReasonRollingOut, "The services are starting")
	if o.deployment != nil {
		for _, condition := range o.deployment.Status.Conditions {
			if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
				v = failed(v1alpha1.ReasonPodNotStarting, "The Pod is refused: "+withoutPodNames(oneLine(condition.Message)))
			}
		}
	}
	return &v
}

func judgeRoute(o observed) *verdict {
	gateway := o.class.Gateway
	where := fmt.Sprintf("Gateway %s/%s", gateway.Namespace, gateway.Name)
	if o.route != nil && o.route.Generation >= o.routeGeneration {
		for _, parent := range o.route.Status.Parents {
			if string(parent.ParentRef.Name) != gateway.Name {
				continue
			}
			if parent.ParentRef.Namespace != nil && string(*parent.ParentRef.Namespace) != gateway.Namespace {
				continue
			}
			accepted := meta.FindStatusCondition(parent.Conditions, string(gatewayv1.RouteConditionAccepted))
			if accepted == nil || accepted.ObservedGeneration < o.route.Generation {
				continue
			}
			resolved := meta.FindStatusCondition(parent.Conditions, string(gatewayv1.RouteConditionResolvedRefs))
			for _, condition := range []*metav1.Condition{accepted, resolved} {
				if condition != nil && condition.Status == metav1.ConditionFalse {
					v := failed(v1alpha1.ReasonRouteNotAccepted, fmt.Sprintf("%s does not take the route: %s: %s", where, condition.Reason, oneLine(condition.Message)))
					return &v
				}
			}
			if accepted.Status == metav1.ConditionTrue {
				return nil
			}
		}
	}
	v := progressing(v1alpha1.ReasonRouteNotAccepted, fmt.Sprintf("%s has not taken the route yet; check that it exists and its controller runs", where))
	return &v
}

// current says whether the Deployment's status is about what was applied last.
func current(o observed) bool {
	d := o.deployment
	return d != nil && d.Generation >= o.deploymentGeneration && d.Status.ObservedGeneration >= d.Generation
}

// available says whether the services that were applied last answer.
func available(o observed) bool {
	if !current(o) {
		return false
	}
	status := o.deployment.Status
	return status.UpdatedReplicas > 0 && status.Replicas == status.UpdatedReplicas && status.AvailableReplicas == status.UpdatedReplicas
}

// serviceStates reports each service that is on. One Pod runs them all, so
// that they are ready together.
func serviceStates(o observed) []v1alpha1.ServiceStatus {
	state := v1alpha1.ServiceNotReady
	switch {
	case o.spec.RunPolicy == v1alpha1.RunPolicySuspended:
		state = v1alpha1.ServiceSuspended
	case available(o):
		state = v1alpha1.ServiceReady
	}
	var states []v1alpha1.ServiceStatus
	for _, name := range v1alpha1.ServicesOn(o.spec) {
		states = append(states, v1alpha1.ServiceStatus{Name: name, State: state})
	}
	return states
}

// messageLimit is the longest message, in characters, that is taken over from
// elsewhere.
const messageLimit = 500

// oneLine makes one line of at most messageLimit characters.
func oneLine(message string) string {
	message = strings.Join(strings.FieldsFunc(message, func(c rune) bool {
		return unicode.IsSpace(c) || unicode.IsControl(c) || c == unicode.ReplacementChar
	}), " ")
	if runes := []rune(message); len(runes) > messageLimit {
		message = string(runes[:messageLimit-1]) + "…"
	}
	return message
}

var podName = regexp.MustCompile(`pods "` + tenant.Name + `-[^"]*"`)

// withoutPodNames takes generated names out of a message, which would make
// every try look like news.
func withoutPodNames(message string) string {
	return podName.ReplaceAllString(message, "the Pod")
}
