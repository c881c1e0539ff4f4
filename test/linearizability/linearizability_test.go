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
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
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
	eachDeployment(t, func(t *testing.T, d *deployment) {
		f := newFight(t, d)
		began := time.Now()
		seen := f.run(t, operations, kills)
		t.Logf("%d operations answered, %d without an answer, %d kills, %.0f operations a second",
			f.answered.Load(), f.unanswered.Load(), kills, operations/time.Since(began).Seconds())
		if f.unanswered.Load() == 0 {
			t.Error("no operation was left without an answer: the kills hit nothing")
		}
		listed := listAll(t, f)
		d.stop(t)

		db := d.open(t)
		d.sound(t, db)
		final := readFinal(t, db)
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

		began = time.Now()
		history := complete(seen, final)
		result, info := porcupine.CheckOperationsVerbose(model, history, checkTimeout)
		t.Logf("the check of %d operations took %s", len(history), time.Since(began))
		if result != porcupine.Ok {
			t.Errorf("the history is not linearizable: %s; see %s", result, visualize(t, info))
		}
	})
}

// Without the constraint the same fight must be found to be unfair: else the
// test above proves nothing.
func TestTheFaultIsFoundWithoutTheConstraint(t *testing.T) {
	eachDeployment(t, func(t *testing.T, d *deployment) {
		d.stop(t)
		db := d.open(t)
		for _, statement := range d.unconstrained {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		d.start(t)
		f := newFight(t, d)
		seen := f.run(t, operations/4, 0)
		d.stop(t)
		db = d.open(t)
		final := readFinal(t, db)
		if n, err := bookingsOverlapping(t.Context(), db); err != nil || n == 0 {
			t.Errorf("%d bookings overlap without the constraint, %v; want some", n, err)
		}
		if porcupine.CheckOperationsTimeout(model, complete(seen, final), checkTimeout) != porcupine.Illegal {
			t.Error("the checker does not find that places are held twice")
		}
	})
}

// listAll asks the API for everybody's bookings: whether each is live, by id.
func listAll(t *testing.T, f *fight) map[string]bool {
	t.Helper()
	listed := map[string]bool{}
	for i, p := range f.persons {
		a := newAPI(f.replicas[i%len(f.replicas)], p)
		bookings, err := a.list(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.close()
		for _, b := range bookings {
			listed[b.ID] = b.CancelledAt == nil
		}
	}
	return listed
}

func newFight(t *testing.T, d *deployment) *fight {
	t.Helper()
	f := &fight{seed: *seed, deployment: d, tables: tablesFrom(time.Now()), epoch: time.Now()}
	if f.seed == 0 {
		f.seed = rand.Uint64()
	}
	t.Logf("seed %d; repeat with: go test ./test/linearizability -run %s -seed=%d", f.seed, t.Name(), f.seed)
	people, err := d.replicas[0].People(t.Context())
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
		in := op.Input.(input)
		if _, ok := in.operation.(cancel); ok {
			cancelAsked[in.booking] = true
		}
	}
	for _, op := range seen {
		in, out := op.Input.(input), op.Output.(output)
		if out.outcome != done {
			continue
		}
		r, ok := final[in.booking]
		switch o := in.operation.(type) {
		case book:
			switch want := (holding{in.booking, out.place, o.from, o.to}); {
			case !ok:
				t.Errorf("booking of operation %d was acknowledged and is lost", in.booking)
			case r.venue != in.table.venue || r.day != in.table.day || r.holding != want:
				t.Errorf("booking of operation %d is kept as %+v, acknowledged was %+v of %+v", in.booking, r, want, in.table)
			case r.cancelled && !cancelAsked[in.booking]:
				t.Errorf("booking of operation %d is cancelled and nobody asked for it", in.booking)
			}
		case cancel:
			if !r.cancelled {
				t.Errorf("cancellation of booking %d was acknowledged and is lost", in.booking)
			}
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
