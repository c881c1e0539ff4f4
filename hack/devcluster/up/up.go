// Package up starts a cluster with the operator and a sample in it, and says
// how far it is.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
	"github.com/linli-io/linli/hack/devcluster/supervisor"
)

// DefaultTimeout is how long all of it may take.
const DefaultTimeout = 10 * time.Minute

// Options say what to install. Empty ones are left out.
type Options struct {
	Binary    string        // the program that is the operator's image
	Manifests string        // kustomize directory of the operator
	Secret    string        // NAMESPACE/NAME/KEY of a Secret with a random key, made if there is none
	Sample    string        // directory of manifests to apply when the operator runs
	Timeout   time.Duration // for all of it
}

// Up starts the cluster, or finds it running, brings it up to date and returns
// when everything in it is ready. The cluster keeps running in the background.
func Up(ctx context.Context, l controlplane.Layout, o Options, w io.Writer) error {
	if err := checkOptions(l, o); err != nil {
		return err
	}
	if err := l.Create(); err != nil {
		return err
	}
	unlock, err := lockCommands(l)
	if err != nil {
		return err
	}
	defer unlock()

	interrupted := ctx
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	say := newProgress(w)
	err = (&run{Layout: l, Options: o, say: say}).run(ctx)
	if interrupted.Err() != nil {
		return fmt.Errorf("interrupted; the cluster keeps running in the background (devcluster down stops it)")
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
		return fmt.Errorf("gave up after %s: %w\nThe cluster keeps running; look at it with %s", o.Timeout, err, kubectlHint(l))
	}
	return err
}

// run is one call of Up.
type run struct {
	controlplane.Layout
	Options
	say *progress
}

func (r *run) run(ctx context.Context) error {
	status, err := r.start(ctx)
	if err != nil {
		return err
	}
	k, err := newCluster(r.Layout)
	if err != nil {
		return err
	}
	if err := k.installBase(ctx, r.say); err != nil {
		return err
	}
	var image string
	if r.Binary != "" {
		if image, err = installImage(r.Layout, r.Binary); err != nil {
			return err
		}
	}
	if r.Manifests != "" {
		r.say.step("Applying %s", display(r.Manifests))
		if err := k.applyManifests(ctx, r.Manifests, image); err != nil {
			return err
		}
	}
	if r.Secret != "" {
		if err := k.ensureSecret(ctx, r.Secret); err != nil {
			return err
		}
	}
	if r.Sample != "" {
		r.say.step("Applying %s", display(r.Sample))
		if err := k.applySample(ctx, r.Sample); err != nil {
			return err
		}
	}
	if err := k.await(ctx, image, status.Started, r.say); err != nil {
		return err
	}
	if image != "" {
		if err := k.pruneImages(ctx, image); err != nil {
			return err
		}
	}
	return k.summary(ctx, r.say)
}

func checkOptions(l controlplane.Layout, o Options) error {
	for _, port := range l.Ports() {
		if port.Number < 1 || port.Number > 65535 {
			return fmt.Errorf("%d is no port for %s; set %s to a number between 1024 and 65533", port.Number, port.Of, port.Variable)
		}
	}
	for _, path := range []string{o.Binary, o.Manifests, o.Sample} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	return nil
}

// start makes sure that a supervisor of this very program with this layout
// runs, and that the API server is ready.
func (r *run) start(ctx context.Context) (*supervisor.Status, error) {
	own, err := supervisor.BinaryDigest()
	if err != nil {
		return nil, err
	}
	status, err := supervisor.Running(r.Layout)
	if err != nil {
		return nil, err
	}
	if status != nil && (status.Binary != own || status.Layout != r.Layout) {
		r.say.step("Stopping the cluster, because its program or its ports changed")
		status = nil
		if err := supervisor.Stop(ctx, r.Layout); err != nil {
			return nil, err
		}
	}
	if status == nil {
		r.say.step("Starting Kubernetes in %s (an embedded cluster for development: no place for real data)", display(r.State))
		if err := supervisor.KillLeftovers(ctx, r.Layout); err != nil {
			return nil, err
		}
		if err := supervisor.CheckPorts(r.Layout); err != nil {
			return nil, err
		}
		if err := supervisor.Start(r.Layout); err != nil {
			return nil, err
		}
	}
	return r.awaitProcesses(ctx)
}

// awaitProcesses waits until all processes of the cluster run.
func (r *run) awaitProcesses(ctx context.Context) (*supervisor.Status, error) {
	began := time.Now()
	for {
		status, err := supervisor.Running(r.Layout)
		if err != nil {
			return nil, err
		}
		if status == nil && time.Since(began) > 2*time.Second {
			return nil, fmt.Errorf("the supervisor ended at once; the end of its log:\n%s", logTail(r.Layout, "supervisor"))
		}
		waiting := supervisor.ProcessStatus{Name: "the supervisor"}
		if status != nil {
			waiting = supervisor.ProcessStatus{}
			for _, p := range status.Processes {
				if !p.Ready || p.PID == 0 {
					waiting = p
					break
				}
			}
			if waiting.Name == "" {
				return status, nil
			}
		}
		if waiting.Restarts > 3 {
			return nil, fmt.Errorf("%s ended %d times (%s); the end of its log, %s:\n%s", waiting.Name, waiting.Restarts, waiting.LastExit,
				supervisor.LogFile(r.Layout, waiting.Name), logTail(r.Layout, waiting.Name))
		}
		r.say.waiting("waiting for %s", waiting.Name)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %s: %w", waiting.Name, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Down stops the cluster and keeps its data.
func Down(ctx context.Context, l controlplane.Layout, w io.Writer) error {
	if !l.IsState() {
		fmt.Fprintf(w, "There is no cluster in %s, so nothing runs.\n", display(l.State))
		return nil
	}
	unlock, err := lockCommands(l)
	if err != nil {
		return err
	}
	defer unlock()
	return stop(ctx, l, w)
}

func stop(ctx context.Context, l controlplane.Layout, w io.Writer) error {
	status, err := supervisor.Running(l)
	if err != nil {
		return err
	}
	if status != nil {
		fmt.Fprintf(w, "Stopping the cluster in %s; its data stays.\n", display(l.State))
	} else {
		fmt.Fprintf(w, "The cluster in %s does not run.\n", display(l.State))
	}
	return supervisor.Stop(ctx, l)
}

// Reset stops the cluster and removes its state directory.
func Reset(ctx context.Context, l controlplane.Layout, w io.Writer) error {
	if _, err := os.Stat(l.State); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(w, "There is no cluster in %s, so there is nothing to forget.\n", display(l.State))
		return nil
	}
	if !l.IsState() {
		return fmt.Errorf("%s is no state directory of devcluster, so it is not removed", l.State)
	}
	unlock, err := lockCommands(l)
	if err != nil {
		return err
	}
	defer unlock()
	if err := stop(ctx, l, io.Discard); err != nil {
		return err
	}
	if err := os.RemoveAll(l.State); err != nil {
		return fmt.Errorf("removing the state directory: %w", err)
	}
	fmt.Fprintf(w, "Removed %s with all data.\n", display(l.State))
	return nil
}

// lockCommands keeps two commands from working on one cluster at the same time.
func lockCommands(l controlplane.Layout) (unlock func(), err error) {
	if err := os.MkdirAll(l.RunDir(), 0o700); err != nil {
		return nil, err
	}
	file, err := supervisor.LockFile(filepath.Join(l.RunDir(), "command.lock"))
	if errors.Is(err, supervisor.ErrRunning) {
		return nil, fmt.Errorf("another devcluster up, down or reset works on %s; wait for it to end", l.State)
	}
	if err != nil {
		return nil, err
	}
	return func() { file.Close() }, nil
}

// display shortens a path for people: relative to the working directory where
// that is shorter.
func display(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	relative, err := filepath.Rel(wd, path)
	if err != nil || len(relative) > len(path) {
		return path
	}
	return relative
}

func kubectlHint(l controlplane.Layout) string {
	return "bin/kubectl --kubeconfig " + display(l.AdminKubeconfig())
}
