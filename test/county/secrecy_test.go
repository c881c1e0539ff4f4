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

// personal is what the sample people are called and how they are reached, as it
// is and as programs write it. Managers' names are in manifests, where they
// belong: of these people only what operators read is searched.
func personal() []string {
	var secrets []string
	for _, p := range sample.People {
		for _, s := range []string{p.Name, p.LatinName, p.Account, p.Phone} {
			if s != "" {
				secrets = append(secrets, written(s)...)
			}
		}
	}
	for _, s := range []string{newcomer, newcomerPhone, parent, parentPhone} {
		secrets = append(secrets, written(s)...)
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

// written is a text as it is and as programs write it: in addresses, in JSON of
// ASCII, byte by byte.
func written(s string) []string {
	quoted := strings.Trim(fmt.Sprintf("%+q", s), `"`)
	var bytewise strings.Builder
	for _, b := range []byte(s) {
		fmt.Fprintf(&bytewise, `\x%02x`, b)
	}
	all := []string{s, url.QueryEscape(s), strings.ToLower(url.QueryEscape(s)), url.PathEscape(s), quoted, bytewise.String()}
	slices.Sort(all)
	return slices.Compact(all)
}

// secrecy looks for personal data in everything that operators collect: the
// logs of all processes and Pods, the messages with which containers end, the
// events and conditions of the cluster, and the metrics of the services. Those
// who were planted are looked for in every file beside the volumes.
func (c *cluster) secrecy() error {
	secrets := personal()
	var found []error
	lookForPlants := func(where string, content []byte) {
		findPlants(content, func(p plant, around string) {
			found = append(found, fmt.Errorf("%s has who was planted in %s: …%s…", where, p.way, around))
		})
	}
	look := func(where string, content []byte) {
		lookForPlants(where, content)
		for _, s := range secrets {
			if at := bytes.Index(content, []byte(s)); at >= 0 {
				line := content[bytes.LastIndexByte(content[:at], '\n')+1:]
				line, _, _ = bytes.Cut(line, []byte("\n"))
				found = append(found, fmt.Errorf("%s holds %q: %.600s", where, s, line))
			}
		}
	}
	logs, ends := 0, 0
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // of a container that has just ended
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "volumes" || d.Name() == "images") { // the services' data, and the program
			return fs.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		isLog, isEnd := strings.HasSuffix(path, ".log"), strings.Contains(path, "/containers/")
		if isLog {
			logs++
		}
		if isEnd {
			ends++
		}
		if isLog || isEnd {
			look(path, content)
		} else {
			lookForPlants(path, content)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if logs < 10 || ends < 10 {
		return fmt.Errorf("only %d logs and %d termination messages were found in %s: more must be there", logs, ends, c.dir)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pods, err := c.command(ctx, "bin/kubectl", "get", "pods", "-A", "-l", "app.kubernetes.io/part-of=linli",
		"-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.status.podIP}{"\n"}{end}`).Output()
	if err != nil {
		return fmt.Errorf("listing Pods: %w", err)
	}
	for _, what := range []struct{ kinds, fields string }{
		{"events", `{.items}`}, {"communities,pods,deployments.apps", `{range .items[*]}{.metadata.name}{"\n"}{.status}{"\n"}{end}`},
	} {
		out, err := c.command(ctx, "bin/kubectl", "get", what.kinds, "-A", "-o", "jsonpath="+what.fields).Output()
		if err != nil {
			return fmt.Errorf("reading %s: %w", what.kinds, err)
		}
		if len(out) < 1000 {
			return fmt.Errorf("%s say only %q", what.kinds, out)
		}
		look("the status of "+what.kinds, out)
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
