package community

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// validCommunity is changed by the rows of TestRefused one at a time.
const validCommunity = `
apiVersion: linli.io/v1alpha1
kind: Community
metadata:
  name: valid
spec:
  className: yutai
  displayName: 站前社区
  region: {county: 鱼台县, subdistrict: 滨湖街道}
  timeZone: Asia/Shanghai
  phone: 0537-6211234
  estates:
  - {name: first, displayName: 一, class: Old, households: 820, residents: 2310}
  - {name: second, displayName: 二, class: Commercial}
  grids:
  - {name: north, displayName: 北, estates: [first, second]}
  managers:
  - {name: wang-min, displayName: 王敏}
  services:
    booking:
      venues:
      - name: study
        displayName: 自习室
        kind: Seats
        seats: 60
        slotMinutes: 60
        minAge: 6
        closedDates: ["2028-02-29"]
        hours:
        - {days: [Monday, Tuesday], from: "08:00", to: "12:00"}
        - {days: [Monday], from: "12:00", to: "24:00"}
        - {days: [Wednesday], from: "11:00", to: "14:00"}
    canteen:
      canteens:
      - name: north
        displayName: 长者食堂
        deliveryEstates: [first]
        meals:
        - {name: lunch, displayName: 午餐, from: "11:00", to: "12:30", cutOff: "09:00", ways: [EatIn, Delivery]}
        - {name: supper, displayName: 晚餐, from: "17:00", to: "18:30", cutOff: "20:00", cutOffDaysBefore: 1}
      categories:
      - {name: low-income, displayName: 低保户}
      tiers:
      - {name: over-80, displayName: 80岁以上, minAge: 80, discountPercent: 50, maxSubsidyFen: 500}
      - {name: low-income, displayName: 低保户, category: low-income, discountPercent: 100}
    accounts: {}
`

const validClass = `
apiVersion: linli.io/v1alpha1
kind: CommunityClass
metadata:
  name: valid
spec:
  domain: localhost
  gateway: {namespace: gateway-system, name: linli, scheme: http, port: 8080}
  identity: {issuer: "http://id.localhost:8080"}
  notifications: {smsWebhook: "http://localhost:9000/send"}
`

// set changes a manifest at a dotted path with list indexes; nil removes.
func set(t *testing.T, manifest map[string]any, path string, value any) {
	t.Helper()
	steps := strings.Split(path, ".")
	var at any = manifest
	for i, step := range steps {
		last := i == len(steps)-1
		switch here := at.(type) {
		case map[string]any:
			if last {
				if value == nil {
					delete(here, step)
				} else {
					here[step] = value
				}
				return
			}
			at = here[step]
		case []any:
			var index int
			if _, err := fmt.Sscan(step, &index); err != nil || index >= len(here) {
				t.Fatalf("%s: no item %s", path, step)
			}
			if last {
				here[index] = value
				return
			}
			at = here[index]
		default:
			t.Fatalf("%s: nothing at %s", path, step)
		}
	}
}

func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestValidManifests(t *testing.T) {
	for _, manifest := range []string{validCommunity, validClass} {
		if err := admin.Create(t.Context(), parse(t, manifest), client.DryRunAll); err != nil {
			t.Error(err)
		}
	}
	for _, accepted := range []struct {
		path  string
		value any
	}{
		{"metadata.name", strings.Repeat("a", 53)},
		{"spec.timeZone", "UTC"},
		{"spec.timeZone", "Etc/GMT+8"},
		{"spec.timeZone", "America/Argentina/Buenos_Aires"},
		{"spec.services", nil},
		{"spec.services.booking.venues.0.slotMinutes", 30},
		{"spec.adopt", "6f3ad8a1-6e6f-4a2f-9d52-2f6c1c1f0a11"},
	} {
		u := parse(t, validCommunity)
		set(t, u.Object, accepted.path, accepted.value)
		if err := admin.Create(t.Context(), u, client.DryRunAll); err != nil {
			t.Errorf("%s: %v: %v", accepted.path, accepted.value, err)
		}
	}
}

// TestRefused: a bad manifest is refused with the path of the field at fault
// and what to do about it.
func TestRefused(t *testing.T) {
	venue, canteen := "spec.services.booking.venues[0]", "spec.services.canteen.canteens[0]"
	hours := func(from, to string, days ...any) map[string]any {
		return map[string]any{"days": days, "from": from, "to": to}
	}
	for _, test := range []struct {
		name     string
		manifest string
		path     string
		value    any
		field    string
		message  string
	}{
		{"overlapping hours", validCommunity, "spec.services.booking.venues.0.hours.2", hours("11:00", "14:00", "Wednesday", "Tuesday"), venue + ".hours", "overlap on a day of the week"},
		{"the same hours twice", validCommunity, "spec.services.booking.venues.0.hours.1", hours("08:00", "12:00", "Monday"), venue + ".hours", "overlap on a day of the week"},
		{"hours within others", validCommunity, "spec.services.booking.venues.0.hours.1", hours("09:00", "10:00", "Tuesday"), venue + ".hours", "overlap on a day of the week"},
		{"hours backwards", validCommunity, "spec.services.booking.venues.0.hours.2", hours("14:00", "11:00", "Wednesday"), venue + ".hours[2].to", "must be later than from"},
		{"no such time", validCommunity, "spec.services.booking.venues.0.hours.2", hours("11:00", "25:00", "Wednesday"), venue + ".hours[2].to", "should match"},
		{"a day twice", validCommunity, "spec.services.booking.venues.0.hours.2", hours("11:00", "14:00", "Wednesday", "Wednesday"), venue + ".hours[2].days[1]", "Duplicate value"},
		{"no such day", validCommunity, "spec.services.booking.venues.0.hours.2", hours("11:00", "14:00", "Someday"), venue + ".hours[2].days[0]", "supported values"},
		{"slot that does not divide", validCommunity, "spec.services.booking.venues.0.slotMinutes", 50, venue + ".slotMinutes", "must divide every opening interval"},
		{"slot that divides only some", validCommunity, "spec.services.booking.venues.0.slotMinutes", 240, venue + ".slotMinutes", "must divide every opening interval"},
		{"slot of three minutes", validCommunity, "spec.services.booking.venues.0.slotMinutes", 3, venue + ".slotMinutes", "greater than or equal to 5"},
		{"seats in a room", validCommunity, "spec.services.booking.venues.0.kind", "Room", venue + ".seats", "only a venue of kind Seats has seats"},
		{"no seats", validCommunity, "spec.services.booking.venues.0.seats", nil, venue + ".seats", "set seats"},
		{"attendants in a room", validCommunity, "spec.services.booking.venues.0.attendants", []any{map[string]any{"name": "kong", "displayName": "孔"}}, venue + ".attendants", "only a venue of kind Attended has attendants"},
		{"overlapping hours of an attendant", validCommunity, "spec.services.booking.venues.0.attendants", []any{map[string]any{"name": "kong", "displayName": "孔",
			"hours": []any{hours("08:00", "12:00", "Monday"), hours("09:00", "10:00", "Monday")}}}, venue + ".attendants[0].hours", "hours overlap on a day of the week"},
		{"duplicate attendant", validCommunity, "spec.services.booking.venues.0.attendants", []any{map[string]any{"name": "kong", "displayName": "孔"}, map[string]any{"name": "kong", "displayName": "孔"}}, venue + ".attendants[1]", "Duplicate value"},
		{"ages the wrong way round", validCommunity, "spec.services.booking.venues.0.maxAge", 5, venue + ".maxAge", "must not be below minAge"},
		{"buffer of three minutes", validCommunity, "spec.services.booking.venues.0.bufferMinutes", 3, venue + ".bufferMinutes", "multiple of 5"},
		{"a canteen without a ledger", validCommunity, "spec.services.accounts", nil, "spec.services.accounts", "add accounts: {}"},
		{"a meal that ends before it begins", validCommunity, "spec.services.canteen.canteens.0.meals.0.to", "10:30", canteen + ".meals[0].to", "must be later than from"},
		{"orders after the meal", validCommunity, "spec.services.canteen.canteens.0.meals.0.cutOff", "12:31", canteen + ".meals[0].cutOff", "must not be later than to"},
		{"the same meal twice", validCommunity, "spec.services.canteen.canteens.0.meals.1.name", "lunch", canteen + ".meals[1]", "Duplicate value"},
		{"a meal brought nowhere", validCommunity, "spec.services.canteen.canteens.0.deliveryEstates", nil, canteen + ".deliveryEstates", "name the estates"},
		{"a meal brought to an unknown estate", validCommunity, "spec.services.canteen.canteens.0.deliveryEstates.0", "third", "spec.services.canteen.canteens", "an estate that spec.estates does not have"},
		{"a tier for nobody", validCommunity, "spec.services.canteen.tiers.0.minAge", nil, "spec.services.canteen.tiers[0]", "set minAge or category"},
		{"a tier of an unknown category", validCommunity, "spec.services.canteen.tiers.1.category", "veteran", "spec.services.canteen.tiers", "a category that categories does not have"},
		{"more than all", validCommunity, "spec.services.canteen.tiers.1.discountPercent", 101, "spec.services.canteen.tiers[1].discountPercent", "less than or equal to 100"},
		{"no such date", validCommunity, "spec.services.booking.venues.0.closedDates.0", "2027-02-29", venue + ".closedDates[0]", "must be of type date"},
		{"duplicate venue", validCommunity, "spec.services.booking.venues", []any{venueNamed("study"), venueNamed("study")}, "spec.services.booking.venues[1]", "Duplicate value"},
		{"duplicate estate", validCommunity, "spec.estates.1.name", "first", "spec.estates[1]", "Duplicate value"},
		{"grid of an unknown estate", validCommunity, "spec.grids.0.estates.1", "third", "spec.grids", "an estate that spec.estates does not have"},
		{"grids without estates", validCommunity, "spec.estates", nil, "spec.grids", "an estate that spec.estates does not have"},
		{"unknown time zone", validCommunity, "spec.timeZone", "Asia/Shanghia", "spec.timeZone", "Asia/Shanghia"},
		{"offset", validCommunity, "spec.timeZone", "+08:00", "spec.timeZone", "not an offset"},
		{"zone of the machine", validCommunity, "spec.timeZone", "Local", "spec.timeZone", "not Local"},
		{"path as zone", validCommunity, "spec.timeZone", "../etc/passwd", "spec.timeZone", "IANA name"},
		{"reserved name", validCommunity, "metadata.name", "sharing", "metadata.name", "is reserved"},
		{"long name", validCommunity, "metadata.name", strings.Repeat("a", 54), "metadata.name", "at most 53 characters"},
		{"name with a dot", validCommunity, "metadata.name", "zhan.qian", "metadata.name", "must be a DNS label"},
		{"no phone", validCommunity, "spec.phone", nil, "spec.phone", "Required value"},
		{"phone in words", validCommunity, "spec.phone", "call us", "spec.phone", "should match"},
		{"no such run policy", validCommunity, "spec.runPolicy", "Paused", "spec.runPolicy", `"Running", "Suspended"`},
		{"adopt without UID", validCommunity, "spec.adopt", "the-old-one", "spec.adopt", "must be of type uuid"},
		{"an issuer without TLS", validClass, "spec.identity.issuer", "http://id.yutai.gov.cn", "spec.identity.issuer", "must be an https address"},
		{"text messages without TLS", validClass, "spec.notifications.smsWebhook", "http://sms.yutai.gov.cn/send", "spec.notifications.smsWebhook", "must be an https address"},
		{"text messages to no address", validClass, "spec.notifications.smsWebhook", "sms.yutai.gov.cn", "spec.notifications.smsWebhook", "must be an https address"},
		{"an issuer that is no address", validClass, "spec.identity.issuer", "id.yutai.gov.cn", "spec.identity.issuer", "must be an https address"},
		{"domain that only sounds local", validClass, "spec.domain", "notlocalhost", "spec.gateway.scheme", "must be https"},
		{"http in public", validClass, "spec.domain", "yutai.gov.cn", "spec.gateway.scheme", "must be https"},
		{"class name as a label", validClass, "metadata.name", strings.Repeat("a", 64), "metadata.name", "at most 63 characters"},
		{"topology to come", validClass, "spec.topology", "Distributed", "spec.topology", "supported values"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := parse(t, test.manifest)
			set(t, u.Object, test.path, test.value)
			err := admin.Create(t.Context(), u, client.DryRunAll)
			if !apierrors.IsInvalid(err) {
				t.Fatalf("not refused as invalid: %v", err)
			}
			var causes []metav1.StatusCause
			if status, ok := err.(apierrors.APIStatus); ok {
				causes = status.Status().Details.Causes
			}
			for _, cause := range causes {
				if cause.Field == test.field && strings.Contains(cause.Message, test.message) {
					return
				}
			}
			t.Errorf("no cause at %s with %q in: %v", test.field, test.message, err)
		})
	}
}

func venueNamed(name string) map[string]any {
	return map[string]any{
		"name": name, "displayName": name, "kind": "Room", "slotMinutes": 60,
		"hours": []any{map[string]any{"days": []any{"Monday"}, "from": "08:00", "to": "12:00"}},
	}
}

// TestSampleCounty: the API server takes the sample as it stands.
func TestSampleCounty(t *testing.T) {
	files, err := filepath.Glob("../../config/samples/yutai/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sample county: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
		for {
			u := &unstructured.Unstructured{}
			if err := decoder.Decode(&u.Object); err != nil {
				break
			}
			if u.GroupVersionKind().Group != "linli.io" {
				continue
			}
			if err := admin.Create(t.Context(), u, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
