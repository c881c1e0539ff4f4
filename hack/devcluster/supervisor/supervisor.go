// Package supervisor keeps the processes of a cluster running: it starts them
// in order, restarts what crashes, stops them in reverse order, and cleans up
// after a supervisor that was killed.
package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// Status is what a running supervisor tells about itself in its status file.
type Status struct {
	PID     int                 `json:"pid"`
	Started time.Time           `json:"started"`
	Layout  controlplane.Layout `json:"layout"`
	// Binary is the digest of the devcluster binary that runs.
	Binary    string          `json:"binary"`
	Processes []ProcessStatus `json:"processes"`
}

// ProcessStatus tells about one process of the cluster.
type ProcessStatus struct {
	Name     string    `json:"name"`
	PID      int       `json:"pid,omitempty"` // 0 while it does not run
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts"`
	Started  time.Time `json:"started"`
	// LastExit says how it ended last time, if it did.
	LastExit string `json:"lastExit,omitempty"`
}

// Supervisor runs processes until its context ends.
type Supervisor struct {
	layout    controlplane.Layout
	processes []controlplane.Process
	log       *slog.Logger

	mu     sync.Mutex
	status Status
}

// New prepares a supervisor; binary is the digest of the running program.
func New(l controlplane.Layout, processes []controlplane.Process, binary string, log *slog.Logger) *Supervisor {
	s := &Supervisor{layout: l, processes: processes, log: log}
	s.status = Status{PID: os.Getpid(), Started: time.Now(), Layout: l, Binary: binary}
	for _, p := range processes {
		s.status.Processes = append(s.status.Processes, ProcessStatus{Name: p.Name})
	}
	return s
}

// Run starts the processes and keeps them running. When ctx ends it stops them,
// the last one first, and returns. The caller holds the lock of the state
// directory.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := s.change(func(*Status) {}); err != nil {
		return err
	}
	defer os.Remove(statusFile(s.layout))
	type running struct {
		stop context.CancelFunc
		done chan struct{}
	}
	var started []running
	for i, p := range s.processes {
		processCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.keep(processCtx, i)
		}()
		started = append(started, running{stop, done})
		if s.awaitReady(ctx, i, p) != nil {
			break // told to stop while starting
		}
	}
	<-ctx.Done()
	for _, r := range slices.Backward(started) {
		r.stop()
		<-r.done
	}
	return nil
}

func (s *Supervisor) awaitReady(ctx context.Context, i int, p controlplane.Process) error {
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if p.Ready == nil {
			return true, nil
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return p.Ready(ctx) == nil, nil
	})
	if err != nil {
		return err
	}
	s.log.Info("ready", "process", p.Name)
	return s.change(func(status *Status) { status.Processes[i].Ready = true })
}

// keep runs one process again and again until ctx ends.
func (s *Supervisor) keep(ctx context.Context, i int) {
	p := s.processes[i]
	fresh := wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Steps: 8, Cap: 20 * time.Second}
	backoff := fresh
	for ctx.Err() == nil {
		began := time.Now()
		err := s.runOnce(ctx, i, p)
		if ctx.Err() != nil {
			s.log.Info("stopped", "process", p.Name)
			return
		}
		if time.Since(began) > time.Minute {
			backoff = fresh
		}
		pause := backoff.Step()
		s.log.Error("ended by itself, starting again", "process", p.Name, "end", err, "pause", pause)
		s.report(i, func(status *ProcessStatus) {
			status.PID, status.LastExit = 0, fmt.Sprint(err)
			status.Restarts++
		})
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// runOnce runs the process until it ends or ctx does.
func (s *Supervisor) runOnce(ctx context.Context, i int, p controlplane.Process) error {
	output, err := openLog(s.layout, p.Name)
	if err != nil {
		return err
	}
	defer output.Close()
	// The file of this very program, even if a build has replaced it since.
	command := exec.CommandContext(ctx, "/proc/self/exe")
	command.Args = p.Args
	command.Stdout, command.Stderr = output, output
	command.Dir = s.layout.RunDir()
	// HOME marks the process as this cluster's: see ownProcesses.
	command.Env = []string{"HOME=" + s.layout.RunDir(), "PATH=" + os.Getenv("PATH")}
	command.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true,
		// Nothing may survive a killed supervisor. All of them recover from a crash.
		Pdeathsig: syscall.SIGKILL,
	}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = p.Grace
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	s.log.Info("started", "process", p.Name, "pid", command.Process.Pid)
	s.report(i, func(status *ProcessStatus) {
		status.PID, status.Started = command.Process.Pid, time.Now()
	})
	err = command.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return err
}

func (s *Supervisor) report(i int, change func(*ProcessStatus)) {
	if err := s.change(func(status *Status) { change(&status.Processes[i]) }); err != nil {
		s.log.Error("writing the status file", "error", err)
	}
}

// change alters the status and writes it to the status file.
func (s *Supervisor) change(change func(*Status)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	data, err := json.MarshalIndent(s.status, "", "  ")
	if err != nil {
		return err
	}
	path := statusFile(s.layout)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func statusFile(l controlplane.Layout) string {
	return filepath.Join(l.RunDir(), "status.json")
}

// ReadStatus returns what the running supervisor says. It is only current while
// the state directory is locked.
func ReadStatus(l controlplane.Layout) (Status, error) {
	var status Status
	data, err := os.ReadFile(statusFile(l))
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(data, &status); err != nil {
		return status, fmt.Errorf("reading %s: %w", statusFile(l), err)
	}
	return status, nil
}

// maxLog is the size in bytes from which a log is set aside when its process
// starts.
const maxLog = 10 << 20

// LogFile is the path of the log of a process of the cluster.
func LogFile(l controlplane.Layout, name string) string {
	return filepath.Join(l.LogDir(), name+".log")
}

func openLog(l controlplane.Layout, name string) (*os.File, error) {
	path := LogFile(l, name)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}
