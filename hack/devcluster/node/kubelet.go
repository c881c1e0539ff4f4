// Package node is the cluster's only node: the kubelet, as it is, on top of a
// container runtime of our own that runs each container as a local process.
//
// Everything that people know of Pods is therefore the real thing: probes,
// restarts with back-off, conditions, events, projected volumes, logs. What is
// replaced is what needs root: cgroups, mounts, and the kernel's log.
package node

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/kubernetes/pkg/kubelet"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	kubeletutil "k8s.io/kubernetes/pkg/kubelet/util"
	"k8s.io/kubernetes/pkg/util/oom"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/kubernetes/pkg/volume/util/subpath"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

const (
	// syncFrequency is how often the kubelet looks at a Pod without a reason;
	// changed ConfigMaps and Secrets reach the Pods' directories then.
	syncFrequency = 10 * time.Second
	// maxRestartPause is the longest pause before a crashed container starts
	// again. Kubernetes' own five minutes are long for somebody who watches.
	maxRestartPause = 20 * time.Second
)

// Run runs the node until ctx ends, and then stops its Pods' processes.
func Run(ctx context.Context, l controlplane.Layout) error {
	// Resizing Pods in place reads their cgroups at every look.
	if err := utilfeature.DefaultMutableFeatureGate.Set(string(features.InPlacePodLevelResourcesVerticalScaling) + "=false"); err != nil {
		return fmt.Errorf("the kubelet's features: %w", err)
	}
	runtime, err := newRuntime(l)
	if err != nil {
		return err
	}
	flags, config, err := configuration(l)
	if err != nil {
		return err
	}
	dependencies, authenticate, err := dependencies(ctx, l, config, runtime)
	if err != nil {
		return err
	}
	// The kubelet outlives ctx: it has to see how its Pods end.
	kubeletCtx := context.WithoutCancel(ctx)
	authenticate(kubeletCtx.Done())
	server := &options.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *config}
	if err := kubeletapp.RunKubelet(kubeletCtx, server, dependencies); err != nil {
		return fmt.Errorf("starting the kubelet: %w", err)
	}
	<-ctx.Done()
	runtime.shutDown()
	return nil
}

func configuration(l controlplane.Layout) (*options.KubeletFlags, *kubeletconfig.KubeletConfiguration, error) {
	f := options.NewKubeletFlags()
	f.RootDirectory = l.NodeDir()
	f.CertDirectory = l.PKIDir()
	f.HostnameOverride = controlplane.NodeName
	f.NodeLabels = map[string]string{"kubernetes.io/hostname": controlplane.NodeName}

	c, err := options.NewKubeletConfiguration()
	if err != nil {
		return nil, nil, fmt.Errorf("the kubelet's default configuration: %w", err)
	}
	c.EnableServer = true
	c.Address = "127.0.0.1"
	c.Port = int32(l.NodePort())
	c.ReadOnlyPort = 0
	c.TLSCertFile = filepath.Join(l.PKIDir(), "kubelet.crt")
	c.TLSPrivateKeyFile = filepath.Join(l.PKIDir(), "kubelet.key")
	c.Authentication.X509.ClientCAFile = l.CAFile()
	c.Authentication.Anonymous.Enabled = false
	c.Authentication.Webhook.Enabled = true
	c.Authorization.Mode = kubeletconfig.KubeletAuthorizationModeWebhook
	c.RegisterNode = true
	c.MaxPods = 1000
	c.MaxOpenFiles = maxOpenFiles()
	c.PodLogsDir = filepath.Join(l.NodeDir(), "logs")
	c.SyncFrequency = metav1.Duration{Duration: syncFrequency}
	c.CrashLoopBackOff.MaxContainerRestartPeriod = &metav1.Duration{Duration: maxRestartPause}
	// No cgroups, no resolver, no mounts, no measuring of disks.
	c.CgroupsPerQOS = false
	c.EnforceNodeAllocatable = nil
	c.FailSwapOn = false
	c.FailCgroupV1 = false
	// Processes use the machine's resolver. Without an address here the kubelet
	// warns about that at every Pod.
	c.ResolverConfig = ""
	c.ClusterDNS = []string{"127.0.0.1"}
	c.EnableControllerAttachDetach = false
	c.LocalStorageCapacityIsolation = false
	c.EvictionHard = nil
	c.ImageGCHighThresholdPercent = 100
	c.VolumeStatsAggPeriod = metav1.Duration{Duration: -1}
	return f, c, nil
}

// maxOpenFiles is the limit that everybody may set: the hard limit.
func maxOpenFiles() int64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int64(min(limit.Max, 1<<20))
}

func dependencies(ctx context.Context, l controlplane.Layout, config *kubeletconfig.KubeletConfiguration, runtime *runtime) (*kubelet.Dependencies, func(<-chan struct{}), error) {
	rest, err := clientcmd.BuildConfigFromFlags("", l.Kubeconfig("node"))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the node's kubeconfig: %w", err)
	}
	rest.QPS, rest.Burst = 100, 200
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return nil, nil, err
	}
	auth, startAuth, err := kubeletapp.BuildAuth(types.NodeName(controlplane.NodeName), client, *config)
	if err != nil {
		return nil, nil, fmt.Errorf("the kubelet's authentication: %w", err)
	}
	tls, err := kubeletapp.InitializeTLS(ctx, options.NewKubeletFlags(), config)
	if err != nil {
		return nil, nil, fmt.Errorf("the kubelet's TLS: %w", err)
	}
	return &kubelet.Dependencies{
		Auth:                      auth,
		TLSOptions:                tls,
		KubeClient:                client,
		HeartbeatClient:           client,
		EventClient:               client.CoreV1(),
		RemoteRuntimeService:      runtime,
		RemoteImageService:        images{dir: l.ImagesDir()},
		CAdvisorInterface:         machine{dir: l.State},
		ContainerManager:          cm.NewStubContainerManager(),
		OOMAdjuster:               oom.NewFakeOOMAdjuster(),
		OSInterface:               ownFiles{},
		Mounter:                   noMounts{},
		HostUtil:                  hostWithoutMounts{hostutil.NewHostUtil()},
		Subpather:                 &subpath.FakeSubpath{}, // a directory within a volume is used as it is
		VolumePlugins:             volumePlugins(),
		PodStartupLatencyTracker:  kubeletutil.NewPodStartupLatencyTracker(),
		NodeStartupLatencyTracker: kubeletutil.NewNodeStartupLatencyTracker(),
		TracerProvider:            noop.NewTracerProvider(),
	}, startAuth, nil
}
