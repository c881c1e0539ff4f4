package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	utilexec "k8s.io/utils/exec"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// process is a container: a local process with the environment, the arguments
// and the directories that its Pod describes.
type process struct {
	id        string
	sandbox   *sandbox
	config    *cri.ContainerConfig
	program   string
	mounts    mounts
	dir       string // its working directory
	env       []string
	log       *containerLog
	createdAt time.Time

	mu         sync.Mutex
	state      cri.ContainerState
	pid        int
	startedAt  time.Time
	finishedAt time.Time
	exitCode   int32
	reason     string
	message    string
	done       chan struct{} // closed when it has ended
}

const (
	tokenMount = "/var/run/secrets/kubernetes.io/serviceaccount"
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

func newProcess(s *sandbox, config *cri.ContainerConfig, program string, l controlplane.Layout) (*process, error) {
	p := &process{
		id:        newID(),
		sandbox:   s,
		config:    config,
		program:   program,
		mounts:    newMounts(config.GetMounts()),
		createdAt: time.Now(),
		state:     cri.ContainerState_CONTAINER_CREATED,
		done:      make(chan struct{}),
	}
	p.dir = filepath.Join(s.dir, config.GetMetadata().GetName())
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the working directory: %w", err)
	}
	p.log = &containerLog{path: filepath.Join(s.config.GetLogDirectory(), config.GetLogPath())}
	env := map[string]string{
		"PATH":   searchPath,
		"HOME":   p.dir,
		"TMPDIR": p.dir,
	}
	if tmp, ok := p.mounts.host("/tmp"); ok {
		env["TMPDIR"] = tmp
	}
	if token, ok := p.mounts.host(tokenMount); ok {
		path, err := writeKubeconfig(p.dir, token, s.config.GetMetadata().GetNamespace(), l)
		if err != nil {
			return nil, err
		}
		env["KUBECONFIG"] = path
	}
	for _, variable := range config.GetEnvs() {
		env[variable.GetKey()] = p.mounts.rewrite(string(variable.GetValue()))
	}
	// The service kubernetes has no address behind which somebody listens.
	env["KUBERNETES_SERVICE_HOST"] = "127.0.0.1"
	env["KUBERNETES_SERVICE_PORT"] = strconv.Itoa(l.APIPort)
	for key, value := range env {
		p.env = append(p.env, key+"="+value)
	}
	return p, nil
}

// writeKubeconfig writes a kubeconfig for the token that is mounted at a
// directory: client libraries look for the token in /var/run/secrets only, which
// is the machine's and not the Pod's.
func writeKubeconfig(dir, token, namespace string, l controlplane.Layout) (string, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters["devcluster"] = &clientcmdapi.Cluster{
		Server:               l.APIServerURL(),
		CertificateAuthority: filepath.Join(token, "ca.crt"),
	}
	config.AuthInfos["pod"] = &clientcmdapi.AuthInfo{TokenFile: filepath.Join(token, "token")}
	config.Contexts["pod"] = &clientcmdapi.Context{Cluster: "devcluster", AuthInfo: "pod", Namespace: namespace}
	config.CurrentContext = "pod"
	path := filepath.Join(dir, ".kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return path, nil
}

// command returns the program and arguments for a container's command line. The
// image's root directory holds nothing but its program.
func (p *process) command(line []string) (string, []string, error) {
	name := filepath.Base(p.program)
	var arguments []string
	for _, argument := range line {
		arguments = append(arguments, p.mounts.rewrite(argument))
	}
	if len(arguments) == 0 {
		return p.program, nil, nil
	}
	switch first := arguments[0]; {
	case first == name, first == "/"+name:
		return p.program, arguments[1:], nil
	case first != line[0]:
		return first, arguments[1:], nil // a file of a volume
	default:
		return "", nil, fmt.Errorf("no such file in the image: %q; it has only /%s", first, name)
	}
}

// start starts the process. An error is also kept as the container's end.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != cri.ContainerState_CONTAINER_CREATED {
		return grpcstatus.Error(codes.FailedPrecondition, "the container was started before")
	}
	p.startedAt = time.Now()
	if err := p.launch(); err != nil {
		p.finish(128, "StartError", err.Error())
		return err
	}
	p.state = cri.ContainerState_CONTAINER_RUNNING
	return nil
}

func (p *process) launch() error {
	entry := p.config.GetCommand()
	if len(entry) == 0 {
		entry = []string{filepath.Base(p.program)}
	}
	program, arguments, err := p.command(append(entry[:len(entry):len(entry)], p.config.GetArgs()...))
	if err != nil {
		return err
	}
	if err := p.log.reopen(); err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	stdout, stderr := p.log.stream("stdout"), p.log.stream("stderr")
	command := exec.Command(program, arguments...)
	command.Dir, command.Env = p.dir, p.env
	if dir := p.config.GetWorkingDir(); dir != "" {
		command.Dir = p.mounts.rewrite(dir)
	}
	command.Stdout, command.Stderr = stdout, stderr
	command.WaitDelay = time.Second // for output that descendants hold open
	command.SysProcAttr = processGroup()
	if err := command.Start(); err != nil {
		p.log.close()
		return err
	}
	p.pid = command.Process.Pid
	go func() {
		err := command.Wait()
		// As with a container, nothing outlives its first process.
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		stdout.flush()
		stderr.flush()
		p.log.close()
		p.mu.Lock()
		defer p.mu.Unlock()
		code, reason, message := outcome(command.ProcessState, err)
		p.finish(code, reason, message)
	}()
	return nil
}

// processGroup makes a process the head of a group of its own that does not
// outlive the node.
func processGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// outcome translates how a process ended: exit code (128 and the signal's
// number, as everywhere), reason, message.
func outcome(state *os.ProcessState, err error) (code int32, reason, message string) {
	if state == nil {
		return 128, "ContainerCannotRun", err.Error()
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int32(status.Signal()), "Error", ""
	}
	if state.ExitCode() == 0 {
		return 0, "Completed", ""
	}
	return int32(state.ExitCode()), "Error", ""
}

// finish notes the end. The caller holds the lock.
func (p *process) finish(code int32, reason, message string) {
	p.state = cri.ContainerState_CONTAINER_EXITED
	p.finishedAt = time.Now()
	p.exitCode, p.reason, p.message = code, reason, message
	close(p.done)
}

// stop asks the process to end, kills it and its descendants after the grace
// period, and returns when it has ended.
func (p *process) stop(ctx context.Context, grace time.Duration) error {
	p.mu.Lock()
	switch p.state {
	case cri.ContainerState_CONTAINER_CREATED:
		p.finish(128, "ContainerCannotRun", "never started")
	case cri.ContainerState_CONTAINER_RUNNING:
		if grace > 0 {
			_ = syscall.Kill(-p.pid, syscall.SIGTERM) // if it is gone, done says so
		}
	}
	pid := p.pid
	p.mu.Unlock()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// grace is the Pod's termination grace period, which the kubelet notes on every
// container.
func (p *process) grace() time.Duration {
	seconds, err := strconv.Atoi(p.config.GetAnnotations()["io.kubernetes.pod.terminationGracePeriod"])
	if err != nil {
		return maxGrace
	}
	return time.Duration(seconds) * time.Second
}

// exec runs a command like the container's own and returns its output. An exit
// code other than 0 is an error of the kind that the kubelet's probes expect.
func (p *process) exec(ctx context.Context, line []string, timeout time.Duration) (stdout, stderr []byte, err error) {
	program, arguments, err := p.command(line)
	if err != nil {
		return nil, nil, err
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var out, errOut bytes.Buffer
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir, command.Env = p.dir, p.env
	command.Stdout, command.Stderr = &out, &errOut
	command.WaitDelay = time.Second
	command.SysProcAttr = processGroup()
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	err = command.Run()
	if ctx.Err() != nil {
		return nil, nil, grpcstatus.Errorf(codes.DeadlineExceeded, "%s did not end within %s", strings.Join(line, " "), timeout)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = utilexec.CodeExitError{Err: exit, Code: exit.ExitCode()}
	}
	return out.Bytes(), errOut.Bytes(), err
}

// status describes the container for the kubelet.
func (p *process) status() *cri.ContainerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &cri.ContainerStatus{
		Id:          p.id,
		Metadata:    p.config.GetMetadata(),
		State:       p.state,
		CreatedAt:   p.createdAt.UnixNano(),
		StartedAt:   unixNano(p.startedAt),
		FinishedAt:  unixNano(p.finishedAt),
		ExitCode:    p.exitCode,
		Reason:      p.reason,
		Message:     p.message,
		Image:       p.config.GetImage(),
		ImageRef:    p.config.GetImage().GetImage(),
		ImageId:     p.config.GetImage().GetImage(),
		Labels:      p.config.GetLabels(),
		Annotations: p.config.GetAnnotations(),
		Mounts:      p.config.GetMounts(),
		LogPath:     p.log.path,
	}
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func (p *process) removeLog() error {
	err := os.Remove(p.log.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
