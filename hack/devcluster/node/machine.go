package node

import (
	"context"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"time"

	cadvisor "github.com/google/cadvisor/info/v1"
	cadvisorv2 "github.com/google/cadvisor/info/v2"
	"golang.org/x/sys/unix"
	"k8s.io/kubernetes/pkg/kubelet/container"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/mount-utils"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// machine tells the kubelet what the machine has, in place of cAdvisor, which
// measures cgroups.
type machine struct {
	dir string // a directory of the file system that holds images and volumes
}

func (machine) Start() error { return nil }

func (machine) MachineInfo() (*cadvisor.MachineInfo, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, err
	}
	return &cadvisor.MachineInfo{
		NumCores:         goruntime.NumCPU(),
		NumPhysicalCores: goruntime.NumCPU(),
		NumSockets:       1,
		MemoryCapacity:   info.Totalram * uint64(info.Unit),
		MachineID:        "devcluster",
		SystemUUID:       "devcluster",
		BootID:           bootID(),
		InstanceID:       controlplane.NodeName,
	}, nil
}

func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "devcluster"
	}
	return strings.TrimSpace(string(id))
}

func (machine) VersionInfo() (*cadvisor.VersionInfo, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, err
	}
	return &cadvisor.VersionInfo{
		KernelVersion:      unix.ByteSliceToString(name.Release[:]),
		ContainerOsVersion: "local processes (devcluster)",
	}, nil
}

func (machine) ContainerInfoV2(string, cadvisorv2.RequestOptions) (map[string]cadvisorv2.ContainerInfo, error) {
	return map[string]cadvisorv2.ContainerInfo{}, nil
}

func (machine) GetRequestedContainersInfo(string, cadvisorv2.RequestOptions) (map[string]*cadvisor.ContainerInfo, error) {
	return map[string]*cadvisor.ContainerInfo{}, nil
}

func (m machine) ImagesFsInfo(context.Context) (cadvisorv2.FsInfo, error) { return fileSystem(m.dir) }
func (m machine) RootFsInfo() (cadvisorv2.FsInfo, error)                  { return fileSystem(m.dir) }
func (m machine) ContainerFsInfo(context.Context) (cadvisorv2.FsInfo, error) {
	return fileSystem(m.dir)
}
func (m machine) GetDirFsInfo(path string) (cadvisorv2.FsInfo, error) { return fileSystem(path) }

func fileSystem(path string) (cadvisorv2.FsInfo, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return cadvisorv2.FsInfo{}, err
	}
	block := uint64(stat.Bsize)
	return cadvisorv2.FsInfo{
		Timestamp:  time.Now(),
		Device:     "state",
		Mountpoint: path,
		Capacity:   stat.Blocks * block,
		Available:  stat.Bavail * block,
		Usage:      (stat.Blocks - stat.Bfree) * block,
		Inodes:     &stat.Files,
		InodesFree: &stat.Ffree,
	}, nil
}

// noMounts mounts nothing: a memory-backed volume is a plain directory.
type noMounts struct{}

func (noMounts) Mount(_, _, _ string, _ []string) error             { return nil }
func (noMounts) MountSensitive(_, _, _ string, _, _ []string) error { return nil }
func (noMounts) MountSensitiveWithoutSystemd(_, _, _ string, _, _ []string) error {
	return nil
}
func (noMounts) MountSensitiveWithoutSystemdWithMountFlags(_, _, _ string, _, _, _ []string) error {
	return nil
}
func (noMounts) Unmount(string) error                  { return nil }
func (noMounts) List() ([]mount.MountPoint, error)     { return nil, nil }
func (noMounts) CanSafelySkipMountPointCheck() bool    { return false }
func (noMounts) GetMountRefs(string) ([]string, error) { return nil, nil }

func (noMounts) IsLikelyNotMountPoint(path string) (bool, error) {
	_, err := os.Stat(path)
	return true, err
}

func (noMounts) IsMountPoint(path string) (bool, error) {
	_, err := os.Stat(path)
	return false, err
}

// hostWithoutMounts is the host, less what only root may do.
type hostWithoutMounts struct{ *hostutil.HostUtil }

// MakeRShared is a mount option of the kubelet's directory.
func (hostWithoutMounts) MakeRShared(string) error { return nil }

// ownFiles is the operating system, less /var/log/containers, where the kubelet
// otherwise keeps links to the logs: that directory belongs to root, and maybe
// to another kubelet.
type ownFiles struct{ container.RealOS }

const systemLogs = "/var/log/containers"

func inSystemLogs(path string) bool {
	relative, err := filepath.Rel(systemLogs, path)
	return err == nil && filepath.IsLocal(relative)
}

// MkdirAll makes directories, except for system logs.
func (o ownFiles) MkdirAll(path string, mode os.FileMode) error {
	if inSystemLogs(path) {
		return nil
	}
	return o.RealOS.MkdirAll(path, mode)
}

// Symlink makes a link, except among the system logs.
func (o ownFiles) Symlink(target, link string) error {
	if inSystemLogs(link) {
		return nil
	}
	return o.RealOS.Symlink(target, link)
}

// Remove removes a file, except among the system logs.
func (o ownFiles) Remove(path string) error {
	if inSystemLogs(path) {
		return nil
	}
	return o.RealOS.Remove(path)
}

// Glob lists files, except among the system logs.
func (o ownFiles) Glob(pattern string) ([]string, error) {
	if inSystemLogs(pattern) {
		return nil, nil
	}
	return o.RealOS.Glob(pattern)
}
