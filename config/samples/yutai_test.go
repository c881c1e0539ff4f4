// Package samples checks the sample manifests against the Go types and against
// what the county's figures add up to.
package samples

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
)

// The county's figures as reported in the press.
const (
	communityCount = 10
	estateCount    = 166
	residentCount  = 115300
	troubledCount  = 19
	priorityCount  = 15
	modelCount     = 5
)

// maxNameLength keeps "community-<name>" within a namespace's 63 characters.
const maxNameLength = 53

// weekdays are the days of an OpeningHours entry.
var weekdays = map[v1alpha1.Weekday]bool{
	"Monday": true, "Tuesday": true, "Wednesday": true, "Thursday": true,
	"Friday": true, "Saturday": true, "Sunday": true,
}

func TestYutaiCounty(t *testing.T) {
	class, communities := load(t, "yutai")

	if got := len(communities); got != communityCount {
		t.Errorf("%d communities, want %d", got, communityCount)
	}
	var estates, residents int
	ratings := map[v1alpha1.EstateRating]int{}
	names := unique{}
	for _, c := range communities {
		names.add(t, "community", c.Name)
		names.add(t, "community", c.Spec.DisplayName)
		names.add(t, "phone", c.Spec.Phone)
		if c.Spec.ClassName != class.Name {
			t.Errorf("%s: className is %q, want %q", c.Name, c.Spec.ClassName, class.Name)
		}
		if c.Spec.Region.County != "鱼台县" {
			t.Errorf("%s: county is %q", c.Name, c.Spec.Region.County)
		}
		for _, e := range c.Spec.Estates {
			// The API asks for unique names within a community only; people who
			// look at the whole county want them unique there.
			names.add(t, "estate", e.Name)
			names.add(t, "estate", e.DisplayName)
			estates++
			residents += int(e.Residents)
			ratings[e.Rating]++
		}
		for _, m := range c.Spec.Managers {
			names.add(t, "manager", m.Name)
		}
	}
	if estates != estateCount {
		t.Errorf("%d estates, want %d", estates, estateCount)
	}
	if residents != residentCount {
		t.Errorf("%d residents, want %d", residents, residentCount)
	}
	for rating, want := range map[v1alpha1.EstateRating]int{
		v1alpha1.EstateRatingTroubled: troubledCount,
		v1alpha1.EstateRatingPriority: priorityCount,
		v1alpha1.EstateRatingModel:    modelCount,
		v1alpha1.EstateRatingStandard: estateCount - troubledCount - priorityCount - modelCount,
	} {
		if ratings[rating] != want {
			t.Errorf("%d estates rated %s, want %d", ratings[rating], rating, want)
		}
	}
}

func TestYutaiCommunities(t *testing.T) {
	_, communities := load(t, "yutai")
	for _, c := range communities {
		t.Run(c.Name, func(t *testing.T) {
			if len(c.Name) > maxNameLength {
				t.Errorf("name is longer than %d characters", maxNameLength)
			}
			if _, err := time.LoadLocation(c.Spec.TimeZone); err != nil {
				t.Errorf("timeZone: %v", err)
			}
			if len(c.Spec.Managers) == 0 {
				t.Error("nobody manages the community")
			}
			checkEstates(t, c.Spec.Estates)
			checkGrids(t, c.Spec)
			if c.Spec.Services.Booking == nil {
				t.Fatal("booking is off")
			}
			names := unique{}
			for _, v := range c.Spec.Services.Booking.Venues {
				names.add(t, "venue", v.Name)
				names.add(t, "venue", v.DisplayName)
				for _, problem := range venueProblems(v) {
					t.Errorf("venue %s: %s", v.Name, problem)
				}
			}
		})
	}
}

// checkEstates reports estates whose households and residents do not fit together.
func checkEstates(t *testing.T, estates []v1alpha1.Estate) {
	t.Helper()
	for _, e := range estates {
		if e.Class == "" || len(e.Buildings) == 0 || e.Households == 0 {
			t.Errorf("estate %s: class, households and buildings are wanted", e.Name)
			continue
		}
		if perHousehold := float64(e.Residents) / float64(e.Households); perHousehold < 2.5 || perHousehold > 3.2 {
			t.Errorf("estate %s: %.2f residents per household, want 2.5 to 3.2", e.Name, perHousehold)
		}
		buildings := unique{}
		for _, b := range e.Buildings {
			buildings.add(t, "building of "+e.Name, b)
		}
	}
}

// checkGrids reports grids that name unknown estates, estates in no grid, and
// grids that are not of about 300 households on average.
func checkGrids(t *testing.T, spec v1alpha1.CommunitySpec) {
	t.Helper()
	households := 0
	inGrid := map[string]bool{}
	for _, e := range spec.Estates {
		households += int(e.Households)
		inGrid[e.Name] = false
	}
	names := unique{}
	for _, g := range spec.Grids {
		names.add(t, "grid", g.Name)
		names.add(t, "grid", g.DisplayName)
		estates := unique{}
		for _, name := range g.Estates {
			estates.add(t, "estate of "+g.Name, name)
			if _, known := inGrid[name]; !known {
				t.Errorf("grid %s: the community has no estate %q", g.Name, name)
			}
			inGrid[name] = true
		}
	}
	for name, covered := range inGrid {
		if !covered {
			t.Errorf("estate %s is in no grid", name)
		}
	}
	if len(spec.Grids) == 0 {
		t.Fatal("no grids")
	}
	if size := households / len(spec.Grids); size < 250 || size > 350 {
		t.Errorf("%d households per grid, want about 300", size)
	}
}

// venueProblems says what is wrong with a venue's places, hours and closed days.
func venueProblems(v v1alpha1.Venue) []string {
	var problems []string
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf(format, args...))
	}
	if (v.Kind == v1alpha1.VenueSeats) != (v.Seats > 0) {
		problem("kind %s with %d seats", v.Kind, v.Seats)
	}
	if v.Description == "" || strings.ContainsRune(v.Description, '\n') {
		problem("description is not one line")
	}

	type interval struct{ from, to int }
	days := map[v1alpha1.Weekday][]interval{}
	longest := 0
	for _, h := range v.Hours {
		from, err := minuteOfDay(h.From)
		if err != nil {
			problem("from: %v", err)
		}
		to, err := minuteOfDay(h.To)
		if err != nil {
			problem("to: %v", err)
		}
		if from >= to {
			problem("opens at %s and closes at %s", h.From, h.To)
		}
		if v.SlotMinutes <= 0 || (to-from)%int(v.SlotMinutes) != 0 {
			problem("slots of %d minutes do not divide %s to %s", v.SlotMinutes, h.From, h.To)
		}
		longest = max(longest, to-from)
		for _, day := range h.Days {
			if !weekdays[day] {
				problem("%q is no day of the week", day)
			}
			days[day] = append(days[day], interval{from, to})
		}
	}
	for day, intervals := range days {
		slices.SortFunc(intervals, func(a, b interval) int { return a.from - b.from })
		for i := 1; i < len(intervals); i++ {
			if intervals[i].from < intervals[i-1].to {
				problem("hours of %s overlap", day)
			}
		}
	}
	if int(v.MaxSlotsPerBooking*v.SlotMinutes) > longest {
		problem("a booking of %d slots is longer than the venue is ever open", v.MaxSlotsPerBooking)
	}

	closed := map[string]bool{}
	for _, date := range v.ClosedDates {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			problem("closedDates: %v", err)
		}
		if closed[date] {
			problem("closedDates: %s twice", date)
		}
		closed[date] = true
	}
	return problems
}

func TestVenueProblems(t *testing.T) {
	good := func() v1alpha1.Venue {
		return v1alpha1.Venue{
			Name: "study-room", Description: "二楼", Kind: v1alpha1.VenueSeats, Seats: 60, SlotMinutes: 60,
			Hours: []v1alpha1.OpeningHours{
				{Days: []v1alpha1.Weekday{"Monday", "Tuesday"}, From: "08:00", To: "12:00"},
				{Days: []v1alpha1.Weekday{"Monday"}, From: "14:00", To: "24:00"},
			},
			ClosedDates: []string{"2027-02-06"},
		}
	}
	tests := map[string]struct {
		change func(*v1alpha1.Venue)
		want   string
	}{
		"nothing wrong":        {func(*v1alpha1.Venue) {}, ""},
		"hours that touch":     {func(v *v1alpha1.Venue) { v.Hours[1].From = "12:00" }, ""},
		"hours that overlap":   {func(v *v1alpha1.Venue) { v.Hours[1].From = "11:00" }, "hours of Monday overlap"},
		"slots do not divide":  {func(v *v1alpha1.Venue) { v.Hours[0].To = "11:30" }, "do not divide 08:00 to 11:30"},
		"closes before opens":  {func(v *v1alpha1.Venue) { v.Hours[0].To = "07:00" }, "opens at 08:00 and closes at 07:00"},
		"no seats":             {func(v *v1alpha1.Venue) { v.Seats = 0 }, "kind Seats with 0 seats"},
		"a room with seats":    {func(v *v1alpha1.Venue) { v.Kind = v1alpha1.VenueRoom }, "kind Room with 60 seats"},
		"unknown day":          {func(v *v1alpha1.Venue) { v.Hours[0].Days[0] = "Mon" }, "no day of the week"},
		"impossible date":      {func(v *v1alpha1.Venue) { v.ClosedDates[0] = "2027-02-30" }, "closedDates"},
		"booking beyond hours": {func(v *v1alpha1.Venue) { v.MaxSlotsPerBooking = 11 }, "longer than the venue is ever open"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			venue := good()
			test.change(&venue)
			got := strings.Join(venueProblems(venue), "; ")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// minuteOfDay reads HH:MM, 00:00 to 24:00.
func minuteOfDay(clock string) (int, error) {
	if clock == "24:00" {
		return 24 * 60, nil
	}
	at, err := time.Parse("15:04", clock)
	if err != nil {
		return 0, err
	}
	return at.Hour()*60 + at.Minute(), nil
}

// unique remembers names and reports those that come twice.
type unique map[string]bool

func (u unique) add(t *testing.T, kind, name string) {
	t.Helper()
	key := kind + " " + name
	if u[key] {
		t.Errorf("%s twice", key)
	}
	u[key] = true
}

// load reads the class and the communities that the directory's kustomization
// lists, refusing fields that the types do not have and files that it does not list.
func load(t *testing.T, dir string) (v1alpha1.CommunityClass, []v1alpha1.Community) {
	t.Helper()
	var kustomization struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}
	read(t, filepath.Join(dir, "kustomization.yaml"), &kustomization)

	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file := filepath.Base(path)
		if file != "kustomization.yaml" && !slices.Contains(kustomization.Resources, file) {
			t.Errorf("%s is not in kustomization.yaml", file)
		}
	}

	var class v1alpha1.CommunityClass
	var communities []v1alpha1.Community
	for _, file := range kustomization.Resources {
		path := filepath.Join(dir, file)
		if file == "class.yaml" {
			read(t, path, &class)
			checkKind(t, path, class.APIVersion, class.Kind, "CommunityClass")
			continue
		}
		var community v1alpha1.Community
		read(t, path, &community)
		checkKind(t, path, community.APIVersion, community.Kind, "Community")
		if file != community.Name+".yaml" {
			t.Errorf("%s holds the community %q", path, community.Name)
		}
		communities = append(communities, community)
	}
	return class, communities
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func checkKind(t *testing.T, path, apiVersion, kind, want string) {
	t.Helper()
	if apiVersion != v1alpha1.GroupVersion.String() || kind != want {
		t.Errorf("%s: is a %s %s, want a %s %s", path, apiVersion, kind, v1alpha1.GroupVersion, want)
	}
}
