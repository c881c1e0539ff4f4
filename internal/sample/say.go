package sample

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// opinions are what some people say about a meal of today, and what they would
// like to be cooked.
var opinions = []struct {
	by, eater   string
	stars       int
	line        string
	title, text string
}{
	{"li-qiang", "Wang Guihua", 5, "软烂，老人吃得惯", "荠菜鲜肉馄饨", "皮薄一点，早餐最好。"},
	{"zhao-changshun", "Zhao Changshun", 4, "", "手擀面", "天冷了，想吃热汤面。"},
	{"chen-yutong", "Chen Yutong", 2, "今天有点咸", "低糖南瓜饼", ""},
}

// say has some people eat today, as long as there is a meal to be had, and say
// how it was; and suggest what could be cooked, and vote for it. What was said
// before is not said again.
func (c Community) say(ctx context.Context, manager string, places []canteen, dishes, people map[string]string) error {
	if len(places) == 0 {
		return nil
	}
	for _, o := range opinions {
		by, _ := Of(o.by)
		token, err := c.Token(ctx, by.Phone, false)
		if err != nil {
			return err
		}
		if err := c.eatToday(ctx, manager, places[0], dishes, people[o.eater]); err != nil {
			return fmt.Errorf("a meal of %s: %w", o.eater, err)
		}
		if err := c.rateToday(ctx, manager, token, people[o.eater], o.stars, o.line); err != nil {
			return fmt.Errorf("ratings of %s: %w", o.by, err)
		}
		if err := c.suggest(ctx, token, o.title, o.text); err != nil {
			return fmt.Errorf("suggestions of %s: %w", o.by, err)
		}
	}
	for _, o := range opinions { // when all have suggested something
		by, _ := Of(o.by)
		token, err := c.Token(ctx, by.Phone, false)
		if err == nil {
			err = c.vote(ctx, token)
		}
		if err != nil {
			return fmt.Errorf("votes of %s: %w", o.by, err)
		}
	}
	return nil
}

// eatToday orders a meal of today for somebody at the counter, if one can still
// be had and they have none.
func (c Community) eatToday(ctx context.Context, manager string, place canteen, dishes map[string]string, person string) error {
	for m, meal := range place.Meals {
		body := map[string]any{
			"canteen": place.Name, "date": c.Today.Format(time.DateOnly), "meal": meal.Name, "way": "PickUp", "person": person, "payment": "Counter",
			"lines": []any{map[string]any{"dish": items(daysSinceMonday(c.Today)+m, dishes)[0]["dish"], "portions": 1}},
		}
		err := c.ask(ctx, manager, http.MethodPost, canteenPath+"/staff/orders", "", body, nil)
		if err == nil || !isStatus(err, http.StatusConflict) && !isStatus(err, http.StatusUnprocessableEntity) {
			return err
		}
	}
	return nil
}

// rateToday has the meals of somebody that are of today handed out, and rated.
func (c Community) rateToday(ctx context.Context, manager, token, person string, stars int, line string) error {
	var listed struct {
		Orders []struct {
			ID, Date, Person, State string
			Lines                   []struct{ Dish string }
		}
	}
	if err := c.ask(ctx, token, http.MethodGet, canteenPath+"/orders", "", nil, &listed); err != nil {
		return err
	}
	for _, o := range listed.Orders {
		if o.Date != c.Today.Format(time.DateOnly) || o.Person != person || !slices.Contains([]string{"Placed", "Served"}, o.State) {
			continue
		}
		if err := c.ask(ctx, manager, http.MethodPost, canteenPath+"/staff/orders/"+o.ID+"/serve", "", nil, nil); err != nil {
			return err
		}
		for _, l := range o.Lines {
			if err := c.ask(ctx, token, http.MethodPut, canteenPath+"/orders/"+o.ID+"/ratings/"+l.Dish, "", map[string]any{"stars": stars, "line": line}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// suggestion is what somebody would like to be cooked.
type suggestion struct {
	ID, Title, State string
	Mine             bool
}

func (c Community) suggestions(ctx context.Context, token string) ([]suggestion, error) {
	var listed struct{ Suggestions []suggestion }
	err := c.ask(ctx, token, http.MethodGet, canteenPath+"/suggestions", "", nil, &listed)
	return listed.Suggestions, err
}

// suggest says what somebody would like, unless it was said before.
func (c Community) suggest(ctx context.Context, token, title, text string) error {
	known, err := c.suggestions(ctx, token)
	if err != nil || slices.ContainsFunc(known, func(s suggestion) bool { return s.Title == title }) {
		return err
	}
	return c.ask(ctx, token, http.MethodPost, canteenPath+"/suggestions", "", map[string]any{"title": title, "text": text}, nil)
}

// vote has somebody vote for what others would like, but for the last.
func (c Community) vote(ctx context.Context, token string) error {
	known, err := c.suggestions(ctx, token)
	if err != nil {
		return err
	}
	for _, s := range known {
		if s.Mine || s.State != "Open" || s.Title == opinions[len(opinions)-1].title {
			continue
		}
		if err := c.ask(ctx, token, http.MethodPut, canteenPath+"/suggestions/"+s.ID+"/vote", "", nil, nil); err != nil {
			return err
		}
	}
	return nil
}
