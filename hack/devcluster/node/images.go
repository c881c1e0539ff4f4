package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// images is the node's image store: a directory in which <name>/<tag>/<name> is
// the one program of the image localhost/<name>:<tag>.
type images struct{ dir string }

// imageUser stands in for the user that an image names. It is not root, so that
// Pods that ask for that are admitted; the processes run as whoever runs the
// node.
const imageUser = 65532

// program returns the path at which the image's program has to be. The name may
// lack what the kubelet adds to it.
func (i images) program(image string) (string, error) {
	reference, ok := strings.CutPrefix(image, "localhost/")
	if !ok {
		return "", fmt.Errorf("image %q: this node has no registry, it runs images named localhost/<name>:<tag> from %s/<name>/<tag>/<name>", image, i.dir)
	}
	name, tag, ok := strings.Cut(reference, ":")
	if !ok || name == "" || tag == "" || strings.Contains(reference, "/") || strings.HasPrefix(reference, ".") {
		return "", fmt.Errorf("image %q: this node runs images named localhost/<name>:<tag>", image)
	}
	return filepath.Join(i.dir, name, tag, name), nil
}

func (i images) find(image string) (*cri.Image, error) {
	program, err := i.program(image)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(program)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("image %q: there is no file %s", image, program)
	}
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", image, err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o100 == 0 {
		return nil, fmt.Errorf("image %q: %s is not an executable file", image, program)
	}
	return &cri.Image{
		Id:       image,
		RepoTags: []string{image},
		Size:     uint64(info.Size()),
		Uid:      &cri.Int64Value{Value: imageUser},
		Spec:     &cri.ImageSpec{Image: image},
	}, nil
}

// ListImages lists what is in the store.
func (i images) ListImages(_ context.Context, filter *cri.ImageFilter) ([]*cri.Image, error) {
	programs, err := filepath.Glob(filepath.Join(i.dir, "*", "*", "*"))
	if err != nil {
		return nil, err
	}
	var found []*cri.Image
	for _, program := range programs {
		tagDir := filepath.Dir(program)
		name := fmt.Sprintf("localhost/%s:%s", filepath.Base(filepath.Dir(tagDir)), filepath.Base(tagDir))
		if wanted := filter.GetImage().GetImage(); wanted != "" && wanted != name {
			continue
		}
		if image, err := i.find(name); err == nil {
			found = append(found, image)
		}
	}
	return found, nil
}

// ImageStatus returns the image, or none if the store does not have it.
func (i images) ImageStatus(_ context.Context, image *cri.ImageSpec, _ bool) (*cri.ImageStatusResponse, error) {
	found, err := i.find(image.GetImage())
	if err != nil {
		return &cri.ImageStatusResponse{}, nil // PullImage says why
	}
	return &cri.ImageStatusResponse{Image: found}, nil
}

// PullImage finds the image in the store: there is nowhere else to get it from.
func (i images) PullImage(_ context.Context, image *cri.ImageSpec, _ *cri.AuthConfig, _ *cri.PodSandboxConfig) (string, error) {
	found, err := i.find(image.GetImage())
	if err != nil {
		return "", err
	}
	return found.Id, nil
}

// RemoveImage leaves the image alone: devcluster up removes old ones.
func (images) RemoveImage(context.Context, *cri.ImageSpec) error { return nil }

// ImageFsInfo tells how full the file system of the store is.
func (i images) ImageFsInfo(context.Context) (*cri.ImageFsInfoResponse, error) {
	info, err := fileSystem(i.dir)
	if err != nil {
		return nil, err
	}
	usage := []*cri.FilesystemUsage{{
		Timestamp:  time.Now().UnixNano(),
		FsId:       &cri.FilesystemIdentifier{Mountpoint: i.dir},
		UsedBytes:  &cri.UInt64Value{Value: info.Usage},
		InodesUsed: &cri.UInt64Value{Value: *info.Inodes - *info.InodesFree},
	}}
	return &cri.ImageFsInfoResponse{ImageFilesystems: usage, ContainerFilesystems: usage}, nil
}

// Close closes nothing.
func (images) Close(context.Context) error { return nil }
