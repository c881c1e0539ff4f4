// Package calendar reads the calendars of the booking service with programs
// that others wrote.
package calendar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// calendar is what a reader makes of an iCalendar text.
type calendar struct {
	Name, Method, Refresh string
	Events                []event
}

type event struct {
	UID                            string
	Start, End                     time.Time
	Stamp, Created, Modified       time.Time
	Status, Transparency, Class    string
	Sequence                       int
	Summary, Location, Description string
}

// reader is a program that reads calendars.
type reader struct {
	name    string
	command []string
	// probe is a command that fails where the reader is missing.
	probe []string
	// backslashes says that it reads a backslash in a text rightly.
	backslashes bool
}

var readers = []reader{
	// It takes a backslash that stands before an n for a newline.
	{name: "python3-icalendar", command: []string{"/usr/bin/python3", "read.py"}, probe: []string{"/usr/bin/python3", "-c", "import icalendar"}},
	{name: "ical.js", command: []string{"node", "read.mjs"}, probe: []string{"node", "-e", "import('ical.js')"}, backslashes: true},
}

// each runs f with every reader, as subtests. A reader that is missing is
// left out, saying so; with CI=true that is a failure.
func each(t *testing.T, f func(t *testing.T, r reader)) {
	t.Helper()
	for _, r := range readers {
		t.Run(r.name, func(t *testing.T) {
			if err := r.missing(); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("%s is missing (%v); make setup installs it", r.name, err)
				}
				t.Skipf("LEFT OUT: %s is missing (%v); make setup says what to install", r.name, err)
			}
			f(t, r)
		})
	}
}

func (r reader) missing() error {
	return exec.Command(r.probe[0], r.probe[1:]...).Run()
}

// read reads all texts in one process.
func (r reader) read(t *testing.T, texts ...string) []calendar {
	t.Helper()
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), r.command[0], r.command[1:]...)
	// What the machine's own zone is must not matter.
	command.Env = append(os.Environ(), "TZ=America/St_Johns", "PYTHONUTF8=1")
	command.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\nreading\n%s", r.name, err, &stderr, shortened(texts))
	}
	var calendars []calendar
	if err := json.Unmarshal(out, &calendars); err != nil {
		t.Fatalf("%s printed %s: %v", r.name, out, err)
	}
	if len(calendars) != len(texts) {
		t.Fatalf("%s read %d calendars of %d", r.name, len(calendars), len(texts))
	}
	return calendars
}

func shortened(texts []string) string {
	const enough = 4000
	all := fmt.Sprint(texts)
	return all[:min(len(all), enough)]
}
