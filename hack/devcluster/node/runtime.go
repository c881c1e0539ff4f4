package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// runtime is a container runtime for the kubelet (the Container Runtime
// Interface, called directly): a sandbox is a directory and an address, a
// container is a process. It remembers nothing across restarts, because its
// processes end with it.
type runtime struct {
	unsupported
	layout controlplane.Layout
	images images

	mu         sync.Mutex
	closing    bool
	sandboxes  map[string]*sandbox
	containers map[string]*process
}

// sandbox is what a Pod's containers share.
type sandbox struct {
	id        string
	config    *cri.PodSandboxConfig
	handler   string
	createdAt time.Time
	stopped   bool
	address   netip.Addr
	dir       string
}

func newRuntime(l controlplane.Layout) (*runtime, error) {
	r := &runtime{
		layout:     l,
		images:     images{dir: l.ImagesDir()},
		sandboxes:  map[string]*sandbox{},
		containers: map[string]*process{},
	}
	if err := os.RemoveAll(r.sandboxesDir()); err != nil {
		return nil, fmt.Errorf("removing the sandboxes of an earlier run: %w", err)
	}
	return r, os.MkdirAll(r.sandboxesDir(), 0o700)
}

func (r *runtime) sandboxesDir() string { return filepath.Join(r.layout.NodeDir(), "sandboxes") }

func newID() string {
	id := make([]byte, 16)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

// podAddress returns the address number n of this cluster's Pods: an address of
// 127.0.0.0/8 whose second byte comes from the API server's port, so that two
// clusters on one machine do not share any. 127.0.x.y stays free for others.
func podAddress(apiPort int, n uint16) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + apiPort%251), byte(n >> 8), byte(n)})
}

// nextAddress hands out addresses in turn, across restarts too: for a while
// others still know the address of a Pod that is gone, and nobody else may
// answer there. The caller holds the lock.
func (r *runtime) nextAddress() (netip.Addr, error) {
	path := filepath.Join(r.layout.NodeDir(), "last-address")
	var last uint64
	if data, err := os.ReadFile(path); err == nil {
		last, _ = strconv.ParseUint(strings.TrimSpace(string(data)), 10, 16) // 0 is a fine start
	}
	used := map[netip.Addr]bool{}
	for _, s := range r.sandboxes {
		used[s.address] = true
	}
	for n := uint16(last) + 1; ; n++ {
		address := podAddress(r.layout.APIPort, n)
		if b := byte(n); b == 0 || b == 255 || used[address] {
			continue
		}
		return address, os.WriteFile(path, []byte(strconv.Itoa(int(n))), 0o600)
	}
}

// Version names the runtime.
func (*runtime) Version(context.Context, string) (*cri.VersionResponse, error) {
	const api = "0.1.0" // what the kubelet calls its side of the interface
	return &cri.VersionResponse{Version: api, RuntimeName: "process", RuntimeVersion: "1.0.0", RuntimeApiVersion: "v1"}, nil
}

// Status says that the runtime and its network are ready.
func (*runtime) Status(context.Context, bool) (*cri.StatusResponse, error) {
	return &cri.StatusResponse{Status: &cri.RuntimeStatus{Conditions: []*cri.RuntimeCondition{
		{Type: cri.RuntimeReady, Status: true},
		{Type: cri.NetworkReady, Status: true},
	}}}, nil
}

// RunPodSandbox gives a Pod its directory and its address.
func (r *runtime) RunPodSandbox(_ context.Context, config *cri.PodSandboxConfig, handler string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return "", errClosing
	}
	address, err := r.nextAddress()
	if err != nil {
		return "", fmt.Errorf("choosing an address: %w", err)
	}
	s := &sandbox{id: newID(), config: config, handler: handler, createdAt: time.Now(), address: address}
	s.dir = filepath.Join(r.sandboxesDir(), s.id)
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return "", fmt.Errorf("making the Pod's directory: %w", err)
	}
	r.sandboxes[s.id] = s
	return s.id, nil
}

// StopPodSandbox kills what still runs in the sandbox.
func (r *runtime) StopPodSandbox(ctx context.Context, id string) error {
	r.mu.Lock()
	s := r.sandboxes[id]
	var own []*process
	for _, p := range r.containers {
		if p.sandbox.id == id {
			own = append(own, p)
		}
	}
	if s != nil {
		s.stopped = true
	}
	r.mu.Unlock()
	for _, p := range own {
		if err := p.stop(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// RemovePodSandbox forgets the sandbox and its containers, and removes its
// directory.
func (r *runtime) RemovePodSandbox(ctx context.Context, id string) error {
	if err := r.StopPodSandbox(ctx, id); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[id]
	if s == nil {
		return nil
	}
	delete(r.sandboxes, id)
	maps.DeleteFunc(r.containers, func(_ string, p *process) bool { return p.sandbox.id == id })
	return os.RemoveAll(s.dir)
}

func (s *sandbox) state() cri.PodSandboxState {
	if s.stopped {
		return cri.PodSandboxState_SANDBOX_NOTREADY
	}
	return cri.PodSandboxState_SANDBOX_READY
}

// PodSandboxStatus describes a sandbox.
func (r *runtime) PodSandboxStatus(_ context.Context, id string, _ bool) (*cri.PodSandboxStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[id]
	if s == nil {
		return nil, notFound("sandbox", id)
	}
	return &cri.PodSandboxStatusResponse{Status: &cri.PodSandboxStatus{
		Id:        s.id,
		Metadata:  s.config.GetMetadata(),
		State:     s.state(),
		CreatedAt: s.createdAt.UnixNano(),
		Network:   &cri.PodSandboxNetworkStatus{Ip: s.address.String()},
		// The kubelet makes a new sandbox when these differ from the Pod's.
		Linux: &cri.LinuxPodSandboxStatus{Namespaces: &cri.Namespace{
			Options: s.config.GetLinux().GetSecurityContext().GetNamespaceOptions(),
		}},
		Labels:         s.config.GetLabels(),
		Annotations:    s.config.GetAnnotations(),
		RuntimeHandler: s.handler,
	}}, nil
}

// ListPodSandbox lists sandboxes.
func (r *runtime) ListPodSandbox(_ context.Context, filter *cri.PodSandboxFilter) ([]*cri.PodSandbox, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*cri.PodSandbox
	for _, s := range r.sandboxes {
		if filter.GetId() != "" && filter.GetId() != s.id ||
			filter.GetState() != nil && filter.GetState().State != s.state() ||
			!matches(filter.GetLabelSelector(), s.config.GetLabels()) {
			continue
		}
		list = append(list, &cri.PodSandbox{
			Id:             s.id,
			Metadata:       s.config.GetMetadata(),
			State:          s.state(),
			CreatedAt:      s.createdAt.UnixNano(),
			Labels:         s.config.GetLabels(),
			Annotations:    s.config.GetAnnotations(),
			RuntimeHandler: s.handler,
		})
	}
	return list, nil
}

func matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// CreateContainer prepares a process.
func (r *runtime) CreateContainer(_ context.Context, sandboxID string, config *cri.ContainerConfig, _ *cri.PodSandboxConfig) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[sandboxID]
	if s == nil {
		return "", notFound("sandbox", sandboxID)
	}
	program, err := r.images.program(config.GetImage().GetImage())
	if err != nil {
		return "", err
	}
	p, err := newProcess(s, config, program, r.layout)
	if err != nil {
		return "", err
	}
	r.containers[p.id] = p
	return p.id, nil
}

// StartContainer starts the process.
func (r *runtime) StartContainer(_ context.Context, id string) error {
	r.mu.Lock()
	p, closing := r.containers[id], r.closing
	r.mu.Unlock()
	if p == nil {
		return notFound("container", id)
	}
	if closing {
		return errClosing
	}
	return p.start()
}

// StopContainer asks the process to end, and kills it after the given seconds.
func (r *runtime) StopContainer(ctx context.Context, id string, seconds int64) error {
	p, err := r.process(id)
	if err != nil {
		return nil // gone is stopped
	}
	return p.stop(ctx, time.Duration(seconds)*time.Second)
}

// RemoveContainer forgets a container, killing it if it runs.
func (r *runtime) RemoveContainer(ctx context.Context, id string) error {
	p, err := r.process(id)
	if err != nil {
		return nil
	}
	if err := p.stop(ctx, 0); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.containers, id)
	return p.removeLog()
}

func (r *runtime) process(id string) (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.containers[id]; p != nil {
		return p, nil
	}
	return nil, notFound("container", id)
}

// ListContainers lists containers.
func (r *runtime) ListContainers(_ context.Context, filter *cri.ContainerFilter) ([]*cri.Container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*cri.Container
	for _, p := range r.containers {
		state := p.status().State
		if filter.GetId() != "" && filter.GetId() != p.id ||
			filter.GetPodSandboxId() != "" && filter.GetPodSandboxId() != p.sandbox.id ||
			filter.GetState() != nil && filter.GetState().State != state ||
			!matches(filter.GetLabelSelector(), p.config.GetLabels()) {
			continue
		}
		list = append(list, &cri.Container{
			Id:           p.id,
			PodSandboxId: p.sandbox.id,
			Metadata:     p.config.GetMetadata(),
			Image:        p.config.GetImage(),
			ImageRef:     p.config.GetImage().GetImage(),
			ImageId:      p.config.GetImage().GetImage(),
			State:        state,
			CreatedAt:    p.createdAt.UnixNano(),
			Labels:       p.config.GetLabels(),
			Annotations:  p.config.GetAnnotations(),
		})
	}
	return list, nil
}

// ContainerStatus describes a container.
func (r *runtime) ContainerStatus(_ context.Context, id string, _ bool) (*cri.ContainerStatusResponse, error) {
	p, err := r.process(id)
	if err != nil {
		return nil, err
	}
	return &cri.ContainerStatusResponse{Status: p.status()}, nil
}

// ExecSync runs a command in the surroundings of a container, for probes.
func (r *runtime) ExecSync(ctx context.Context, id string, command []string, timeout time.Duration) (stdout, stderr []byte, err error) {
	p, err := r.process(id)
	if err != nil {
		return nil, nil, err
	}
	return p.exec(ctx, command, timeout)
}

// ReopenContainerLog starts a new log file after the kubelet moved the old one.
func (r *runtime) ReopenContainerLog(_ context.Context, id string) error {
	p, err := r.process(id)
	if err != nil {
		return err
	}
	return p.log.reopen()
}

var errClosing = grpcstatus.Error(codes.Unavailable, "the node is shutting down")

func notFound(kind, id string) error {
	return grpcstatus.Errorf(codes.NotFound, "no %s %s", kind, id)
}

// maxGrace limits how long the Pods may take when the whole node stops.
const maxGrace = 30 * time.Second

// shutDown stops all processes, each with its own grace period, and starts none
// any more.
func (r *runtime) shutDown() {
	r.mu.Lock()
	r.closing = true
	running := make([]*process, 0, len(r.containers))
	for _, p := range r.containers {
		running = append(running, p)
	}
	r.mu.Unlock()
	var all sync.WaitGroup
	for _, p := range running {
		all.Go(func() {
			_ = p.stop(context.Background(), min(p.grace(), maxGrace)) // it is killed at the latest when this process ends
		})
	}
	all.Wait()
}
