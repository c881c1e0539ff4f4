// Package test starts a whole cluster, as people do, and looks at what Pods in
// it experience.
package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const namespace = "trial"

// trial is a cluster of the test's own, run without root: by the user who tests,
// or by nobody if that is root.
type trial struct {
	dir         string
	binary      string
	state       string
	apiPort     int
	gatewayPort int
	client      kubernetes.Interface
}

func build(t *testing.T, output, dir string, flags ...string) {
	t.Helper()
	command := exec.Command("go", append(append([]string{"build", "-o", output}, flags...), dir)...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", dir, err, out)
	}
}

// freePorts finds n ports in a row that nobody uses, outside the range from
// which the system takes ports for outgoing connections.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for first := 20000; first < 30000; first += n {
		free := true
		for port := first; port < first+n && free; port++ {
			listener, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(port))
			if free = err == nil; free {
				listener.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

// nobody is the user and the group of that name on every Linux.
const nobody = 65534

// command is a program run without root.
func (c *trial) command(program string, arguments ...string) *exec.Cmd {
	command := exec.Command(program, arguments...)
	command.Env = append(os.Environ(), "HOME="+c.dir, "TMPDIR="+c.dir)
	if os.Getuid() == 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return command
}

// handOver lets the cluster's user have what the test has made.
func (c *trial) handOver(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (c *trial) run(arguments ...string) (string, error) {
	command := c.command(c.binary, arguments...)
	command.Env = append(command.Env, "LINLI_DEV_DIR="+c.state, fmt.Sprintf("LINLI_API_PORT=%d", c.apiPort), fmt.Sprintf("LINLI_GATEWAY_PORT=%d", c.gatewayPort))
	out, err := command.CombinedOutput()
	return string(out), err
}

func (c *trial) must(t *testing.T, arguments ...string) {
	t.Helper()
	if out, err := c.run(arguments...); err != nil {
		t.Fatalf("devcluster %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}

func (c *trial) kubectl(t *testing.T, input string, arguments ...string) string {
	t.Helper()
	command := c.command(c.binary, append([]string{"kubectl", "--kubeconfig=" + filepath.Join(c.state, "kubeconfig"), "--namespace=" + namespace}, arguments...)...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

func (c *trial) eventually(t *testing.T, what string, is func(context.Context) (bool, string)) {
	t.Helper()
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 90*time.Second, true, func(ctx context.Context) (bool, error) {
		var ok bool
		ok, last = is(ctx)
		return ok, nil
	})
	if err != nil {
		t.Fatalf("never happened: %s; last seen: %s", what, last)
	}
}

// request sends a request through the gateway and returns status and body.
func (c *trial) request(ctx context.Context, method, path, body string) (int, string, http.Header) {
	request, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", c.gatewayPort, path), strings.NewReader(body))
	if err != nil {
		return 0, err.Error(), nil
	}
	request.Host = "trial.localhost"
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return response.StatusCode, string(data), response.Header
}

func (c *trial) answers(t *testing.T, path, want string) {
	t.Helper()
	c.eventually(t, path+" answers "+want, func(ctx context.Context) (bool, string) {
		status, body, _ := c.request(ctx, http.MethodGet, path, "")
		return status == http.StatusOK && body == want, fmt.Sprint(status, " ", body)
	})
}

// pod returns the Pod of the Deployment.
func (c *trial) pod(ctx context.Context) *v1.Pod {
	pods, err := c.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil || len(pods.Items) != 1 {
		return &v1.Pod{}
	}
	return &pods.Items[0]
}

func TestCluster(t *testing.T) {
	dir, err := os.MkdirTemp("", "trial") // and not t.TempDir, which lets nobody else in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := freePorts(t, 4)
	c := &trial{dir: dir, binary: filepath.Join(dir, "devcluster"), state: filepath.Join(dir, "state"), apiPort: port, gatewayPort: port + 3}
	build(t, c.binary, "..", "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3")
	c.handOver(t, dir)
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := filepath.Glob(filepath.Join(c.state, "log", "*.log"))
			for _, log := range logs {
				out, _ := exec.Command("tail", "-n", "15", log).Output()
				t.Logf("%s:\n%s", filepath.Base(log), out)
			}
		}
		if out, err := c.run("reset"); err != nil {
			t.Errorf("reset: %v\n%s", err, out)
		}
	})
	c.must(t, "up", "--timeout=3m")
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(c.state, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(c.state, "images", "pod", "1")
	if err := os.MkdirAll(image, 0o700); err != nil {
		t.Fatal(err)
	}
	build(t, filepath.Join(image, "pod"), "./pod")
	c.handOver(t, filepath.Join(c.state, "images"))
	manifests, err := os.ReadFile("manifests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.kubectl(t, string(manifests), "apply", "--server-side", "-f", "-")
	c.answers(t, "/readyz", "")

	t.Run("environment and token", c.environment)
	t.Run("unknown image", c.unknownImage)
	t.Run("configuration arrives", c.configuration)
	t.Run("readiness", c.readiness)
	t.Run("crash", c.crash)
	t.Run("termination", c.termination)
	t.Run("down and up keep the data", c.downAndUp)
	t.Run("killed and up again", c.killed)
	t.Run("claim removed", c.claimRemoved)
}

func (c *trial) environment(t *testing.T) {
	_, body, _ := c.request(t.Context(), http.MethodGet, "/request", "")
	var seen struct {
		Environment []string
	}
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		t.Fatal(err, body)
	}
	value := func(name string) string {
		for _, variable := range seen.Environment {
			if value, ok := strings.CutPrefix(variable, name+"="); ok {
				return value
			}
		}
		return ""
	}
	if value("FROM_SECRET") != "secret" || value("FROM_CONFIG") != "hello" || !strings.HasPrefix(value("POD_IP"), "127.") {
		t.Errorf("environment: %q", seen.Environment)
	}
	for _, variable := range seen.Environment {
		name, _, _ := strings.Cut(variable, "=")
		if !slices.Contains([]string{"PATH", "HOME", "TMPDIR", "KUBECONFIG", "POD_IP", "FROM_SECRET", "FROM_CONFIG", "SECRET_FILE"}, name) && !strings.HasPrefix(name, "KUBERNETES_") {
			t.Errorf("leaked into the Pod: %s", variable)
		}
	}
	if info, err := os.Stat(value("SECRET_FILE")); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("secret file: %v, %v", info, err)
	}
	// What the Pod has is its own service account, and no more.
	config, err := clientcmd.BuildConfigFromFlags("", value("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	pod, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := pod.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil || review.Status.UserInfo.Username != "system:serviceaccount:"+namespace+":default" {
		t.Errorf("the Pod is %v (%v)", review.Status.UserInfo.Username, err)
	}
	if _, err := pod.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the Pod may list Secrets: %v", err)
	}
}

func (c *trial) unknownImage(t *testing.T) {
	c.eventually(t, "the image is reported missing with its path", func(ctx context.Context) (bool, string) {
		pod, err := c.client.CoreV1().Pods(namespace).Get(ctx, "unknown-image", metav1.GetOptions{})
		if err != nil || len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].State.Waiting == nil {
			return false, fmt.Sprint(err)
		}
		waiting := pod.Status.ContainerStatuses[0].State.Waiting
		path := filepath.Join(c.state, "images", "nothing", "1", "nothing")
		return strings.Contains(waiting.Reason, "Image") && strings.Contains(waiting.Message, path), waiting.String()
	})
}

func (c *trial) configuration(t *testing.T) {
	c.answers(t, "/files/config/greeting", "hello")
	patch := []byte(`{"data": {"greeting": "changed"}}`)
	if _, err := c.client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	c.answers(t, "/files/config/greeting", "changed")
}

func (c *trial) readiness(t *testing.T) {
	if status, body, _ := c.request(t.Context(), http.MethodPost, "/ready/false", ""); status != http.StatusOK {
		t.Fatal(status, body)
	}
	c.eventually(t, "no request reaches a Pod that is not ready", func(ctx context.Context) (bool, string) {
		status, body, header := c.request(ctx, http.MethodGet, "/request", "")
		return status == http.StatusServiceUnavailable && header.Get("Retry-After") != "", fmt.Sprint(status, body)
	})
	pod := c.pod(t.Context())
	response, err := http.Post("http://"+pod.Status.PodIP+":8080/ready/true", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	c.answers(t, "/readyz", "")
}

func (c *trial) crash(t *testing.T) {
	before := c.pod(t.Context()).Status.ContainerStatuses[0].RestartCount
	c.request(t.Context(), http.MethodPost, "/exit/3", "the configuration is broken: mend it")
	c.eventually(t, "the crash is reported and the container restarted", func(ctx context.Context) (bool, string) {
		statuses := c.pod(ctx).Status.ContainerStatuses
		if len(statuses) == 0 || statuses[0].LastTerminationState.Terminated == nil {
			return false, fmt.Sprint(statuses)
		}
		end := statuses[0].LastTerminationState.Terminated
		return end.ExitCode == 3 && end.Message == "the configuration is broken: mend it" && statuses[0].RestartCount == before+1 && statuses[0].Ready, fmt.Sprint(statuses)
	})
	if log := c.kubectl(t, "", "logs", "--previous", "deployment/web"); !strings.Contains(log, "listening on") {
		t.Errorf("log of the container before: %q", log)
	}
	c.answers(t, "/readyz", "")
}

// termination deletes a Pod that stops by itself and one that never would, and
// follows what the first one says until its end.
func (c *trial) termination(t *testing.T) {
	follow := c.command(c.binary, "kubectl", "--kubeconfig="+filepath.Join(c.state, "kubeconfig"), "--namespace="+namespace, "logs", "--follow", "willing")
	var log bytes.Buffer
	follow.Stdout = &log
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	c.eventually(t, "both Pods are ready", func(ctx context.Context) (bool, string) {
		for _, name := range []string{"willing", "stubborn"} {
			pod, err := c.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil || pod.Status.Phase != v1.PodRunning {
				return false, fmt.Sprint(err)
			}
		}
		return true, ""
	})
	began := time.Now()
	for _, name := range []string{"willing", "stubborn"} {
		if err := c.client.CoreV1().Pods(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c.eventually(t, "both Pods are gone", func(ctx context.Context) (bool, string) {
		for _, name := range []string{"willing", "stubborn"} {
			if _, err := c.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return false, name
			}
		}
		return true, ""
	})
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("the grace period of 3 s was not given: gone after %s", took)
	}
	if err := follow.Wait(); err != nil || !strings.Contains(log.String(), "stopping\nstopped\n") {
		t.Errorf("log: %q (%v)", log.String(), err)
	}
}

func (c *trial) downAndUp(t *testing.T) {
	if status, body, _ := c.request(t.Context(), http.MethodPut, "/files/data/note", "kept"); status != http.StatusOK {
		t.Fatal(status, body)
	}
	address := c.pod(t.Context()).Status.PodIP
	c.must(t, "down")
	if connection, err := net.Dial("tcp", address+":8080"); err == nil {
		connection.Close()
		t.Error("the Pod's process still runs")
	}
	// Somebody else's port is named, with its holder.
	holder := c.command(filepath.Join(c.state, "images", "pod", "1", "pod"), fmt.Sprintf("--address=127.0.0.1:%d", c.gatewayPort))
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	c.eventually(t, "the port is taken", func(context.Context) (bool, string) {
		connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.gatewayPort))
		if err != nil {
			return false, err.Error()
		}
		return connection.Close() == nil, ""
	})
	out, err := c.run("up", "--timeout=3m")
	_ = holder.Process.Kill()
	_ = holder.Wait() // it was killed
	for _, want := range []string{strconv.Itoa(c.gatewayPort), strconv.Itoa(holder.Process.Pid), "LINLI_GATEWAY_PORT"} {
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("port taken: %v, %q does not name %s", err, out, want)
		}
	}
	c.must(t, "up", "--timeout=3m")
	c.answers(t, "/files/data/note", "kept")
	if now := c.pod(t.Context()).Status.PodIP; now == address {
		t.Errorf("the Pod has the address %s again, which others may still take for another Pod's", now)
	}
}

func (c *trial) killed(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(c.state, "run", "status.json"))
	if err != nil {
		t.Fatal(err)
	}
	var status struct{ PID int }
	if err := json.Unmarshal(data, &status); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(status.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.must(t, "up", "--timeout=3m")
	c.answers(t, "/files/data/note", "kept")
}

func (c *trial) claimRemoved(t *testing.T) {
	directories := func() []string {
		found, err := filepath.Glob(filepath.Join(c.state, "volumes", namespace+"-data-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if len(directories()) != 1 {
		t.Fatalf("volumes: %q", directories())
	}
	c.kubectl(t, "", "delete", "deployment/web", "pvc/data")
	c.eventually(t, "the volume's directory is removed", func(context.Context) (bool, string) {
		return len(directories()) == 0, fmt.Sprint(directories())
	})
}
