// Package storage gives claims a directory of the machine.
package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// provisionerName is what the StorageClass names.
const provisionerName = "linli.io/devcluster"

// Run makes and removes volumes until ctx ends.
func Run(ctx context.Context, l controlplane.Layout) error {
	config, err := clientcmd.BuildConfigFromFlags("", l.Kubeconfig("storage"))
	if err != nil {
		return fmt.Errorf("reading the provisioner's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	controller.NewProvisionController(ctx, client, provisionerName, directories{root: l.VolumesDir()},
		controller.LeaderElection(false)).Run(ctx)
	return nil
}

// directories makes a directory per volume.
type directories struct{ root string }

// Provision makes the directory of a claim. Its name tells people whose it is,
// and the claim's UID keeps it apart from an earlier one of the same name.
func (d directories) Provision(_ context.Context, o controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	path := filepath.Join(d.root, fmt.Sprintf("%s-%s-%s", o.PVC.Namespace, o.PVC.Name, o.PVC.UID))
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("making the volume's directory: %w", err)
	}
	directory := v1.HostPathDirectory // a volume that was removed by hand must not come back empty
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: o.PVC.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource: v1.PersistentVolumeSource{
				HostPath: &v1.HostPathVolumeSource{Path: path, Type: &directory},
			},
		},
	}, controller.ProvisioningFinished, nil
}

// Delete removes the directory of a volume, and nothing that is not one of ours.
func (d directories) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	if volume.Spec.HostPath == nil {
		return &controller.IgnoredError{Reason: "not a directory of this machine"}
	}
	path := filepath.Clean(volume.Spec.HostPath.Path)
	if filepath.Dir(path) != filepath.Clean(d.root) || strings.HasPrefix(filepath.Base(path), ".") {
		return fmt.Errorf("volume %s: %s is not below %s, so it is not removed", volume.Name, path, d.root)
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("removing the volume's directory: %w", err)
	}
	return nil
}
