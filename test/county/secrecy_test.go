package county

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/linli-io/linli/internal/sample"
)

// personal is what must be found in no log and no metric after all tests: what
// the sample people are called and how they are reached, as it is and as
// programs write it.
func personal() []string {
	var secrets []string
	for _, p := range sample.People {
		for _, s := range []string{p.Name, p.LatinName, p.Account, p.Phone} {
			if s != "" {
				secrets = append(secrets, s, url.QueryEscape(s), fmt.Sprintf("%+q", s))
			}
		}
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

// secrecy looks for personal data in everything that operators collect: the
// logs of all processes and Pods, and the metrics of the services.
func (c *cluster) secrecy() error {
	secrets := personal()
	var found []error
	look := func(where string, content []byte) {
		for _, s := range secrets {
			if at := bytes.Index(content, []byte(s)); at >= 0 {
				line := content[bytes.LastIndexByte(content[:at], '\n')+1:]
				line, _, _ = bytes.Cut(line, []byte("\n"))
				found = append(found, fmt.Errorf("%s holds %q: %s", where, s, line))
			}
		}
	}
	logs := 0
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // of a container that has just ended
				return nil
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".log") {
			return nil
		}
		content, err := os.ReadFile(path)
		logs++
		look(path, content)
		return err
	})
	if err != nil {
		return err
	}
	if logs < 10 {
		return fmt.Errorf("only %d logs were found in %s: more must be there", logs, c.dir)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pods, err := c.command(ctx, "bin/kubectl", "get", "pods", "-A", "-l", "app.kubernetes.io/part-of=linli",
		"-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.status.podIP}{"\n"}{end}`).Output()
	if err != nil {
		return fmt.Errorf("listing Pods: %w", err)
	}
	scraped := 0
	for line := range strings.Lines(string(pods)) {
		pod, ip, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, port := range []string{"8080", "8081"} { // the operator's is the other one
			r, err := http.Get("http://" + ip + ":" + port + "/metrics")
			if err != nil {
				continue
			}
			content, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil {
				return err
			}
			if bytes.Contains(content, []byte("# TYPE")) {
				scraped++
				look("metrics of "+pod, content)
			}
		}
	}
	if scraped < 10 {
		return fmt.Errorf("the metrics of only %d Pods were found", scraped)
	}
	return errors.Join(found...)
}
