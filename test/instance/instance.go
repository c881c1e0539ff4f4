// Package instance runs `linli serve` as a child process with the files that a
// Pod of a community has mounted, for tests and measurements that need the
// program itself: killed, restarted, weighed.
package instance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
)

// startTimeout is how long a start may take until it counts as failed. It is
// generous: the machine may be busy building.
const startTimeout = 60 * time.Second

// Instance is one community's program. Its methods may be called from several
// goroutines; Start, Kill and Stop by one at a time.
type Instance struct {
	binary  string
	serve   []string // the services
	peers   []string // the arguments that say where the others are
	people  *people
	shared  string // directory of what all replicas of a community have mounted
	dir     string // directory of its own
	storage string // the argument that says where its data is
	host    string // the community's own host name, the only one it answers for
	address string
	metrics string

	mu   sync.Mutex
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
	err  error         // how cmd ended, valid after gone
	up   chan struct{} // closed while the instance is ready
}

// Process is one of those that run the services of a community.
type Process struct {
	// Services are what it runs.
	Services []string
	// DSN is the connection string of its PostgreSQL database; empty means that
	// it keeps its data in SQLite.
	DSN string
}

// New is NewProcesses for one process with all services, which keeps its data in
// SQLite.
func New(binary, dir string, community *v1alpha1.Community, release *v1alpha1.Release) (*Instance, error) {
	all, err := NewProcesses(binary, dir, community, release, Process{Services: v1alpha1.ServicesOn(&community.Spec)})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// NewReplicas is NewProcesses for one process with all services for each
// connection string.
func NewReplicas(binary, dir string, community *v1alpha1.Community, release *v1alpha1.Release, dsns ...string) ([]*Instance, error) {
	var processes []Process
	for _, dsn := range dsns {
		processes = append(processes, Process{Services: v1alpha1.ServicesOn(&community.Spec), DSN: dsn})
	}
	return NewProcesses(binary, dir, community, release, processes...)
}

// NewProcesses writes the configuration beneath dir, which must exist, for
// several processes of one community: they share configuration and keys, and
// each has a directory of its own. A process asks for services that it does not
// run one that does: if several do, the first of those with the same services as
// it asks the first, the second the second. Nothing runs yet.
func NewProcesses(binary, dir string, community *v1alpha1.Community, release *v1alpha1.Release, processes ...Process) ([]*Instance, error) {
	key, release, err := writeMounted(dir, community, release)
	if err != nil {
		return nil, err
	}
	port, err := FreePorts(2 * len(processes))
	if err != nil {
		return nil, err
	}
	address := func(n int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+n)) }
	who := newPeople(community, release, key)
	var all []*Instance
	for i, p := range processes {
		in := &Instance{
			binary: binary, serve: p.Services, people: who, shared: dir, dir: filepath.Join(dir, fmt.Sprintf("process-%d", i)),
			host:    community.Name + "." + release.Class.Domain,
			address: address(2 * i), metrics: address(2*i + 1),
			up: make(chan struct{}),
		}
		for name, n := range peersOf(processes, i) {
			in.peers = append(in.peers, "--peer="+name+"=http://"+address(2*n))
		}
		if err := in.writeOwn(p.DSN); err != nil {
			return nil, err
		}
		all = append(all, in)
	}
	return all, nil
}

// writeOwn makes the directory of the process.
func (in *Instance) writeOwn(dsn string) error {
	if dsn == "" {
		in.storage = "--data=" + in.DataDir()
		return os.MkdirAll(in.DataDir(), 0o700)
	}
	database := filepath.Join(in.dir, "database")
	in.storage = "--database=" + database
	if err := os.MkdirAll(database, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(database, "dsn"), []byte(dsn), 0o600)
}

// peersOf are the services that process i does not run, with the one that it
// asks for each.
func peersOf(processes []Process, i int) map[string]int {
	turn := 0
	for _, p := range processes[:i] {
		if slices.Equal(p.Services, processes[i].Services) {
			turn++
		}
	}
	running := map[string][]int{}
	for n, p := range processes {
		for _, name := range p.Services {
			running[name] = append(running[name], n)
		}
	}
	peers := map[string]int{}
	for name, by := range running {
		if !slices.Contains(processes[i].Services, name) {
			peers[name] = by[turn%len(by)]
		}
	}
	return peers
}

// writeMounted writes what a Pod of the community has mounted, and returns the
// community's key and the release that was written: with an issuer of this
// process.
func writeMounted(dir string, community *v1alpha1.Community, release *v1alpha1.Release) ([]byte, *v1alpha1.Release, error) {
	for _, d := range []string{configDir(dir), keysDir(dir)} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, nil, err
		}
	}
	signedIn := *release
	signedIn.Class.Identity.Issuer = issuer().URL
	if err := writeYAML(filepath.Join(configDir(dir), "community.yaml"), community); err != nil {
		return nil, nil, err
	}
	if err := writeYAML(filepath.Join(configDir(dir), "release.yaml"), &signedIn); err != nil {
		return nil, nil, err
	}
	key := make([]byte, identity.KeySize)
	rand.Read(key) // never fails, see its documentation
	return key, &signedIn, os.WriteFile(filepath.Join(keysDir(dir), "session.key"), key, 0o600)
}

// Configure changes the manifest of the community, for all of its replicas:
// from their next start on.
func (in *Instance) Configure(community *v1alpha1.Community) error {
	return writeYAML(filepath.Join(configDir(in.shared), "community.yaml"), community)
}

func writeYAML(path string, v any) error {
	b, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, b, 0o600)
}

func configDir(shared string) string { return filepath.Join(shared, "config") }
func keysDir(shared string) string   { return filepath.Join(shared, "keys") }

// DataDir is the directory of the services' databases, of a process that keeps
// its data in SQLite.
func (in *Instance) DataDir() string { return filepath.Join(in.dir, "data") }

// LogPath is the file that all runs of the instance write their log to.
func (in *Instance) LogPath() string { return filepath.Join(in.dir, "log") }

// URL is the address that residents would reach, without a slash at the end.
// Clients made by Client know the way to it.
func (in *Instance) URL() string {
	_, port, err := net.SplitHostPort(in.address)
	if err != nil {
		panic(err) // NewProcesses made it
	}
	return "http://" + net.JoinHostPort(in.host, port)
}

// Serves reports whether the process runs a service.
func (in *Instance) Serves(service string) bool { return slices.Contains(in.serve, service) }

// Client returns a client that reaches instances by their host names. It keeps
// that many connections to each.
func Client(connections int) *http.Client {
	transport := identity.LoopbackTransport()
	transport.MaxIdleConnsPerHost = connections
	return &http.Client{Transport: transport}
}

// Dial connects to the port of pages and APIs.
func (in *Instance) Dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", in.address)
}

// Start starts the program and returns when it is ready.
func (in *Instance) Start(ctx context.Context) error {
	log, err := os.OpenFile(in.LogPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child keeps its own copy
	cmd := exec.Command(in.binary, append(slices.Concat([]string{"serve"}, in.serve, in.peers),
		"--config="+configDir(in.shared), "--keys="+keysDir(in.shared), in.storage,
		"--address="+in.address, "--metrics-address="+in.metrics,
		"--termination-message="+filepath.Join(in.dir, "termination-message"))...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", in.binary, err)
	}
	gone := make(chan struct{})
	in.mu.Lock()
	in.cmd, in.gone = cmd, gone
	in.mu.Unlock()
	go func() {
		err := cmd.Wait()
		in.mu.Lock()
		in.err = err
		in.mu.Unlock()
		close(gone)
	}()
	if err := in.awaitReady(ctx, gone); err != nil {
		return fmt.Errorf("%w; its log is %s", err, in.LogPath())
	}
	in.mu.Lock()
	close(in.up)
	in.mu.Unlock()
	return nil
}

func (in *Instance) awaitReady(ctx context.Context, gone <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+in.metrics+"/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-gone:
			return fmt.Errorf("linli serve ended before it was ready: %v", in.err)
		case <-ctx.Done():
			return fmt.Errorf("linli serve is not ready: %w", ctx.Err())
		case <-poll.C:
		}
	}
}

// Up says whether the instance is ready, as far as is known.
func (in *Instance) Up() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.cmd == nil {
		return false
	}
	select {
	case <-in.gone:
		return false
	default:
	}
	select {
	case <-in.up:
		return true
	default:
		return false
	}
}

// AwaitUp returns when the instance is ready, at once if it is. It fails if
// the program ended without having been told to.
func (in *Instance) AwaitUp(ctx context.Context) error {
	in.mu.Lock()
	up, gone, running := in.up, in.gone, in.cmd != nil
	in.mu.Unlock()
	if running {
		select {
		case <-gone:
			return fmt.Errorf("linli serve ended by itself: %v; its log is %s", in.err, in.LogPath())
		default:
		}
	}
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Pause has the program stand still until Resume.
func (in *Instance) Pause() error { return in.signal(syscall.SIGSTOP) }

// Resume has the program go on that was paused.
func (in *Instance) Resume() error { return in.signal(syscall.SIGCONT) }

func (in *Instance) signal(sig os.Signal) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.cmd == nil {
		return errors.New("linli serve does not run")
	}
	return in.cmd.Process.Signal(sig)
}

// Kill ends the program with SIGKILL and returns when it is gone.
func (in *Instance) Kill() error {
	err := in.end(syscall.SIGKILL)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && !exit.Exited() {
		return nil // killed, as was asked for
	}
	if err == nil {
		return errors.New("linli serve ended by itself before it was killed")
	}
	return err
}

// Stop asks the program to end and returns when it is gone; an exit code
// other than 0 is an error.
func (in *Instance) Stop() error {
	if err := in.end(syscall.SIGTERM); err != nil {
		return fmt.Errorf("linli serve did not stop cleanly: %w; its log is %s", err, in.LogPath())
	}
	return nil
}

func (in *Instance) end(sig os.Signal) error {
	in.mu.Lock()
	cmd, gone := in.cmd, in.gone
	if cmd != nil {
		in.up = make(chan struct{})
	}
	in.cmd = nil
	in.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-gone
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err
}

// PID is the process id, 0 when nothing runs.
func (in *Instance) PID() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.cmd == nil {
		return 0
	}
	return in.cmd.Process.Pid
}
