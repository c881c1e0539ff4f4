package residents

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/identity"
)

// monday is the moment at which most of these tests happen.
var monday = time.Date(2026, 11, 23, 1, 30, 0, 0, time.UTC)

var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return loc
}()

// estates are those of the tests' community: one lists its buildings.
var estates = []v1alpha1.Estate{
	{Name: "huayuan", DisplayName: "站前花园", Buildings: []string{"1号楼", "2号楼", "3号楼"}},
	{Name: "tielu", DisplayName: "铁路家属院"},
}

// at is an act of somebody at a moment.
func at(actor string, now time.Time) Act {
	return Act{Actor: actor, Now: now, Location: shanghai, Estates: estates}
}

// desk is what the front desk does on that Monday.
func atDesk() Act { return at("desk", monday) }

// eachStore runs f on every engine.
func eachStore(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Helper()
	own, err := Migrations()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := audit.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, o database.Options) {
		o.Migrations, o.Libraries = own, map[string]fs.FS{audit.Name: chain}
		db, err := database.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Errorf("closing the database: %v", err)
			}
		})
		f(t, NewStore(db))
		actionsHaveTexts(t, db)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, database.Options{Path: filepath.Join(t.TempDir(), "residents.db")}) })
	t.Run("postgres", func(t *testing.T) { run(t, database.Options{DSN: databasetest.Postgres(t)}) })
}

// actionsHaveTexts checks that people can read what was done in a test.
func actionsHaveTexts(t *testing.T, db *database.DB) {
	t.Helper()
	var actions []string
	if err := db.Reader().NewRaw("SELECT DISTINCT action FROM audit").Scan(t.Context(), &actions); err != nil {
		t.Fatal(err)
	}
	for _, action := range actions {
		if actionTexts[action] == "" {
			t.Errorf("there is no text for the action %s", action)
		}
	}
}

var (
	guihua  = Details{Name: "王桂花", LatinName: "Wang Guihua", Phone: "13800000003", BornOn: "1954-05-21", Home: flat}
	qiang   = Details{Name: "李强", LatinName: "Li Qiang", Phone: "13800000002", BornOn: "1988-03-02", Home: flat}
	xiaoman = Details{Name: "李小满", LatinName: "Li Xiaoman", BornOn: "2018-06-01", Home: flat}
	flat    = Home{Estate: "huayuan", Building: "3号楼", Unit: "2单元", Room: "501"}
)

func add(t testing.TB, s *Store, d Details) Person {
	t.Helper()
	p, err := s.Add(t.Context(), atDesk(), Resident, d)
	if err != nil {
		t.Fatalf("adding %s: %v", d.Name, err)
	}
	return p
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// audited are the actions about a person, the oldest first.
func audited(t testing.TB, s *Store, id uuid.UUID) []string {
	t.Helper()
	var actions []string
	for _, r := range must[[]audit.Record](t)(audit.About(t.Context(), s.db, id.String(), 100)) {
		actions = append(actions, r.Action)
	}
	slices.Reverse(actions)
	return actions
}

func verify(t testing.TB, s *Store) {
	t.Helper()
	report, err := audit.Verify(t.Context(), s.db)
	if err != nil {
		t.Fatalf("the audit does not verify: %v", err)
	}
	if report.Bad != nil {
		t.Errorf("the audit does not verify: %+v", report)
	}
}

func TestAddSeeChange(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		typed := guihua
		typed.Name, typed.Phone, typed.Estate, typed.Building = " 王 桂花", "＋86 138-0000-0003", "站前花园", "3"
		p := add(t, s, typed)
		if p.Details != guihua || p.Kind != Resident || !p.Here() {
			t.Errorf("added %+v", p)
		}
		seen := must[Person](t)(s.See(t.Context(), atDesk(), p.ID))
		if seen.Details != guihua || !seen.CreatedAt.Equal(p.CreatedAt) {
			t.Errorf("saw %+v, added %+v", seen, p)
		}
		moved := guihua
		moved.Room, moved.Phone = "502", ""
		must[Person](t)(s.Change(t.Context(), atDesk(), p.ID, moved))
		must[Person](t)(s.Change(t.Context(), atDesk(), p.ID, moved)) // changes nothing
		if got := must[Person](t)(s.Person(t.Context(), p.ID)); got.Details != moved {
			t.Errorf("changed to %+v", got.Details)
		}
		if got := audited(t, s, p.ID); !slices.Equal(got, []string{"residents.person.add", "residents.person.view", "residents.person.change"}) {
			t.Errorf("audited %v", got)
		}
		_, err := s.Change(t.Context(), atDesk(), p.ID, Details{Name: ""})
		if problem, ok := errors.AsType[Problem](err); !ok || problem.Rule != ruleNameMissing {
			t.Errorf("without a name: %v", err)
		}
		_, err = s.See(t.Context(), atDesk(), uuid.New())
		wantError(t, err, ErrNotFound)
		verify(t, s)
	})
}

func TestFind(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for _, d := range []Details{guihua, qiang, xiaoman, {Name: "陈雨桐", LatinName: "Chen Yutong", Phone: "13800000001"}} {
			add(t, s, d)
		}
		away := add(t, s, Details{Name: "李走远"})
		noError(t, s.MoveAway(t.Context(), atDesk(), away.ID, true))
		for query, want := range map[string][]string{
			"李强":                {"Li Qiang"},
			"李":                 {"Li Qiang", "Li Xiaoman"},
			"李 小满":              {"Li Xiaoman"},
			"小　满":               {"Li Xiaoman"},
			"li qiang":          {"Li Qiang"},
			"QIANG li":          {"Li Qiang"},
			"liqiang":           {"Li Qiang"},
			"ｌｉｑｉａｎｇ":           {"Li Qiang"},
			" 桂花 ":              {"Wang Guihua"},
			"138 0000 0003":     {"Wang Guihua"},
			"138-0000-0003":     {"Wang Guihua"},
			"+86 138 0000 0003": {"Wang Guihua"},
			"１３８　００００　０００３": {"Wang Guihua"},
			"0003":               {"Wang Guihua"},
			"03":                 nil, // too little to tell whose it is
			"8":                  nil,
			"138 0000 0003 0":    nil,
			"li 0002":            nil, // a name or a number, not both
			"":                   nil,
			"  ":                 nil,
			"+":                  nil,
			"-":                  nil,
			"%":                  nil,
			"_":                  nil,
			`\`:                  nil,
			"' OR 1=1":           nil,
			"nobody of the name": nil,
		} {
			var got []string
			for _, p := range must[[]Person](t)(s.Find(t.Context(), atDesk(), query, 10)) {
				got = append(got, p.LatinName)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%q finds %v, want %v", query, got, want)
			}
		}
		if got := must[[]Person](t)(s.Find(t.Context(), atDesk(), "138", 2)); len(got) != 2 {
			t.Errorf("the first two: %v", got)
		}
		if got := must[[]Person](t)(s.Find(t.Context(), atDesk(), "138", 0)); len(got) > 0 {
			t.Errorf("at most nobody: %v", got)
		}
		chen := must[[]Person](t)(s.Find(t.Context(), atDesk(), "雨桐", 2))[0]
		if got := audited(t, s, chen.ID); !slices.Equal(got, []string{"residents.person.add", "residents.find", "residents.find"}) &&
			!slices.Equal(got, []string{"residents.person.add", "residents.find"}) {
			t.Errorf("audited %v", got)
		}
		verify(t, s)
	})
}

func TestHouseholdAndLists(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		mother, _, child := add(t, s, guihua), add(t, s, qiang), add(t, s, xiaoman)
		add(t, s, Details{Name: "邻居", Home: Home{Estate: "huayuan", Building: "3号楼", Unit: "2单元", Room: "502"}})
		lost := add(t, s, Details{Name: "无房号", Home: Home{Estate: "huayuan"}})
		var names []string
		for _, p := range must[[]Person](t)(s.HouseholdOf(t.Context(), child)) {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, []string{"王桂花", "李强"}) {
			t.Errorf("household of the child: %v", names)
		}
		if got := must[[]Person](t)(s.HouseholdOf(t.Context(), lost)); len(got) > 0 {
			t.Errorf("a household without a home: %v", got)
		}
		people, all, err := s.List(t.Context(), atDesk(), "list", Filter{Estate: "huayuan", Building: "3号楼"}, 1, 2)
		if err != nil || all != 4 || len(people) != 2 {
			t.Errorf("listed %d of %d, %v", len(people), all, err)
		}
		noError(t, s.MoveAway(t.Context(), atDesk(), mother.ID, true))
		if got := must[[]Person](t)(s.HouseholdOf(t.Context(), child)); len(got) != 1 {
			t.Errorf("who moved away is of the household: %v", got)
		}
		if people, all, err = s.List(t.Context(), atDesk(), "list", Filter{Away: true}, 0, 10); err != nil || all != 1 || people[0].ID != mother.ID {
			t.Errorf("moved away: %v, %d, %v", people, all, err)
		}
	})
}

func TestDuties(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		zhou, sun := add(t, s, Details{Name: "周建国"}), add(t, s, Details{Name: "孙丽"})
		appoint := func(p Person, duties ...identity.Duty) error {
			_, err := s.Appoint(t.Context(), at("zhou", monday), p.ID, duties)
			return err
		}
		noError(t, appoint(zhou, identity.Manager, identity.FrontDesk))
		noError(t, appoint(sun, identity.FrontDesk))
		wantError(t, appoint(sun, "Mayor"), ErrInvalid)
		if got := must[Person](t)(s.Person(t.Context(), zhou.ID)).Duties; !slices.Equal(got, []identity.Duty{identity.FrontDesk, identity.Manager}) {
			t.Errorf("zhou has %v", got)
		}
		if staff := must[[]Person](t)(s.Staff(t.Context())); len(staff) != 2 {
			t.Errorf("staff: %v", staff)
		}

		// The last manager stays, whatever is tried.
		wantError(t, appoint(zhou, identity.FrontDesk), ErrLastManager)
		wantError(t, appoint(zhou), ErrLastManager)
		wantError(t, s.MoveAway(t.Context(), atDesk(), zhou.ID, true), ErrLastManager)
		wantError(t, s.BeginErasing(t.Context(), atDesk(), zhou.ID), ErrLastManager)
		if got := must[Person](t)(s.Person(t.Context(), zhou.ID)); len(got.Duties) != 2 || !got.Here() {
			t.Errorf("zhou is %+v", got)
		}
		noError(t, appoint(sun, identity.Manager))
		noError(t, appoint(zhou))
		if got := audited(t, s, sun.ID); !slices.Equal(got, []string{
			"residents.person.add", "residents.duty.give", "residents.duty.take", "residents.duty.give"}) {
			t.Errorf("audited %v", got)
		}
		verify(t, s)
	})
}

// Two managers who dismiss each other at the same moment do not both succeed.
func TestLastManagerAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		a, b := add(t, s, Details{Name: "甲"}), add(t, s, Details{Name: "乙"})
		for _, p := range []Person{a, b} {
			_, err := s.Appoint(t.Context(), atDesk(), p.ID, []identity.Duty{identity.Manager})
			noError(t, err)
		}
		errs := make(chan error, 2)
		for _, p := range []Person{a, b} {
			go func() {
				_, err := s.Appoint(t.Context(), atDesk(), p.ID, nil)
				errs <- err
			}()
		}
		first, second := <-errs, <-errs
		if (first == nil) == (second == nil) {
			t.Errorf("both or none: %v, %v", first, second)
		}
		if staff := must[[]Person](t)(s.Staff(t.Context())); len(staff) != 1 {
			t.Errorf("%d managers are left", len(staff))
		}
	})
}

func TestManagersOfTheManifest(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		sync := func(managers ...v1alpha1.Manager) {
			t.Helper()
			noError(t, s.SyncManagers(t.Context(), at("", monday), managers))
		}
		liu, kong := v1alpha1.Manager{Name: "liu-hanlu", DisplayName: "刘寒露"}, v1alpha1.Manager{Name: "kong-bailu", DisplayName: "孔白露"}
		sync(liu, kong)
		sync(liu, kong) // again changes nothing
		if staff := must[[]Person](t)(s.Staff(t.Context())); len(staff) != 2 || staff[0].Kind != External || !staff[0].Has(identity.Manager) {
			t.Fatalf("managers: %+v", staff)
		}
		p := must[Person](t)(s.OfManifest(t.Context(), "liu-hanlu"))
		_, err := s.Appoint(t.Context(), at("liu", monday), p.ID, []identity.Duty{identity.FrontDesk})
		wantError(t, err, ErrManifest)
		wantError(t, s.BeginErasing(t.Context(), at("liu", monday), p.ID), ErrManifest)
		_, err = s.Appoint(t.Context(), at("liu", monday), p.ID, []identity.Duty{identity.Manager, identity.FrontDesk})
		noError(t, err)

		sync(kong)
		left := must[Person](t)(s.Person(t.Context(), p.ID))
		if !slices.Equal(left.Duties, []identity.Duty{identity.FrontDesk}) {
			t.Errorf("not named any more, liu has %v: what managers gave stays, no more", left.Duties)
		}
		if _, err := s.OfManifest(t.Context(), "liu-hanlu"); !errors.Is(err, ErrNotFound) {
			t.Errorf("still named: %v", err)
		}
		verify(t, s)
	})
}
