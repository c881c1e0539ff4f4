package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
)

// Snapshot is the configuration at one moment. It is never changed.
type Snapshot struct {
	Community *v1alpha1.Community
	Release   *v1alpha1.Release
	// Location is the community's time zone.
	Location *time.Location
}

// Config is the configuration of a community's services: the Community and its
// Release, read from files that Kubernetes replaces when they change.
type Config struct {
	dir         string
	watcher     *fsnotify.Watcher
	current     atomic.Pointer[Snapshot]
	subscribers []func(context.Context, Snapshot) error
	log         *slog.Logger
	clock       clock.WithTicker
	good        prometheus.Gauge
	changes     prometheus.Counter
}

// The files of the configuration.
const (
	communityFile = "community.yaml"
	releaseFile   = "release.yaml"
)

// How often the files are read although nothing said that they changed, and
// how soon a change that a service could not take is tried again.
const (
	configPoll  = time.Minute
	configRetry = 10 * time.Second
)

func openConfig(dir string, log *slog.Logger, c clock.WithTicker, metrics prometheus.Registerer) (*Config, error) {
	config := &Config{
		dir: dir, log: log, clock: c,
		good: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "linli_config_good",
			Help: "1 if the configuration in force is the one in the files, 0 if those are broken and the last good one is kept.",
		}),
		changes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "linli_config_changes_total",
			Help: "Changes of the configuration that were taken over since the start.",
		}),
	}
	metrics.MustRegister(config.good, config.changes)
	// Watching begins before reading, so that no change falls in between. The
	// directory is watched, not the files: Kubernetes swaps a link in it.
	var err error
	if config.watcher, err = fsnotify.NewWatcher(); err != nil {
		return nil, fmt.Errorf("watching the configuration in %s: %w", dir, err)
	}
	if err := config.watcher.Add(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("configuration: watching %s: %w; the ConfigMap of the community must be mounted there", dir, err),
			config.watcher.Close())
	}
	s, err := readSnapshot(dir)
	if err != nil {
		return nil, errors.Join(err, config.watcher.Close())
	}
	config.current.Store(&s)
	config.good.Set(1)
	return config, nil
}

// Current returns the configuration in force.
func (c *Config) Current() Snapshot { return *c.current.Load() }

// OnChange has f called with the configuration before the host serves and at
// each change. It is called while services register. An error of the first
// call keeps the host from starting; later ones are logged, and f is called
// again until it takes the change.
func (c *Config) OnChange(f func(ctx context.Context, s Snapshot) error) {
	c.subscribers = append(c.subscribers, f)
}

// publish hands the configuration in force to all subscribers.
func (c *Config) publish(ctx context.Context) error {
	var errs []error
	for _, f := range c.subscribers {
		errs = append(errs, f(ctx, c.Current()))
	}
	return errors.Join(errs...)
}

// watch takes over changes of the files until ctx is done.
func (c *Config) watch(ctx context.Context) error {
	poll := c.clock.NewTicker(configPoll)
	defer poll.Stop()
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.watcher.Events:
		case err := <-c.watcher.Errors:
			c.log.Warn("watching the configuration", "error", err)
		case <-poll.C():
		case <-retry:
		}
		again := retry != nil
		retry = nil
		if !c.reload(ctx, again) {
			retry = c.clock.After(configRetry)
		}
	}
}

// reload reads the files and publishes them if they changed, or if again is
// set. It returns false if a subscriber has yet to take the change.
func (c *Config) reload(ctx context.Context, again bool) bool {
	s, err := readSnapshot(c.dir)
	if err != nil {
		c.good.Set(0)
		c.log.Error("the new configuration is broken, the last good one stays in force", "error", err.Error())
		return !again
	}
	changed := !reflect.DeepEqual(s, c.Current())
	if changed {
		if was := c.Current().Community.UID; s.Community.UID != was {
			c.good.Set(0)
			c.log.Error("the new configuration is of another community, the last good one stays in force",
				"uid", s.Community.UID, "want", was)
			return !again
		}
		c.current.Store(&s)
		c.changes.Inc()
		c.log.Info("configuration changed", "generation", s.Community.Generation, "release", s.Release.Name)
	}
	c.good.Set(1)
	if !changed && !again {
		return true
	}
	if err := c.publish(ctx); err != nil {
		if ctx.Err() == nil {
			c.log.Error("a service could not take the configuration, it is tried again", "error", err.Error())
		}
		return false
	}
	return true
}

// readSnapshot reads and checks the files. Fields that it does not know are
// ignored, so that an older program runs with a newer configuration.
func readSnapshot(dir string) (Snapshot, error) {
	s := Snapshot{Community: &v1alpha1.Community{}, Release: &v1alpha1.Release{}}
	if err := readYAML(filepath.Join(dir, communityFile), s.Community); err != nil {
		return Snapshot{}, err
	}
	if err := readYAML(filepath.Join(dir, releaseFile), s.Release); err != nil {
		return Snapshot{}, err
	}
	for _, required := range []struct{ file, field, value string }{
		{communityFile, "metadata.name", s.Community.Name},
		{communityFile, "metadata.uid", string(s.Community.UID)},
		{communityFile, "spec.displayName", s.Community.Spec.DisplayName},
		{communityFile, "spec.phone", s.Community.Spec.Phone},
		{communityFile, "spec.timeZone", s.Community.Spec.TimeZone},
		{releaseFile, "class.domain", s.Release.Class.Domain},
	} {
		if required.value == "" {
			return Snapshot{}, fmt.Errorf("configuration %s: %s is missing", filepath.Join(dir, required.file), required.field)
		}
	}
	var err error
	if s.Location, err = time.LoadLocation(s.Community.Spec.TimeZone); err != nil {
		return Snapshot{}, fmt.Errorf("configuration %s: spec.timeZone: %w; use an IANA name such as Asia/Shanghai",
			filepath.Join(dir, communityFile), err)
	}
	return s, nil
}

func readYAML(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w; the ConfigMap of the community must be mounted there", err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return nil
}
