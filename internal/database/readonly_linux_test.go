package database_test

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/linli-io/linli/internal/database"
)

func TestReadOnlyDirectory(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o555))
	refusal := make(chan error)
	go func() {
		if os.Geteuid() == 0 {
			// root writes everywhere: be nobody, in a thread that ends with
			// this goroutine.
			runtime.LockOSThread()
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
			}
		}
		_, err := database.OpenDirectory(dir, ours, "")
		refusal <- err
	}()
	err := <-refusal
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "writable") {
		t.Errorf("a read-only directory: %v", err)
	}
}

func TestMissingDirectory(t *testing.T) {
	dir := t.TempDir() + "/nothing"
	_, err := database.OpenDirectory(dir, ours, "")
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "mount the community's claim") {
		t.Errorf("a missing directory: %v", err)
	}
}
