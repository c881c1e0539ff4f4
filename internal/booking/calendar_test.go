package booking

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// TestICalendar shows what is written; that others read it rightly is tested
// in test/calendar.
func TestICalendar(t *testing.T) {
	berlin := Calendar{
		Host: "zhanqian.example.cn", Name: "预约, 我的", Language: "zh-CN", Location: zone(t, "Europe/Berlin"),
		Events: []Event{{
			ID:    uuid.MustParse("019ab3c4-0000-7000-8000-000000000001"),
			Slot:  span(t, "2026-10-24T10:00:00Z", "2026-10-25T10:00:00Z"),
			Title: "自习室; a,b\\c\nd\x00", Sequence: 2,
			CreatedAt: moment(t, "2026-10-01T08:00:00Z"), UpdatedAt: moment(t, "2026-10-02T08:00:00Z"),
		}},
	}
	want := `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//linli.io//Linli booking//EN
METHOD:PUBLISH
NAME:预约\, 我的
X-WR-CALNAME:预约\, 我的
REFRESH-INTERVAL;VALUE=DURATION:PT1H
X-PUBLISHED-TTL:PT1H
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:20251023T120000
TZOFFSETFROM:+0200
TZOFFSETTO:+0200
TZNAME:CEST
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20251026T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20260329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20261025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:019ab3c4-0000-7000-8000-000000000001@zhanqian.example.cn
DTSTAMP:20261002T080000Z
CREATED:20261001T080000Z
LAST-MODIFIED:20261002T080000Z
SEQUENCE:2
DTSTART;TZID=Europe/Berlin:20261024T120000
DTEND;TZID=Europe/Berlin:20261025T110000
SUMMARY;LANGUAGE=zh-CN:自习室\; a\,b\\c\nd
STATUS:CONFIRMED
TRANSP:OPAQUE
CLASS:PRIVATE
END:VEVENT
END:VCALENDAR
`
	if got := berlin.ICalendar(); got != strings.ReplaceAll(want, "\n", "\r\n") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestICalendarTimes shows in which form start and end are written.
func TestICalendarTimes(t *testing.T) {
	for _, c := range []struct{ name, zone, start, end, wantStart, wantEnd string }{
		{"no summer time", "Asia/Shanghai", "2026-11-23T01:00:00Z", "2026-11-23T02:00:00Z", "DTSTART;TZID=Asia/Shanghai:20261123T090000", "DTEND;TZID=Asia/Shanghai:20261123T100000"},
		{"UTC", "UTC", "2026-11-23T01:00:00Z", "2026-11-23T02:00:00Z", "DTSTART:20261123T010000Z", "DTEND:20261123T020000Z"},
		{"clocks put forward within", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "DTSTART;TZID=Europe/Berlin:20260329T013000", "DTEND;TZID=Europe/Berlin:20260329T033000"},
		{"ends before the hour that comes twice", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-24T23:55:00Z", "DTSTART;TZID=Europe/Berlin:20261025T010000", "DTEND;TZID=Europe/Berlin:20261025T015500"},
		{"ends in it, the first time", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", "DTSTART:20261024T230000Z", "DTEND:20261025T000000Z"},
		{"begins in it, the second time", "Europe/Berlin", "2026-10-25T01:55:00Z", "2026-10-25T03:00:00Z", "DTSTART:20261025T015500Z", "DTEND:20261025T030000Z"},
		{"begins after it", "Europe/Berlin", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z", "DTSTART;TZID=Europe/Berlin:20261025T030000", "DTEND;TZID=Europe/Berlin:20261025T040000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := Calendar{Host: "h", Location: zone(t, c.zone), Events: []Event{{Slot: span(t, c.start, c.end)}}}.ICalendar()
			for _, want := range []string{c.wantStart, c.wantEnd} {
				if !strings.Contains(text, "\r\n"+want+"\r\n") {
					t.Errorf("no %s in\n%s", want, text)
				}
			}
			if written := strings.Contains(text, "BEGIN:VTIMEZONE"); written != (c.zone != "UTC") {
				t.Errorf("zone written: %v", written)
			}
		})
	}
}

// TestICalendarLines: lines have at most 75 octets and are folded between
// characters.
func TestICalendarLines(t *testing.T) {
	for extra := range 8 {
		text := Calendar{
			Host: "h", Name: strings.Repeat("a", extra) + strings.Repeat("社区", 60), Language: "zh-CN", Location: time.UTC,
			Events: []Event{{Slot: span(t, "2026-11-23T01:00:00Z", "2026-11-23T02:00:00Z"), Description: strings.Repeat("b", extra) + strings.Repeat("𠮷，", 60)}},
		}.ICalendar()
		for line := range strings.SplitSeq(text, "\r\n") {
			if len(line) > 75 || !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n") {
				t.Errorf("%d octets: %q", len(line), line)
			}
		}
	}
}

// TestOffsetChangesFarAhead goes over turns of the year for which there are
// only rules, no list of changes.
func TestOffsetChangesFarAhead(t *testing.T) {
	from := moment(t, "2048-06-01T00:00:00Z").In(zone(t, "Europe/Berlin"))
	var got []string
	for _, change := range offsetChanges(from, from.AddDate(1, 6, 0)) {
		got = append(got, change.UTC().Format(time.RFC3339))
	}
	if want := "2048-10-25T01:00:00Z 2049-03-28T01:00:00Z 2049-10-31T01:00:00Z"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
