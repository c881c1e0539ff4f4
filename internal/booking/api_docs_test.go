package booking

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
)

// TestAPIGuide runs the examples of the guide as they are written, in a
// community of the sample county.
func TestAPIGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile("../../config/samples/yutai/zhanqian.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var community v1alpha1.Community
	if err := yaml.Unmarshal(sample, &community); err != nil {
		t.Fatal(err)
	}
	s := startWith(t, community.Spec.Services.Booking.ManagedBy, community.Spec.Services.Booking.Venues...)

	// A stand-in for bin/linli prints tokens of this host.
	dir := t.TempDir()
	var tokens strings.Builder
	for _, account := range []string{"li-qiang", "wang-guihua", "sun-li", "zhou-jianguo"} {
		fmt.Fprintf(&tokens, "%s) echo %s;;\n", account, s.Token(t, account))
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	linli := "#!/bin/sh\ncase \"$5\" in\n" + tokens.String() + "*) exit 1;;\nesac\n"
	if err := os.WriteFile(filepath.Join(dir, "bin", "linli"), []byte(linli), 0o700); err != nil {
		t.Fatal(err)
	}

	script := "set -euo pipefail\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		script += block[1]
	}
	script = strings.ReplaceAll(script, "http://zhanqian.localhost:8080", s.URL)
	command := exec.CommandContext(t.Context(), "bash", "-c", script)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	for _, want := range []string{
		`"attendants":["dr-kong"]`, `"attendant":"dr-kong"`, `"rule":"outside-window"`, `"status":"waiting"`, `"address":"http://zhanqian.localhost:8080/booking/calendar/`,
		`"phone":"13800000099"`, `"checkedInAt"`, "venue,displayName,month", `"after":`, `"displayName":"屋顶花园"`, `"code":"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the examples do not print %s:\n%s", want, out)
		}
	}
}
