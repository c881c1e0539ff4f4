package booking

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
)

const v1 = "/booking/api/v1"

// practice is the clinic with two doctors, one of them in the mornings only.
func practice() v1alpha1.Venue {
	v := clinic()
	v.Attendants = []v1alpha1.Attendant{
		{Name: "dr-he", DisplayName: "何医生", Hours: []v1alpha1.OpeningHours{{Days: everyDay[:5], From: "08:00", To: "12:00"}}},
		{Name: "dr-qin", DisplayName: "秦医生"},
	}
	v.NoShowMinutes = 15
	return v
}

// assemblyHall is a room about which the staff decide.
func assemblyHall() v1alpha1.Venue {
	v := musicRoom()
	v.Name, v.DisplayName, v.Approval = "hall", "礼堂", v1alpha1.ApprovalStaff
	return v
}

// gym is a room for members who are grown up.
func gym() v1alpha1.Venue {
	v := musicRoom()
	v.Name, v.DisplayName, v.Access, v.MinAge, v.BookingWindowDays = "gym", "健身房", v1alpha1.AccessMembers, 18, 60
	return v
}

// complete is the service with venues of every kind, which the community keeps.
func complete(t testing.TB) running {
	t.Helper()
	return startWith(t, v1alpha1.ManagedByCommunity, studyRoom(), musicRoom(), practice(), assemblyHall(), gym())
}

// read is what an answer says.
func read[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.Raw), &v); err != nil {
		t.Fatalf("%v in %s", err, a.Raw)
	}
	return v
}

// with is a body with further fields at its beginning.
func with(fields, body string) string { return strings.Replace(body, "{", "{"+fields+",", 1) }

// refused wants a refusal by a rule.
func (c apiClient) refused(status int, rule Rule, method, path, body string, header ...string) {
	c.t.Helper()
	if a := c.want(status, method, path, body, header...); a.Problem.Rule != string(rule) || a.Problem.Detail == "" {
		c.t.Errorf("%s %s %s: %s, want rule %q", method, path, body, a.Raw, rule)
	}
}

// id is the id of a demo person.
func (c apiClient) id() string {
	c.t.Helper()
	return c.people()[0].ID
}

func (c apiClient) people() []apiPerson {
	c.t.Helper()
	type people struct{ People []apiPerson }
	return read[people](c.t, c.want(200, "GET", v1+"/people", "")).People
}

func TestAPIVenueRules(t *testing.T) {
	s := complete(t)
	venues := s.api(t, "").want(200, "GET", v1+"/venues", "").Body.Venues
	clinic, hall, gym := venues[2], venues[3], venues[4]
	if clinic.Capacity != 2 || clinic.NoShowMinutes != 15 || clinic.Approval != "Automatic" || clinic.Access != "Everyone" {
		t.Errorf("clinic: %+v", clinic)
	}
	if a := clinic.Attendants; len(a) != 2 || a[0].Name != "dr-he" || a[0].DisplayName != "何医生" || a[0].Place != 1 || len(a[0].Hours) != 5 ||
		a[1].Place != 2 || a[1].Hours != nil {
		t.Errorf("attendants: %+v", a)
	}
	if hall.Approval != "Staff" || gym.Access != "Members" || gym.MinAge != 18 || gym.Attendants != nil {
		t.Errorf("hall %+v, gym %+v", hall, gym)
	}
}

func TestAPIDays(t *testing.T) {
	s := complete(t)
	li, nobody := s.api(t, "li-qiang"), s.api(t, "")
	li.want(201, "POST", bookings, with(`"attendant":"dr-he"`, order("clinic", 9, 10)))

	type glance struct {
		Capacity int
		Days     []apiDay
	}
	week := read[glance](t, nobody.want(200, "GET", v1+"/venues/clinic/days?date=2026-11-23", ""))
	if len(week.Days) != 7 || week.Capacity != 2 || week.Days[2].Date != "2026-11-25" || week.Days[2].Rule != "closed-day" {
		t.Errorf("the week: %+v", week)
	}
	monday := week.Days[0].Slots
	if len(monday) != 9 || !slices.Equal(monday[0].Attendants, []string{"dr-he", "dr-qin"}) || monday[0].Free != 2 ||
		!slices.Equal(monday[1].Attendants, []string{"dr-qin"}) || monday[1].Free != 1 || !slices.Equal(monday[4].Attendants, []string{"dr-qin"}) {
		t.Errorf("Monday: %+v", monday)
	}
	if tuesday := week.Days[1].Slots; tuesday[1].Free != 2 {
		t.Errorf("Tuesday: %+v", tuesday)
	}
	// A day of the week is told as it is alone.
	alone := nobody.want(200, "GET", v1+"/venues/clinic/availability?date=2026-11-23", "").Body.Slots
	if fmt.Sprint(alone) != fmt.Sprint(monday) {
		t.Errorf("Monday alone: %+v, in the week %+v", alone, monday)
	}
	one := read[glance](t, nobody.want(200, "GET", v1+"/venues/clinic/days?date=2026-11-23&days=1&attendant=dr-he", ""))
	if got := one.Days[0].Slots; len(one.Days) != 1 || one.Capacity != 1 || got[0].State != "free" || got[1].State != "full" || got[1].Free != 0 || got[4].State != "closed" {
		t.Errorf("one doctor's day: %+v", one)
	}
	for _, query := range []string{"days=0", "days=15", "days=x", "date=2026-02-30", "date=1999-12-31", "date=3000-01-01", "attendant=dr-no"} {
		nobody.want(422, "GET", v1+"/venues/clinic/days?"+query, "")
	}
	nobody.want(422, "GET", v1+"/venues/study/availability?attendant=dr-he", "")

	// What is kept empty after the last slot of a day reaches into the next.
	s.api(t, "zhou-jianguo").want(200, "PUT", staffVenues+"night", `{"name":"night","displayName":"夜","kind":"Room","slotMinutes":60,"bufferMinutes":30,
		"hours":[{"days":["Monday","Tuesday"],"from":"00:00","to":"24:00"}]}`)
	li.want(201, "POST", bookings, `{"venue":"night","start":"2026-11-23T23:00:00+08:00","end":"2026-11-24T00:00:00+08:00"}`)
	for _, days := range []string{"date=2026-11-23&days=2", "date=2026-11-24&days=1"} {
		nights := read[glance](t, nobody.want(200, "GET", v1+"/venues/night/days?"+days, "")).Days
		if first := nights[len(nights)-1].Slots; first[0].State != "full" || first[1].State != "free" {
			t.Errorf("the night: %+v", first[:2])
		}
	}
	nobody.want(404, "GET", v1+"/venues/pool/days", "")
}

func TestAPIAttendants(t *testing.T) {
	s := complete(t)
	li, wang, zhao := s.api(t, "li-qiang"), s.api(t, "wang-guihua"), s.api(t, "zhao-changshun")
	if b := li.want(201, "POST", bookings, with(`"attendant":"dr-qin"`, order("clinic", 9, 10))).Body; b.Place != 2 || b.Attendant != "dr-qin" {
		t.Errorf("with a doctor: %+v", b.APIBooking)
	}
	wang.want(409, "POST", bookings, with(`"attendant":"dr-qin"`, order("clinic", 9, 10)))
	if b := wang.want(201, "POST", bookings, order("clinic", 9, 10)).Body; b.Attendant != "dr-he" {
		t.Errorf("with any doctor: %+v", b.APIBooking)
	}
	zhao.want(409, "POST", bookings, order("clinic", 9, 10))
	zhao.refused(422, RuleAttendantAway, "POST", bookings, with(`"attendant":"dr-he"`, order("clinic", 14, 15)))
	zhao.refused(422, RuleUnknownPlace, "POST", bookings, with(`"attendant":"dr-no"`, order("clinic", 14, 15)))
	zhao.refused(422, RuleUnknownPlace, "POST", bookings, with(`"attendant":"dr-qin","place":1`, order("clinic", 14, 15)))
	zhao.refused(422, RuleUnknownVenue, "POST", bookings, with(`"attendant":"dr-qin"`, order("pool", 14, 15)))
	zhao.want(201, "POST", bookings, with(`"attendant":"dr-qin","place":2`, order("clinic", 14, 15)))
}

func TestAPIForOthers(t *testing.T) {
	s := complete(t)
	li, wang, zhao := s.api(t, "li-qiang"), s.api(t, "wang-guihua"), s.api(t, "zhao-changshun")
	family := li.people()
	if len(family) != 3 || !family[0].Self || family[1].Name != "王桂花" || family[1].Self || len(zhao.people()) != 1 {
		t.Fatalf("people: %+v", family)
	}
	mother := wang.id()
	made := li.want(201, "POST", bookings, with(fmt.Sprintf(`"for":%q`, mother), order("clinic", 9, 10)))
	if made.Body.Person != mother {
		t.Errorf("for the mother: %s", made.Raw)
	}
	own := bookings + "/" + made.Body.ID.String()
	for _, c := range []apiClient{li, wang} {
		c.want(200, "GET", own, "")
	}
	// The mother may not act for the son, nobody for a stranger or for nobody.
	for _, who := range []string{li.id(), zhao.id(), "nobody"} {
		for path, body := range map[string]string{
			bookings:             order("clinic", 10, 11),
			v1 + "/series":       with(`"until":"2026-11-23"`, order("clinic", 10, 11)),
			v1 + "/waiting-list": order("clinic", 9, 10),
		} {
			wang.want(403, "POST", path, with(fmt.Sprintf(`"for":%q`, who), body))
		}
	}
	zhao.want(404, "GET", own, "")
	zhao.want(404, "DELETE", own, "")
	zhao.want(404, "PATCH", own, `{"place":0}`)
	zhao.want(404, "POST", own+"/accept", "")
	zhao.want(404, "POST", own+"/check-in", `{"code":"123456"}`)
	for _, phone := range []string{"13800000002", "13800000003", "王桂花"} {
		if strings.Contains(made.Raw, phone) {
			t.Errorf("a resident's answer has %s: %s", phone, made.Raw)
		}
	}
	wang.want(204, "DELETE", own, "")

	// A child is too young for the gym, and nobody is a member.
	child := family[2].ID
	li.refused(422, RuleTooYoung, "POST", bookings, with(fmt.Sprintf(`"for":%q`, child), order("gym", 9, 10)))
	li.refused(422, RuleMembersOnly, "POST", bookings, order("gym", 9, 10))

	// A change is held to the rules for whom it is, not for who asks.
	s.api(t, "zhou-jianguo").want(200, "PUT", staffVenues+"pool", strings.Replace(pool, `"kind"`, `"maxAge":12,"kind"`, 1))
	li.refused(422, RuleTooOld, "POST", bookings, order("pool", 9, 10))
	swim := li.want(201, "POST", bookings, with(fmt.Sprintf(`"for":%q`, child), order("pool", 9, 10))).Body
	if moved := li.want(200, "PATCH", bookings+"/"+swim.ID.String(), `{"start":"2026-11-23T10:00:00+08:00"}`).Body; moved.Person != child {
		t.Errorf("moved: %+v", moved.APIBooking)
	}
}

func TestAPIChange(t *testing.T) {
	s := complete(t)
	li, wang := s.api(t, "li-qiang"), s.api(t, "wang-guihua")
	own := bookings + "/" + li.want(201, "POST", bookings, with(`"place":2`, order("study", 9, 11))).Body.ID.String()
	wang.want(201, "POST", bookings, with(`"place":2`, order("study", 14, 15)))

	moved := li.want(200, "PATCH", own, `{"start":"2026-11-23T15:00:00+08:00"}`).Body
	if moved.Place != 2 || moved.Start.Hour() != 15 || moved.End.Hour() != 17 || moved.UpdatedAt.IsZero() {
		t.Errorf("moved: %+v", moved.APIBooking)
	}
	if shorter := li.want(200, "PATCH", own, `{"end":"2026-11-23T16:00:00+08:00"}`).Body; shorter.Start.Hour() != 15 || shorter.End.Hour() != 16 {
		t.Errorf("shorter: %+v", shorter.APIBooking)
	}
	li.want(409, "PATCH", own, `{"start":"2026-11-23T14:00:00+08:00"}`)
	if any := li.want(200, "PATCH", own, `{"start":"2026-11-23T14:00:00+08:00","place":0}`).Body; any.Place != 1 {
		t.Errorf("at any place: %+v", any.APIBooking)
	}
	before := li.want(200, "GET", own, "").Raw
	if same := li.want(200, "PATCH", own, `{}`).Raw; same != before {
		t.Errorf("nothing asked, changed: %s to %s", before, same)
	}
	li.refused(422, RuleUnknownPlace, "PATCH", own, `{"place":4}`)
	li.refused(422, RuleUnknownPlace, "PATCH", own, `{"attendant":"dr-he"}`)
	li.refused(422, RuleNotOnSlot, "PATCH", own, `{"end":"2026-11-23T09:00:00+08:00"}`)
	li.refused(422, RuleOutsideWindow, "PATCH", own, `{"start":"9999-12-31T23:00:00Z"}`)
	li.want(422, "PATCH", own, `{"place":-1}`)
	li.want(422, "PATCH", own, `{"venue":"music"}`)
	li.want(422, "PATCH", bookings+"/1", `{}`)
	li.want(404, "PATCH", bookings+"/"+uuid.NewString(), `{}`)
	if after := li.want(200, "GET", own, "").Raw; after != before {
		t.Errorf("refused, changed: %s to %s", before, after)
	}

	visit := bookings + "/" + li.want(201, "POST", bookings, order("clinic", 9, 10)).Body.ID.String()
	if b := li.want(200, "PATCH", visit, `{"attendant":"dr-qin"}`).Body; b.Attendant != "dr-qin" {
		t.Errorf("to another doctor: %+v", b.APIBooking)
	}
	li.want(204, "DELETE", visit, "")
	li.refused(422, RuleNotLive, "PATCH", visit, `{"attendant":"dr-he"}`)
}

func TestAPICheckIn(t *testing.T) {
	s := complete(t)
	li := s.api(t, "li-qiang")
	made := li.want(201, "POST", bookings, order("clinic", 9, 10))
	if due := made.Body.DueAt; due == nil || due.Minute() != 15 {
		t.Errorf("a no-show is released: %s", made.Raw)
	}
	own := bookings + "/" + made.Body.ID.String()
	code := s.doorCode(t, "clinic")
	li.refused(422, RuleTooEarly, "POST", own+"/check-in", fmt.Sprintf(`{"code":%q}`, code))
	for _, body := range []string{`{"code":"12345"}`, `{"code":"12345x"}`, `{"code":123456}`, `{}`} {
		li.want(422, "POST", own+"/check-in", body)
	}
	s.clock.SetTime(moment(t, "2026-11-23T09:05:00+08:00"))
	li = s.api(t, "li-qiang")
	for range 2 {
		in := li.want(200, "POST", own+"/check-in", fmt.Sprintf(`{"code":%q}`, code)).Body
		if in.CheckedInAt == nil || in.DueAt != nil {
			t.Errorf("checked in: %+v", in.APIBooking)
		}
	}
	// Who stands at the door may have the rest of a slot.
	wang := s.api(t, "wang-guihua")
	wang.refused(422, RuleInThePast, "POST", bookings, order("clinic", 9, 10))
	wang.refused(422, RuleUnknownVenue, "POST", bookings, with(fmt.Sprintf(`"code":%q`, code), order("pool", 9, 10)))
	present := wang.want(201, "POST", bookings, with(fmt.Sprintf(`"code":%q`, code), order("clinic", 9, 10))).Body
	if present.CheckedInAt == nil || present.Attendant != "dr-qin" {
		t.Errorf("at the door: %+v", present.APIBooking)
	}
	// Nobody tries all codes, neither on one path nor on the other.
	zhao := s.api(t, "zhao-changshun")
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	other := bookings + "/" + zhao.want(201, "POST", bookings, order("clinic", 10, 11)).Body.ID.String()
	s.clock.SetTime(moment(t, "2026-11-23T09:50:00+08:00"))
	for i := range maxWrongCodes {
		if i%2 == 0 {
			zhao.refused(422, RuleWrongCode, "POST", bookings, with(fmt.Sprintf(`"code":%q`, wrong), order("clinic", 9, 10)))
		} else {
			zhao.refused(422, RuleWrongCode, "POST", other+"/check-in", fmt.Sprintf(`{"code":%q}`, wrong))
		}
	}
	zhao.refused(429, RuleTooManyCodes, "POST", bookings, with(fmt.Sprintf(`"code":%q`, code), order("clinic", 9, 10)))
	zhao.refused(429, RuleTooManyCodes, "POST", other+"/check-in", fmt.Sprintf(`{"code":%q}`, code))
}

// doorCode is the code on a venue's door.
func (r running) doorCode(t testing.TB, venue string) string {
	t.Helper()
	type code struct{ Code string }
	return read[code](t, r.api(t, "sun-li").want(200, "GET", v1+"/staff/venues/"+venue+"/door-code", "")).Code
}

func TestAPIWaitingList(t *testing.T) {
	s := complete(t)
	li, wang := s.api(t, "li-qiang"), s.api(t, "wang-guihua")
	list := v1 + "/waiting-list"
	wang.refused(422, RuleStillFree, "POST", list, order("music", 9, 10))
	taken := bookings + "/" + li.want(201, "POST", bookings, order("music", 9, 10)).Body.ID.String()
	wang.refused(422, RuleUnknownVenue, "POST", list, order("pool", 9, 10))
	wang.refused(422, RuleClosedDay, "POST", list, strings.ReplaceAll(order("music", 9, 10), "-23T", "-25T"))
	wang.want(422, "POST", list, `{}`)

	joined := wang.want(201, "POST", list, order("music", 9, 10))
	if again := wang.want(201, "POST", list, order("music", 9, 10)); again.Raw != joined.Raw {
		t.Errorf("joined again: %s, first %s", again.Raw, joined.Raw)
	}
	type waiting struct{ Entries []APIEntry }
	own := func() APIEntry {
		t.Helper()
		entries := read[waiting](t, wang.want(200, "GET", list, "")).Entries
		if len(entries) != 1 {
			t.Fatalf("waiting: %+v", entries)
		}
		return entries[0]
	}
	if e := own(); e.Status != "waiting" || e.Booking != nil || e.Venue != "music" || e.Person != wang.id() {
		t.Errorf("waiting: %+v", e)
	}
	// The son sees what the mother waits for; strangers do not.
	if seen := read[waiting](t, li.want(200, "GET", list, "")).Entries; len(seen) != 1 {
		t.Errorf("the son sees %+v", seen)
	}
	zhao := s.api(t, "zhao-changshun")
	if seen := read[waiting](t, zhao.want(200, "GET", list, "")).Entries; len(seen) != 0 {
		t.Errorf("a stranger sees %+v", seen)
	}
	zhao.want(404, "DELETE", list+"/"+own().ID.String(), "")

	li.want(204, "DELETE", taken, "")
	e := own()
	if e.Status != "offered" || e.Booking == nil {
		t.Fatalf("offered: %+v", e)
	}
	hold := bookings + "/" + e.Booking.String()
	if b := wang.want(200, "GET", hold, "").Body; b.Status != "held" || b.DueAt == nil || b.DueAt.Sub(moment(t, monday)) != holdTime {
		t.Errorf("held: %+v", b.APIBooking)
	}
	zhao.want(409, "POST", bookings, order("music", 9, 10))
	for range 2 {
		if b := wang.want(200, "POST", hold+"/accept", "").Body; b.Status != "booked" {
			t.Errorf("accepted: %+v", b.APIBooking)
		}
	}
	zhao.want(404, "POST", bookings+"/"+uuid.NewString()+"/accept", "")

	// An offer that nobody accepts in time is over.
	late := zhao.want(201, "POST", list, order("music", 9, 10))
	wang.want(204, "DELETE", hold, "")
	offered := bookings + "/" + read[waiting](t, zhao.want(200, "GET", list, "")).Entries[0].Booking.String()
	s.clock.SetTime(moment(t, monday).Add(holdTime))
	zhao.refused(422, RuleHoldEnded, "POST", offered+"/accept", "")
	for range 2 {
		zhao.want(204, "DELETE", list+"/"+late.Body.ID.String(), "")
	}
	zhao.want(422, "DELETE", list+"/1", "")
	zhao.want(404, "DELETE", list+"/"+uuid.NewString(), "")
}

func TestAPISeries(t *testing.T) {
	s := complete(t)
	manager, li, zhao := s.api(t, "zhou-jianguo"), s.api(t, "li-qiang"), s.api(t, "zhao-changshun")
	for _, c := range []apiClient{li, zhao} {
		manager.want(204, "PUT", v1+"/staff/venues/gym/members/"+c.id(), "")
	}
	zhao.want(201, "POST", bookings, strings.ReplaceAll(order("gym", 9, 10), "11-23T", "12-07T"))

	type series struct {
		ID       uuid.UUID
		Weeks    []apiWeek
		Bookings []APIBooking
	}
	weekly := with(`"until":"2026-12-14"`, order("gym", 9, 10))
	dry := li.want(200, "POST", v1+"/series", with(`"dryRun":true`, weekly))
	tried := read[series](t, dry)
	if tried.ID != uuid.Nil || len(tried.Weeks) != 4 || !tried.Weeks[0].Free || tried.Weeks[0].Booking != nil || tried.Weeks[2].Free || tried.Weeks[2].Detail == "" {
		t.Errorf("tried: %s", dry.Raw)
	}
	if list := li.want(200, "GET", bookings, "").Body.Bookings; len(list) != 0 {
		t.Errorf("a dry run booked %+v", list)
	}
	refused := li.want(409, "POST", v1+"/series", with(`"conflicts":"Refuse"`, weekly))
	if p := read[Problem](t, refused); p.Rule != ruleSeriesConflict || len(p.Weeks) != 4 || p.Weeks[2].Free || p.Weeks[1].Booking != nil {
		t.Errorf("refused: %s", refused.Raw)
	}
	made := li.want(201, "POST", v1+"/series", weekly, "Idempotency-Key", "s-1")
	got := read[series](t, made)
	if len(got.Weeks) != 4 || got.Weeks[2].Booking != nil || got.Weeks[3].Booking == nil || made.Header.Get("Location") != v1+"/series/"+got.ID.String() {
		t.Errorf("made: %s", made.Raw)
	}
	if again := read[series](t, li.want(201, "POST", v1+"/series", weekly, "Idempotency-Key", "s-1")); again.ID != got.ID || len(again.Weeks) != 3 {
		t.Errorf("repeated: %+v", again)
	}
	li.refused(422, ruleKeyReused, "POST", v1+"/series", with(`"note":"x"`, weekly), "Idempotency-Key", "s-1")

	own := v1 + "/series/" + got.ID.String()
	if seen := read[series](t, li.want(200, "GET", own, "")); len(seen.Bookings) != 3 || seen.Bookings[0].Series == nil || *seen.Bookings[0].Series != got.ID {
		t.Errorf("series: %+v", seen)
	}
	zhao.want(404, "GET", own, "")
	zhao.want(404, "DELETE", own, "")
	li.want(404, "GET", v1+"/series/"+uuid.NewString(), "")
	li.want(422, "GET", v1+"/series/1", "")

	for _, c := range []struct {
		rule Rule
		body string
	}{
		{RuleUntil, with(`"until":"2026-11-22"`, order("gym", 9, 10))},
		{RuleUntil, with(`"until":"2027-11-30"`, order("gym", 9, 10))},
		{RuleUnknownVenue, with(`"until":"2026-12-14"`, order("pool", 9, 10))},
		{"", with(`"until":"2026-02-30"`, order("gym", 9, 10))},
		{"", with(`"until":"9999-12-31"`, order("gym", 9, 10))},
		{"", with(`"until":"2026-12-14","conflicts":"Overwrite"`, order("gym", 9, 10))},
		{"", `{"venue":"gym","start":"9999-12-31T23:00:00Z","end":"9999-12-31T23:30:00Z","until":"2026-12-14"}`},
		{"", order("gym", 9, 10)},
	} {
		if a := li.want(422, "POST", v1+"/series", c.body); a.Problem.Rule != string(c.rule) {
			t.Errorf("%s: %s, want rule %q", c.body, a.Raw, c.rule)
		}
	}
	// Nothing can be booked at all: every week says why.
	none := li.want(409, "POST", v1+"/series", with(`"until":"2026-11-30"`, order("gym", 19, 20)))
	if p := read[Problem](t, none); len(p.Weeks) != 2 || p.Weeks[1].Rule != string(RuleOutsideOpeningHours) {
		t.Errorf("no week: %s", none.Raw)
	}

	s.clock.SetTime(moment(t, "2026-11-23T09:30:00+08:00"))
	li = s.api(t, "li-qiang")
	type cancelled struct{ Cancelled []APIBooking }
	if c := read[cancelled](t, li.want(200, "DELETE", own, "")).Cancelled; len(c) != 2 || c[0].Status != "cancelled" || c[0].Start.Day() != 30 {
		t.Errorf("cancelled: %+v", c)
	}
	if c := read[cancelled](t, li.want(200, "DELETE", own, "")).Cancelled; len(c) != 0 {
		t.Errorf("cancelled again: %+v", c)
	}
}

func TestAPICalendarFeed(t *testing.T) {
	s := complete(t)
	li := s.api(t, "li-qiang")
	feed := v1 + "/calendar-feed"
	li.want(404, "GET", feed, "")
	first := read[apiFeed](t, li.want(200, "PUT", feed, ""))
	if !strings.HasPrefix(first.Address, "http://zhanqian.localhost:8080/booking/calendar/") || !strings.HasSuffix(first.Address, ".ics") || first.Language != "zh-CN" {
		t.Errorf("feed: %+v", first)
	}
	second := li.want(200, "PUT", feed+"?language=en", "")
	if f := read[apiFeed](t, second); f.Address == first.Address || f.Language != "en" || second.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a new feed: %+v, %v", f, second.Header)
	}
	if f := read[apiFeed](t, li.want(200, "GET", feed, "")); f.Address != "" || f.Language != "en" || !f.CreatedAt.Equal(moment(t, monday).Truncate(time.Second)) {
		t.Errorf("the address is told again: %+v", f)
	}
	s.api(t, "wang-guihua").want(404, "GET", feed, "")
	li.want(422, "PUT", feed+"?language=tlh", "")
	for range 2 {
		li.want(204, "DELETE", feed, "")
	}
	li.want(404, "GET", feed, "")
}

// TestAPIWantsPeople walks all operations that are somebody's own.
func TestAPIWantsPeople(t *testing.T) {
	s := complete(t)
	nobody := s.api(t, "")
	n := 0
	for _, op := range calls(t) {
		if len(op.Security) == 0 {
			continue
		}
		n++
		if a := nobody.want(http.StatusUnauthorized, op.method, op.path, "{}"); a.Header.Get("WWW-Authenticate") != "Bearer" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %v", op.method, op.path, a.Header)
		}
	}
	if n < 40 {
		t.Errorf("%d operations are somebody's own", n)
	}
}
