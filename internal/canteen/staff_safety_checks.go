package canteen

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/web"
)

// checksView is the daily check of a canteen on a day.
type checksView struct {
	desk
	Canteen    Canteen
	Day, Today civil.Date
	// Found is what was found, by point; what the form has, if it is shown again.
	Found    map[string]Finding
	Names    staffNames
	Mistakes map[string]string
}

// open reports whether the checks can still be written.
func (v checksView) open() bool { return v.Day == v.Today }

func (s *service) checksView(r *http.Request) (v checksView, err error) {
	ctx := r.Context()
	v.desk, v.Today, v.Mistakes = s.desk(r, safetyPath), s.today(), map[string]string{}
	if v.Canteen, err = s.store.Canteen(ctx, r.PathValue("canteen")); err != nil {
		return v, err
	}
	if v.Day, err = parseDay("date", r.PathValue("date")); err != nil {
		return v, ErrNotFound
	}
	all, err := s.store.Checks(ctx, v.Canteen.Name, v.Day, v.Day)
	if err != nil {
		return v, err
	}
	if v.Found = all[v.Day]; v.Found == nil {
		v.Found = map[string]Finding{}
	}
	var people []string
	for _, f := range v.Found {
		people = append(people, f.By)
	}
	v.Names, err = s.staffNames(ctx, v.View, people...)
	return v, err
}

func (s *service) checksPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.checksView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, checksPage(v))
}

func remarkField(point string) string { return "remark-" + point }

// saveChecks keeps what the form says of the points at which something was
// ticked.
func (s *service) saveChecks(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	v, err := s.checksView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var checks []Finding
	for _, point := range checkPoints {
		f := v.Found[point]
		f.Point, f.State, f.Remark = point, CheckState(r.PostForm.Get("check-"+point)), oneLine(r.PostForm.Get(remarkField(point)))
		if f.State == "" {
			continue
		}
		if f.State == CheckOK {
			f.Remark = "" // it was about what is in order now
		}
		v.Found[point] = f
		if refusal := checkChecks(v.Day, v.Today, []Finding{f}); refusal != nil && refusal.Rule == RuleCheckRemark {
			v.Mistakes[remarkField(point)] = safetyRefused(v.View, refusal, "")
		}
		checks = append(checks, f)
	}
	status := http.StatusUnprocessableEntity
	if len(v.Mistakes) == 0 {
		err := s.store.PutChecks(r.Context(), s.by(r.Context()), v.Canteen.Name, v.Day, checks, s.location())
		refusal, refused := errors.AsType[*Refusal](err)
		switch {
		case refused:
			status, v.Mistakes[""] = http.StatusConflict, safetyRefused(v.View, refusal, "")
		case err != nil:
			s.fail(w, r, err)
			return
		default:
			http.Redirect(w, r, withDone(checksURL(v.Canteen.Name, v.Day), "checks"), http.StatusSeeOther)
			return
		}
	}
	s.pages.Render(w, r, status, checksPage(v))
}

func (v checksView) mistakes() []web.FieldError {
	fields := []string{""}
	for _, point := range checkPoints {
		fields = append(fields, remarkField(point))
	}
	return inOrder(v.Mistakes, fields...)
}

func stateOptions(v web.View) []web.Option {
	return []web.Option{
		{Value: string(CheckOK), Label: v.T("canteen.safety.state.OK")}, {Value: string(CheckNotOK), Label: v.T("canteen.safety.state.NotOK")},
	}
}

// checkedBy says who looked at a point, and when.
func checkedBy(v web.View, f Finding, names staffNames) string {
	return v.T("canteen.safety.checkedBy", "Time", v.Time(f.At), "Who", names.of(v, f.By))
}

// dayChecksTable are the checks of a day that is over.
func dayChecksTable(v checksView) web.Table {
	t := web.Table{Caption: v.T("canteen.safety.checks"), Titled: true, Columns: []web.Column{
		{Label: v.T("canteen.safety.point")}, {Label: v.T("canteen.safety.found"), Short: true}, {Label: v.T("canteen.safety.remark")}, {Label: v.T("canteen.safety.who")},
	}}
	for _, g := range checkList {
		for _, point := range g.Points {
			f, ok := v.Found[point]
			row := []templ.Component{web.Text(v.T("canteen.safety.group."+g.Name+".short") + " · " + v.T("canteen.safety.check."+point))}
			if !ok {
				t.Rows = append(t.Rows, append(row, web.Badge(web.Warning, v.T("canteen.safety.notChecked")), web.Text("–"), web.Text("–")))
				continue
			}
			t.Rows = append(t.Rows, append(row, stateBadge(v.View, f.State), web.Text(f.Remark), web.Text(checkedBy(v.View, f, v.Names))))
		}
	}
	return t
}

func stateBadge(v web.View, state CheckState) templ.Component {
	tone := map[CheckState]web.Tone{CheckOK: web.Success, CheckNotOK: web.Warning}[state]
	return web.Badge(tone, v.T("canteen.safety.state."+string(state)))
}

// checksMonthView are the daily checks of a canteen in a month.
type checksMonthView struct {
	desk
	Canteen Canteen
	Month   civil.Month
	Today   civil.Date
	// Since is the first day of which anything is known: nobody missed a check
	// before the canteen was here.
	Since civil.Date
	Found map[civil.Date]map[string]Finding
	Menus []Menu
	Names staffNames
}

func checksMonthURL(canteen string, month civil.Month) string {
	return safetyCheckPath + url.PathEscape(canteen) + "?month=" + string(month)
}

func (s *service) checksMonthPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.checksMonthView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, checksMonthPage(v))
}

func (s *service) checksMonthView(r *http.Request) (v checksMonthView, err error) {
	ctx := r.Context()
	v.desk, v.Today = s.desk(r, safetyPath), s.today()
	if v.Canteen, err = s.store.Canteen(ctx, r.PathValue("canteen")); err != nil {
		return v, err
	}
	if v.Month, err = s.pageMonth(r); err != nil {
		return v, err
	}
	if v.Since, err = s.store.CheckedSince(ctx, v.Canteen.Name); err != nil {
		return v, err
	}
	first, last := v.Month.First(), v.Month.Last()
	if v.Found, err = s.store.Checks(ctx, v.Canteen.Name, first, last); err != nil {
		return v, err
	}
	if v.Menus, err = s.store.Menus(ctx, v.Canteen.Name, first, last, false); err != nil {
		return v, err
	}
	var people []string
	for _, day := range v.Found {
		for _, f := range day {
			people = append(people, f.By)
		}
	}
	v.Names, err = s.staffNames(ctx, v.View, people...)
	return v, err
}

// days are the days of the month until today.
func (v checksMonthView) days() (days []civil.Date) {
	for day := v.Month.First(); civil.MonthOf(day) == v.Month && day.DaysSince(v.Today) <= 0; day = day.AddDays(1) {
		days = append(days, day)
	}
	return days
}

// state says whether a day's check was done.
func (v checksMonthView) state(day civil.Date) (web.Tone, string) {
	switch done := len(v.Found[day]); {
	case done == 0 && !cooks(v.Canteen, v.Menus, day):
		return web.Info, v.T("canteen.safety.notCooking")
	case done == 0 && day == v.Today:
		return web.Info, v.T("canteen.safety.notYet")
	case done == 0 && (v.Since == civil.Date{} || day.DaysSince(v.Since) < 0):
		return web.Info, v.T("canteen.safety.notInUse")
	case done == 0:
		return web.Warning, v.T("canteen.safety.missing")
	case done < len(checkPoints):
		return web.Warning, v.T("canteen.safety.partly", "Done", done, "All", len(checkPoints))
	}
	return web.Success, v.T("canteen.safety.complete")
}

// wrong are what was not in order on a day, with what was done about it.
func (v checksMonthView) wrong(day civil.Date) (list []string) {
	for _, point := range checkPoints {
		if f := v.Found[day][point]; f.State == CheckNotOK {
			list = append(list, v.T("canteen.safety.wrongAt", "Point", v.T("canteen.safety.check."+point), "Remark", f.Remark))
		}
	}
	return list
}

// who are those who looked on a day.
func (v checksMonthView) who(day civil.Date) string {
	var names []string
	for _, point := range checkPoints {
		if f, ok := v.Found[day][point]; ok && !slices.Contains(names, v.Names.of(v.View, f.By)) {
			names = append(names, v.Names.of(v.View, f.By))
		}
	}
	return joined(v.View, names)
}

// checksMonthTable is the month: a line for each day.
func checksMonthTable(v checksMonthView) web.Table {
	t := web.Table{Caption: v.T("canteen.safety.checksOf", "Month", monthName(v.View, v.Month)), Titled: true, Columns: []web.Column{
		{Label: v.T("canteen.staff.day"), Short: true}, {Label: v.T("canteen.safety.found")}, {Label: v.T("canteen.safety.inOrder"), Number: true},
		{Label: v.T("canteen.safety.notInOrder")}, {Label: v.T("canteen.safety.who")},
	}}
	for _, day := range v.days() {
		tone, text := v.state(day)
		wrong := v.wrong(day)
		t.Rows = append(t.Rows, []templ.Component{
			checksDayLink(v, day), web.Badge(tone, text), web.Text(strconv.Itoa(len(v.Found[day]) - len(wrong))), web.Text(strings.Join(wrong, "; ")), web.Text(v.who(day)),
		})
	}
	return t
}
