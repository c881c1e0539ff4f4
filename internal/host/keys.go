package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/linli-io/linli/internal/identity"
)

// The files of the Secret with the community's keys. The operator changes the
// key now and then and keeps the one before it for a while.
const (
	keyFile         = "session.key"
	previousKeyFile = "session.previous.key"
)

// keysPoll is how often the files are read.
const keysPoll = time.Minute

func readKeys(dir string) (identity.Keys, error) {
	current, err := readKey(filepath.Join(dir, keyFile))
	if err != nil {
		return identity.Keys{}, fmt.Errorf("session key: %w; the Secret linli-keys must be mounted there", err)
	}
	previous, err := readKey(filepath.Join(dir, previousKeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return identity.Keys{}, fmt.Errorf("previous session key: %w", err)
	}
	return identity.Keys{Current: current, Previous: previous}, nil
}

func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(key) != identity.KeySize {
		return nil, fmt.Errorf("%s has %d bytes, want %d: delete the Secret linli-keys, it is made anew", path, len(key), identity.KeySize)
	}
	return key, nil
}

// Key is what a file of the Secret with the community's keys holds, read now,
// so that it may be changed. The error is fs.ErrNotExist if there is no such
// file.
func (rt *Runtime) Key(name string) ([]byte, error) {
	key, err := os.ReadFile(filepath.Join(rt.host.options.KeysDir, name))
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return key, nil
}

// watchKeys takes over keys that were changed until ctx is done. Broken ones
// are logged, and those in force kept.
func (h *Host) watchKeys(ctx context.Context) error {
	ticker := h.options.Clock.NewTicker(keysPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		keys, err := readKeys(h.options.KeysDir)
		if err != nil {
			h.options.Log.WarnContext(ctx, "the keys were not read again", "error", oneLine(err))
			continue
		}
		if now := h.keys.Load(); !bytes.Equal(now.Current, keys.Current) || !bytes.Equal(now.Previous, keys.Previous) {
			h.keys.Store(&keys)
			h.options.Log.InfoContext(ctx, "the keys have changed")
		}
	}
}
