package community

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/linli-io/linli/api/v1alpha1"
)

// seen is a tenant in which everything is ready.
func seen() observed {
	c := newCommunity("zhanqian", "yutai")
	return observed{
		spec:  &c.Spec,
		name:  c.Name,
		class: &newClass("yutai").Spec,
		deployment: &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Generation: 3},
			Status:     appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1},
		},
		deploymentGeneration: 3,
		pods:                 []corev1.Pod{podWith(corev1.ContainerStatus{Ready: true})},
		route: &gatewayv1.HTTPRoute{
			ObjectMeta: metav1.ObjectMeta{Generation: 2},
			Status:     gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{parentStatus("linli", "Accepted", metav1.ConditionTrue, 2)}}},
		},
		routeGeneration: 2,
	}
}

func podWith(container corev1.ContainerStatus) corev1.Pod {
	container.Image = "registry.example.cn/linli:v1"
	return corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{container}}}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func terminated(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}
}

func parentStatus(gateway, condition string, status metav1.ConditionStatus, generation int64) gatewayv1.RouteParentStatus {
	ns := gatewayv1.Namespace("gateway-system")
	return gatewayv1.RouteParentStatus{
		ParentRef:  gatewayv1.ParentReference{Name: gatewayv1.ObjectName(gateway), Namespace: &ns},
		Conditions: []metav1.Condition{{Type: condition, Status: status, Reason: "Because", Message: "it says so", ObservedGeneration: generation}},
	}
}

func TestJudge(t *testing.T) {
	starting := func(o *observed, container corev1.ContainerStatus) {
		o.deployment.Status.AvailableReplicas = 0
		o.pods = []corev1.Pod{podWith(container)}
	}
	for name, test := range map[string]struct {
		change  func(*observed)
		reason  string
		message string
	}{
		"all ready":                  {func(*observed) {}, v1alpha1.ReasonAllServicesReady, "portal, booking, messages, residents: all ready at http://zhanqian.localhost:8080"},
		"nothing seen yet":           {func(o *observed) { o.deployment, o.route, o.pods = nil, nil, nil }, v1alpha1.ReasonRollingOut, ""},
		"cache older than our apply": {func(o *observed) { o.deploymentGeneration = 4 }, v1alpha1.ReasonRollingOut, ""},
		"controller has not looked":  {func(o *observed) { o.deployment.Generation = 4; o.deploymentGeneration = 4 }, v1alpha1.ReasonRollingOut, ""},
		"old Pod still there":        {func(o *observed) { o.deployment.Status.UpdatedReplicas = 0 }, v1alpha1.ReasonRollingOut, ""},

		"terminated": {func(o *observed) {
			starting(o, corev1.ContainerStatus{State: terminated(1, "Error", "disk full")})
		}, v1alpha1.ReasonServiceFailed, "disk full"},
		"waiting after an end": {func(o *observed) {
			starting(o, corev1.ContainerStatus{State: waiting("CrashLoopBackOff", "back-off 5m0s"), LastTerminationState: terminated(1, "Error", "disk full")})
		}, v1alpha1.ReasonServiceFailed, "disk full"},
		"running after an end": {func(o *observed) {
			starting(o, corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, LastTerminationState: terminated(1, "Error", "disk full")})
		}, v1alpha1.ReasonServiceFailed, "disk full"},
		"ready after an end": {func(o *observed) {
			starting(o, corev1.ContainerStatus{Ready: true, LastTerminationState: terminated(1, "Error", "disk full")})
		}, v1alpha1.ReasonRollingOut, ""},
		"ended well": {func(o *observed) {
			starting(o, corev1.ContainerStatus{State: terminated(0, "Completed", "")})
		}, v1alpha1.ReasonRollingOut, ""},
		"killed for memory": {func(o *observed) {
			starting(o, corev1.ContainerStatus{State: waiting("CrashLoopBackOff", ""), LastTerminationState: terminated(137, "OOMKilled", "")})
		}, v1alpha1.ReasonServiceFailed, "raise resources.limits.memory"},
		"no message": {func(o *observed) {
			starting(o, corev1.ContainerStatus{State: terminated(2, "Error", "")})
		}, v1alpha1.ReasonServiceFailed, "exit code 2"},
		"failure of a Pod that is going": {func(o *observed) {
			starting(o, corev1.ContainerStatus{State: terminated(1, "Error", "disk full")})
			now := metav1.Now()
			o.pods[0].DeletionTimestamp = &now
		}, v1alpha1.ReasonRollingOut, ""},

		"image pull":          {func(o *observed) { starting(o, corev1.ContainerStatus{State: waiting("ErrImagePull", "dial tcp")}) }, v1alpha1.ReasonPodNotStarting, "Image registry.example.cn/linli:v1 cannot be had"},
		"image pull, waiting": {func(o *observed) { starting(o, corev1.ContainerStatus{State: waiting("ImagePullBackOff", "back-off")}) }, v1alpha1.ReasonPodNotStarting, "Image registry.example.cn/linli:v1 cannot be had"},
		"no secret": {func(o *observed) {
			starting(o, corev1.ContainerStatus{State: waiting("CreateContainerConfigError", `secret "linli-keys" not found`)})
		}, v1alpha1.ReasonPodNotStarting, `secret "linli-keys" not found`},
		"no node": {func(o *observed) {
			o.deployment.Status.AvailableReplicas = 0
			o.pods = []corev1.Pod{{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available"}}}}}
		}, v1alpha1.ReasonPodNotStarting, "0/1 nodes are available"},
		"quota": {func(o *observed) {
			o.deployment.Status.AvailableReplicas = 0
			o.pods = nil
			o.deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: `pods "linli-7d4b9c-x2x4q" is forbidden: exceeded quota: linli`}}
		}, v1alpha1.ReasonPodNotStarting, "the Pod is forbidden: exceeded quota: linli"},

		"no route":                {func(o *observed) { o.route = nil }, v1alpha1.ReasonRouteNotAccepted, "has not taken the route yet"},
		"nobody looked":           {func(o *observed) { o.route.Status.Parents = nil }, v1alpha1.ReasonRouteNotAccepted, "has not taken the route yet"},
		"looked before a change":  {func(o *observed) { o.route.Generation = 3 }, v1alpha1.ReasonRouteNotAccepted, "has not taken the route yet"},
		"route older than apply":  {func(o *observed) { o.routeGeneration = 3 }, v1alpha1.ReasonRouteNotAccepted, "has not taken the route yet"},
		"accepted by another one": {func(o *observed) { o.route.Status.Parents[0].ParentRef.Name = "other" }, v1alpha1.ReasonRouteNotAccepted, "Gateway gateway-system/linli"},
		"refused": {func(o *observed) {
			o.route.Status.Parents[0].Conditions[0].Status = metav1.ConditionFalse
		}, v1alpha1.ReasonRouteNotAccepted, "does not take the route: Because: it says so"},
		"Service unknown to the gateway": {func(o *observed) {
			parent := &o.route.Status.Parents[0]
			parent.Conditions = append(parent.Conditions, metav1.Condition{Type: "ResolvedRefs", Status: metav1.ConditionFalse, Reason: "BackendNotFound", Message: "no Service"})
		}, v1alpha1.ReasonRouteNotAccepted, "BackendNotFound: no Service"},

		"suspending": {func(o *observed) { o.spec.RunPolicy = v1alpha1.RunPolicySuspended }, v1alpha1.ReasonSuspending, ""},
		"suspended": {func(o *observed) {
			o.spec.RunPolicy = v1alpha1.RunPolicySuspended
			o.deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: 3}
		}, v1alpha1.ReasonSuspended, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := seen()
			test.change(&o)
			got := judge(o)
			if got.reason != test.reason || !strings.Contains(got.message, test.message) {
				t.Errorf("judged %s: %s", got.reason, got.message)
			}
			if (got.ready == metav1.ConditionTrue) != (test.reason == v1alpha1.ReasonAllServicesReady) {
				t.Errorf("%s with Ready=%s", got.reason, got.ready)
			}
		})
	}
}

func TestNext(t *testing.T) {
	class := newClass("yutai")
	for _, test := range []struct{ inForce, ofClass, want string }{
		{"", "", ""},
		{"", "new", "new"},
		{"old", "new", "new"},
		{"old", "", "old"},
	} {
		class.Status.Release = test.ofClass
		if got := next(test.inForce, class); got != test.want {
			t.Errorf("in force %q, class has %q: %q", test.inForce, test.ofClass, got)
		}
	}
	if got := next("old", nil); got != "old" {
		t.Errorf("without a class: %q", got)
	}
}

// TestOneLine: a message of a service is data from elsewhere; it must fit into
// a condition and stay one line whatever it holds.
func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"plain":                         "plain",
		" two\n\tlines\r\n":             "two lines",
		"colour \x1b[31mred\x00":        "colour [31mred",
		"cut in the middle of \xe7\xab": "cut in the middle of",
		"站前社区 的数据库":                     "站前社区 的数据库",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("%q became %q, not %q", in, got, want)
		}
	}
	long := oneLine(strings.Repeat("邻", 3000))
	if n := utf8.RuneCountInString(long); n != messageLimit || !strings.HasSuffix(long, "…") {
		t.Errorf("%d characters", n)
	}
}

// TestRefusals: only when trying again cannot help with anything is the
// community stalled.
func TestRefusals(t *testing.T) {
	invalid := fmt.Errorf("apply Deployment linli: %w", apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "linli", nil))
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"invalid":              {invalid, true},
		"too large":            {refusal{errors.New("too large")}, true},
		"two invalid":          {errors.Join(invalid, errors.Join(invalid)), true},
		"timeout":              {apierrors.NewTimeoutError("slow", 1), false},
		"invalid and timeout":  {errors.Join(invalid, apierrors.NewTimeoutError("slow", 1)), false},
		"within another error": {fmt.Errorf("phase: %w", errors.Join(invalid, errors.New("other"))), false},
		"forbidden":            {apierrors.NewForbidden(schema.GroupResource{}, "x", nil), false},
	} {
		if got := asRefusal(test.err) != nil; got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestOwnedKinds: what holds data is never pruned.
func TestOwnedKinds(t *testing.T) {
	for _, kind := range ownedKinds {
		holdsData := slices.Contains([]string{"Namespace", "PersistentVolumeClaim", "Secret"}, kind.gvk.Kind)
		if kind.prune == holdsData {
			t.Errorf("%s: prune is %v", kind.gvk.Kind, kind.prune)
		}
	}
}
