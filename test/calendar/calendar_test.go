package calendar

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/linli-io/linli/internal/booking"
)

const host = "zhanqian.example.cn"

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func moment(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

// of is a calendar with the events.
func of(loc *time.Location, events ...booking.Event) booking.Calendar {
	return booking.Calendar{Host: host, Name: "站前社区：我的预约", Language: "zh-CN", Location: loc, Events: events}
}

// nameless gives the zone a name that no reader knows, so that it has to go by
// the rules that are written out in the calendar; another name each time,
// because readers keep what they learnt of a zone.
func nameless(text string, loc *time.Location) string {
	return strings.ReplaceAll(text, loc.String(), "Linli/"+strconv.FormatInt(names.Add(1), 10))
}

var names atomic.Int64

// TestTimesAcrossChangesOfOffset reads events of an hour right before, in and
// after changes of offset, by the zone's name and by the rules written out.
func TestTimesAcrossChangesOfOffset(t *testing.T) {
	cases := []struct{ zone, from, to string }{
		{"Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T06:00:00Z"},
		{"Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"},
		{"Europe/Berlin", "2026-07-01T06:00:00Z", "2026-07-01T09:00:00Z"},
		{"Europe/Berlin", "2028-12-30T06:00:00Z", "2029-01-02T09:00:00Z"},
		{"Europe/Berlin", "2026-03-01T06:00:00Z", "2028-01-01T06:00:00Z"},
		{"Europe/Dublin", "2026-10-24T22:00:00Z", "2026-10-25T06:00:00Z"},
		{"America/New_York", "2026-03-08T03:00:00Z", "2026-03-08T12:00:00Z"},
		{"America/New_York", "2026-11-01T03:00:00Z", "2026-11-01T12:00:00Z"},
		{"Australia/Lord_Howe", "2026-04-04T10:00:00Z", "2026-04-04T20:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-03T10:00:00Z", "2026-10-03T20:00:00Z"},
		{"Africa/Casablanca", "2027-02-06T20:00:00Z", "2027-02-07T06:00:00Z"},
		{"Asia/Shanghai", "2026-11-22T20:00:00Z", "2026-11-23T12:00:00Z"},
		{"Asia/Kathmandu", "2026-11-22T20:00:00Z", "2026-11-23T12:00:00Z"},
		{"Etc/UTC", "2026-11-22T20:00:00Z", "2026-11-23T12:00:00Z"},
		{"UTC", "2026-11-22T20:00:00Z", "2026-11-23T12:00:00Z"},
	}
	each(t, func(t *testing.T, r reader) {
		var texts []string
		var want [][]booking.Event
		for _, c := range cases {
			loc := zone(t, c.zone)
			first, last := moment(t, c.from), moment(t, c.to)
			step := 15 * time.Minute
			if last.Sub(first) > 10*24*time.Hour {
				step = 13*time.Hour + 15*time.Minute
			}
			var events []booking.Event
			for at := first; !at.After(last); at = at.Add(step) {
				events = append(events, booking.Event{
					ID: uuid.New(), Slot: booking.Slot{Start: at, End: at.Add(time.Hour)}, Title: "自习室", CreatedAt: first, UpdatedAt: first,
				})
			}
			text := of(loc, events...).ICalendar()
			texts = append(texts, text, nameless(text, loc))
			want = append(want, events, events)
		}
		for i, got := range r.read(t, texts...) {
			if len(got.Events) != len(want[i]) {
				t.Errorf("%+v: %d events of %d", cases[i/2], len(got.Events), len(want[i]))
				continue
			}
			for j, e := range got.Events {
				if w := want[i][j]; !e.Start.Equal(w.Start) || !e.End.Equal(w.End) {
					t.Errorf("%s: read %v to %v, written %v to %v", cases[i/2].zone, e.Start, e.End, w.Start, w.End)
					break
				}
			}
		}
	})
}

func TestEvent(t *testing.T) {
	loc := zone(t, "Asia/Shanghai")
	long := strings.Repeat("请在开始前十分钟到社区服务中心一楼，出示证件；过时不候。", 20)
	in := booking.Event{
		ID:          uuid.MustParse("019ab3c4-0000-7000-8000-000000000001"),
		Slot:        booking.Slot{Start: moment(t, "2026-11-23T01:00:00Z"), End: moment(t, "2026-11-23T02:00:00Z")},
		Title:       `阅览室, 二楼; "靠窗": 3 号`,
		Location:    "站前社区服务中心, 1-2; 北门",
		Description: "第一行\n第二行\r\n" + long + "\x00\x07",
		Tentative:   true,
		Sequence:    3,
		CreatedAt:   moment(t, "2026-11-20T03:04:05Z"),
		UpdatedAt:   moment(t, "2026-11-21T04:05:06Z"),
	}
	want := calendar{
		Name: "站前社区：我的预约", Method: "PUBLISH", Refresh: "PT1H",
		Events: []event{{
			UID: "019ab3c4-0000-7000-8000-000000000001@zhanqian.example.cn", Start: in.Start, End: in.End,
			Stamp: in.UpdatedAt, Created: in.CreatedAt, Modified: in.UpdatedAt,
			Status: "TENTATIVE", Transparency: "OPAQUE", Class: "PRIVATE", Sequence: 3,
			Summary: in.Title, Location: in.Location, Description: "第一行\n第二行\n" + long,
		}},
	}
	text := of(loc, in).ICalendar()
	each(t, func(t *testing.T, r reader) {
		got := r.read(t, text)[0]
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("read    %+v\nwritten %+v\n%s", got, want, text)
		}
	})
}

func TestNoEvents(t *testing.T) {
	each(t, func(t *testing.T, r reader) {
		for _, c := range r.read(t, of(zone(t, "Europe/Berlin")).ICalendar(), of(time.UTC).ICalendar()) {
			if c.Method != "PUBLISH" || len(c.Events) != 0 {
				t.Errorf("read %+v", c)
			}
		}
	})
}

// merge does what a calendar program does with a newer version of a feed: of
// each event it keeps the version with the highest sequence, and among equals
// that of the latest stamp (RFC 5546, 2.1.5).
func merge(had, got calendar) map[string]event {
	all := map[string]event{}
	for _, e := range append(slices.Clone(had.Events), got.Events...) {
		old, ok := all[e.UID]
		if !ok || cmp.Or(cmp.Compare(e.Sequence, old.Sequence), e.Stamp.Compare(old.Stamp)) > 0 {
			all[e.UID] = e
		}
	}
	return all
}

// TestUpdatesAndCancellations fetches a feed twice: in between one booking is
// moved to the other side of a change of offset, one is cancelled within the
// second in which it was made, one gets another title only, and one is approved.
func TestUpdatesAndCancellations(t *testing.T) {
	loc := zone(t, "Europe/Berlin")
	made, changed := moment(t, "2026-10-20T08:00:00Z"), moment(t, "2026-10-22T08:00:00Z")
	at := func(start string) booking.Slot {
		return booking.Slot{Start: moment(t, start), End: moment(t, start).Add(time.Hour)}
	}
	moved := booking.Event{ID: uuid.New(), Slot: at("2026-10-24T08:00:00Z"), Title: "moved", CreatedAt: made, UpdatedAt: made}
	cancelled := booking.Event{ID: uuid.New(), Slot: at("2026-10-25T09:00:00Z"), Title: "cancelled", CreatedAt: made, UpdatedAt: made}
	renamed := booking.Event{ID: uuid.New(), Slot: at("2026-10-26T09:00:00Z"), Title: "old name", CreatedAt: made, UpdatedAt: made}
	approved := booking.Event{ID: uuid.New(), Slot: at("2026-10-27T09:00:00Z"), Title: "approved", Tentative: true, CreatedAt: made, UpdatedAt: made}
	left := booking.Event{ID: uuid.New(), Slot: at("2026-10-28T09:00:00Z"), Title: "left alone", CreatedAt: made, UpdatedAt: made}
	first := of(loc, moved, cancelled, renamed, approved, left).ICalendar()

	moved.Slot, moved.Sequence, moved.UpdatedAt = at("2026-10-26T08:00:00Z"), 1, changed
	cancelled.Cancelled, cancelled.Sequence = true, 1
	renamed.Title, renamed.UpdatedAt = "new name", changed
	approved.Tentative, approved.Sequence, approved.UpdatedAt = false, 1, changed
	second := of(loc, left, approved, renamed, cancelled, moved).ICalendar()

	each(t, func(t *testing.T, r reader) {
		read := r.read(t, first, second)
		// A feed that arrives late, out of a cache, changes nothing back.
		for _, all := range []map[string]event{merge(read[0], read[1]), merge(read[1], read[0])} {
			if len(all) != 5 {
				t.Errorf("%d events", len(all))
			}
			for _, c := range []struct {
				is                          booking.Event
				summary, status, start, end string
				transparency                string
			}{
				{moved, "moved", "CONFIRMED", "2026-10-26T08:00:00Z", "2026-10-26T09:00:00Z", "OPAQUE"},
				{cancelled, "cancelled", "CANCELLED", "2026-10-25T09:00:00Z", "2026-10-25T10:00:00Z", "TRANSPARENT"},
				{renamed, "new name", "CONFIRMED", "2026-10-26T09:00:00Z", "2026-10-26T10:00:00Z", "OPAQUE"},
				{approved, "approved", "CONFIRMED", "2026-10-27T09:00:00Z", "2026-10-27T10:00:00Z", "OPAQUE"},
				{left, "left alone", "CONFIRMED", "2026-10-28T09:00:00Z", "2026-10-28T10:00:00Z", "OPAQUE"},
			} {
				got := all[c.is.ID.String()+"@"+host]
				if got.Summary != c.summary || got.Status != c.status || got.Transparency != c.transparency ||
					!got.Start.Equal(moment(t, c.start)) || !got.End.Equal(moment(t, c.end)) {
					t.Errorf("%s: %+v", c.summary, got)
				}
			}
		}
	})
}

// TestRandomEvents: whatever is written is read again by every reader.
func TestRandomEvents(t *testing.T) {
	zones := []string{"Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "UTC"}
	from := moment(t, "2025-01-01T00:00:00Z")
	text := rapid.StringOf(rapid.OneOf(
		rapid.SampledFrom([]rune{'\n', ',', ';', ':', '"', '\'', ' ', '\t', '<', '>', '=', '^', '%', '{', '\\', 'n', 'N'}),
		rapid.SampledFrom([]rune("自习室预约，；“靠窗”𠮷😀é́\u200d")),
		rapid.Rune().Filter(func(r rune) bool { return r >= ' ' && (r < 0x7f || r > 0x9f) && r != '\u2028' && r != '\u2029' }),
	))
	events := rapid.Custom(func(t *rapid.T) booking.Event {
		start := from.Add(time.Duration(rapid.IntRange(0, 3*365*24*12).Draw(t, "start")) * 5 * time.Minute)
		length := time.Duration(rapid.IntRange(1, 24*12).Draw(t, "length")) * 5 * time.Minute
		return booking.Event{
			ID:        uuid.New(),
			Slot:      booking.Slot{Start: start, End: start.Add(length)},
			Title:     "x" + text.Draw(t, "title") + "x",
			Location:  text.Draw(t, "location"),
			Cancelled: rapid.Bool().Draw(t, "cancelled"),
			Tentative: rapid.Bool().Draw(t, "tentative"),
			Sequence:  rapid.IntRange(0, 1000).Draw(t, "sequence"),
			CreatedAt: from, UpdatedAt: from,
		}
	})
	seed := rand.Int()
	t.Logf("seed %d", seed)
	var texts []string
	var want [][]booking.Event
	for i, name := range zones {
		loc := zone(t, name)
		list := rapid.SliceOfN(events, 150, 150).Example(seed + i)
		written := of(loc, list...).ICalendar()
		texts = append(texts, written, nameless(written, loc))
		want = append(want, list, list)
	}
	each(t, func(t *testing.T, r reader) {
		for i, c := range r.read(t, texts...) {
			for j, got := range c.Events {
				w := want[i][j]
				status := "CONFIRMED"
				switch {
				case w.Cancelled:
					status = "CANCELLED"
				case w.Tentative:
					status = "TENTATIVE"
				}
				same := got.UID == w.ID.String()+"@"+host && got.Start.Equal(w.Start) && got.End.Equal(w.End) && got.Status == status && got.Sequence == w.Sequence
				if r.backslashes || !strings.Contains(w.Title+w.Location, `\`) {
					same = same && got.Summary == w.Title && got.Location == w.Location
				}
				if !same {
					t.Fatalf("%s:\nread    %+q\nwritten %+q", zones[i/2], fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", w))
				}
			}
			if len(c.Events) != len(want[i]) {
				t.Errorf("%s: %d events of %d", zones[i/2], len(c.Events), len(want[i]))
			}
		}
	})
}
