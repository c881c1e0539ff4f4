package supervisor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// ErrRunning means that another process holds the lock of the state directory.
var ErrRunning = errors.New("the cluster of this state directory is running")

// Lock takes the lock of a state directory, which the kernel releases when the
// holder ends, however that happens. Whoever only looks whether it is taken has
// it for a moment, so Lock tries more than once.
func Lock(ctx context.Context, l controlplane.Layout) (*os.File, error) {
	var lock *os.File
	var lockErr error
	_ = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 2*time.Second, true, func(context.Context) (bool, error) {
		lock, lockErr = tryLock(l)
		return !errors.Is(lockErr, ErrRunning), nil
	})
	return lock, lockErr
}

// tryLock takes the lock, and removes what its last holder said about itself.
func tryLock(l controlplane.Layout) (*os.File, error) {
	lock, err := LockFile(filepath.Join(l.RunDir(), "supervisor.lock"))
	if err != nil {
		return nil, err
	}
	if err := os.Remove(statusFile(l)); err != nil && !errors.Is(err, os.ErrNotExist) {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// LockFile takes the lock of a file, or returns ErrRunning if another process has it.
func LockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrRunning
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// Running returns the status of the supervisor that runs for this state
// directory, or nil if there is none.
func Running(l controlplane.Layout) (*Status, error) {
	lock, err := tryLock(l)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err == nil:
		return nil, lock.Close()
	case !errors.Is(err, ErrRunning):
		return nil, err
	}
	// It holds the lock a moment before it writes the file.
	var status Status
	err = wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		status, err = ReadStatus(l)
		return err == nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("a supervisor holds %s but does not say so in %s: %w", l.State, statusFile(l), err)
	}
	return &status, nil
}

// Start starts a supervisor in the background, in a session of its own, with its
// output in the log directory.
func Start(l controlplane.Layout) error {
	output, err := openLog(l, "supervisor")
	if err != nil {
		return err
	}
	defer output.Close()
	command := exec.Command("/proc/self/exe")
	command.Args = append([]string{"devcluster", "run"}, l.Flags()...)
	command.Stdout, command.Stderr = output, output
	command.Dir = l.RunDir()
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	command.Env = []string{"HOME=" + l.RunDir(), "PATH=" + os.Getenv("PATH")}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}
	return command.Process.Release()
}

// Stop stops the supervisor of this state directory, if there is one, and what
// a killed one left behind.
func Stop(ctx context.Context, l controlplane.Layout) error {
	status, err := Running(l)
	if err != nil {
		return err
	}
	if status != nil {
		if err := syscall.Kill(status.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping the supervisor (process %d): %w", status.PID, err)
		}
		err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
			lock, err := tryLock(l)
			if errors.Is(err, ErrRunning) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			return true, lock.Close()
		})
		if err != nil {
			return fmt.Errorf("waiting for the supervisor (process %d) to stop: %w", status.PID, err)
		}
	}
	return KillLeftovers(ctx, l)
}

// BinaryDigest identifies the running program.
func BinaryDigest() (string, error) {
	return digest("/proc/self/exe")
}

func digest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
