// Package openapi holds the OpenAPI documents of the services to the rules of
// a linter that others wrote.
package openapi

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/accounts"
	"github.com/linli-io/linli/internal/booking"
	"github.com/linli-io/linli/internal/canteen"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/messages"
	"github.com/linli-io/linli/internal/residents"
)

// services are the services that have an API.
var services = []func() (host.Service, error){accounts.Service, booking.Service, canteen.Service, messages.Service, residents.Service}

const linter = "../node_modules/@redocly/cli/bin/cli.js"

// TestServices: a service with an API that is not in the list would not be
// looked at.
func TestServices(t *testing.T) {
	found, err := filepath.Glob("../../internal/*/api.go")
	if err != nil {
		t.Fatal(err)
	}
	var rooms, listed []string
	for _, path := range found {
		rooms = append(rooms, filepath.Base(filepath.Dir(path)))
	}
	for _, s := range open(t) {
		listed = append(listed, s.Name)
	}
	slices.Sort(listed)
	if !slices.Equal(rooms, listed) {
		t.Errorf("the rooms %v have an api.go; the documents of %v are checked", rooms, listed)
	}
}

// TestEmbedding: huma passes over what is embedded by a type that is not
// exported: such fields are neither documented nor read, though they are
// written.
func TestEmbedding(t *testing.T) {
	found, err := filepath.Glob("../../internal/*/api*.go")
	if err != nil || len(found) == 0 {
		t.Fatalf("%d files of APIs: %v", len(found), err)
	}
	for _, path := range found {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range s.Fields.List {
				if name, ok := f.Type.(*ast.Ident); ok && len(f.Names) == 0 && !name.IsExported() {
					t.Errorf("%s: %s is embedded and not exported; huma passes over its fields", files.Position(f.Pos()), name.Name)
				}
			}
			return true
		})
	}
}

func TestDocuments(t *testing.T) {
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(linter)
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the linter is missing (%v); make setup installs it", err)
		}
		t.Skipf("LEFT OUT: the linter is missing (%v); make setup says what to install", err)
	}
	opened := open(t)
	community := hosttest.Community()
	community.Spec.Services.Booking = &v1alpha1.Booking{}
	server := hosttest.Start(t, hosttest.Options{Services: opened, Community: community})
	for _, s := range opened {
		t.Run(s.Name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), s.Name+".json")
			if err := os.WriteFile(file, document(t, server, s.Name), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, p := range lint(t, node, file) {
				t.Error(p)
			}
		})
	}
}

func open(t *testing.T) []host.Service {
	t.Helper()
	var opened []host.Service
	for _, service := range services {
		s, err := service()
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, s)
	}
	return opened
}

// document is the OpenAPI document as the running service gives it out.
func document(t *testing.T, server *hosttest.Server, service string) []byte {
	t.Helper()
	r, err := server.Client(t).Get(server.URL + "/" + service + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusOK {
		t.Fatalf("the document of %s: %s: %s", service, r.Status, raw)
	}
	return raw
}

// problem is what the linter finds.
type problem struct {
	RuleID, Message string
	// Location is where, as pointers into the document.
	Location []struct{ Pointer string }
}

// String is the problem on one line: where, what, and the rule.
func (p problem) String() string {
	var places []string
	for _, l := range p.Location {
		places = append(places, readable(l.Pointer))
	}
	return strings.Join(places, ", ") + ": " + p.Message + " [" + p.RuleID + "]"
}

// readable is a JSON pointer as people would say it: the path of an operation
// as it is, and spaces between the steps.
func readable(pointer string) string {
	steps := strings.Split(strings.TrimPrefix(strings.TrimPrefix(pointer, "#"), "/"), "/")
	for i, step := range steps {
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
	}
	return strings.Join(steps, " ")
}

// lint is what the linter finds in a document by the rules of redocly.yaml.
func lint(t *testing.T, node, file string) []problem {
	t.Helper()
	command := exec.CommandContext(t.Context(), node, linter, "lint", "--config=redocly.yaml", "--lint-config=error", "--format=json", "--max-problems=1000", file)
	// It must not call home, nor look for a newer version.
	command.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output() // it fails when there are problems
	var report struct {
		Totals   struct{ Errors, Warnings int }
		Problems []problem
	}
	if broken := json.Unmarshal(out, &report); broken != nil {
		t.Fatalf("the linter printed no report: %v, %v\n%s\n%s", err, broken, out, &stderr)
	}
	if total := report.Totals.Errors + report.Totals.Warnings; total != len(report.Problems) || (err != nil) != (total > 0) {
		t.Fatalf("the linter lists %d problems of %d, and ended with %v\n%s", len(report.Problems), total, err, &stderr)
	}
	return report.Problems
}
