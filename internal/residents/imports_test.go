package residents

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/linli-io/linli/internal/host/hosttest"
)

func TestCompare(t *testing.T) {
	known := []Person{person(guihua), person(qiang)}
	moved, sharing, partly := guihua, xiaoman, qiang
	moved.Room, sharing.Phone, partly.BornOn, partly.LatinName = "999", qiang.Phone, "", ""
	namesake := Details{Name: guihua.Name, BornOn: "1990-01-01", Phone: "13900000009"}
	for name, c := range map[string]struct {
		rows  []Details
		want  []Finding
		known int
	}{
		"nobody known":      {[]Details{xiaoman}, []Finding{FoundNew}, 0},
		"all known":         {[]Details{guihua}, []Finding{FoundSame}, 1},
		"less is known":     {[]Details{partly}, []Finding{FoundSame}, 1},
		"something differs": {[]Details{moved}, []Finding{FoundLikely}, 1},
		"a namesake":        {[]Details{namesake}, []Finding{FoundNew}, 0},
		"a shared number":   {[]Details{sharing}, []Finding{FoundPhone}, 1},
		"a repetition":      {[]Details{xiaoman, xiaoman}, []Finding{FoundNew, FoundEarlier}, 0},
		"a number twice":    {[]Details{namesake, {Name: "李", Phone: namesake.Phone}}, []Finding{FoundNew, FoundPhone}, 0},
	} {
		var rows []Row
		for i, d := range c.rows {
			rows = append(rows, Row{Line: i + 2, Details: d})
		}
		for i, got := range Compare(rows, known) {
			if got.Finding != c.want[i] || len(got.Known) != c.known && i == len(c.rows)-1 {
				t.Errorf("%s: line %d is %s with %d known, want %s", name, got.Line, got.Finding, len(got.Known), c.want[i])
			}
		}
	}
}

// table is 5,000 people, in twelve of whose lines something is wrong.
func table(t testing.TB) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString("姓名,手机号,出生日期,小区,楼栋,单元,房号,与户主关系\n")
	for i := range 5000 {
		born, building := "1954-05-21", fmt.Sprintf("%d号楼", i%3+1)
		if i%400 == 399 {
			born, building = "1954-02-31", "99号楼"
		}
		fmt.Fprintf(&b, "王%s,139%08d,%s,站前花园,%s,%d单元,%d,户主\n", string([]rune{rune('一' + i%1000), rune('丁' + i/1000)}), i, born, building, i%4+1, i)
	}
	return []byte(b.String())
}

func TestImport(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		began := time.Now()
		read := read(t, table(t))
		if len(read.Rows) != 4988 || read.Faulty() != 12 || len(read.Mistakes) != 24 || read.Mistakes[0].Line != 401 {
			t.Fatalf("read %d rows, %d faulty: %+v", len(read.Rows), read.Faulty(), read.Mistakes)
		}
		known := read.Rows[0].Details
		known.Room = "别处"
		old := add(t, s, known)
		id := must[uuid.UUID](t)(s.PutDraft(t.Context(), atDesk(), read))
		count := func() int {
			_, all, err := s.List(t.Context(), atDesk(), "list", Filter{}, 0, 1)
			noError(t, err)
			return all
		}
		if n := count(); n != 1 {
			t.Errorf("%d people before the confirmation", n)
		}
		draft := must[Draft](t)(s.Draft(t.Context(), atDesk(), id))
		compared := must[[]Compared](t)(s.Compare(t.Context(), atDesk(), draft))
		if compared[0].Finding != FoundLikely || compared[0].Known[0].ID != old.ID {
			t.Errorf("the first is %+v", compared[0])
		}
		for range 2 { // confirming again changes nothing
			done := must[Draft](t)(s.Confirm(t.Context(), atDesk(), id, map[int]Choice{2: ChoiceUpdate, 3: ChoiceUpdate}, ChoiceSkip))
			if done.Added != 4987 || done.Updated != 1 || done.Skipped != 0 {
				t.Errorf("added %d, updated %d, skipped %d", done.Added, done.Updated, done.Skipped)
			}
			if n := count(); n != 4988 {
				t.Errorf("%d people after the confirmation", n)
			}
		}
		if got := must[Person](t)(s.Person(t.Context(), old.ID)); got.Details != read.Rows[0].Details {
			t.Errorf("updated to %+v", got.Details)
		}
		// The same file again has nothing new.
		again := must[uuid.UUID](t)(s.PutDraft(t.Context(), atDesk(), read))
		if done := must[Draft](t)(s.Confirm(t.Context(), atDesk(), again, nil, "")); done.Added+done.Updated > 0 || done.Skipped != 4988 {
			t.Errorf("again: %+v", done)
		}
		t.Logf("read and imported twice in %s", time.Since(began))

		_, err := s.Draft(t.Context(), at("desk", monday.Add(draftLifetime)), id)
		wantError(t, err, ErrNotFound)
		_, err = s.Confirm(t.Context(), at("desk", monday.Add(draftLifetime)), id, nil, "")
		wantError(t, err, ErrNotFound)
		verify(t, s)
	})
}

// A confirmation that is sent twice, also at the same time, is answered in the
// same way, and nothing is done twice: nothing is audited twice either.
func TestConfirmTwice(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		moved := guihua
		moved.Room = "别处"
		add(t, s, moved)
		id := must[uuid.UUID](t)(s.PutDraft(t.Context(), atDesk(), Table{Rows: []Row{{2, guihua}, {3, qiang}, {4, xiaoman}}}))
		count := func(table string) int {
			t.Helper()
			var n int
			noError(t, s.db.Reader().NewRaw("SELECT COUNT(*) FROM "+table).Scan(t.Context(), &n))
			return n
		}
		people, entries := count("people"), count("audit")
		const times = 5
		done, errs := make([]Draft, times), make([]error, times)
		var all sync.WaitGroup
		for i := range times {
			all.Go(func() {
				done[i], errs[i] = s.Confirm(t.Context(), at("desk", monday.Add(time.Duration(i)*time.Minute)), id, nil, ChoiceUpdate)
			})
		}
		all.Wait()
		again, err := s.Confirm(t.Context(), at("another", monday.Add(time.Hour)), id, map[int]Choice{2: ChoiceAdd}, ChoiceAdd)
		for i, d := range append(done, again) {
			if err := append(errs, err)[i]; err != nil || d.Added != 2 || d.Updated != 1 || d.Skipped != 0 || !d.ConfirmedAt.Equal(done[0].ConfirmedAt) || len(d.Rows) > 0 {
				t.Errorf("confirmation %d is answered %+v, %v; the first %+v", i, d, err, done[0])
			}
		}
		// One entry says what was changed of the person, one that it was confirmed.
		if p, e := count("people")-people, count("audit")-entries; p != 2 || e != 2 {
			t.Errorf("%d people were added and %d entries audited", p, e)
		}
		verify(t, s)
	})
}

// The API and the page answer a second confirmation like the first.
func TestConfirmTwiceOverHTTP(t *testing.T) {
	r := start(t, hosttest.Options{})
	zhou := r.manager(t)
	read := func() string {
		t.Helper()
		status, _, page := zhou.do("POST", apiPath+importsPath, "application/octet-stream", strings.NewReader(people))
		var draft struct{ ID string }
		if err := json.Unmarshal([]byte(page), &draft); err != nil || status != http.StatusCreated {
			t.Fatalf("read: %d %s", status, page)
		}
		return draft.ID
	}
	confirm := func(id string) string {
		t.Helper()
		status, _, page := zhou.do("POST", apiPath+importsPath+"/"+id+"/confirm", "application/json", strings.NewReader(`{"rest":"Add"}`))
		if status != http.StatusOK {
			t.Fatalf("confirming: %d %s", status, page)
		}
		return page
	}
	id := read()
	if first, second := confirm(id), confirm(id); first != second || !strings.Contains(first, `"added":3`) {
		t.Errorf("answered\n%s\nand then\n%s", first, second)
	}
	id = read()
	for range 2 {
		status, location, _ := zhou.do("POST", staffImportPath+"/"+id, "application/x-www-form-urlencoded", strings.NewReader("rest=Skip"))
		if status != http.StatusSeeOther || location != staffImportPath+"/"+id {
			t.Errorf("the page: %d to %s", status, location)
		}
	}
}

// What is imported twice is there once, whatever was chosen but to add.
func TestImportTwiceAddsNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		details := rapid.Custom(func(t *rapid.T) Details {
			return Details{
				Name:   rapid.SampledFrom([]string{"王桂花", "李强", "李小满"}).Draw(t, "name"),
				Phone:  rapid.SampledFrom([]string{"", "13800000002", "13800000003"}).Draw(t, "phone"),
				BornOn: Date(rapid.SampledFrom([]string{"", "1954-05-21", "1988-03-02"}).Draw(t, "born")),
				Home:   Home{Estate: rapid.SampledFrom([]string{"", "huayuan"}).Draw(t, "estate")},
			}
		})
		var rows []Row
		for i, d := range rapid.SliceOfN(details, 1, 8).Draw(t, "rows") {
			rows = append(rows, Row{Line: i + 2, Details: d})
		}
		apply := func(known []Person) (added []Person) {
			for _, c := range Compare(rows, known) {
				if c.choose(nil, ChoiceSkip) == ChoiceAdd {
					added = append(added, person(c.Details))
				}
			}
			return added
		}
		known := apply(nil)
		for _, again := range apply(known) {
			// Who cannot be told from a namesake has neither birthday nor number.
			if again.BornOn != "" || again.Phone != "" {
				t.Fatalf("%+v was added again", again.Details)
			}
		}
	})
}
