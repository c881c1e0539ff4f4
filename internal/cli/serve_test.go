package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeUnknownService: an image that lacks a service must say so where the
// operator looks, the container's termination message.
func TestServeUnknownService(t *testing.T) {
	message := filepath.Join(t.TempDir(), "termination-log")
	cmd := serveCommand()
	cmd.SetArgs([]string{"portal", "teleport", "--termination-message=" + message})
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	if err := cmd.Execute(); err == nil {
		t.Fatal("an unknown service was served")
	}
	text, err := os.ReadFile(message)
	if err != nil || !strings.Contains(string(text), `no service "teleport"`) || strings.Count(string(text), "\n") != 1 {
		t.Errorf("termination message %q, %v; want one line that names the service", text, err)
	}
}
