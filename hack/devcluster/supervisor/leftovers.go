package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// KillLeftovers ends the processes that a killed supervisor or node left
// behind. The caller holds the lock, or knows that nothing of the cluster is
// meant to run.
func KillLeftovers(ctx context.Context, l controlplane.Layout) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		own, err := ownProcesses(l)
		if err != nil {
			return false, err
		}
		for _, pid := range own {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return false, fmt.Errorf("ending the left-over process %d: %w", pid, err)
			}
		}
		return len(own) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("ending what an earlier run left behind: %w", err)
	}
	return nil
}

// ownProcesses finds the processes of this cluster other than the calling one:
// every one of them, Pods included, has its HOME below the state directory.
func ownProcesses(l controlplane.Layout) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var own []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// Unreadable means somebody else's, empty means a zombie or the kernel's.
		environment, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err != nil {
			continue
		}
		for _, variable := range bytes.Split(environment, []byte{0}) {
			home, isHome := strings.CutPrefix(string(variable), "HOME=")
			if isHome && strings.HasPrefix(home, l.State+string(filepath.Separator)) {
				own = append(own, pid)
			}
		}
	}
	return own, nil
}
