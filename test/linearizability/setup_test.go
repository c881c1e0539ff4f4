package linearizability

import (
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Days are counted from the one on which the fight begins. Venues are open for
// slotsPerDay slots of an hour; the fight is about the days of fightDays, of
// which the first two are a week apart, so that series meet everybody else.
// Midnight may pass meanwhile.
const (
	timeZone    = "Asia/Shanghai"
	firstHour   = 8
	slotsPerDay = 8
	maxPlaces   = 3
	maxSpan     = 3 // slots of one booking
	slotMinutes = 60
	// runningMinutes is how long a slot at the door is: long, so that it seldom
	// ends while the fight is on.
	runningMinutes = 8 * 60
	// noShowMinutes is for venues where people check in.
	noShowMinutes = 15
	doorName      = "door"
	// deskAccount is the demo person at the front desk.
	deskAccount = "sun-li"
)

var fightDays = []int{2, 9, 3}

// arena is a venue that the clients fight for, and the rules of its table.
type arena struct {
	spec v1alpha1.Venue
	tableKey
}

// arenas have few places, so that most requests meet somebody else's.
var arenas = []arena{
	seats("study", 3, tableKey{}),
	room("hall", tableKey{}),
	seats("lab", 2, tableKey{approval: true}),
	room("studio", tableKey{approval: true}),
	attended("clinic", tableKey{closing: true}),
	attended("hairdresser", tableKey{closing: true}),
	seats("gym", 3, tableKey{closing: true, moving: true}),
	seats("courts", 2, tableKey{closing: true, moving: true}),
	door(),
}

func seats(name string, n int32, key tableKey) arena {
	v := venue(name, v1alpha1.VenueSeats)
	v.Seats, v.NoShowMinutes, key.places = n, noShowMinutes, int(n)
	return arena{v, named(name, key)}
}

// room is a venue of one place, which is left empty for a while between two.
func room(name string, key tableKey) arena {
	v := venue(name, v1alpha1.VenueRoom)
	v.BufferMinutes, key.places, key.buffer = 2*cellMinutes, 1, 2
	return arena{v, named(name, key)}
}

// attendants are who serves, each at a place in this order.
var attendants = []v1alpha1.Attendant{{Name: "li", DisplayName: "李医生"}, {Name: "wang", DisplayName: "王医生"}}

func attended(name string, key tableKey) arena {
	v := venue(name, v1alpha1.VenueAttended)
	v.Attendants, key.places = attendants, len(attendants)
	return arena{v, named(name, key)}
}

// door is open day and night, for people who are there.
func door() arena {
	a := seats(doorName, 2, tableKey{running: true})
	a.spec.SlotMinutes = runningMinutes
	a.spec.Hours[0].From, a.spec.Hours[0].To = "00:00", "24:00"
	return a
}

func named(name string, key tableKey) tableKey {
	key.venue = name
	return key
}

func venue(name string, kind v1alpha1.VenueKind) v1alpha1.Venue {
	return v1alpha1.Venue{
		Name: name, DisplayName: name, Kind: kind,
		Hours: []v1alpha1.OpeningHours{{
			Days: []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
			From: "08:00", To: "16:00",
		}},
		SlotMinutes: slotMinutes, MaxSlotsPerBooking: maxSpan, BookingWindowDays: 60,
		// More than anybody can reach, so that this rule never hides the fight.
		MaxPerResidentPerDay: 50,
	}
}

func community() *v1alpha1.Community {
	var venues []v1alpha1.Venue
	for _, a := range arenas {
		spec := a.spec
		if a.approval {
			spec.Approval = v1alpha1.ApprovalStaff
		}
		venues = append(venues, spec)
	}
	return &v1alpha1.Community{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Community"},
		ObjectMeta: metav1.ObjectMeta{Name: "fight", UID: "6f1f7a0c-8d1e-4c57-9a55-0c1d6f1f7a0c"},
		Spec: v1alpha1.CommunitySpec{
			ClassName: "fight", DisplayName: "争抢社区",
			Region:   v1alpha1.Region{County: "鱼台县", Subdistrict: "滨湖街道"},
			TimeZone: timeZone, Phone: "0537-6210000",
			Managers: []v1alpha1.Manager{{Name: "manager", DisplayName: "管理员"}},
			Services: v1alpha1.Services{Booking: &v1alpha1.Booking{ManagedBy: v1alpha1.ManagedByManifest, Venues: venues}},
		},
	}
}

func release() *v1alpha1.Release {
	return &v1alpha1.Release{
		Name: "fight-1", ClassName: "fight", RendererVersion: 2,
		Class: v1alpha1.CommunityClassSpec{
			Topology: v1alpha1.TopologyCompact,
			Database: v1alpha1.Database{Engine: v1alpha1.EngineSQLite},
			Domain:   "localhost",
			Gateway:  v1alpha1.Gateway{Namespace: "gateway-system", Name: "linli", Scheme: v1alpha1.SchemeHTTP, Port: 8080},
			Identity: v1alpha1.Identity{Issuer: "http://id.localhost:8080"},
		},
	}
}

var location = func() *time.Location {
	l, err := time.LoadLocation(timeZone)
	if err != nil {
		panic(err)
	}
	return l
}()

// calendar is the day on which a fight began, from which days are counted.
type calendar struct{ midnight time.Time }

func calendarOf(now time.Time) calendar {
	y, m, d := now.In(location).Date()
	return calendar{time.Date(y, m, d, 0, 0, 0, 0, location)} // no clocks change in China
}

// at is when a cell begins.
func (c calendar) at(cell int) time.Time {
	return c.midnight.Add(time.Duration(cell) * cellMinutes * time.Minute)
}

// cell is the one that begins at a time.
func (c calendar) cell(t time.Time) int { return int(t.Sub(c.midnight) / (cellMinutes * time.Minute)) }

// date is a day as the API has it.
func (c calendar) date(day int) string { return c.midnight.AddDate(0, 0, day).Format(time.DateOnly) }

// running are the cells of the slot at the door at a time.
func (c calendar) running(now time.Time) (from, to int) {
	const cells = runningMinutes / cellMinutes
	from = c.cell(now) / cells * cells
	return from, from + cells
}

// slotCells are the cells of a number of slots of a day.
func slotCells(day, first, span int) (from, to int) {
	const slotCells = slotMinutes / cellMinutes
	from = day*dayCells + firstHour*60/cellMinutes + first*slotCells
	return from, from + span*slotCells
}

// attendantsOf are those who serve at a table's venue, if they have names.
func attendantsOf(key tableKey) []v1alpha1.Attendant {
	for _, a := range arenas {
		if a.venue == key.venue {
			return a.spec.Attendants
		}
	}
	return nil
}
