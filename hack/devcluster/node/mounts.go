package node

import (
	"slices"
	"strings"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// mounts are the places of a container that are somewhere else on the machine.
// Nothing is mounted: the paths are rewritten where the Pod names them, in
// arguments and environment.
type mounts []place

type place struct{ container, host string }

// newMounts sorts the mounts so that the innermost comes first.
func newMounts(list []*cri.Mount) mounts {
	var m mounts
	for _, entry := range list {
		m = append(m, place{strings.TrimSuffix(entry.GetContainerPath(), "/"), entry.GetHostPath()})
	}
	slices.SortStableFunc(m, func(a, b place) int { return len(b.container) - len(a.container) })
	return m
}

// host returns where a mount of this container is on the machine.
func (m mounts) host(container string) (string, bool) {
	for _, entry := range m {
		if entry.container == container {
			return entry.host, true
		}
	}
	return "", false
}

// rewrite replaces the path of every mount in a text, where it stands as a path
// of its own or as the beginning of one: --data=/var/lib/linli, but neither
// /var/lib/linli2 nor https://example.org/var/lib/linli.
func (m mounts) rewrite(text string) string {
	var result strings.Builder
	for i := 0; i < len(text); {
		entry, ok := m.at(text, i)
		if !ok {
			result.WriteByte(text[i])
			i++
			continue
		}
		result.WriteString(entry.host)
		i += len(entry.container)
	}
	return result.String()
}

// at finds the mount whose path begins at a place of the text.
func (m mounts) at(text string, i int) (place, bool) {
	if i > 0 && partOfPath(text[i-1]) {
		return place{}, false
	}
	for _, entry := range m {
		rest, ok := strings.CutPrefix(text[i:], entry.container)
		if ok && entry.container != "" && (rest == "" || rest[0] == '/' || !partOfPath(rest[0])) {
			return entry, true
		}
	}
	return place{}, false
}

func partOfPath(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || strings.IndexByte("/._-~%", c) >= 0
}
