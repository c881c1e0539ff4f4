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

// New writes the configuration beneath dir, which must exist. The data is kept
// in SQLite. Nothing runs yet.
func New(binary, dir string, community *v1alpha1.Community, release *v1alpha1.Release) (*Instance, error) {
	key, release, err := writeMounted(dir, community, release)
	if err != nil {
		return nil, err
	}
	in, err := newInstance(binary, dir, dir, community, release, newPeople(community, release, key))
	if err != nil {
		return nil, err
	}
	in.storage = "--data=" + in.DataDir()
	return in, os.Mkdir(in.DataDir(), 0o700)
}

// NewReplicas writes the configuration beneath dir, which must exist, for
// several instances of one community that share configuration, keys and a
// PostgreSQL database: an instance for each connection string. Nothing runs yet.
func NewReplicas(binary, dir string, community *v1alpha1.Community, release *v1alpha1.Release, dsns ...string) ([]*Instance, error) {
	key, release, err := writeMounted(dir, community, release)
	if err != nil {
		return nil, err
	}
	who := newPeople(community, release, key)
	var replicas []*Instance
	for i, dsn := range dsns {
		own := filepath.Join(dir, fmt.Sprintf("replica-%d", i))
		database := filepath.Join(own, "database")
		if err := os.MkdirAll(database, 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(database, "dsn"), []byte(dsn), 0o600); err != nil {
			return nil, err
		}
		in, err := newInstance(binary, dir, own, community, release, who)
		if err != nil {
			return nil, err
		}
		in.storage = "--database=" + database
		replicas = append(replicas, in)
	}
	return replicas, nil
}

func newInstance(binary, shared, dir string, community *v1alpha1.Community, release *v1alpha1.Release, who *people) (*Instance, error) {
	in := &Instance{
		binary: binary, serve: v1alpha1.ServicesOn(&community.Spec), people: who, shared: shared, dir: dir, up: make(chan struct{}),
		host: community.Name + "." + release.Class.Domain,
	}
	var err error
	in.address, in.metrics, err = freeAddresses()
	return in, err
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

// freeAddresses finds two addresses on loopback that nobody listens on. They
// stay the same over restarts, so that clients find the instance again.
func freeAddresses() (string, string, error) {
	var found [2]string
	for i := range found {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", fmt.Errorf("finding a free port: %w", err)
		}
		defer l.Close()
		found[i] = l.Addr().String()
	}
	return found[0], found[1], nil
}

func configDir(shared string) string { return filepath.Join(shared, "config") }
func keysDir(shared string) string   { return filepath.Join(shared, "keys") }

// DataDir is the directory of the services' databases, of an instance that New
// made.
func (in *Instance) DataDir() string { return filepath.Join(in.dir, "data") }

// LogPath is the file that all runs of the instance write their log to.
func (in *Instance) LogPath() string { return filepath.Join(in.dir, "log") }

// URL is the address that residents would reach, without a slash at the end.
// Clients made by Client know the way to it.
func (in *Instance) URL() string {
	_, port, err := net.SplitHostPort(in.address)
	if err != nil {
		panic(err) // freeAddresses made it
	}
	return "http://" + net.JoinHostPort(in.host, port)
}

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
	cmd := exec.Command(in.binary, append(append([]string{"serve"}, in.serve...),
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
