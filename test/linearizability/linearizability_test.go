// Package linearizability proves the rule that matters most: no double
// booking on any path. 64 clients fight for a few places through the JSON API
// while the service is killed and restarted. What they saw must be explained
// by some order in which everything happened one after the other, and by what
// the database holds afterwards.
//
// The order is looked for by porcupine, venue by venue. Its model is who holds
// which five-minute cells of which place, who waits for some in which order,
// and what is closed. Under it is every path by which a place gets a holder or
// loses one at somebody's request: booking (a place, any place, a named
// attendant, any attendant), for a guest at the desk, for those who are there
// already; approval and refusal; change of time; series, the weeks that are
// free or all or nothing; cancellation of one booking and of a series; joining
// the waiting list, accepting and leaving; closing (cancelling or moving) and
// reopening; checking in. What such an operation does to third parties (who is
// offered what became free, who is moved where) follows from the table alone,
// so the model computes it, and the next answer that differs is found.
//
// Under invariants of the database instead ([invariants]) is:
//   - what happens by itself when time passes: holds that end, requests that
//     nobody answers, no-shows. Nobody asked for it, so there is no operation
//     with a beginning and an end; and in a fight of seconds no time passes. It
//     is brought about after the fight, see [timePasses], with kills meanwhile;
//   - what the tables must agree on, such as cells and bookings, holds and
//     entries of the waiting list, bookings and the limits that count them.
//
// Four things are kept out of the fight, since afterwards nobody could tell what
// came of a request that was never answered: any place, and changes of time,
// where the staff move bookings; series where they close; accepting where they
// close, since one hold may end there and the next begin unseen; and
// availability where they close, since the service reads closures and bookings
// one after the other to show them. The staff's board is one look, and is asked
// everywhere.
//
// The same is proven of the canteen and the purse, where what must not be lost
// between two services is money: see [TestTheLastPortions].
//
// SIGKILL takes the process and leaves the machine: it shows that nothing
// acknowledged waits in the process's memory. That a transaction is on the disk
// itself before it is acknowledged (a power cut) is SQLite's promise with
// synchronous=FULL, which no test here can break. Writes that wait at the same
// time are committed together; with 64 clients every kill meets such a batch.
package linearizability

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var seed = flag.Uint64("seed", 0, "seed of the fight; 0 draws one")

const (
	operations = 3600
	kills      = 9
	// checkTimeout is far more than a check takes, which is seconds. A check
	// that does not end says nothing, and that is a failure.
	checkTimeout = 2 * time.Minute
)

func TestBookingsAreLinearizable(t *testing.T) {
	eachDeployment(t, deployments, community(), func(t *testing.T, d *deployment) {
		f := newFight(t, d)
		began := time.Now()
		seen := f.run(t, operations, kills)
		t.Logf("%d operations answered, %d without an answer, %d kills, %.0f operations a second",
			f.answered.Load(), f.unanswered.Load(), kills, operations/time.Since(began).Seconds())
		t.Log(tally(seen))
		if f.unanswered.Load() == 0 {
			t.Error("no operation was left without an answer: the kills hit nothing")
		}
		listed := listAll(t, f)
		d.stop(t)

		db := d.open(t, "booking")
		d.sound(t, db)
		checkInvariants(t, db)
		final := readFinal(t, db, f.calendar, seen)
		checkNothingLost(t, seen, final)
		for _, r := range final.bookings {
			if live, ok := listed[r.id]; ok && live != r.live() {
				t.Errorf("booking %s: the API lists it as live %v, the database has it %s", r.id, live, r.state)
			}
		}
		if n, err := count(t.Context(), db, "SELECT count(*) FROM bookings WHERE person NOT LIKE 'guest:%'"); err != nil || n != len(listed) {
			t.Errorf("the API lists %d bookings, the database has %d, %v", len(listed), n, err)
		}

		began = time.Now()
		history := complete(seen, final)
		result, info := porcupine.CheckOperationsVerbose(model, history, checkTimeout)
		t.Logf("the check of %d operations took %s", len(history), time.Since(began))
		if result != porcupine.Ok {
			t.Errorf("the history is not linearizable: %s; see %s", result, visualize(t, model, info))
		}
		timePasses(t, f, db)
	})
}

// timePasses has every hold, request and wait for a check-in fall due at once
// while the service is down, and starts it: all replicas find the same to do at
// the same moment, and are killed at it. In the end all of it has ended, each
// as it should, what became free is offered to who waits, and nobody waits for
// what is free.
func timePasses(t *testing.T, f *fight, db *sql.DB) {
	t.Helper()
	ctx := t.Context()
	due := map[string]string{} // the states of what falls due, by id
	days := map[int]bool{}
	each(t, db, "SELECT id, state, start_at FROM bookings WHERE due_at IS NOT NULL", func(rows *sql.Rows) error {
		var id, state string
		var start int64
		err := rows.Scan(&id, &state, &start)
		due[id] = state
		days[f.cell(time.Unix(start, 0))/dayCells] = true
		return err
	})
	if len(due) == 0 {
		t.Error("nothing was left to fall due")
	}
	if _, err := db.ExecContext(ctx, "UPDATE bookings SET due_at = created_at WHERE due_at IS NOT NULL"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // a running service has SQLite's file for itself
		t.Fatal(err)
	}
	f.start(t)
	for i := range 2 * len(f.replicas) {
		if err := f.restart(ctx, i%len(f.replicas)); err != nil {
			t.Fatal(err)
		}
	}
	awaitNothingDue(t, f, days)
	f.stop(t)

	db = f.open(t, "booking")
	checkInvariants(t, db)
	became := map[string]int{}
	each(t, db, "SELECT id, state FROM bookings", func(rows *sql.Rows) error {
		var id, state string
		err := rows.Scan(&id, &state)
		if was, ok := due[id]; ok {
			want := "expired"
			if was == booked {
				want = "released"
			}
			if became[was+" → "+state]++; state != want {
				t.Errorf("when time had passed: booking %s was %s and is %s, want %s", id, was, state, want)
			}
		}
		return err
	})
	after := readFinal(t, db, f.calendar, f.seen)
	for n, e := range after.entries {
		if due[after.bookings[n].id] == held && e.state != "expired" {
			t.Errorf("when time had passed: entry %d is %s, its hold is over", n, e.state)
		}
	}
	offers := 0
	for _, key := range f.tables {
		now := after.table(key.venue)
		for _, e := range now.waiting {
			if _, free := now.lowest(key, e.place, e.from, e.to); free && !e.offered {
				t.Errorf("when time had passed: #%d waits at %s for what is free", e.booking, key.venue)
			}
			if e.offered {
				offers++
			}
		}
	}
	t.Logf("time passed: %v, %d offered after it", became, offers)
}

// awaitNothingDue waits until nothing is due on some days.
func awaitNothingDue(t *testing.T, f *fight, days map[int]bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a := newAPI(f.calendar, f.replicas[0], f.staff, f.staff)
	defer a.close()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for day := range days {
		for {
			n, err := a.due(ctx, day)
			if err != nil {
				t.Fatalf("waiting until nothing is due on day %d: %v", day, err)
			}
			if n == 0 {
				break
			}
			<-again.C
		}
	}
}

// Without the constraint the same fight must be found to be unfair, and not only
// by those who book by themselves: else the test above proves nothing. Paths
// that look before they take (changes, series, offers) do so in a serializable
// transaction, which keeps them apart from each other also without it.
func TestTheFaultIsFoundWithoutTheConstraint(t *testing.T) {
	eachDeployment(t, deployments, community(), func(t *testing.T, d *deployment) {
		d.stop(t)
		db := d.open(t, "booking")
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
		db = d.open(t, "booking")
		final := readFinal(t, db, f.calendar, seen)
		overlaps := overlapsByPath(seen, final)
		t.Logf("who holds what somebody else holds: %v", overlaps)
		for _, path := range []string{"booked", "booked at the desk", "booked at the door"} {
			if overlaps[path] == 0 {
				t.Errorf("nobody who %s holds what another one holds; the fight must reach it", path)
			}
		}
		if n, err := count(t.Context(), db, invariants["bookings that overlap"]); err != nil || n == 0 {
			t.Errorf("%d bookings overlap without the constraint, %v; want some", n, err)
		}
		if porcupine.CheckOperationsTimeout(model, complete(seen, final), checkTimeout) != porcupine.Illegal {
			t.Error("the checker does not find that places are held twice")
		}
	})
}

// overlapsByPath counts the live bookings that overlap another one, by the path
// on which each got its place.
func overlapsByPath(seen []porcupine.Operation, f final) map[string]int {
	paths := map[int32]string{}
	for _, op := range seen {
		in := op.Input.(input)
		switch o := in.operation.(type) {
		case book:
			switch {
			case o.present:
				paths[in.booking] = "booked at the door"
			case o.staff:
				paths[in.booking] = "booked at the desk"
			default:
				paths[in.booking] = "booked"
			}
		case join:
			paths[in.booking] = "waited"
		case series:
			for w := range int32(seriesWeeks) {
				paths[in.booking+w*weekNumbers] = "booked a series"
			}
		}
	}
	for _, op := range seen { // in the order of their answers
		if in := op.Input.(input); op.Output.(output).outcome == done {
			if _, ok := in.operation.(change); ok {
				paths[in.booking] = "changed"
			}
		}
	}
	n := map[string]int{}
	for _, a := range f.bookings {
		for _, b := range f.bookings {
			if a.booking != b.booking && a.live() && b.live() && a.venue == b.venue && a.place == b.place && a.from < b.to && b.from < a.to {
				n[paths[a.booking]]++
				break
			}
		}
	}
	return n
}

// tally counts operations by kind: those that were done, and all.
func tally(seen []porcupine.Operation) string {
	all, did := map[string]int{}, map[string]int{}
	for _, op := range seen {
		kind := fmt.Sprintf("%T", op.Input.(input).operation)
		all[kind]++
		if op.Output.(output).outcome == done {
			did[kind]++
		}
	}
	text := ""
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		text += fmt.Sprintf("%s %d/%d  ", strings.TrimPrefix(kind, "linearizability."), did[kind], all[kind])
	}
	return text
}

// listAll asks the API for everybody's bookings: whether each is live, by id.
func listAll(t *testing.T, f *fight) map[string]bool {
	t.Helper()
	listed := map[string]bool{}
	for i, p := range f.persons {
		a := newAPI(f.calendar, f.replicas[i%len(f.replicas)], p, f.staff)
		bookings, err := a.list(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.close()
		for _, b := range bookings {
			listed[b.ID] = b.live() != ""
		}
	}
	return listed
}

func newFight(t *testing.T, d *deployment) *fight {
	t.Helper()
	now := time.Now()
	f := &fight{seed: *seed, deployment: d, calendar: calendarOf(now), epoch: now, awaited: map[wish]bool{}}
	for _, a := range arenas {
		f.tables = append(f.tables, a.tableKey)
	}
	if f.seed == 0 {
		f.seed = rand.Uint64()
	}
	t.Logf("seed %d; repeat with: go test ./test/linearizability -run %s -seed=%d", f.seed, t.Name(), f.seed)
	people, err := d.replicas[0].People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.persons = people
	for _, p := range people {
		if p.Account == deskAccount {
			f.staff = p
		}
	}
	a := newAPI(f.calendar, d.replicas[0], f.staff, f.staff)
	defer a.close()
	if f.code, err = a.doorCode(t.Context(), doorName); err != nil {
		t.Fatal(err)
	}
	return f
}

// checkNothingLost compares acknowledgements with the database one by one.
// The checker implies it; this says what is missing in plain words.
func checkNothingLost(t *testing.T, seen []porcupine.Operation, f final) {
	t.Helper()
	ended := map[int32]bool{} // what somebody asked to end
	for _, op := range seen {
		in := op.Input.(input)
		switch in.operation.(type) {
		case cancel, refuse, leave:
			ended[in.booking] = true
		}
	}
	kept := func(n int32, by string) {
		r, ok := f.bookings[n]
		switch {
		case !ok:
			t.Errorf("%s %d was acknowledged and its booking is lost", by, n)
		case !r.live() && !ended[n] && !strings.HasPrefix(r.reason, notePrefix): // a closure has a reason
			t.Errorf("%s %d: the booking is %s and nobody asked for it", by, n, r.state)
		}
	}
	for _, op := range seen {
		in, out := op.Input.(input), op.Output.(output)
		if out.outcome != done {
			continue
		}
		switch in.operation.(type) {
		case book:
			kept(in.booking, "booking")
		case accept:
			kept(in.booking, "acceptance")
		case series:
			for i, w := range out.weeks {
				if w.told && w.free {
					kept(in.booking+int32(i)*weekNumbers, "series")
				}
			}
		case join:
			if _, ok := f.entries[in.booking]; !ok {
				t.Errorf("entry %d of the waiting list was acknowledged and is lost", in.booking)
			}
		case closeVenue:
			if _, ok := f.closures[in.booking]; !ok {
				t.Errorf("closure %d was acknowledged and is lost", in.booking)
			}
		case reopen:
			if !f.closures[in.booking].reopened {
				t.Errorf("reopening after closure %d was acknowledged and is lost", in.booking)
			}
		case cancel:
			if r, ok := f.bookings[in.booking]; ok && r.live() {
				t.Errorf("cancellation of booking %d was acknowledged and is lost", in.booking)
			}
		}
	}
}

// visualize writes the history and the longest orders that were found as a
// page and returns its path.
func visualize(t *testing.T, model porcupine.Model, info porcupine.LinearizationInfo) string {
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
