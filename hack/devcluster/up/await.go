package up

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// stall is after how long without progress the reason is told.
const stall = 15 * time.Second

// maxReasons is how many reasons are told at the end.
const maxReasons = 12

// await waits until the operator, the communities and their Pods are ready. A
// Pod counts when it does not run another version of the given image, and has
// started since the cluster did: what is left from the run before says that it
// is ready, too.
func (c *cluster) await(ctx context.Context, image string, since time.Time, say *progress) error {
	say.step("Waiting until everything is ready")
	var last string
	lastChange := time.Now()
	for {
		summary, reasons, err := c.look(ctx, image, since, time.Since(lastChange) > stall)
		if err == nil && summary == "" {
			return nil
		}
		if err != nil {
			summary, reasons = "the API server does not answer", []string{err.Error()}
		}
		if summary != last {
			last, lastChange = summary, time.Now()
		}
		if time.Since(lastChange) > stall && len(reasons) > 0 {
			say.waiting("%s; %s", summary, reasons[0])
		} else {
			say.waiting("%s", summary)
		}
		select {
		case <-ctx.Done():
			if more := len(reasons) - maxReasons; more > 0 {
				reasons = append(reasons[:maxReasons], fmt.Sprintf("and %d more", more))
			}
			return fmt.Errorf("%s:\n  %s", summary, strings.Join(reasons, "\n  "))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// look tells what is not ready yet, in short and why; nothing if all is. Asked
// for warnings too, it says what the node or the scheduler last complained of.
func (c *cluster) look(ctx context.Context, image string, since time.Time, warnings bool) (summary string, reasons []string, err error) {
	deployments, err := c.client.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", nil, err
	}
	pods, err := c.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", nil, err
	}
	communities, err := c.communities(ctx)
	if err != nil {
		return "", nil, err
	}
	complaints := map[types.UID]string{}
	if warnings {
		if complaints, err = c.complaints(ctx); err != nil {
			return "", nil, err
		}
	}
	available, stale := 0, 0
	deployments.Items = slices.DeleteFunc(deployments.Items, func(d appsv1.Deployment) bool { return !ours(d.Namespace) })
	pods.Items = slices.DeleteFunc(pods.Items, func(p v1.Pod) bool { return !ours(p.Namespace) })
	var rollouts []string
	for _, d := range deployments.Items {
		if reason := deploymentReason(&d); reason != "" {
			rollouts = append(rollouts, reason)
			continue
		}
		available++
	}
	for _, pod := range pods.Items {
		reason := podReason(&pod, image, since)
		if reason == "" {
			continue
		}
		if complaint := complaints[pod.UID]; complaint != "" {
			reason += ": " + complaint
		}
		reasons = append(reasons, reason)
		stale++
	}
	ready := 0
	var waiting, unseen []string
	for _, community := range communities {
		switch reason, seen := communityReason(&community); {
		case reason == "":
			ready++
		case seen:
			waiting = append(waiting, reason)
		default:
			unseen = append(unseen, reason)
		}
	}
	// The communities say best what is wrong with theirs; unless the operator
	// has said nothing of them, for then the operator's Pod does.
	reasons = slices.Concat(waiting, reasons, rollouts, unseen)
	if len(reasons) == 0 {
		return "", nil, nil
	}
	if len(communities) > 0 && ready < len(communities) {
		return fmt.Sprintf("%d of %d communities Ready", ready, len(communities)), reasons, nil
	}
	return fmt.Sprintf("%d of %d Deployments available, %d Pods not ready", available, len(deployments.Items), stale), reasons, nil
}

// ours tells whether a namespace is the operator's or a community's. What people
// run in others is their own affair.
func ours(namespace string) bool {
	return namespace == "linli-system" || strings.HasPrefix(namespace, "community-")
}

func deploymentReason(d *appsv1.Deployment) string {
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	switch {
	case d.Status.ObservedGeneration < d.Generation:
		return fmt.Sprintf("Deployment %s/%s: not seen by the controller manager yet", d.Namespace, d.Name)
	case d.Status.UpdatedReplicas < wanted || d.Status.AvailableReplicas < wanted || d.Status.Replicas > d.Status.UpdatedReplicas:
		return fmt.Sprintf("Deployment %s/%s: %d of %d replicas updated, %d available", d.Namespace, d.Name,
			d.Status.UpdatedReplicas, wanted, d.Status.AvailableReplicas)
	}
	return ""
}

// podReason tells why a Pod is not ready; nothing if it is, or need not be.
func podReason(pod *v1.Pod, image string, since time.Time) string {
	if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
		return ""
	}
	name := "Pod " + pod.Namespace + "/" + pod.Name
	if pod.DeletionTimestamp != nil {
		return name + ": is being stopped"
	}
	for _, status := range pod.Status.ContainerStatuses {
		switch s := status.State; {
		case s.Waiting != nil:
			return strings.TrimSuffix(fmt.Sprintf("%s: %s: %s", name, s.Waiting.Reason, s.Waiting.Message), ": ")
		case s.Terminated != nil:
			return strings.TrimSpace(fmt.Sprintf("%s: ended with exit code %d %s", name, s.Terminated.ExitCode, s.Terminated.Message))
		case s.Running != nil && s.Running.StartedAt.Time.Before(since.Truncate(time.Second)):
			return name + ": starts again"
		}
		if otherVersion(status.Image, image) {
			return name + ": still runs the image before, " + status.Image
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Status != v1.ConditionTrue && (condition.Type == v1.PodReady || condition.Type == v1.PodScheduled) {
			return strings.TrimSuffix(fmt.Sprintf("%s: not %s: %s", name, condition.Type, condition.Message), ": ")
		}
	}
	return ""
}

func otherVersion(image, current string) bool {
	name, _, _ := strings.Cut(current, ":")
	return current != "" && strings.HasPrefix(image, name+":") && image != current
}

// complaints are the last warnings about Pods, by the Pods' UIDs.
func (c *cluster) complaints(ctx context.Context) (map[types.UID]string, error) {
	events, err := c.client.CoreV1().Events(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "type=" + v1.EventTypeWarning + ",involvedObject.kind=Pod"})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(events.Items, func(a, b v1.Event) int { return lastSeen(a).Compare(lastSeen(b)) })
	complaints := make(map[types.UID]string, len(events.Items))
	for _, event := range events.Items {
		complaints[event.InvolvedObject.UID] = event.Reason + ": " + event.Message
	}
	return complaints, nil
}

// lastSeen is when an event happened last; the scheduler notes it elsewhere than
// the kubelet.
func lastSeen(event v1.Event) time.Time {
	if event.LastTimestamp.IsZero() {
		return event.EventTime.Time
	}
	return event.LastTimestamp.Time
}

// communityReason tells why a community is not ready, nothing if it is, and
// whether the operator has seen it as it stands.
func communityReason(community *unstructured.Unstructured) (reason string, seenAsItIs bool) {
	status, why, message := condition(community.Object, "Ready")
	seen, _, _ := unstructured.NestedInt64(community.Object, "status", "observedGeneration")
	switch {
	case status == "":
		return community.GetName() + ": not seen by the operator yet", false
	case seen != community.GetGeneration():
		return community.GetName() + ": its last change was not seen by the operator yet", false
	case status != "True":
		return strings.TrimSuffix(fmt.Sprintf("%s: %s: %s", community.GetName(), why, message), ": "), true
	}
	return "", true
}
