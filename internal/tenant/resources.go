package tenant

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/linli-io/linli/api/v1alpha1"
)

// headroom is how many Pods of a community's size its quota leaves room for:
// the services, and jobs beside them such as a backup.
const headroom = 4

// defaultSize is the size of a claim when the class names none.
var defaultSize = resource.MustParse("2Gi")

// resourcesOf is what one Pod asks for and may use: what the class says, with
// defaults for the requests and the memory limit that it leaves out. CPU is
// not limited by default: a community at rest uses none, and throttling would
// slow the few moments in which it does.
func resourcesOf(r *v1alpha1.Release) corev1.ResourceRequirements {
	resources := corev1.ResourceRequirements{
		Requests: r.Class.Resources.Requests.DeepCopy(),
		Limits:   r.Class.Resources.Limits.DeepCopy(),
	}
	if resources.Requests == nil {
		resources.Requests = corev1.ResourceList{}
	}
	if resources.Limits == nil {
		resources.Limits = corev1.ResourceList{}
	}
	if _, ok := resources.Limits[corev1.ResourceMemory]; !ok {
		limit := resource.MustParse("256Mi")
		if request, ok := resources.Requests[corev1.ResourceMemory]; ok && request.Cmp(limit) > 0 {
			limit = request
		}
		resources.Limits[corev1.ResourceMemory] = limit
	}
	for name, request := range map[corev1.ResourceName]resource.Quantity{
		corev1.ResourceCPU:    resource.MustParse("20m"),
		corev1.ResourceMemory: resource.MustParse("64Mi"),
	} {
		if _, ok := resources.Requests[name]; ok {
			continue
		}
		if limit, ok := resources.Limits[name]; ok && limit.Cmp(request) < 0 {
			request = limit
		}
		resources.Requests[name] = request
	}
	return resources
}

func sizeOf(r *v1alpha1.Release) resource.Quantity {
	if r.Class.Database.Size.IsZero() {
		return defaultSize.DeepCopy()
	}
	return r.Class.Database.Size.DeepCopy()
}

// resourceQuota bounds what a tenant can take from its neighbours, and forbids
// Services that would be reached past the gateway.
func resourceQuota(c *v1alpha1.Community, r *v1alpha1.Release) *corev1ac.ResourceQuotaApplyConfiguration {
	pod := resourcesOf(r)
	times := func(q resource.Quantity) resource.Quantity {
		q = q.DeepCopy()
		q.Mul(headroom)
		return q
	}
	return corev1ac.ResourceQuota(Name, v1alpha1.NamespaceOf(c.Name)).
		WithLabels(labels(c)).
		WithSpec(corev1ac.ResourceQuotaSpec().WithHard(corev1.ResourceList{
			corev1.ResourcePods:                   *resource.NewQuantity(2*headroom, resource.DecimalSI),
			corev1.ResourceRequestsCPU:            times(pod.Requests[corev1.ResourceCPU]),
			corev1.ResourceRequestsMemory:         times(pod.Requests[corev1.ResourceMemory]),
			corev1.ResourceLimitsMemory:           times(pod.Limits[corev1.ResourceMemory]),
			corev1.ResourceRequestsStorage:        times(sizeOf(r)),
			corev1.ResourceServicesLoadBalancers:  *resource.NewQuantity(0, resource.DecimalSI),
			corev1.ResourceServicesNodePorts:      *resource.NewQuantity(0, resource.DecimalSI),
			corev1.ResourcePersistentVolumeClaims: *resource.NewQuantity(headroom, resource.DecimalSI),
		}))
}

// limitRange gives containers that name no resources some, or the quota would
// refuse them.
func limitRange(c *v1alpha1.Community, r *v1alpha1.Release) *corev1ac.LimitRangeApplyConfiguration {
	pod := resourcesOf(r)
	return corev1ac.LimitRange(Name, v1alpha1.NamespaceOf(c.Name)).
		WithLabels(labels(c)).
		WithSpec(corev1ac.LimitRangeSpec().WithLimits(corev1ac.LimitRangeItem().
			WithType(corev1.LimitTypeContainer).
			WithDefault(corev1.ResourceList{corev1.ResourceMemory: pod.Limits[corev1.ResourceMemory]}).
			WithDefaultRequest(corev1.ResourceList{
				corev1.ResourceCPU:    pod.Requests[corev1.ResourceCPU],
				corev1.ResourceMemory: pod.Requests[corev1.ResourceMemory],
			})))
}

// claim keeps the databases of a community. It is never pruned and never
// deleted except with its namespace.
func claim(c *v1alpha1.Community, r *v1alpha1.Release) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: sizeOf(r)}))
	if class := r.Class.Database.StorageClassName; class != "" {
		spec.WithStorageClassName(class)
	}
	return corev1ac.PersistentVolumeClaim(Name, v1alpha1.NamespaceOf(c.Name)).
		WithLabels(labels(c)).
		WithSpec(spec)
}
