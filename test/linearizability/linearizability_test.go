// Package linearizability proves the rule that matters most: no double
// booking on any path. 64 clients fight for a few places through the JSON API
// while the service is killed and restarted. What they saw must be explained
// by some order in which everything happened one after the other, and by what
// the database holds afterwards.
//
// SIGKILL takes the process and leaves the machine: it shows that nothing
// acknowledged waits in the process's memory. That a transaction is on the disk
// itself before it is acknowledged (a power cut) is SQLite's promise with
// synchronous=FULL, which no test here can break.
package linearizability

import (
	"context"
	"database/sql"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/linli-io/linli/test/instance"
)

var seed = flag.Uint64("seed", 0, "seed of the fight; 0 draws one")

const (
	operations = 6000
	kills      = 8
	// checkTimeout is far more than a check takes, which is seconds. A check
	// that does not end says nothing, and that is a failure.
	checkTimeout = 2 * time.Minute
)

func TestBookingsAreLinearizable(t *testing.T) {
	in, file := start(t)
	f := newFight(t, in)
	seen := f.run(t, operations, kills)
	t.Logf("%d operations answered, %d without an answer, %d kills", f.answered.Load(), f.unanswered.Load(), kills)
	if f.unanswered.Load() == 0 {
		t.Error("no operation was left without an answer: the kills hit nothing")
	}

	listed := map[string]bool{}
	for _, p := range f.persons {
		a := newAPI(in, p)
		bookings, err := a.list(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.close()
		for _, b := range bookings {
			listed[b.ID] = b.CancelledAt == nil
		}
	}
	if err := in.Stop(); err != nil {
		t.Fatal(err)
	}

	final := readFinal(t, file)
	db := openFile(t, file, "ro")
	for name, count := range map[string]func(context.Context, *sql.DB) (int, error){
		"cells held twice": cellsHeldTwice, "bookings that overlap": bookingsOverlapping, "cells astray": cellsAstray,
	} {
		if n, err := count(t.Context(), db); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	checkNothingLost(t, seen, final)
	for _, r := range final {
		if live, ok := listed[r.id]; !ok || live == r.cancelled {
			t.Errorf("booking %s: the API lists it %v and live %v, the database has it cancelled %v", r.id, ok, live, r.cancelled)
		}
	}
	if len(listed) != len(final) {
		t.Errorf("the API lists %d bookings, the database has %d", len(listed), len(final))
	}

	began := time.Now()
	history := complete(seen, final)
	result, info := porcupine.CheckOperationsVerbose(model, history, checkTimeout)
	t.Logf("the check of %d operations took %s", len(history), time.Since(began))
	if result != porcupine.Ok {
		t.Errorf("the history is not linearizable: %s; see %s", result, visualize(t, info))
	}
}

// Without the constraint the same fight must be found to be unfair: else the
// test above proves nothing.
func TestTheFaultIsFoundWithoutTheConstraint(t *testing.T) {
	in, file := start(t)
	if err := in.Stop(); err != nil {
		t.Fatal(err)
	}
	removeConstraint(t, file)
	if err := in.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := newFight(t, in)
	seen := f.run(t, operations/4, 0)
	if err := in.Stop(); err != nil {
		t.Fatal(err)
	}
	final := readFinal(t, file)
	if n, err := bookingsOverlapping(t.Context(), openFile(t, file, "ro")); err != nil || n == 0 {
		t.Errorf("%d bookings overlap without the constraint, %v; want some", n, err)
	}
	if porcupine.CheckOperationsTimeout(model, complete(seen, final), checkTimeout) != porcupine.Illegal {
		t.Error("the checker does not find that places are held twice")
	}
}

// start runs a new instance and returns it with its database file.
func start(t *testing.T) (*instance.Instance, string) {
	t.Helper()
	dir := t.TempDir()
	in, err := instance.New(binary, dir, community(), release())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Kill() //nolint:errcheck // it has ended already if the test got that far
		if t.Failed() {
			keepLog(t, in)
		}
	})
	if err := in.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return in, filepath.Join(in.DataDir(), "booking.db")
}

func newFight(t *testing.T, in *instance.Instance) *fight {
	t.Helper()
	f := &fight{seed: *seed, server: in, tables: tablesFrom(time.Now()), epoch: time.Now()}
	if f.seed == 0 {
		f.seed = rand.Uint64()
	}
	t.Logf("seed %d; repeat with: go test ./test/linearizability -run %s -seed=%d", f.seed, t.Name(), f.seed)
	people, err := in.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.persons = people
	return f
}

// checkNothingLost compares acknowledgements with the database one by one.
// The checker implies it; this says what is missing in plain words.
func checkNothingLost(t *testing.T, seen []porcupine.Operation, final map[int32]record) {
	t.Helper()
	cancelAsked := map[int32]bool{}
	for _, op := range seen {
		if in := op.Input.(input); in.kind == cancel {
			cancelAsked[in.booking] = true
		}
	}
	for _, op := range seen {
		in, out := op.Input.(input), op.Output.(output)
		if out.outcome != done {
			continue
		}
		r, ok := final[in.booking]
		switch {
		case in.kind == book && !ok:
			t.Errorf("booking of operation %d was acknowledged and is lost", in.booking)
		case in.kind == book && (r.venue != in.table.venue || r.day != in.table.day || r.start != in.start || r.span != in.span || r.place != out.place):
			t.Errorf("booking of operation %d is kept as %+v, asked for was %+v, acknowledged place %d", in.booking, r, in, out.place)
		case in.kind == book && r.cancelled && !cancelAsked[in.booking]:
			t.Errorf("booking of operation %d is cancelled and nobody asked for it", in.booking)
		case in.kind == cancel && !r.cancelled:
			t.Errorf("cancellation of booking %d was acknowledged and is lost", in.booking)
		}
	}
}

// visualize writes the history and the longest orders that were found as a
// page and returns its path.
func visualize(t *testing.T, info porcupine.LinearizationInfo) string {
	t.Helper()
	file, err := os.CreateTemp("", "linearizability-*.html")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := porcupine.Visualize(model, info, file); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// keepLog copies the program's log out of the directory that the test removes.
func keepLog(t *testing.T, in *instance.Instance) {
	t.Helper()
	log, err := os.ReadFile(in.LogPath())
	if err != nil {
		t.Log(err)
		return
	}
	file, err := os.CreateTemp("", "linearizability-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(log); err != nil {
		t.Fatal(err)
	}
	t.Logf("the log of linli serve is %s", file.Name())
}
