package cli

import (
	"strings"
	"testing"
)

// TestOperatorNeedsImage: without knowing what communities are to run the
// operator does not start.
func TestOperatorNeedsImage(t *testing.T) {
	t.Setenv(envImage, "")
	cmd := root()
	cmd.SetArgs([]string{"operator"})
	err := cmd.ExecuteContext(t.Context())
	if err == nil || !strings.Contains(err.Error(), envImage) || !strings.Contains(err.Error(), "config/manager") {
		t.Errorf("got %v", err)
	}
}
