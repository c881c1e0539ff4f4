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

// TestPeers: where another process is must be an address without anything that
// would be passed over.
func TestPeers(t *testing.T) {
	peers, err := openPeers([]string{"accounts=http://accounts:8080", "residents=https://[::1]:9001"})
	if err != nil || len(peers) != 2 || peers[0].Service.Name != "accounts" || peers[1].URL.Host != "[::1]:9001" {
		t.Errorf("got %v, %v", peers, err)
	}
	for _, bad := range []string{
		"", "accounts", "accounts=", "accounts=accounts:8080", "accounts=ftp://accounts", "accounts=http://", "accounts=http://:8080",
		"accounts=http://accounts/", "accounts=http://accounts/linli", "accounts=http://accounts?x=y", "accounts=http://accounts#x",
		"accounts=http://me:secret@accounts", "teleport=http://teleport", "=http://accounts",
	} {
		if _, err := openPeers([]string{bad}); err == nil || !strings.Contains(err.Error(), "--peer") {
			t.Errorf("--peer %q: %v", bad, err)
		}
	}
}
