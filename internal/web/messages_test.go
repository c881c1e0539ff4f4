package web_test

import (
	"testing"

	"github.com/linli-io/linli/internal/web/webtest"
)

func TestMessages(t *testing.T) {
	// The pages of signing in stand in the host.
	webtest.Messages(t, "messages", []string{"web.", "identity."}, ".", "../identity", "../host")
}
