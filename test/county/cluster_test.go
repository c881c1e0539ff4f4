// Package county tests the whole: the sample county in an embedded Kubernetes
// of its own, reached through the gateway by scripts and by a browser.
package county

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linli-io/linli/test/instance"
)

// county is the cluster that all tests of this package share.
var county *cluster

func TestMain(m *testing.M) {
	os.Exit(func() int {
		c, err := newCluster()
		if err == nil {
			defer c.reset()
			err = c.up(os.Stderr)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "the test county did not start: %v\n", err)
			return 1
		}
		county = c
		failed := m.Run()
		if err := c.secrecy(); err != nil {
			fmt.Fprintf(os.Stderr, "personal data where it has no purpose:\n%v\n", err)
			return 1
		}
		return failed
	}())
}

// cluster is an embedded Kubernetes beside the one of `make up`, if that runs:
// it has a state directory and ports of its own.
type cluster struct {
	root        string // of the repository
	dir         string // state
	gatewayPort string
	apiPort     string

	tokens struct {
		sync.Mutex
		got map[string]tokenOf
	}
}

func newCluster() (*cluster, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "bin/devcluster")); err != nil {
		return nil, fmt.Errorf("%w; these tests run the built product: use make test", err)
	}
	dir, err := os.MkdirTemp("", "linli-county-")
	if err != nil {
		return nil, err
	}
	// The API server's is the first of three in a row.
	port, err := instance.FreePorts(4)
	if err != nil {
		return nil, err
	}
	c := &cluster{root: root, dir: filepath.Join(dir, "dev"), apiPort: strconv.Itoa(port), gatewayPort: strconv.Itoa(port + 3)}
	c.tokens.got = map[string]tokenOf{}
	return c, nil
}

// command is a program of the repository, told which cluster is meant.
func (c *cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.root, program), args...)
	cmd.Dir = c.root
	cmd.Env = append(os.Environ(),
		"LINLI_DEV_DIR="+c.dir, "LINLI_GATEWAY_PORT="+c.gatewayPort, "LINLI_API_PORT="+c.apiPort,
		"KUBECONFIG="+filepath.Join(c.dir, "kubeconfig"))
	return cmd
}

func (c *cluster) up(progress io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	for _, command := range [][]string{
		{"bin/devcluster", "up", "--binary", "bin/linli", "--manifests", "config/demo",
			"--secret", "linli-system/linli-idp-keys/idp.key", "--sample", "config/samples/yutai"},
		{"bin/linli", "sample", "people"},
	} {
		cmd := c.command(ctx, command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = progress, progress
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) down() error {
	out, err := c.command(context.Background(), "bin/devcluster", "down").CombinedOutput()
	if err != nil {
		return fmt.Errorf("down: %w: %s", err, out)
	}
	return nil
}

func (c *cluster) reset() {
	if out, err := c.command(context.Background(), "bin/devcluster", "reset").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "reset: %v: %s\n", err, out)
	}
	os.RemoveAll(filepath.Dir(c.dir))
}

// kubectl runs the repository's kubectl and returns what it printed, errors included.
func (c *cluster) kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := c.command(t.Context(), "bin/kubectl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *cluster) mustKubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.kubectl(t, "", args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *cluster) url(community string) string {
	return "http://" + community + ".localhost:" + c.gatewayPort
}

// token is a sample person's token for the community's API, got as a script
// would. It is used again for some minutes: staff wait half a minute for the
// next code of their app.
func (c *cluster) token(t *testing.T, community, person string) string {
	t.Helper()
	c.tokens.Lock()
	defer c.tokens.Unlock()
	key := community + "/" + person
	if got, ok := c.tokens.got[key]; ok && time.Since(got.at) < tokenUse {
		return got.token
	}
	var stderr bytes.Buffer
	cmd := c.command(t.Context(), "bin/linli", "token", "--community", community, "--as", person)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("linli token: %v: %s", err, stderr.String())
	}
	got := tokenOf{strings.TrimSpace(string(out)), time.Now()}
	c.tokens.got[key] = got
	return got.token
}

// tokenUse is less than the lifetime of the provider's tokens, by as much as a
// test may take.
const tokenUse = 8 * time.Minute

type tokenOf struct {
	token string
	at    time.Time
}

// client reaches the communities by their host names.
var client = func() *http.Client {
	c := instance.Client(2)
	c.Timeout = stepTime
	return c
}()

// call sends JSON and decodes the JSON answer into out, unless that is nil.
func call(t *testing.T, method, url, token string, in, out any) *http.Response {
	t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatalf("%s %s: %s: %v: %s", method, url, res.Status, err, text)
		}
	}
	return res
}

// eventually waits until the condition holds; it fails with what the condition
// last said.
func eventually(t *testing.T, what string, condition func() (bool, string)) {
	t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		done, seen := condition()
		if done {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("waited two minutes for %s; last seen: %s", what, seen)
		case <-tick.C:
		}
	}
}

// needs ends a test whose tool is missing: with CI=true that is a failure,
// elsewhere the test is left out and says so.
func needs(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing (%v); make setup installs it", what, err)
	}
	t.Skipf("LEFT OUT: %s is missing (%v); make setup says what to install", what, err)
}
