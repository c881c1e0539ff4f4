package up

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// installImage copies a program into the image store, tagged with the digest of
// its content, and returns the image's name.
func installImage(l controlplane.Layout, program string) (string, error) {
	source, err := os.Open(program)
	if err != nil {
		return "", err
	}
	defer source.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, source); err != nil {
		return "", fmt.Errorf("reading %s: %w", program, err)
	}
	name := filepath.Base(program)
	tag := hex.EncodeToString(hash.Sum(nil))[:12]
	image := "localhost/" + name + ":" + tag
	target := filepath.Join(l.ImagesDir(), name, tag, name)
	if _, err := os.Stat(target); err == nil {
		// Used again: the newest.
		now := time.Now()
		return image, os.Chtimes(filepath.Dir(target), now, now)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return "", err
	}
	if _, err := source.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	file, err := os.OpenFile(target+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o700)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(file, source)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(target+".new", target)
	}
	if err != nil {
		return "", fmt.Errorf("copying %s into the image store: %w", program, err)
	}
	return image, nil
}

// kept is how many images of a name stay although nothing uses them: the last
// ones, to go back to.
const kept = 3

// pruneImages removes old images of the same name that no Pod uses.
func (c *cluster) pruneImages(ctx context.Context, image string) error {
	pods, err := c.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	used := map[string]bool{image: true}
	for _, pod := range pods.Items {
		for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			used[container.Image] = true
		}
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(image, "localhost/"), ":")
	dir := filepath.Join(c.layout.ImagesDir(), name)
	tags, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	age := map[string]time.Time{}
	for _, tag := range tags {
		if info, err := tag.Info(); err == nil {
			age[tag.Name()] = info.ModTime()
		}
	}
	slices.SortFunc(tags, func(a, b os.DirEntry) int {
		return cmp.Or(age[b.Name()].Compare(age[a.Name()]), cmp.Compare(a.Name(), b.Name()))
	})
	for _, tag := range tags[min(kept, len(tags)):] {
		if used["localhost/"+name+":"+tag.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, tag.Name())); err != nil {
			return fmt.Errorf("removing an old image: %w", err)
		}
	}
	return nil
}
