package tenant

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/linli-io/linli/api/v1alpha1"
)

// user is the numeric user and group that services run as.
const user = 65532

// Where a container finds its files.
const (
	pathConfig             = "/etc/linli"
	pathKeys               = "/etc/linli-keys"
	pathData               = "/var/lib/linli"
	pathTmp                = "/tmp"
	pathTerminationMessage = "/dev/termination-log"
)

// Names of volumes.
const (
	volumeConfig = "config"
	volumeKeys   = "keys"
	volumeData   = "data"
	volumeTmp    = "tmp"
)

func deployment(c *v1alpha1.Community, r *v1alpha1.Release) *appsv1ac.DeploymentApplyConfiguration {
	replicas := int32(1)
	if c.Spec.RunPolicy == v1alpha1.RunPolicySuspended {
		replicas = 0
	}
	return appsv1ac.Deployment(Name, v1alpha1.NamespaceOf(c.Name)).
		WithLabels(labels(c)).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(replicas).
			WithRevisionHistoryLimit(2).
			WithProgressDeadlineSeconds(600).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector(c))).
			// SQLite has one writer: the old Pod ends before the new one starts.
			WithStrategy(appsv1ac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(podLabels(c)).
				WithSpec(podSpec(c, r))))
}

func podSpec(c *v1alpha1.Community, r *v1alpha1.Release) *corev1ac.PodSpecApplyConfiguration {
	spec := corev1ac.PodSpec().
		WithServiceAccountName(Name).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(30).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).
			WithRunAsUser(user).
			WithRunAsGroup(user).
			WithFSGroup(user).
			WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithContainers(container(c, r)).
		WithVolumes(
			corev1ac.Volume().WithName(volumeConfig).
				WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(Name)),
			corev1ac.Volume().WithName(volumeKeys).
				WithSecret(corev1ac.SecretVolumeSource().WithSecretName(KeysSecret).WithDefaultMode(0o440)),
			corev1ac.Volume().WithName(volumeData).
				WithPersistentVolumeClaim(corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(Name)),
			corev1ac.Volume().WithName(volumeTmp).
				WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
		)
	for _, secret := range r.Class.ImagePullSecrets {
		spec.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(secret.Name))
	}
	if len(r.Class.NodeSelector) > 0 {
		spec.WithNodeSelector(r.Class.NodeSelector)
	}
	for _, t := range r.Class.Tolerations {
		spec.WithTolerations(toleration(t))
	}
	return spec
}

func toleration(t corev1.Toleration) *corev1ac.TolerationApplyConfiguration {
	ac := corev1ac.Toleration()
	if t.Key != "" {
		ac.WithKey(t.Key)
	}
	if t.Operator != "" {
		ac.WithOperator(t.Operator)
	}
	if t.Value != "" {
		ac.WithValue(t.Value)
	}
	if t.Effect != "" {
		ac.WithEffect(t.Effect)
	}
	if t.TolerationSeconds != nil {
		ac.WithTolerationSeconds(*t.TolerationSeconds)
	}
	return ac
}

// container runs the services. Only the file is read for the termination
// message: the log's last lines could carry what concerns a resident into the
// Community's status.
func container(c *v1alpha1.Community, r *v1alpha1.Release) *corev1ac.ContainerApplyConfiguration {
	resources := resourcesOf(r)
	return corev1ac.Container().
		WithName(Container).
		WithImage(r.Class.Image).
		WithArgs(append(append([]string{"serve"}, v1alpha1.ServicesOn(&c.Spec)...),
			"--config="+pathConfig,
			"--keys="+pathKeys,
			"--data="+pathData,
			fmt.Sprintf("--address=$(POD_IP):%d", portHTTP),
			fmt.Sprintf("--metrics-address=$(POD_IP):%d", portMetrics),
			"--termination-message="+pathTerminationMessage,
		)...).
		WithEnv(corev1ac.EnvVar().WithName("POD_IP").WithValueFrom(corev1ac.EnvVarSource().
			WithFieldRef(corev1ac.ObjectFieldSelector().WithFieldPath("status.podIP")))).
		WithPorts(
			corev1ac.ContainerPort().WithName(portNameHTTP).WithContainerPort(portHTTP).WithProtocol(corev1.ProtocolTCP),
			corev1ac.ContainerPort().WithName(portNameMetrics).WithContainerPort(portMetrics).WithProtocol(corev1.ProtocolTCP),
		).
		WithResources(corev1ac.ResourceRequirements().
			WithRequests(resources.Requests).
			WithLimits(resources.Limits)).
		WithTerminationMessagePath(pathTerminationMessage).
		WithTerminationMessagePolicy(corev1.TerminationMessageReadFile).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))).
		// Migrations run before the services are ready; the process is alive
		// in the meantime, so that a long one is not killed half-way.
		WithStartupProbe(probe("/livez", 1, 60)).
		WithLivenessProbe(probe("/livez", 10, 3)).
		WithReadinessProbe(probe("/readyz", 2, 2)).
		WithVolumeMounts(
			corev1ac.VolumeMount().WithName(volumeConfig).WithMountPath(pathConfig).WithReadOnly(true),
			corev1ac.VolumeMount().WithName(volumeKeys).WithMountPath(pathKeys).WithReadOnly(true),
			corev1ac.VolumeMount().WithName(volumeData).WithMountPath(pathData),
			corev1ac.VolumeMount().WithName(volumeTmp).WithMountPath(pathTmp),
		)
}

// probe asks the metrics port every period seconds and gives up after that
// many failures.
func probe(path string, period, failures int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(portNameMetrics))).
		WithPeriodSeconds(period).
		WithTimeoutSeconds(2).
		WithFailureThreshold(failures)
}
