package instance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Binary returns the program to run: the one that LINLI_BINARY names, or one
// built into dir.
func Binary(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("LINLI_BINARY"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("LINLI_BINARY: %w", err)
		}
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "linli")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/linli-io/linli").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building linli: %w\n%s", err, out)
	}
	return path, nil
}
