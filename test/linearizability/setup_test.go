package linearizability

import (
	"slices"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Every venue is open for slotsPerDay slots of an hour, and the largest has
// maxPlaces places.
const (
	timeZone    = "Asia/Shanghai"
	firstHour   = 8
	slotsPerDay = 12
	maxPlaces   = 3
	maxSpan     = 3 // slots of one booking
	days        = 3
)

// venues are what the clients fight for: few places, so that most requests
// meet somebody else's.
var venues = []v1alpha1.Venue{
	venue("study", "自习室", v1alpha1.VenueSeats, maxPlaces),
	venue("hall", "多功能厅", v1alpha1.VenueRoom, 0),
	venue("hairdresser", "理发", v1alpha1.VenueAttended, 0),
}

func venue(name, displayName string, kind v1alpha1.VenueKind, seats int32) v1alpha1.Venue {
	return v1alpha1.Venue{
		Name: name, DisplayName: displayName, Kind: kind, Seats: seats,
		Hours: []v1alpha1.OpeningHours{{
			Days: []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
			From: "08:00", To: "20:00",
		}},
		SlotMinutes: 60, MaxSlotsPerBooking: maxSpan, BookingWindowDays: 14,
		// More than anybody can reach, so that this rule never hides the fight.
		MaxPerResidentPerDay: 50,
	}
}

func community() *v1alpha1.Community {
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
		Name: "fight-1", ClassName: "fight", RendererVersion: 1,
		Class: v1alpha1.CommunityClassSpec{
			Topology: v1alpha1.TopologyCompact,
			Database: v1alpha1.Database{Engine: v1alpha1.EngineSQLite},
			Domain:   "localhost",
			Gateway:  v1alpha1.Gateway{Namespace: "gateway-system", Name: "linli", Scheme: v1alpha1.SchemeHTTP, Port: 8080},
			Identity: v1alpha1.Identity{Provider: v1alpha1.IdentityDemo},
		},
	}
}

// tablesFrom are the tables of some days from the day after tomorrow on, so
// that midnight may pass while the fight is on.
func tablesFrom(now time.Time) []tableKey {
	var keys []tableKey
	for _, v := range venues {
		for d := range days {
			day := now.In(location).AddDate(0, 0, 2+d)
			keys = append(keys, tableKey{venue: v.Name, day: day.Format(time.DateOnly), places: int(max(1, v.Seats))})
		}
	}
	return slices.Clip(keys)
}

var location = func() *time.Location {
	l, err := time.LoadLocation(timeZone)
	if err != nil {
		panic(err)
	}
	return l
}()

// slotCells are the cells of a number of slots.
func slotCells(first, span int) (from, to int) {
	const slotCells = 60 / cellMinutes
	from = (firstHour + first) * slotCells
	return from, from + span*slotCells
}

// timeOf is when a cell of a table's day begins.
func timeOf(key tableKey, cell int) time.Time {
	day, err := time.ParseInLocation(time.DateOnly, key.day, location)
	if err != nil {
		panic(err) // tablesFrom wrote it
	}
	return day.Add(time.Duration(cell) * cellMinutes * time.Minute)
}

// cellAt is the cell of its day that begins at a time.
func cellAt(t time.Time) int {
	t = t.In(location)
	return (t.Hour()*60 + t.Minute()) / cellMinutes
}
