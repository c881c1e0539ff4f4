package cli

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// TestCanteenGuide runs the examples of the guide to the canteen's API as they
// are written, with the canteen of the sample county.
func TestCanteenGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/api-canteen.md")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("../../config/samples/yutai/zhanqian.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var sample v1alpha1.Community
	if err := yaml.Unmarshal(manifest, &sample); err != nil {
		t.Fatal(err)
	}
	services, err := openServices([]string{"canteen", "accounts"})
	if err != nil {
		t.Fatal(err)
	}
	community := hosttest.Community()
	community.Spec.Services.Accounts, community.Spec.Services.Canteen = sample.Spec.Services.Accounts, sample.Spec.Services.Canteen
	clock := testclock.NewFakeClock(time.Date(2026, 11, 23, 8, 0, 0, 0, kitchenZone))
	s := hosttest.Start(t, hosttest.Options{Services: services, Community: community, Clock: clock, Log: io.Discard})

	// A stand-in for bin/linli prints tokens of this host.
	dir := t.TempDir()
	var tokens strings.Builder
	for _, account := range []string{"li-qiang", "wang-guihua", "ma-xiuying", "sun-li", "zhou-jianguo"} {
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
	command := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(script, "http://zhanqian.localhost:8080", s.URL))
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`"displayName":"孝贤大食堂"`, `"left":40`, `"amount":5000`, `"held":1050`, `"tier":"over-70","total":3000,"subsidy":500,"pays":2500`,
		`"state":"Cancelled"`, `"kind":"TopUp"`, `"state":"Served"`, `"name":"老周"`, `"total":1500,"subsidy":0,"ledgerTotal":1500,"ledgerSubsidy":0`,
		`"account":"revenue/canteen"`, `"sum":0`, `"floor":"Unconditional"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the examples do not print %s:\n%s", want, out)
		}
	}
}
