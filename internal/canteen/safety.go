package canteen

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
)

// Food safety: from whom ingredients came, what was cooked of them, what was
// kept of it, and that the kitchen was in order. So that from a batch it is
// found who ate of it, and from a complaint who delivered.

// Supplier is somebody who delivers ingredients.
type Supplier struct {
	ID   uuid.UUID
	Name string
	// Contact and Phone are whom to call there; they may be empty.
	Contact, Phone string
	// Licence is the number of the supplier's food licence (食品经营许可证).
	Licence string
	// Retired says that nothing more is bought there.
	Retired bool
	// Version rises with every change; who changes it says which they saw.
	Version int
}

// BatchEnd is what became of a batch. Names are stable.
type BatchEnd string

// The ends of a batch; BatchOpen is none.
const (
	BatchOpen      BatchEnd = ""
	BatchUsedUp    BatchEnd = "UsedUp"
	BatchDiscarded BatchEnd = "Discarded"
)

// Batch is what was delivered of an ingredient at once.
type Batch struct {
	ID         uuid.UUID
	Ingredient string
	Supplier   uuid.UUID
	// Lot is the maker's number on the packing (批号); it may be empty.
	Lot string
	// Quantity is how much it is, with its unit, such as 20千克.
	Quantity string
	BoughtOn civil.Date
	// ExpiresOn is the last day on which it may be used (保质期至); zero for what
	// has no shelf life, such as salt.
	ExpiresOn civil.Date
	Note      string
	// AcceptedBy is the ID of who took it in.
	AcceptedBy string
	AcceptedAt time.Time
	// Photo is the ID of a picture of the delivery note or the label; uuid.Nil if
	// there is none.
	Photo uuid.UUID
	// End says what became of it, EndedBy by whom, and Reason why.
	End     BatchEnd
	EndedAt time.Time
	EndedBy string
	Reason  string
	Version int
}

// nearExpiry is from how many days before its last one on a batch is to be used
// first.
const nearExpiry = 3

// Freshness is how a batch stands on a day.
type Freshness int

// How a batch may stand.
const (
	Fresh Freshness = iota
	NearExpiry
	Expired
)

// Freshness is how the batch stands on a day.
func (b Batch) Freshness(day civil.Date) Freshness {
	switch {
	case b.ExpiresOn == civil.Date{}:
		return Fresh
	case b.ExpiresOn.DaysSince(day) < 0:
		return Expired
	case b.ExpiresOn.DaysSince(day) <= nearExpiry:
		return NearExpiry
	}
	return Fresh
}

// Use is that a batch went into a dish of a sitting.
type Use struct {
	Sitting
	Dish, Batch uuid.UUID
}

// DishBatches are the batches that go into a dish.
type DishBatches struct {
	Dish    uuid.UUID
	Batches []uuid.UUID
}

// Sample is what was kept of a dish (留样).
type Sample struct {
	ID uuid.UUID
	Sitting
	Dish  uuid.UUID
	Grams int
	// Place is where it is kept, such as the name of a fridge.
	Place string
	// TakenBy is the ID of who took it.
	TakenBy string
	TakenAt time.Time
	// DiscardedAt is zero as long as it is kept.
	DiscardedBy string
	DiscardedAt time.Time
}

// What GB 31654-2021 (食品安全国家标准 餐饮服务通用卫生规范) wants of retained
// samples: of each dish at least 125 grams, kept cold for at least 48 hours.
const (
	minSampleGrams = 125
	sampleKept     = 48 * time.Hour
	// maxSampleGrams keeps a slip of the finger out.
	maxSampleGrams = 5000
)

// DiscardFrom is from when on the sample may be discarded.
func (s Sample) DiscardFrom() time.Time { return s.TakenAt.Add(sampleKept) }

// CheckState is what was found at a point of the daily check. Names are stable.
type CheckState string

// What may be found.
const (
	CheckOK    CheckState = "OK"
	CheckNotOK CheckState = "NotOK"
)

// Finding is what was found at a point on a day.
type Finding struct {
	Point string
	State CheckState
	// Remark says what was wrong and what was done about it; needed if something
	// was.
	Remark string
	// By is the ID of who looked.
	By string
	At time.Time
}

// checkGroup is one of the four Ds with its points.
type checkGroup struct {
	Name   string
	Points []string
}

// checkList is the daily check by the four Ds of kitchen management: tidying,
// responsibility, training and execution in place (整理到位、责任到位、培训到位、
// 执行到位). The points are those of GB 31654-2021 that a cook can see in a walk
// through the kitchen. Names are stable.
var checkList = []checkGroup{
	{"tidying", []string{"surfaces", "stores", "apart"}},
	{"responsibility", []string{"health", "receiving", "fridges"}},
	{"training", []string{"hands", "briefing", "allergens"}},
	{"execution", []string{"washing", "cooking", "dishware"}},
}

// checkPoints are the names of all points.
var checkPoints = func() (points []string) {
	for _, g := range checkList {
		points = append(points, g.Points...)
	}
	return points
}()

// Rules of food safety. Names are stable.
const (
	RuleBatchExpired Rule = "batch-expired"
	RuleBatchEnded   Rule = "batch-ended"
	RuleBatchLater   Rule = "batch-bought-later"
	RuleBatchUnknown Rule = "batch-unknown"
	RuleUsesClosed   Rule = "uses-closed"
	RuleSampleSmall  Rule = "sample-too-small"
	RuleSampleLarge  Rule = "sample-too-large"
	RuleSampleTime   Rule = "sample-time"
	RuleSampleTaken  Rule = "sampled-already"
	RuleSampleEarly  Rule = "sample-too-early"
	RuleSamplePlace  Rule = "sample-place"
	RuleCheckDay     Rule = "check-day"
	RuleCheckPoint   Rule = "check-point"
	RuleCheckRemark  Rule = "check-remark"
	RuleReason       Rule = "reason-missing"
	RuleSupplier     Rule = "supplier-retired"
)

// refuseField is a refusal that names the field at fault as the API does.
func refuseField(rule Rule, field string, limit int64, format string, args ...any) *Refusal {
	r := refuse(rule, limit, format, args...)
	r.Field = field
	return r
}

// Limits of what is written about food safety, in characters.
const (
	maxSupplierName = 60
	maxContact      = 30
	maxSupplierCall = 20
	maxLicence      = 40
	maxIngredient   = 40
	maxLot          = 40
	maxQuantity     = 30
	maxSafetyNote   = 200
	maxPlace        = 40
)

// CheckSupplier says what is wrong with a supplier, field by field; nil if
// nothing is.
func CheckSupplier(s Supplier) (wrong []DishMistake) {
	for _, f := range []struct {
		field, text string
		max         int
		required    bool
	}{
		{"name", s.Name, maxSupplierName, true}, {"contact", s.Contact, maxContact, false},
		{"phone", s.Phone, maxSupplierCall, false}, {"licence", s.Licence, maxLicence, false},
	} {
		wrong = append(wrong, checkText(f.field, f.text, f.max, f.required)...)
	}
	if strings.Trim(s.Phone, "0123456789+- ") != "" {
		wrong = append(wrong, DishMistake{"phone", "digits only"})
	}
	return wrong
}

func checkText(field, text string, limit int, required bool) []DishMistake {
	if required && strings.TrimSpace(text) == "" {
		return []DishMistake{{field, "must be filled in"}}
	}
	if utf8.RuneCountInString(text) > limit {
		return []DishMistake{{field, "too long"}}
	}
	return nil
}

// CheckBatch says what is wrong with a batch that is entered on a day, field by
// field; nil if nothing is. What is expired when it is delivered is not taken
// in.
func CheckBatch(b Batch, today civil.Date) (wrong []DishMistake) {
	for _, f := range []struct {
		field, text string
		max         int
		required    bool
	}{
		{"ingredient", b.Ingredient, maxIngredient, true}, {"lot", b.Lot, maxLot, false},
		{"quantity", b.Quantity, maxQuantity, true}, {"note", b.Note, maxSafetyNote, false},
	} {
		wrong = append(wrong, checkText(f.field, f.text, f.max, f.required)...)
	}
	if b.Supplier == uuid.Nil {
		wrong = append(wrong, DishMistake{"supplier", "there is no such supplier"})
	}
	switch {
	case b.BoughtOn == civil.Date{}:
		wrong = append(wrong, DishMistake{"boughtOn", "write a date as YYYY-MM-DD"})
	case b.BoughtOn.DaysSince(today) > 0:
		wrong = append(wrong, DishMistake{"boughtOn", "not later than today"})
	case b.ExpiresOn != civil.Date{} && b.ExpiresOn.DaysSince(b.BoughtOn) < 0:
		wrong = append(wrong, DishMistake{"expiresOn", "it was expired when it was bought: send it back"})
	}
	return wrong
}

// usable says why a batch cannot go into a dish of a day, or nil. What was ended
// that day may have been cooked before.
func usable(b Batch, day civil.Date, field string, loc *time.Location) *Refusal {
	switch {
	case b.Freshness(day) == Expired:
		return refuseField(RuleBatchExpired, field, 0, "%s expired on %s: discard the batch, and choose one that is still good", b.Ingredient, b.ExpiresOn)
	case b.BoughtOn.DaysSince(day) > 0:
		return refuseField(RuleBatchLater, field, 0, "%s was bought on %s, after this meal: choose the batch that it was cooked of", b.Ingredient, b.BoughtOn)
	case b.End != BatchOpen && civil.DateOf(b.EndedAt, loc).DaysSince(day) < 0:
		return refuseField(RuleBatchEnded, field, 0, "%s was used up or discarded before this meal: choose the batch that it was cooked of", b.Ingredient)
	}
	return nil
}

// usesOpen is for how many days after a meal it can still be written which
// batches went into it.
const usesOpen = 7

// checkUsesDay says whether uses of a day can be written on another, or nil.
func checkUsesDay(day, today civil.Date) *Refusal {
	if ahead := day.DaysSince(today); ahead > 1 || ahead < -usesOpen {
		return refuseField(RuleUsesClosed, "date", usesOpen, "what goes into a meal is written from the day before until %d days after it", usesOpen)
	}
	return nil
}

// checkSample says what is wrong with a sample that is noted at a moment, or
// nil.
func checkSample(s Sample, now time.Time, loc *time.Location) *Refusal {
	from, to := s.Day.Bounds(loc)
	switch {
	case s.Grams < minSampleGrams:
		return refuseField(RuleSampleSmall, "grams", minSampleGrams, "a sample has at least %d grams (GB 31654): take more", minSampleGrams)
	case s.Grams > maxSampleGrams:
		return refuseField(RuleSampleLarge, "grams", maxSampleGrams, "a sample has at most %d grams", maxSampleGrams)
	case strings.TrimSpace(s.Place) == "" || utf8.RuneCountInString(s.Place) > maxPlace:
		return refuseField(RuleSamplePlace, "place", maxPlace, "say where it is kept, in at most %d characters", maxPlace)
	case s.TakenAt.Before(from) || !s.TakenAt.Before(to) || s.TakenAt.After(now):
		return refuseField(RuleSampleTime, "takenAt", 0, "a sample is taken on the day of the meal, and not later than now")
	}
	return nil
}

// checkChecks says what is wrong with checks of a day that are noted on another,
// or nil: they are noted and corrected on the day itself.
func checkChecks(day, today civil.Date, checks []Finding) *Refusal {
	if day != today {
		return refuseField(RuleCheckDay, "date", 0, "checks are noted and corrected on the day itself; those of other days can only be read")
	}
	seen := map[string]bool{}
	for _, c := range checks {
		field := "checks." + c.Point
		switch {
		case !slices.Contains(checkPoints, c.Point) || c.State != CheckOK && c.State != CheckNotOK || seen[c.Point]:
			return refuseField(RuleCheckPoint, field, 0, "not a point of the list, or twice, or neither OK nor NotOK")
		case c.State == CheckNotOK && strings.TrimSpace(c.Remark) == "":
			return refuseField(RuleCheckRemark, field, 0, "say what was wrong, and what was done about it")
		case utf8.RuneCountInString(c.Remark) > maxSafetyNote:
			return refuseField(RuleCheckRemark, field, maxSafetyNote, "a remark has at most %d characters", maxSafetyNote)
		}
		seen[c.Point] = true
	}
	return nil
}
