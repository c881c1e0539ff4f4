package node

import (
	"context"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// unsupported is the part of the Container Runtime Interface that processes do
// not have: terminals, measurements, limits, check points.
type unsupported struct{}

func notHere(what string) error {
	return grpcstatus.Errorf(codes.Unimplemented, "%s: containers are plain processes on this node", what)
}

func (unsupported) Exec(context.Context, *cri.ExecRequest) (*cri.ExecResponse, error) {
	return nil, notHere("exec")
}

func (unsupported) Attach(context.Context, *cri.AttachRequest) (*cri.AttachResponse, error) {
	return nil, notHere("attach")
}

func (unsupported) PortForward(context.Context, *cri.PortForwardRequest) (*cri.PortForwardResponse, error) {
	return nil, notHere("port-forward; the Pod's address can be reached from here directly")
}

func (unsupported) CheckpointContainer(context.Context, *cri.CheckpointContainerRequest) error {
	return notHere("checkpoint")
}

func (unsupported) GetContainerEvents(context.Context, chan *cri.ContainerEventResponse, func(cri.RuntimeService_GetContainerEventsClient)) error {
	return notHere("container events")
}

func (unsupported) UpdateContainerResources(context.Context, string, *cri.ContainerResources) error {
	return nil // there are no limits to change
}

func (unsupported) UpdatePodSandboxResources(context.Context, *cri.UpdatePodSandboxResourcesRequest) (*cri.UpdatePodSandboxResourcesResponse, error) {
	return &cri.UpdatePodSandboxResourcesResponse{}, nil
}

func (unsupported) ContainerStats(context.Context, string) (*cri.ContainerStats, error) {
	return nil, notHere("statistics")
}

func (unsupported) ListContainerStats(context.Context, *cri.ContainerStatsFilter) ([]*cri.ContainerStats, error) {
	return nil, nil
}

func (unsupported) PodSandboxStats(context.Context, string) (*cri.PodSandboxStats, error) {
	return nil, notHere("statistics")
}

func (unsupported) ListPodSandboxStats(context.Context, *cri.PodSandboxStatsFilter) ([]*cri.PodSandboxStats, error) {
	return nil, nil
}

func (unsupported) ListMetricDescriptors(context.Context) ([]*cri.MetricDescriptor, error) {
	return nil, nil
}

func (unsupported) ListPodSandboxMetrics(context.Context) ([]*cri.PodSandboxMetrics, error) {
	return nil, nil
}

func (unsupported) UpdateRuntimeConfig(context.Context, *cri.RuntimeConfig) error { return nil }

func (unsupported) RuntimeConfig(context.Context) (*cri.RuntimeConfigResponse, error) {
	return &cri.RuntimeConfigResponse{}, nil
}

func (unsupported) Close(context.Context) error { return nil }
