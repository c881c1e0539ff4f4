package accounts

import (
	"testing"
	"time"
)

// await waits until what is asked for is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	over := time.After(30 * time.Second)
	for !so() {
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
