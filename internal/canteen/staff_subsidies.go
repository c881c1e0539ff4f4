package canteen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// subsidiesView is what was subsidised in some months.
type subsidiesView struct {
	desk
	// From and To are the first and the last month, as they were typed.
	From, To string
	Rows     []SubsidyRow
	// Checks hold each month against the ledger; Unchecked says that the ledger
	// did not answer.
	Checks     []MonthCheck
	Unchecked  bool
	Tiers      []v1alpha1.Tier
	Categories []v1alpha1.Category
	Mistakes   map[string]string
}

// subsidies prepares the report that an address asks for; without months it is
// of this year until now.
func (s *service) subsidies(r *http.Request) (v subsidiesView, err error) {
	v.desk = s.desk(r, staffSubsidiesPath)
	v.Tiers, v.Categories, v.Mistakes = s.spec().Tiers, s.spec().Categories, map[string]string{}
	this := civil.MonthOf(s.today())
	v.From, v.To = string(this[:4])+"-01", string(this)
	for field, month := range map[string]*string{"from": &v.From, "to": &v.To} {
		text := typed(r.URL.Query(), field)
		if text == "" {
			continue
		}
		*month = text
		if _, err := civil.ParseMonth(text); err != nil {
			v.Mistakes[field] = v.T("canteen.staff.wrong.month")
		}
	}
	if len(v.Mistakes) == 0 && v.To < v.From {
		v.Mistakes["to"] = v.T("canteen.staff.wrong.months")
	}
	if len(v.Mistakes) > 0 {
		return v, nil
	}
	v.Rows, v.Checks, err = s.checkedSubsidies(r.Context(), civil.Month(v.From), civil.Month(v.To))
	return v, err
}

// errUnchecked means that the ledger did not answer.
var errUnchecked = errors.New("the ledger did not answer")

// checkedSubsidies are what was subsidised, and what the ledger says of it. With
// errUnchecked, which is in the log then, the first is there without the other.
func (s *service) checkedSubsidies(ctx context.Context, first, last civil.Month) ([]SubsidyRow, []MonthCheck, error) {
	rows, err := s.store.Subsidies(ctx, first, last)
	if err != nil {
		return nil, nil, err
	}
	ledger, err := s.till.months(ctx, first, last)
	if err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "subsidies were not held against the ledger", "error", err.Error())
		}
		return rows, nil, fmt.Errorf("%w: %w", errUnchecked, err)
	}
	return rows, compare(rows, ledger), nil
}

func (s *service) subsidiesPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.subsidies(r)
	if v.Unchecked = errors.Is(err, errUnchecked); v.Unchecked {
		err = nil // the page says so
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if len(v.Mistakes) > 0 {
		status = http.StatusUnprocessableEntity
	}
	s.pages.Render(w, r, status, subsidiesPage(v))
}

// subsidiesFile is the report as a file that spreadsheets open: the tiers, and
// beneath them the months as the ledger has them.
func (s *service) subsidiesFile(w http.ResponseWriter, r *http.Request) {
	v, err := s.subsidies(r)
	if err == nil && len(v.Mistakes) > 0 {
		err = errBadForm
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	lines := [][]string{{
		v.T("canteen.staff.month"), v.T("canteen.staff.tier"), v.T("canteen.staff.orders"), v.T("canteen.staff.fullPriceYuan"),
		v.T("canteen.staff.subsidyYuan"), v.T("canteen.staff.paidYuan"),
	}}
	for _, row := range v.Rows {
		lines = append(lines, []string{string(row.Month), v.tierName(row.Tier), strconv.Itoa(row.Orders), yuan(row.Total), yuan(row.Subsidy), yuan(row.Total - row.Subsidy)})
	}
	compared := []string{v.T("canteen.staff.month")}
	for _, column := range v.compared() {
		compared = append(compared, v.T("canteen.takings.inYuan", "What", column))
	}
	lines = append(lines, nil, compared)
	for _, c := range v.Checks {
		lines = append(lines, c.cells(yuan))
	}
	content, err := web.CSV(lines)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="subsidies-`+v.From+`-`+v.To+`.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(content); err != nil {
		s.log.DebugContext(r.Context(), "file not delivered", "error", err.Error())
	}
}

// tierName is what people call a tier; those who paid all have none.
func (v subsidiesView) tierName(name string) string {
	if name == "" {
		return v.T("canteen.staff.fullPrice")
	}
	for _, t := range v.Tiers {
		if t.Name == name {
			return t.DisplayName
		}
	}
	return name
}

// total are all lines as one.
func (v subsidiesView) total() (sum SubsidyRow) {
	for _, row := range v.Rows {
		sum.Orders, sum.Total, sum.Subsidy = sum.Orders+row.Orders, sum.Total+row.Total, sum.Subsidy+row.Subsidy
	}
	return sum
}

// query are the months as a part of an address.
func (v subsidiesView) query() string { return url.Values{"from": {v.From}, "to": {v.To}}.Encode() }

func subsidiesTable(v subsidiesView) web.Table {
	t := web.Table{Caption: v.T("canteen.staff.subsidiesOf", "From", v.From, "To", v.To), Titled: true, Columns: []web.Column{
		{Label: v.T("canteen.staff.month"), Short: true}, {Label: v.T("canteen.staff.tier")}, {Label: v.T("canteen.staff.orders"), Number: true},
		{Label: v.T("canteen.staff.fullPriceSum"), Number: true}, {Label: v.T("canteen.staff.subsidy"), Number: true},
		{Label: v.T("canteen.staff.paidSum"), Number: true},
	}}
	cells := func(month, tier string, row SubsidyRow) []templ.Component {
		return []templ.Component{
			web.Text(month), web.Text(tier), web.Text(strconv.Itoa(row.Orders)), web.Text(v.Money(row.Total)), web.Text(v.Money(row.Subsidy)),
			web.Text(v.Money(row.Total - row.Subsidy)),
		}
	}
	for _, row := range v.Rows {
		t.Rows = append(t.Rows, cells(string(row.Month), v.tierName(row.Tier), row))
	}
	t.Rows = append(t.Rows, cells(v.T("canteen.staff.sum"), "", v.total()))
	return t
}

// cells are a month held against the ledger.
func (c MonthCheck) cells(money func(fen int64) string) []string {
	return []string{
		string(c.Month), money(c.Total), money(c.LedgerTotal), money(c.Total - c.LedgerTotal),
		money(c.Subsidy), money(c.LedgerSubsidy), money(c.Subsidy - c.LedgerSubsidy),
	}
}

// agree says that no month differs from the ledger.
func (v subsidiesView) agree() bool {
	return !slices.ContainsFunc(v.Checks, func(c MonthCheck) bool { return !c.Agrees() })
}

// compared are what the columns of cells are called, after the month.
func (v subsidiesView) compared() []string {
	return []string{
		v.T("canteen.takings.total"), v.T("canteen.takings.ledgerTotal"), v.T("canteen.takings.totalDifference"),
		v.T("canteen.takings.subsidy"), v.T("canteen.takings.ledgerSubsidy"), v.T("canteen.takings.subsidyDifference"),
	}
}

func checksTable(v subsidiesView) web.Table {
	t := web.Table{Caption: v.T("canteen.takings.title"), Titled: true, Columns: []web.Column{{Label: v.T("canteen.staff.month"), Short: true}}}
	for _, column := range v.compared() {
		t.Columns = append(t.Columns, web.Column{Label: column, Number: true})
	}
	for _, c := range v.Checks {
		var row []templ.Component
		for _, text := range c.cells(v.Money) {
			row = append(row, web.Text(text))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// categoryView is who belongs to a category.
type categoryView struct {
	desk
	Category v1alpha1.Category
	Members  []identity.Person
	// Query is a name or phone number that was looked for, Found are the people
	// who may be meant.
	Query string
	Found []identity.Person
}

// category is the category that the address names.
func (s *service) category(r *http.Request) (v1alpha1.Category, error) {
	all := s.spec().Categories
	i := slices.IndexFunc(all, func(c v1alpha1.Category) bool { return c.Name == r.PathValue("category") })
	if i < 0 {
		return v1alpha1.Category{}, ErrNotFound
	}
	return all[i], nil
}

func (s *service) categoryPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.categoryView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, categoryPage(v))
}

func (s *service) categoryView(r *http.Request) (v categoryView, err error) {
	ctx := r.Context()
	v.desk = s.desk(r, staffSubsidiesPath)
	if v.Category, err = s.category(r); err != nil {
		return v, err
	}
	ids, err := s.store.Members(ctx, s.by(ctx), v.Category.Name, s.location())
	if err != nil {
		return v, err
	}
	for _, id := range ids {
		p, err := s.people.Person(ctx, id)
		if errors.Is(err, identity.ErrNobody) {
			continue // just deleted; the service is told in a moment
		}
		if err != nil {
			return v, err
		}
		v.Members = append(v.Members, p)
	}
	slices.SortFunc(v.Members, func(a, b identity.Person) int { return strings.Compare(a.LatinName+a.Name, b.LatinName+b.Name) })
	if v.Query = typed(r.URL.Query(), "q"); v.Query != "" {
		// The service of residents records who looked for whom.
		v.Found, err = s.people.Find(ctx, v.Query, maxFoundPeople)
	}
	return v, err
}

// member says that a person is on the list.
func (v categoryView) member(person string) bool {
	return slices.ContainsFunc(v.Members, func(p identity.Person) bool { return p.ID == person })
}

func categoryURL(name string) string { return staffCategoriesPath + url.PathEscape(name) }

func (s *service) memberAdded(w http.ResponseWriter, r *http.Request) {
	s.memberChanged(w, r, "memberAdded", func(category string) error {
		p, err := s.people.Person(r.Context(), r.PostForm.Get("person"))
		if err != nil {
			return err
		}
		return s.store.AddMember(r.Context(), s.by(r.Context()), category, p.ID)
	})
}

func (s *service) memberRemoved(w http.ResponseWriter, r *http.Request) {
	s.memberChanged(w, r, "memberRemoved", func(category string) error {
		return s.store.RemoveMember(r.Context(), s.by(r.Context()), category, r.PostForm.Get("person"))
	})
}

func (s *service) memberChanged(w http.ResponseWriter, r *http.Request, done string, change func(category string) error) {
	if !s.staffForm(w, r) {
		return
	}
	c, err := s.category(r)
	if err == nil {
		err = change(c.Name)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(categoryURL(c.Name), done), http.StatusSeeOther)
}
