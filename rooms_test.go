package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/linli-io/linli/"

// TestRooms holds the code to the table "Who may import whom" of
// docs/architecture.md: every package belongs to a room of the table, and
// imports of ours only the rooms named in its row.
func TestRooms(t *testing.T) {
	rooms := readRooms(t)
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.Fields(line)
		for _, problem := range violations(rooms, fields[0], fields[1:]) {
			t.Error(problem)
		}
	}
}

// TestRoomsRefuse shows that the rules can be broken: each row is an import
// that must be refused.
func TestRoomsRefuse(t *testing.T) {
	rooms := readRooms(t)
	for _, c := range []struct{ pkg, imports string }{
		{"internal/booking", module + "internal/portal"},
		{"internal/booking", module + "internal/tenant"},
		{"internal/booking", "k8s.io/client-go/kubernetes"},
		{"internal/tenant", module + "internal/database"},
		{"internal/web", module + "internal/host"},
		{"controllers/community", module + "internal/host"},
		{"api/v1alpha1", module + "internal/telemetry"},
		{"internal/nowhere", "fmt"},
	} {
		if len(violations(rooms, module+c.pkg, []string{c.imports})) == 0 {
			t.Errorf("%s may import %s, or the table of docs/architecture.md does not forbid it", c.pkg, c.imports)
		}
	}
}

// room is a row of the table: the rooms that it may import, "everything" among
// them if it may import any, and whether a Kubernetes client may be used there.
type room struct {
	imports    []string
	kubernetes bool
}

func violations(rooms map[string]room, pkg string, imports []string) []string {
	if pkg+"/" == module || strings.HasPrefix(pkg, module+"test/") || strings.HasPrefix(pkg, module+"config/") {
		return nil // main and the tests of the whole stand outside the house
	}
	name, ok := roomOf(rooms, pkg)
	if !ok {
		return []string{fmt.Sprintf("%s is in no room of docs/architecture.md", pkg)}
	}
	var problems []string
	for _, imported := range imports {
		if strings.HasPrefix(imported, "k8s.io/client-go") || strings.HasPrefix(imported, "sigs.k8s.io/controller-runtime") {
			if !rooms[name].kubernetes {
				problems = append(problems, fmt.Sprintf("%s uses a Kubernetes client (%s), which %s may not", pkg, imported, name))
			}
			continue
		}
		if !strings.HasPrefix(imported, module) {
			continue
		}
		other, ok := roomOf(rooms, imported)
		if !ok || other == name || slices.Contains(rooms[name].imports, other) || slices.Contains(rooms[name].imports, "everything") {
			continue
		}
		problems = append(problems, fmt.Sprintf("%s imports %s; %s may import of ours only: %s", pkg, imported, name, strings.Join(rooms[name].imports, ", ")))
	}
	return problems
}

// roomOf is the longest room of the table that the package stands in.
func roomOf(rooms map[string]room, pkg string) (string, bool) {
	path := strings.TrimPrefix(pkg, module)
	for path != "" {
		if _, ok := rooms[path]; ok {
			return path, true
		}
		cut := strings.LastIndex(path, "/")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return "", false
}

// readRooms reads the rows `| room | may import | Kubernetes client |`.
func readRooms(t *testing.T) map[string]room {
	t.Helper()
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## Who may import whom")
	if !found {
		t.Fatal("docs/architecture.md has no section \"Who may import whom\"")
	}
	name := regexp.MustCompile("`([^`]+)`")
	rooms := map[string]room{}
	for _, line := range strings.Split(table, "\n") {
		if strings.HasPrefix(line, "## ") {
			break
		}
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		var r room
		for _, m := range name.FindAllStringSubmatch(cells[2], -1) {
			r.imports = append(r.imports, m[1])
		}
		if strings.Contains(cells[2], "everything") {
			r.imports = append(r.imports, "everything")
		}
		r.kubernetes = strings.TrimSpace(cells[3]) == "yes"
		for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
			rooms[m[1]] = r
		}
	}
	if len(rooms) < 5 {
		t.Fatalf("the table of docs/architecture.md was not understood: %v", rooms)
	}
	return rooms
}
