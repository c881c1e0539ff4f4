package canteen

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

// NewsKind is what has happened to somebody's order. Names are stable.
type NewsKind string

// What people are told of: what others, or time, did to their orders.
const (
	// NewsCancelled: the staff have cancelled the order.
	NewsCancelled NewsKind = "canteen-cancelled"
	// NewsUnpaid: the money was not held any more when it was due; the order is
	// to be paid at the counter.
	NewsUnpaid NewsKind = "canteen-unpaid"
	// NewsStandingNot: a standing order could not order a meal.
	NewsStandingNot NewsKind = "canteen-standing-not-ordered"
	// NewsStandingEnded: a standing order was ended, because who asked for it
	// may not order for the eater any more.
	NewsStandingEnded NewsKind = "canteen-standing-ended"
	// NewsAnswered: the staff have answered what somebody has suggested.
	NewsAnswered NewsKind = "canteen-suggestion-answered"
)

// News is something that has happened to an order.
type News struct {
	Kind  NewsKind
	Order Order
	// Why is what came of a meal that a standing order could not order.
	Why Outcome
	// Suggestion is what was answered, and Person who has suggested it.
	Suggestion Suggestion
	Person     string
	Now        time.Time
}

// newsFor is how long after the day of its meal news of an order is of use.
const newsFor = 24 * time.Hour

// tell hands news over to be told.
func (s *service) tell(ctx context.Context, tx bun.Tx, n News) error {
	o := n.Order
	if n.Kind == NewsStandingNot || n.Kind == NewsStandingEnded {
		return s.tellStanding(ctx, tx, n)
	}
	if n.Kind == NewsAnswered {
		return s.tellAnswer(ctx, tx, n)
	}
	if isGuest(o.Eater) && o.Phone == "" {
		return nil // nobody knows how to reach them
	}
	m := notify.Message{
		At: n.Now, Person: o.Eater, By: o.OrderedBy, Kind: string(n.Kind), About: o.ID.String(), Link: orderURL(o.ID), Urgent: n.Kind == NewsCancelled,
		Text: map[string]string{}, NotAfter: latest(o.Day.AddDays(1).Noon(s.location()), n.Now.Add(newsFor)),
	}
	if isGuest(o.Eater) {
		m.Name, m.Phone, m.Link, m.By = o.Name, o.Phone, "", ""
	}
	meal, err := mealName(ctx, tx, o.Sitting)
	if err != nil {
		return err
	}
	for lang, v := range s.words() {
		args := []any{"Day", v.Date(o.Day.Noon(s.location())), "Meal", meal}
		if n.Kind == NewsUnpaid {
			m.Text[string(lang)] = v.T("canteen.news.unpaid", args...)
		} else {
			m.Text[string(lang)] = v.T("canteen.news.cancelled", args...)
		}
	}
	return notify.Send(ctx, tx, m)
}

// answerFor is how long the news of an answer is of use.
const answerFor = 14 * 24 * time.Hour

// tellAnswer tells who has suggested something what the staff say to it. On a
// phone, where others may see it, stands only that they have.
func (s *service) tellAnswer(ctx context.Context, tx bun.Tx, n News) error {
	m := notify.Message{
		At: n.Now, Person: n.Person, Kind: string(n.Kind), About: n.Suggestion.ID.String(), Link: suggestionsPath,
		Text: map[string]string{}, Short: map[string]string{}, NotAfter: n.Now.Add(answerFor),
	}
	for lang, v := range s.words() {
		m.Text[string(lang)] = v.T("canteen.suggestion.news."+string(n.Suggestion.State), "Title", n.Suggestion.Title, "Answer", n.Suggestion.Answer)
		m.Short[string(lang)] = v.T("canteen.suggestion.newsShort")
	}
	return notify.Send(ctx, tx, m)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// words are what texts are written with that no request is answered with.
func (s *service) words() map[web.Language]web.View {
	words := map[web.Language]web.View{}
	for _, lang := range web.Languages {
		words[lang] = s.pages.Words(lang)
	}
	return words
}
