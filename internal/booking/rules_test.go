package booking

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
)

// wantRule checks by which rule something was refused; "" is not at all.
func wantRule(t testing.TB, got *Refusal, want Rule) {
	t.Helper()
	switch {
	case got == nil && want != "":
		t.Errorf("allowed, want refusal by %s", want)
	case got != nil && got.Rule != want:
		t.Errorf("refused by %s (%s), want %q", got.Rule, got, want)
	case got != nil && got.Text == "":
		t.Errorf("the refusal by %s says nothing", got.Rule)
	}
}

func TestCheckNotice(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	for name, c := range map[string]struct {
		now    string
		notice int32
		asker  Asker
		needs  v1alpha1.Approval
		want   Rule
	}{
		"in time":                         {now: "2026-11-23T08:00:00+08:00", notice: 120},
		"a second late":                   {now: "2026-11-23T08:00:01+08:00", notice: 120, want: RuleTooLate},
		"without notice":                  {now: "2026-11-23T09:59:59+08:00"},
		"begun":                           {now: "2026-11-23T10:00:00+08:00", want: RuleInThePast},
		"late, by staff":                  {now: "2026-11-23T09:59:00+08:00", notice: 120, asker: Asker{Staff: true}},
		"late, at the door":               {now: "2026-11-23T09:59:00+08:00", notice: 120, asker: Asker{Present: true}},
		"running, by staff":               {now: "2026-11-23T10:59:59+08:00", notice: 120, asker: Asker{Staff: true}},
		"running, at the door":            {now: "2026-11-23T10:59:59+08:00", notice: 120, asker: Asker{Present: true}},
		"over, by staff":                  {now: "2026-11-23T11:00:00+08:00", asker: Asker{Staff: true}, want: RuleInThePast},
		"over, at the door":               {now: "2026-11-23T11:00:00+08:00", asker: Asker{Present: true}, want: RuleInThePast},
		"running, nobody can approve it":  {now: "2026-11-23T10:01:00+08:00", asker: Asker{Present: true}, needs: v1alpha1.ApprovalStaff, want: RuleInThePast},
		"running, staff need no approval": {now: "2026-11-23T10:01:00+08:00", asker: Asker{Staff: true}, needs: v1alpha1.ApprovalStaff},
	} {
		t.Run(name, func(t *testing.T) {
			in := studyRoom()
			in.MinNoticeMinutes, in.Approval = c.notice, c.needs
			r := Request{Slot: span(t, "2026-11-23T10:00:00+08:00", "2026-11-23T11:00:00+08:00")}
			got := Check(parsed(t, in), r, c.asker, moment(t, c.now), shanghai)
			wantRule(t, got, c.want)
			if c.want == RuleTooLate && got != nil && got.Count != 120 {
				t.Errorf("the refusal counts %d minutes", got.Count)
			}
		})
	}
}

func TestCheckWindow(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	v := parsed(t, studyRoom()) // seven days
	now := moment(t, monday)
	last := Request{Slot: span(t, "2026-11-30T08:00:00+08:00", "2026-11-30T09:00:00+08:00")}
	beyond := Request{Slot: span(t, "2026-12-01T08:00:00+08:00", "2026-12-01T09:00:00+08:00")}
	closed := Request{Slot: span(t, "2026-11-25T08:00:00+08:00", "2026-11-25T09:00:00+08:00")}
	wantRule(t, Check(v, last, Asker{}, now, shanghai), "")
	wantRule(t, Check(v, beyond, Asker{}, now, shanghai), RuleOutsideWindow)
	wantRule(t, Check(v, beyond, Asker{Present: true}, now, shanghai), RuleOutsideWindow)
	wantRule(t, Check(v, beyond, Asker{Staff: true}, now, shanghai), "")
	// The staff book further ahead, not on days that are closed.
	wantRule(t, Check(v, closed, Asker{Staff: true}, now, shanghai), RuleClosedDay)
	v.retired = true
	wantRule(t, Check(v, last, Asker{Staff: true}, now, shanghai), RuleUnknownVenue)
}

func TestCheckPerson(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	for name, c := range map[string]struct {
		min, max int32
		members  bool
		asker    Asker
		want     Rule
	}{
		"no limits, age unknown":           {},
		"16 on the very day":               {min: 16, asker: Asker{BornOn: Date{Year: 2010, Month: 11, Day: 24}}},
		"16 a day later":                   {min: 16, asker: Asker{BornOn: Date{Year: 2010, Month: 11, Day: 25}}, want: RuleTooYoung},
		"60, the last day":                 {max: 60, asker: Asker{BornOn: Date{Year: 1965, Month: 11, Day: 25}}},
		"61 on that day":                   {max: 60, asker: Asker{BornOn: Date{Year: 1965, Month: 11, Day: 24}}, want: RuleTooOld},
		"between":                          {min: 6, max: 12, asker: Asker{BornOn: Date{Year: 2018, Month: 2, Day: 28}}},
		"age unknown":                      {min: 6, want: RuleAgeUnknown},
		"age unknown, only a highest":      {max: 60, want: RuleAgeUnknown},
		"staff judge ages themselves":      {min: 6, max: 12, asker: Asker{BornOn: Date{Year: 1950, Month: 1, Day: 1}, Staff: true}},
		"at the door ages hold":            {min: 60, asker: Asker{BornOn: Date{Year: 2018, Month: 2, Day: 28}, Present: true}, want: RuleTooYoung},
		"a member":                         {members: true, asker: Asker{Member: true}},
		"not a member":                     {members: true, want: RuleMembersOnly},
		"not a member, by staff":           {members: true, asker: Asker{Staff: true}},
		"a member who is too young":        {members: true, min: 60, asker: Asker{Member: true, BornOn: Date{Year: 2018, Month: 2, Day: 28}}, want: RuleTooYoung},
		"of age and not a member":          {members: true, min: 6, asker: Asker{BornOn: Date{Year: 2018, Month: 2, Day: 28}}, want: RuleMembersOnly},
		"born on 29 February, 18 tomorrow": {min: 19, asker: Asker{BornOn: Date{Year: 2008, Month: 2, Day: 29}}, want: RuleTooYoung},
	} {
		t.Run(name, func(t *testing.T) {
			in := studyRoom()
			in.MinAge, in.MaxAge = c.min, c.max
			if c.members {
				in.Access = v1alpha1.AccessMembers
			}
			r := Request{Slot: span(t, "2026-11-24T10:00:00+08:00", "2026-11-24T11:00:00+08:00")}
			wantRule(t, Check(parsed(t, in), r, c.asker, moment(t, monday), shanghai), c.want)
		})
	}
}

// doctors is a clinic with Wang, who is there in the mornings and on Monday
// afternoon from two to four, and Li, who is always there.
func doctors() v1alpha1.Venue {
	v := clinic()
	v.Attendants = []v1alpha1.Attendant{
		{Name: "wang", DisplayName: "王医生", Hours: []v1alpha1.OpeningHours{
			{Days: everyDay[:5], From: "08:00", To: "10:00"}, {Days: everyDay[:5], From: "10:00", To: "12:00"},
			{Days: everyDay[:1], From: "14:00", To: "16:00"},
		}},
		{Name: "li", DisplayName: "李医生"},
	}
	return v
}

func TestPlacesAt(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	clinic, study := parsed(t, doctors()), parsed(t, studyRoom())
	half := span(t, "2026-11-24T10:30:00+08:00", "2026-11-24T10:45:00+08:00")
	for name, c := range map[string]struct {
		venue      Venue
		closures   []Closure
		place      int
		start, end string
		free       []int
		want       Rule
	}{
		"both doctors":                   {clinic, nil, 0, "2026-11-24T08:00:00+08:00", "2026-11-24T09:00:00+08:00", []int{1, 2}, ""},
		"hours that meet are one":        {clinic, nil, 1, "2026-11-24T09:00:00+08:00", "2026-11-24T11:00:00+08:00", []int{1, 2}, ""},
		"one in the afternoon":           {clinic, nil, 0, "2026-11-24T14:00:00+08:00", "2026-11-24T15:00:00+08:00", []int{2}, ""},
		"the one who is away":            {clinic, nil, 1, "2026-11-24T14:00:00+08:00", "2026-11-24T15:00:00+08:00", []int{2}, RuleAttendantAway},
		"comes too late":                 {clinic, nil, 1, "2026-11-23T13:00:00+08:00", "2026-11-23T15:00:00+08:00", []int{2}, RuleAttendantAway},
		"leaves too early":               {clinic, nil, 1, "2026-11-23T15:00:00+08:00", "2026-11-23T17:00:00+08:00", []int{2}, RuleAttendantAway},
		"there on Monday afternoon":      {clinic, nil, 1, "2026-11-23T14:00:00+08:00", "2026-11-23T16:00:00+08:00", []int{1, 2}, ""},
		"a doctor who is not there":      {clinic, nil, 3, "2026-11-24T08:00:00+08:00", "2026-11-24T09:00:00+08:00", []int{1, 2}, RuleUnknownPlace},
		"the venue closed for a quarter": {study, []Closure{{Slot: half}}, 0, "2026-11-24T10:00:00+08:00", "2026-11-24T11:00:00+08:00", nil, RuleClosure},
		"before the closure":             {study, []Closure{{Slot: half}}, 0, "2026-11-24T09:00:00+08:00", "2026-11-24T10:00:00+08:00", []int{1, 2, 3}, ""},
		"after the closure":              {study, []Closure{{Slot: half}}, 0, "2026-11-24T11:00:00+08:00", "2026-11-24T12:00:00+08:00", []int{1, 2, 3}, ""},
		"over the closure":               {study, []Closure{{Slot: half}}, 0, "2026-11-24T09:00:00+08:00", "2026-11-24T12:00:00+08:00", nil, RuleClosure},
		"one place closed":               {study, []Closure{{Slot: half, Place: 2}}, 0, "2026-11-24T10:00:00+08:00", "2026-11-24T11:00:00+08:00", []int{1, 3}, ""},
		"the place that is closed":       {study, []Closure{{Slot: half, Place: 2}}, 2, "2026-11-24T10:00:00+08:00", "2026-11-24T11:00:00+08:00", []int{1, 3}, RuleClosure},
		"beside the place that is":       {study, []Closure{{Slot: half, Place: 2}}, 3, "2026-11-24T10:00:00+08:00", "2026-11-24T11:00:00+08:00", []int{1, 3}, ""},
		"one closed, the other away":     {clinic, []Closure{{Slot: span(t, "2026-11-24T14:00:00+08:00", "2026-11-24T18:00:00+08:00"), Place: 2}}, 0, "2026-11-24T14:00:00+08:00", "2026-11-24T15:00:00+08:00", nil, RuleClosure},
	} {
		t.Run(name, func(t *testing.T) {
			v := c.venue
			v.Closures = c.closures
			for i := range v.Closures {
				v.Closures[i].Reason = "停水"
			}
			s := span(t, c.start, c.end)
			if got := v.PlacesAt(s, shanghai); !slices.Equal(got, c.free) {
				t.Errorf("places %v, want %v", got, c.free)
			}
			got := Check(v, Request{Slot: s, Place: c.place}, Asker{}, moment(t, monday), shanghai)
			wantRule(t, got, c.want)
			if c.want == RuleClosure && got != nil && got.Detail != "停水" {
				t.Errorf("the refusal gives the reason %q", got.Detail)
			}
		})
	}
}

func TestAttendantsKeepTheirNumbers(t *testing.T) {
	v := parsed(t, doctors())
	v.Attendants = v.Attendants[1:] // Wang has left
	if v.hasPlace(1) || !v.hasPlace(2) || v.Capacity() != 1 {
		t.Errorf("place 1 %v, place 2 %v, capacity %d", v.hasPlace(1), v.hasPlace(2), v.Capacity())
	}
	if a, ok := v.AttendantAt(2); !ok || a.Name != "li" {
		t.Errorf("at place 2: %+v, %v", a, ok)
	}
	if _, ok := v.AttendantAt(1); ok {
		t.Error("somebody serves at place 1")
	}
}

func TestBuffer(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	in := musicRoom()
	in.BufferMinutes = 30
	v := parsed(t, in)
	nine := span(t, "2026-11-23T09:00:00+08:00", "2026-11-23T10:00:00+08:00")
	if busy := v.Busy(nine); !busy.Start.Equal(nine.Start) || busy.End.Sub(nine.End) != 30*time.Minute {
		t.Errorf("busy from %s to %s", busy.Start, busy.End)
	}
	// A booking from nine to ten is in the way of the slot after it, by its own
	// buffer, and of the slot before it, by that slot's.
	day := DayOf(v, Date{Year: 2026, Month: 11, Day: 23}, moment(t, monday), shanghai, []Taken{{Place: 1, Slot: v.Busy(nine)}})
	var got []string
	for _, o := range day.Offers[:4] {
		got = append(got, o.Start.Format("15")+string(o.State[:2]))
	}
	if want := "08fu 09fu 10fu 11fr"; strings.Join(got, " ") != want {
		t.Errorf("offers %v, want %s", got, want)
	}
}

func TestDayOfClosedAndLate(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	in := doctors()
	in.MinNoticeMinutes = 60
	v := parsed(t, in)
	v.Closures = []Closure{
		{Slot: span(t, "2026-11-23T10:00:00+08:00", "2026-11-23T12:00:00+08:00"), Place: 1},
		{Slot: span(t, "2026-11-23T15:00:00+08:00", "2026-11-23T17:00:00+08:00")},
	}
	day := DayOf(v, Date{Year: 2026, Month: 11, Day: 23}, moment(t, monday), shanghai, nil)
	var got []string
	for _, o := range day.Offers {
		got = append(got, o.Start.Format("15")+string(o.State[:2])+string(rune('0'+o.Free)))
	}
	if want := "08pa2 09fr2 10fr1 11fr1 13fr1 14fr2 15cl0 16cl0 17fr1"; strings.Join(got, " ") != want {
		t.Errorf("offers %v, want %s", got, want)
	}
	// From one o'clock on Li has two hours, then the clinic is closed.
	if choices := day.Choices(moment(t, "2026-11-23T13:00:00+08:00")); len(choices) != 2 || !slices.Equal(choices[1].Free, []int{2}) {
		t.Errorf("choices from 13:00: %+v", choices)
	}
}

func TestCheckCancel(t *testing.T) {
	for name, c := range map[string]struct {
		now    string
		notice int32
		state  State
		staff  bool
		want   Rule
	}{
		"before":                    {now: "2026-11-23T09:59:59+08:00"},
		"begun":                     {now: "2026-11-23T10:00:00+08:00", want: RuleAlreadyBegun},
		"in time":                   {now: "2026-11-23T08:00:00+08:00", notice: 120},
		"a second late":             {now: "2026-11-23T08:00:01+08:00", notice: 120, want: RuleCancelNotice},
		"late, by staff":            {now: "2026-11-23T08:00:01+08:00", notice: 120, staff: true},
		"running, by staff":         {now: "2026-11-23T10:59:59+08:00", staff: true},
		"over, by staff":            {now: "2026-11-23T11:00:00+08:00", staff: true, want: RuleAlreadyOver},
		"an offer, at the last":     {now: "2026-11-23T09:59:59+08:00", notice: 120, state: StateHeld},
		"a request, too late":       {now: "2026-11-23T09:59:59+08:00", notice: 120, state: StateRequested, want: RuleCancelNotice},
		"a request, begun":          {now: "2026-11-23T10:00:00+08:00", state: StateRequested, want: RuleAlreadyBegun},
		"without notice, by nobody": {now: "2026-11-22T10:00:00+08:00"},
	} {
		t.Run(name, func(t *testing.T) {
			in := studyRoom()
			in.CancelNoticeMinutes = c.notice
			b := Booking{Slot: span(t, "2026-11-23T10:00:00+08:00", "2026-11-23T11:00:00+08:00"), State: StateBooked}
			if c.state != "" {
				b.State = c.state
			}
			wantRule(t, CheckCancel(parsed(t, in), b, c.staff, moment(t, c.now)), c.want)
		})
	}
}

func TestCheckCheckIn(t *testing.T) {
	for name, c := range map[string]struct {
		now   string
		state State
		staff bool
		want  Rule
	}{
		"a quarter before":         {now: "2026-11-23T09:45:00+08:00", state: StateBooked},
		"earlier":                  {now: "2026-11-23T09:44:59+08:00", state: StateBooked, want: RuleTooEarly},
		"earlier, by staff":        {now: "2026-11-23T08:00:00+08:00", state: StateBooked, staff: true},
		"at the last moment":       {now: "2026-11-23T10:59:59+08:00", state: StateBooked},
		"over":                     {now: "2026-11-23T11:00:00+08:00", state: StateBooked, want: RuleAlreadyOver},
		"over, by staff":           {now: "2026-11-23T11:00:00+08:00", state: StateBooked, staff: true, want: RuleAlreadyOver},
		"released":                 {now: "2026-11-23T10:20:00+08:00", state: StateReleased, want: RuleReleased},
		"released, by staff":       {now: "2026-11-23T10:20:00+08:00", state: StateReleased, staff: true, want: RuleReleased},
		"cancelled":                {now: "2026-11-23T10:00:00+08:00", state: StateCancelled, want: RuleNotLive},
		"not approved":             {now: "2026-11-23T10:00:00+08:00", state: StateRequested, want: RuleNotLive},
		"not accepted":             {now: "2026-11-23T10:00:00+08:00", state: StateHeld, want: RuleNotLive},
		"not approved, by staff":   {now: "2026-11-23T10:00:00+08:00", state: StateRequested, staff: true, want: RuleNotLive},
		"expired while it waited":  {now: "2026-11-23T10:00:00+08:00", state: StateExpired, want: RuleNotLive},
		"refused, and came anyway": {now: "2026-11-23T10:00:00+08:00", state: StateRefused, want: RuleNotLive},
	} {
		t.Run(name, func(t *testing.T) {
			b := Booking{Slot: span(t, "2026-11-23T10:00:00+08:00", "2026-11-23T11:00:00+08:00"), State: c.state}
			wantRule(t, CheckCheckIn(b, c.staff, moment(t, c.now)), c.want)
		})
	}
}

func TestCheckAccept(t *testing.T) {
	due := moment(t, "2026-11-23T09:00:00+08:00")
	for _, c := range []struct {
		state State
		now   time.Time
		want  Rule
	}{
		{StateHeld, due.Add(-time.Second), ""},
		{StateHeld, due, RuleHoldEnded},
		{StateExpired, due.Add(-time.Second), RuleHoldEnded},
		{StateCancelled, due.Add(-time.Second), RuleHoldEnded},
	} {
		wantRule(t, CheckAccept(Booking{State: c.state, DueAt: due}, c.now), c.want)
	}
}

func TestStates(t *testing.T) {
	for state, live := range map[State]bool{
		StateRequested: true, StateHeld: true, StateBooked: true,
		StateCancelled: false, StateRefused: false, StateExpired: false, StateReleased: false,
	} {
		if state.Live() != live {
			t.Errorf("%s is live: %v", state, state.Live())
		}
	}
	for _, c := range []struct {
		approval v1alpha1.Approval
		staff    bool
		want     State
	}{
		{v1alpha1.ApprovalAutomatic, false, StateBooked}, {v1alpha1.ApprovalAutomatic, true, StateBooked},
		{v1alpha1.ApprovalStaff, false, StateRequested}, {v1alpha1.ApprovalStaff, true, StateBooked}, {"", false, StateBooked},
	} {
		in := studyRoom()
		in.Approval = c.approval
		if got := parsed(t, in).stateOf(c.staff); got != c.want {
			t.Errorf("approval %q, staff %v: %s, want %s", c.approval, c.staff, got, c.want)
		}
	}
}

func TestDueAt(t *testing.T) {
	for name, c := range map[string]struct {
		state   State
		now     string
		noShow  int32
		checked bool
		want    string
	}{
		"a request ends at the start":        {state: StateRequested, now: "08:00", noShow: 15, want: "10:00"},
		"an offer ends after half an hour":   {state: StateHeld, now: "08:00", noShow: 15, want: "08:30"},
		"an offer ends at the start":         {state: StateHeld, now: "09:45", want: "10:00"},
		"nobody needs to check in":           {state: StateBooked, now: "08:00"},
		"a no-show":                          {state: StateBooked, now: "08:00", noShow: 15, want: "10:15"},
		"who has checked in stays":           {state: StateBooked, now: "09:55", noShow: 15, checked: true},
		"not after the end":                  {state: StateBooked, now: "08:00", noShow: 90, want: "11:00"},
		"the rest of a slot, as long":        {state: StateBooked, now: "10:20", noShow: 15, want: "10:35"},
		"the rest of a slot, not longer":     {state: StateBooked, now: "10:50", noShow: 15, want: "11:00"},
		"what is over waits for nothing":     {state: StateCancelled, now: "08:00", noShow: 15},
		"what was released waits no further": {state: StateReleased, now: "10:15", noShow: 15},
	} {
		t.Run(name, func(t *testing.T) {
			clock := func(s string) time.Time { return moment(t, "2026-11-23T"+s+":00+08:00") }
			in := studyRoom()
			in.NoShowMinutes = c.noShow
			b := Booking{Slot: Slot{clock("10:00"), clock("11:00")}, State: c.state}
			if c.checked {
				b.CheckedInAt = clock(c.now)
			}
			want := time.Time{}
			if c.want != "" {
				want = clock(c.want)
			}
			if got := parsed(t, in).dueAt(b, clock(c.now)); !got.Equal(want) {
				t.Errorf("due at %s, want %s", got, want)
			}
		})
	}
}

func TestOccurrences(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for name, c := range map[string]struct {
		start, end, until string
		want              string
		rule              Rule
	}{
		"three weeks":                       {"2026-11-23T10:00:00+01:00", "2026-11-23T11:00:00+01:00", "2026-12-07", "11-23T10:00+01:00 11-30T10:00+01:00 12-07T10:00+01:00", ""},
		"until the day before the last":     {"2026-11-23T10:00:00+01:00", "2026-11-23T11:00:00+01:00", "2026-12-06", "11-23T10:00+01:00 11-30T10:00+01:00", ""},
		"one day only":                      {"2026-11-23T10:00:00+01:00", "2026-11-23T11:00:00+01:00", "2026-11-23", "11-23T10:00+01:00", ""},
		"into winter time, the same clock":  {"2026-10-20T10:00:00+02:00", "2026-10-20T11:00:00+02:00", "2026-10-28", "10-20T10:00+02:00 10-27T10:00+01:00", ""},
		"into summer time, asked in UTC":    {"2026-03-25T09:00:00Z", "2026-03-25T10:00:00Z", "2026-04-01", "03-25T10:00+01:00 04-01T10:00+02:00", ""},
		"the hour that comes twice, once":   {"2026-10-18T02:30:00+02:00", "2026-10-18T03:00:00+02:00", "2026-10-25", "10-18T02:30+02:00 10-25T02:30+02:00", ""},
		"the day in the community's zone":   {"2026-11-22T23:30:00Z", "2026-11-22T23:45:00Z", "2026-11-29", "11-23T00:30+01:00", ""},
		"before it begins":                  {"2026-11-23T10:00:00+01:00", "2026-11-23T11:00:00+01:00", "2026-11-22", "", RuleUntil},
		"more than a year":                  {"2026-11-23T10:00:00+01:00", "2026-11-23T11:00:00+01:00", "2027-11-29", "", RuleUntil},
		"a week that clocks skip is empty ": {"2026-03-22T02:00:00+01:00", "2026-03-22T03:00:00+01:00", "2026-04-05", "03-22T02:00+01:00 empty 04-05T02:00+02:00", ""},
	} {
		t.Run(name, func(t *testing.T) {
			first := span(t, c.start, c.end)
			slots, err := Occurrences(first, date(t, c.until), berlin)
			if c.rule != "" {
				wantRefusal(t, err, c.rule)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range slots {
				switch s.End.Sub(s.Start) {
				case 0:
					got = append(got, "empty")
				case first.End.Sub(first.Start):
					got = append(got, s.Start.Format("01-02T15:04Z07:00"))
				default:
					t.Errorf("%s to %s", s.Start, s.End)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("occurrences %v, want %s", got, c.want)
			}
		})
	}
	if slots, err := Occurrences(span(t, "2026-11-23T10:00:00+01:00", "2026-11-23T11:00:00+01:00"), date(t, "2027-11-28"), berlin); err != nil || len(slots) != maxOccurrences {
		t.Errorf("a year: %d occurrences, %v", len(slots), err)
	}
}

func TestParseVenueNewFields(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*v1alpha1.Venue)
		want   string
	}{
		"notice":              {func(v *v1alpha1.Venue) { v.MinNoticeMinutes = -1 }, "minNoticeMinutes: is -1"},
		"notice to cancel":    {func(v *v1alpha1.Venue) { v.CancelNoticeMinutes = -1 }, "cancelNoticeMinutes: is -1"},
		"no-show":             {func(v *v1alpha1.Venue) { v.NoShowMinutes = -5 }, "noShowMinutes: is -5"},
		"weekly limit":        {func(v *v1alpha1.Venue) { v.MaxPerResidentPerWeek = -1 }, "maxPerResidentPerWeek: is -1"},
		"odd buffer":          {func(v *v1alpha1.Venue) { v.BufferMinutes = 7 }, "bufferMinutes: is 7"},
		"long buffer":         {func(v *v1alpha1.Venue) { v.BufferMinutes = 245 }, "bufferMinutes: is 245"},
		"too many seats":      {func(v *v1alpha1.Venue) { v.Kind, v.Seats, v.Attendants = v1alpha1.VenueSeats, 501, nil }, "seats: is 501"},
		"a long window":       {func(v *v1alpha1.Venue) { v.BookingWindowDays = 367 }, "bookingWindowDays: is 367"},
		"ages":                {func(v *v1alpha1.Venue) { v.MinAge, v.MaxAge = 60, 12 }, "maxAge: is 12, which is below minAge"},
		"attendants of rooms": {func(v *v1alpha1.Venue) { v.Kind = v1alpha1.VenueRoom }, "attendants: only a venue of kind Attended"},
		"same attendant":      {func(v *v1alpha1.Venue) { v.Attendants[1].Name = "wang" }, `attendants[1].name: "wang" is empty or used twice`},
		"nameless attendant":  {func(v *v1alpha1.Venue) { v.Attendants[1].Name = "" }, `attendants[1].name: "" is empty`},
		"hours of attendants": {func(v *v1alpha1.Venue) { v.Attendants[0].Hours[1].From = "09:00" }, "attendants[0].hours[1]: 09:00-12:00 overlaps"},
	} {
		t.Run(name, func(t *testing.T) {
			in := doctors()
			c.change(&in)
			if _, err := ParseVenue(in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func date(t testing.TB, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
