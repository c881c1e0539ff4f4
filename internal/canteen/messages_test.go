package canteen

import (
	"testing"

	"github.com/linli-io/linli/internal/web/webtest"
)

func TestMessages(t *testing.T) {
	webtest.Messages(t, "messages", []string{"canteen."}, ".")
}
