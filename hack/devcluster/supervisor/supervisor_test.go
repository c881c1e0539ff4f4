package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// TestMain lets this test program play the processes of a cluster, which the
// supervisor starts from the file of the program itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "steady": // runs until it is told to stop, and notes when that was
			stop := make(chan os.Signal, 1)
			signal.Notify(stop, syscall.SIGTERM)
			<-stop
			file, err := os.OpenFile(filepath.Join(os.Getenv("HOME"), "stopped"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err == nil {
				fmt.Fprintln(file, os.Args[2])
			}
			os.Exit(0)
		case "crash":
			os.Exit(7)
		case "supervise":
			if err := supervise(context.Background(), testLayout(os.Args[2])); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

func testLayout(state string) controlplane.Layout { return controlplane.Layout{State: state} }

func supervise(ctx context.Context, l controlplane.Layout) error {
	lock, err := Lock(ctx, l)
	if err != nil {
		return err
	}
	defer lock.Close()
	processes := []controlplane.Process{
		{Name: "first", Args: []string{"test", "steady", "first"}, Grace: 5 * time.Second},
		{Name: "second", Args: []string{"test", "steady", "second"}, Grace: 5 * time.Second},
		{Name: "crasher", Args: []string{"test", "crash"}, Grace: 5 * time.Second},
	}
	return New(l, processes, "digest", slog.New(slog.DiscardHandler)).Run(ctx)
}

func newState(t *testing.T) controlplane.Layout {
	t.Helper()
	l := testLayout(t.TempDir())
	for _, dir := range []string{l.RunDir(), l.LogDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) { return is(), nil })
	if err != nil {
		t.Fatalf("never happened: %s", what)
	}
}

// running tells whether all processes have been started and the crashing one
// was started again.
func running(l controlplane.Layout) (Status, bool) {
	status, err := Running(l)
	if err != nil || status == nil {
		return Status{}, false
	}
	return *status, status.Processes[0].PID > 0 && status.Processes[1].PID > 0 && status.Processes[2].Restarts > 1
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestRestartsAndStopsInReverse(t *testing.T) {
	l := newState(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- supervise(ctx, l) }()
	var status Status
	eventually(t, "all run and the crashing one is restarted", func() (is bool) {
		status, is = running(l)
		return is
	})
	if got := status.Processes[2].LastExit; got != "exit status 7" {
		t.Errorf("last exit %q", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	order, err := os.ReadFile(filepath.Join(l.RunDir(), "stopped"))
	if err != nil || string(order) != "second\nfirst\n" {
		t.Errorf("stopped in the order %q (%v)", order, err)
	}
	if status, err := Running(l); status != nil || err != nil {
		t.Errorf("still running: %v, %v", status, err)
	}
}

// A supervisor that is killed takes its processes with it, and what survives
// all the same is found by the next one. Nobody else's process is touched.
func TestRecoversFromKill(t *testing.T) {
	l := newState(t)
	supervisor := exec.Command("/proc/self/exe", "supervise", l.State)
	supervisor.Stderr = os.Stderr
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	var status Status
	eventually(t, "all run", func() (is bool) {
		status, is = running(l)
		return is
	})
	if _, err := tryLock(l); !errors.Is(err, ErrRunning) {
		t.Errorf("locking a running cluster: %v", err)
	}
	leftover := exec.Command("/proc/self/exe", "steady", "leftover")
	leftover.Env = []string{"HOME=" + filepath.Join(l.NodeDir(), "pod")}
	stranger := exec.Command("/proc/self/exe", "steady", "stranger")
	stranger.Env = []string{"HOME=" + l.State + "-of-another"}
	for _, command := range []*exec.Cmd{leftover, stranger} {
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		_ = stranger.Process.Kill()
		_ = stranger.Wait()
	}()
	if err := supervisor.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = supervisor.Wait()
	eventually(t, "its processes are gone", func() bool {
		return !alive(status.Processes[0].PID) && !alive(status.Processes[1].PID)
	})
	if status, err := Running(l); status != nil || err != nil {
		t.Errorf("believed to be running: %v, %v", status, err)
	}
	go leftover.Wait() // reap it
	if err := Stop(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if alive(leftover.Process.Pid) {
		t.Error("the left-over process still runs")
	}
	if !alive(stranger.Process.Pid) {
		t.Error("a stranger's process was killed")
	}
}
