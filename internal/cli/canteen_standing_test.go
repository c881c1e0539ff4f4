package cli

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/linli-io/linli/internal/civil"
)

// standingModel is what should be true of the standing orders of some days.
type standingModel struct {
	*kitchen
	days  []string
	known []*standingOrder
}

// standingOrder is one of them, as far as residents know.
type standingOrder struct {
	ID, State, From, Payment string
	SkipDays, Weekdays       []string
	Version                  int
	by                       string
	// kept are orders that it has made before it was changed: they stay as they
	// are.
	kept map[string]bool
	// again is how often a day was wanted again after it was skipped.
	again map[string]int
	// had is how many orders there were when it was paused or ended, -1 while it
	// is active: there must be no more.
	had int
}

// listed are all orders of residents from today on, by ID, without those that
// were refused.
func (k *kitchen) listed(t testing.TB) map[string]meal {
	t.Helper()
	all := map[string]meal{}
	for _, who := range []string{"li-qiang", "wang-guihua", "zhao-changshun", "chen-yutong"} {
		for _, when := range []string{"upcoming", "past"} {
			var listed struct{ Orders []meal }
			k.must(t, who, "GET", "/canteen/api/v1/orders?when="+when, nil, &listed)
			for _, o := range listed.Orders {
				all[o.ID] = o
			}
		}
	}
	return all
}

// made are the orders of a day that a standing order has made.
func (o *standingOrder) made(all map[string]meal, day string) (n, live int) {
	for _, m := range all {
		if m.StandingOrder == o.ID && m.Date == day {
			n++
			if m.State == "Placing" || m.State == "Placed" {
				live++
			}
		}
	}
	return n, live
}

// weekday is the day of the week of a date.
func weekday(t testing.TB, date string) string {
	t.Helper()
	day, err := civil.ParseDate(date)
	if err != nil {
		t.Fatal(err)
	}
	return day.Weekday().String()
}

// check: no day is ordered twice, nor one that is skipped, nor any while the
// standing order rests, nor what it was changed from.
func (s *standingModel) check(t *testing.T) {
	all := s.listed(t)
	for _, o := range s.known {
		total := 0
		for id, m := range all {
			if m.StandingOrder != o.ID || o.kept[id] {
				continue
			}
			if day := weekday(t, m.Date); !slices.Contains(o.Weekdays, day) || m.Payment != o.Payment {
				t.Fatalf("standing order %s for %s from the %s has ordered for %s from the %s", o.ID, o.Weekdays, o.Payment, day, m.Payment)
			}
		}
		for _, day := range s.days {
			n, live := o.made(all, day)
			if n > 1+o.again[day] {
				t.Fatalf("%d orders for %s by standing order %s, which was wanted again %d times", n, day, o.ID, o.again[day])
			}
			if live > 0 && slices.Contains(o.SkipDays, day) {
				t.Fatalf("standing order %s has ordered for %s, which is skipped", o.ID, day)
			}
			total += n
		}
		if o.had >= 0 && total > o.had {
			t.Fatalf("standing order %s is %s with %d orders, and has now %d", o.ID, o.State, o.had, total)
		}
	}
}

func (s *standingModel) actions(t *testing.T) map[string]func(*rapid.T) {
	some := func(r *rapid.T) *standingOrder {
		if len(s.known) == 0 {
			r.Skip("no standing order yet")
		}
		return rapid.SampledFrom(s.known).Draw(r, "standing order")
	}
	const path = "/canteen/api/v1/standing-orders"
	return map[string]func(*rapid.T){
		"standing order": func(r *rapid.T) {
			who := rapid.SampledFrom(eaters).Draw(r, "who")
			o := &standingOrder{by: who.by, again: map[string]int{}, kept: map[string]bool{}, had: -1}
			status := s.ask(t, who.by, "POST", path, map[string]any{
				"canteen": "lakeside", "meal": "lunch", "way": "PickUp", "from": s.days[0], "person": s.ids[who.eater],
				"weekdays": []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
				"dishes":   map[string]any{"kinds": rapid.SampledFrom([][]string{{"Meat"}, {"Meat", "Staple"}, {"Staple"}}).Draw(r, "kinds")},
				"payment":  rapid.SampledFrom([]string{"Purse", "Purse", "Counter"}).Draw(r, "payment"),
				"payer":    s.ids[rapid.SampledFrom([]string{who.eater, who.by}).Draw(r, "payer")]}, o)
			if status < 300 {
				s.known = append(s.known, o)
			}
		},
		"skip": func(r *rapid.T) {
			o := some(r)
			days := []string{}
			for _, day := range s.days {
				if rapid.Bool().Draw(r, "skips") {
					days = append(days, day)
				}
			}
			before := o.SkipDays
			now := standingOrder{}
			if s.ask(t, o.by, "PUT", path+"/"+o.ID+"/skip-days", map[string]any{"days": days}, &now) >= 300 {
				return // the purse is being asked, or it has ended
			}
			o.SkipDays = now.SkipDays
			for _, day := range before {
				if !slices.Contains(o.SkipDays, day) {
					o.again[day]++
				}
			}
		},
		"change standing order": func(r *rapid.T) {
			o := some(r)
			body := map[string]any{
				"way": rapid.SampledFrom([]string{"PickUp", "EatIn"}).Draw(r, "way"), "from": o.From, "version": o.Version,
				"weekdays": rapid.SampledFrom([][]string{{weekday(t, s.days[0])}, {weekday(t, s.days[1])}, {weekday(t, s.days[0]), weekday(t, s.days[1])}}).Draw(r, "days"),
				"dishes":   map[string]any{"kinds": rapid.SampledFrom([][]string{{"Meat"}, {"Meat", "Staple"}, {"Staple"}}).Draw(r, "kinds")},
				"payment":  rapid.SampledFrom([]string{"Purse", "Counter"}).Draw(r, "payment"),
			}
			before, now := s.listed(t), standingOrder{}
			if status := s.ask(t, o.by, "PUT", path+"/"+o.ID, body, &now); status >= 300 {
				if status != http.StatusConflict || o.State != "Ended" {
					t.Fatalf("standing order %s, which is %s, was not changed: %d", o.ID, o.State, status)
				}
				return
			}
			o.Weekdays, o.Payment, o.Version = now.Weekdays, now.Payment, now.Version
			body["version"], body["wish"] = 1000, "少盐"
			if status := s.ask(t, o.by, "PUT", path+"/"+o.ID, body, nil); status != http.StatusConflict {
				t.Fatalf("what was changed meanwhile is changed: %d", status)
			}
			for id, m := range s.listed(t) {
				if m.StandingOrder != o.ID {
					continue
				}
				o.kept[id] = true
				was, known := before[id]
				if known && was.State == "Placed" && !was.Changing && (m.State != "Placed" || m.Payment != was.Payment || m.Total != was.Total || !slices.Equal(m.Lines, was.Lines)) {
					t.Fatalf("order %s was changed with its standing order: %+v, was %+v", id, m, was)
				}
			}
		},
		"pause, go on or end": func(r *rapid.T) {
			o := some(r)
			what := rapid.SampledFrom([]string{"POST /pause", "POST /resume", "POST /resume", "DELETE "}).Draw(r, "what")
			method, rest, _ := strings.Cut(what, " ")
			s.rest(t, o, method, path+"/"+o.ID+rest)
		},
	}
}

// rest pauses a standing order, has it go on, or ends it.
func (s *standingModel) rest(t *testing.T, o *standingOrder, method, path string) {
	was := o.State
	if s.ask(t, o.by, method, path, nil, o) >= 300 || o.State == was {
		return
	}
	o.had = -1
	if o.State != "Active" {
		o.had = 0
		all := s.listed(t)
		for _, day := range s.days {
			n, _ := o.made(all, day)
			o.had += n
		}
	}
}

// end ends all of them.
func (s *standingModel) end(t *testing.T) {
	for _, o := range s.known {
		s.must(t, o.by, "DELETE", "/canteen/api/v1/standing-orders/"+o.ID, nil, nil)
	}
}
