package canteen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// TestSuggestions: everybody has a vote for what others would like, and three
// suggestions that wait; who has made one learns what becomes of it.
func TestSuggestions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, now := t.Context(), moment(t, sunday)
		by := func(who string) By { return By{Actor: who, Now: now} }
		var told []News
		w.OnNews(func(_ context.Context, _ bun.Tx, n News) error { told = append(told, n); return nil })
		suggest := func(who, title string) Suggestion {
			t.Helper()
			return must[Suggestion](t)(w.Suggest(ctx, by(who), title, "皮薄一点"))
		}
		wonton, noodles := suggest("wang", "荠菜馄饨"), suggest("li", "炸酱面")
		for i := range 2 {
			suggest("wang", fmt.Sprint("菜", i))
		}
		_, err := w.Suggest(ctx, by("wang"), "还要", "")
		wantRule(t, err, RuleTooMany)
		_, err = w.Suggest(ctx, by("li"), strings.Repeat("面", 41), "")
		wantRule(t, err, RuleTitle)
		_, err = w.Suggest(ctx, by("li"), " ", "")
		wantRule(t, err, RuleTitle)
		_, err = w.Suggest(ctx, by("li"), "面", strings.Repeat("面", 201))
		wantRule(t, err, RuleText)

		list := func(reader string, hidden bool) []Suggestion {
			return must[[]Suggestion](t)(w.Suggestions(ctx, reader, hidden))
		}
		vote := func(who string, s Suggestion, like bool) error { return w.Vote(ctx, by(who), s.ID, like) }
		for range 2 { // a second vote of the same is none
			for _, who := range []string{"zhao", "chen"} {
				if err := vote(who, noodles, true); err != nil {
					t.Fatal(err)
				}
			}
		}
		wantRule(t, vote("li", noodles, true), RuleOwn)
		if first := list("zhao", false)[0]; first.ID != noodles.ID || first.Votes != 2 || !first.Voted || first.Mine {
			t.Errorf("first: %+v", first)
		}
		if first := list("li", false)[0]; !first.Mine || first.Voted {
			t.Errorf("one's own: %+v", first)
		}
		err = w.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&voteRow{Suggestion: noodles.ID, Person: "zhao"}).Exec(ctx)
			return err
		})
		if !database.IsUnique(err) {
			t.Errorf("the database keeps a second vote: %v", err)
		}
		if err := vote("zhao", noodles, false); err != nil || list("zhao", false)[0].Votes != 1 {
			t.Errorf("taken back: %v, %+v", err, list("zhao", false)[0])
		}

		// The staff answer; without a reason nothing is declined or hidden.
		for _, state := range []SuggestionState{SuggestionDeclined, SuggestionHidden} {
			_, err = w.Answer(ctx, by("cook"), wonton.ID, 1, state, "")
			wantRule(t, err, RuleWhy)
		}
		must[Suggestion](t)(w.Answer(ctx, by("cook"), wonton.ID, 1, SuggestionPlanned, ""))
		if _, err := w.Answer(ctx, by("other"), wonton.ID, 1, SuggestionDeclined, "贵"); !errors.Is(err, ErrStale) {
			t.Errorf("answered twice at once: %v", err)
		}
		if len(told) != 1 || told[0].Kind != NewsAnswered || told[0].Person != "wang" || told[0].Suggestion.State != SuggestionPlanned {
			t.Errorf("told: %+v", told)
		}
		suggest("wang", "又一个") // what is answered waits no more
		wantRule(t, w.TakeBack(ctx, by("wang"), wonton.ID), RuleAnswered)
		if err := w.TakeBack(ctx, by("wang"), noodles.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("taking somebody else's back: %v", err)
		}
		must[Suggestion](t)(w.Answer(ctx, by("cook"), noodles.ID, 1, SuggestionHidden, "有姓名"))
		for _, s := range list("zhao", false) {
			if s.ID == noodles.ID {
				t.Error("what is hidden is seen")
			}
		}
		if all := list("", true); len(all) != len(list("", false))+1 {
			t.Errorf("the staff see %+v", all)
		}
		if err := vote("chen", noodles, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("a vote for what is hidden: %v", err)
		}
		must[Suggestion](t)(w.Answer(ctx, by("cook"), wonton.ID, 2, SuggestionCooked, ""))
		wantRule(t, vote("chen", wonton, true), RuleAnswered)
		if author := must[string](t)(w.Author(ctx, by("manager"), wonton.ID)); author != "wang" {
			t.Errorf("the author is %q", author)
		}
		records := must[[]audit.Record](t)(audit.Between(ctx, w.db, now.Add(-time.Hour), now.Add(time.Hour), 100))
		if len(records) == 0 || records[0].Action != "canteen.suggestion-author" || records[0].Person != "wang" || records[0].Object != wonton.ID.String() {
			t.Errorf("recorded: %+v", records)
		}

		// Wang leaves: nothing says who it was.
		if about := must[[]PersonalSuggestion](t)(w.suggestionsAbout(ctx, "wang")); len(about) != 4 || !about[0].Own || about[0].Text == "" {
			t.Errorf("about Wang: %+v", about)
		}
		if err := vote("wang", noodles, true); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if err := w.Forget(ctx, "wang", now); err != nil {
			t.Fatal(err)
		}
		if about := must[[]PersonalSuggestion](t)(w.suggestionsAbout(ctx, "wang")); len(about) != 0 {
			t.Errorf("about Wang, who has left: %+v", about)
		}
		for _, s := range list("wang", true) {
			if s.Mine || s.ID != noodles.ID && s.Text != "" {
				t.Errorf("left behind: %+v", s)
			}
		}
		if author := must[string](t)(w.Author(ctx, by("manager"), wonton.ID)); author != "" {
			t.Errorf("the author is %q, who has left", author)
		}
		// And who has voted leaves with the vote.
		for _, s := range list("", true) {
			if s.State == SuggestionOpen {
				if err := vote("chen", s, true); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Forget(ctx, "chen", now); err != nil {
			t.Fatal(err)
		}
		for _, s := range list("", true) {
			if s.Votes != 0 || s.Mine {
				t.Errorf("votes of who has left, or nobody's own: %+v", s)
			}
		}
	})
}

// TestSuggestionEnds: what is taken back goes with its votes; what was declined
// and is planned after all stays; what was cooked goes half a year later.
func TestSuggestionEnds(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, now := t.Context(), moment(t, sunday)
		by := func(who string) By { return By{Actor: who, Now: now} }
		left := func(want int) {
			t.Helper()
			list, voted := must[[]Suggestion](t)(w.Suggestions(ctx, "", true)), must[[]PersonalSuggestion](t)(w.suggestionsAbout(ctx, "chen"))
			if len(list) != want || len(voted) != want {
				t.Errorf("%d suggestions and %d votes are left, want %d", len(list), len(voted), want)
			}
		}
		wonton, noodles := must[Suggestion](t)(w.Suggest(ctx, by("wang"), "荠菜馄饨", "")), must[Suggestion](t)(w.Suggest(ctx, by("wang"), "炸酱面", ""))
		for _, s := range []Suggestion{wonton, noodles} {
			if err := w.Vote(ctx, by("chen"), s.ID, true); err != nil {
				t.Fatal(err)
			}
		}
		left(2)
		if err := w.TakeBack(ctx, by("wang"), wonton.ID); err != nil {
			t.Fatal(err)
		}
		left(1)
		if err := w.TakeBack(ctx, by("wang"), wonton.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("taken back twice: %v", err)
		}

		_, err := w.Answer(ctx, by("cook"), noodles.ID, 1, SuggestionDeclined, strings.Repeat("贵", 201))
		wantRule(t, err, RuleWhy)
		must[Suggestion](t)(w.Answer(ctx, by("cook"), noodles.ID, 1, SuggestionDeclined, strings.Repeat("贵", 200)))
		must[Suggestion](t)(w.Answer(ctx, by("cook"), noodles.ID, 2, SuggestionPlanned, "还是做"))
		erase := func(at time.Time) {
			t.Helper()
			if _, err := w.Erase(ctx, at, shanghai); err != nil {
				t.Fatal(err)
			}
		}
		erase(now.Add(2 * suggestionRetention))
		left(1)
		must[Suggestion](t)(w.Answer(ctx, by("cook"), noodles.ID, 3, SuggestionCooked, ""))
		erase(now.Add(suggestionRetention - time.Second))
		left(1)
		erase(now.Add(suggestionRetention))
		left(0)
	})
}

// TestHiddenInExport: who has voted for what was hidden since is not handed its
// words, in which there may be somebody's name; its author is.
func TestHiddenInExport(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		by := func(who string) By { return By{Actor: who, Now: moment(t, sunday)} }
		s := must[Suggestion](t)(w.Suggest(ctx, by("wang"), "换掉张师傅", "他炒的菜太咸"))
		if err := w.Vote(ctx, by("chen"), s.ID, true); err != nil {
			t.Fatal(err)
		}
		must[Suggestion](t)(w.Answer(ctx, by("cook"), s.ID, 1, SuggestionHidden, "有姓名"))
		for who, want := range map[string]PersonalSuggestion{
			"wang": {Title: "换掉张师傅", Text: "他炒的菜太咸", State: SuggestionHidden, Own: true}, "chen": {State: SuggestionHidden},
		} {
			if about := must[[]PersonalSuggestion](t)(w.suggestionsAbout(ctx, who)); len(about) != 1 || about[0] != want {
				t.Errorf("about %s: %+v", who, about)
			}
		}
	})
}

// suggested is a suggestion of Li's that waits for an answer.
func (s *site) suggested() (id string) {
	s.t.Helper()
	var list struct{ Suggestions []apiSuggestion }
	s.call(li, 200, "GET", "/suggestions", nil, &list)
	for _, one := range list.Suggestions {
		if one.Mine && one.State == SuggestionOpen {
			return one.ID
		}
	}
	return s.api(li, 201, "POST", "/suggestions", map[string]any{"title": "荠菜馄饨"})
}

// TestSuggestionPages: a resident suggests, another votes, the cook answers and
// does not see who it was.
func TestSuggestionPages(t *testing.T) {
	s := startSite(t)
	v, zhao, c, m := s.visitor(li), s.visitor("zhao-changshun"), s.visitor(cook), s.visitor(manager)
	v.page("/canteen/", "想吃什么")
	v.page(suggestionsPath, "现在没有建议")
	status, _, page := v.open(suggestionsPath+"/new", url.Values{"title": {""}, "text": {"皮薄一点"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, "皮薄一点") {
		t.Errorf("without a title: status %d", status)
	}
	v.has(page, "请写想吃什么")
	v.page(v.sent(suggestionsPath+"/new", url.Values{"title": {"荠菜馄饨"}, "text": {"皮薄一点"}}), "谢谢", "荠菜馄饨", "我提的", "收回建议")
	var list struct{ Suggestions []apiSuggestion }
	s.call(li, 200, "GET", "/suggestions", nil, &list)
	id := list.Suggestions[0].ID
	zhao.hasNot(zhao.page(suggestionsPath, "荠菜馄饨", "我也想吃"), liName, "我提的")
	for range 2 {
		zhao.sent(suggestionsPath+"/"+id+"/vote", url.Values{})
	}
	zhao.page(suggestionsPath, "1人也想吃", "取消投票")
	if status, _, page := v.open(suggestionsPath+"/"+id+"/vote", url.Values{}); status != http.StatusConflict {
		t.Errorf("a vote for one's own: %d:\n%s", status, said(page))
	}
	s.call(li, 422, "PUT", "/suggestions/"+id+"/vote", nil, nil)
	zhao.sent(suggestionsPath+"/"+id+"/unvote", url.Values{})
	zhao.hasNot(zhao.page(suggestionsPath, "我也想吃"), "1人也想吃", "取消投票")
	s.call("zhao-changshun", 204, "PUT", "/suggestions/"+id+"/vote", nil, nil)
	s.call("zhao-changshun", 204, "DELETE", "/suggestions/"+id+"/vote", nil, nil)
	zhao.hasNot(zhao.page(suggestionsPath), "1人也想吃")
	s.call("zhao-changshun", 204, "PUT", "/suggestions/"+id+"/vote", nil, nil)

	c.hasNot(c.page(staffSuggestionsPath, "荠菜馄饨", "1人也想吃"), liName)
	path := staffSuggestionsPath + id
	c.hasNot(c.page(path, "怎么办", "准备做"), liName, "看是谁提的")
	if status, _, _ := c.open(path+"/author", nil); status != http.StatusForbidden {
		t.Errorf("a cook sees who it was: %d", status)
	}
	for text, form := range map[string]url.Values{
		"请选择怎么办": {"version": {"1"}, "answer": {"好"}},
		"请写明原因":  {"version": {"1"}, "state": {"Declined"}},
	} {
		status, _, page := c.open(path, form)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", text, status)
		}
		c.has(page, text)
	}
	c.page(c.sent(path, url.Values{"version": {"1"}, "state": {"Planned"}, "answer": {"下周三的早餐"}}), "答复已保存", "准备做")
	status, _, page = c.open(path, url.Values{"version": {"1"}, "state": {"Hidden"}, "answer": {"重复"}})
	if status != http.StatusConflict || !strings.Contains(page, `name="version" value="2"`) || !strings.Contains(page, "重复</textarea>") {
		t.Errorf("answered meanwhile: status %d", status)
	}
	m.page(path, "看是谁提的")
	m.page(path+"/author", liName, "138 0000 0002")
	v.hasNot(v.page(suggestionsPath, "准备做", "下周三的早餐"), "收回建议")
	s.call(cook, 200, "PUT", "/staff/suggestions/"+id+"/answer", map[string]any{"state": "Hidden", "answer": "重复", "version": 2}, nil)
	zhao.hasNot(zhao.page(suggestionsPath), "荠菜馄饨")
	v.hasNot(v.page(suggestionsPath), "荠菜馄饨") // its author was told why
	for who, want := range map[string]int{li: 0, "zhao-changshun": 0} {
		if s.call(who, 200, "GET", "/suggestions", nil, &list); len(list.Suggestions) != want {
			t.Errorf("%s sees what is hidden: %+v", who, list)
		}
	}
	s.call(li, 403, "GET", "/staff/suggestions", nil, nil)
	s.call(cook, 403, "GET", "/staff/suggestions/"+id+"/author", nil, nil)
	var author struct{ Person string }
	if s.call(manager, 200, "GET", "/staff/suggestions/"+id+"/author", nil, &author); author.Person != hosttest.PersonID(t, li) {
		t.Errorf("the author is %q", author.Person)
	}
	c.page(staffSuggestionsPath, "荠菜馄饨", "不公开")
	s.call(cook, 404, "PUT", "/staff/suggestions/"+uuid.NewString()+"/answer", map[string]any{"state": "Cooked", "version": 1}, nil)
	bun := s.api(li, 201, "POST", "/suggestions", map[string]any{"title": "豆沙包"})
	v.page(v.sent(suggestionsPath+"/"+bun+"/take-back", url.Values{}), "建议已收回")
	v.hasNot(v.page(suggestionsPath), "豆沙包")
}
