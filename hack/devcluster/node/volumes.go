package node

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/downwardapi"
	"k8s.io/kubernetes/pkg/volume/emptydir"
	"k8s.io/kubernetes/pkg/volume/hostpath"
	"k8s.io/kubernetes/pkg/volume/projected"
	"k8s.io/kubernetes/pkg/volume/secret"
)

func volumePlugins() []volume.VolumePlugin {
	var plugins []volume.VolumePlugin
	for _, probed := range [][]volume.VolumePlugin{
		configmap.ProbeVolumePlugins(),
		secret.ProbeVolumePlugins(),
		projected.ProbeVolumePlugins(),
		downwardapi.ProbeVolumePlugins(),
		emptydir.ProbeVolumePlugins(),
	} {
		for _, plugin := range probed {
			plugins = append(plugins, ownVolumes{plugin})
		}
	}
	return append(plugins, hostpath.ProbeVolumePlugins(volume.VolumeConfig{})...) // these it leaves as they are
}

// ownVolumes is a kind of volume whose files stay with the user who runs the
// node, whatever user and group a Pod asks for: all processes of the node run as
// that user, and only root may give files to somebody else.
type ownVolumes struct{ volume.VolumePlugin }

// NewMounter returns a mounter that changes no owners.
func (p ownVolumes) NewMounter(spec *volume.Spec, pod *v1.Pod) (volume.Mounter, error) {
	mounter, err := p.VolumePlugin.NewMounter(spec, pod)
	if err != nil {
		return nil, err
	}
	return ownFilesMounter{mounter}, nil
}

type ownFilesMounter struct{ volume.Mounter }

// SetUp fills the volume.
func (m ownFilesMounter) SetUp(args volume.MounterArgs) error {
	return m.Mounter.SetUp(withoutOwners(args))
}

// SetUpAt fills the volume at a directory.
func (m ownFilesMounter) SetUpAt(dir string, args volume.MounterArgs) error {
	return m.Mounter.SetUpAt(dir, withoutOwners(args))
}

func withoutOwners(args volume.MounterArgs) volume.MounterArgs {
	args.FsUser, args.FsGroup, args.FSGroupChangePolicy = nil, nil, nil
	return args
}
