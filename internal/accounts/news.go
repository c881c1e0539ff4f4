package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

// NewsKind is what has happened to somebody's purse. Names are stable.
type NewsKind string

// What people are told of.
const (
	// NewsLow is told once when a purse is nearly empty after something was
	// paid from it.
	NewsLow NewsKind = "accounts-low"
	// NewsToppedUp is told when somebody else has paid something in.
	NewsToppedUp NewsKind = "accounts-topped-up"
)

// News is something that has happened to somebody's purse.
type News struct {
	Kind   NewsKind
	Person string
	// About is the ID of the transaction.
	About uuid.UUID
	// Amount is what was paid in, Balance what is in the purse now, in fen.
	Amount, Balance int64
	Now             time.Time
}

// OnNews has tell called for all news, in the transaction in which it happens.
// An error of it undoes what has happened. It is to be set before the store is
// used.
func (s *Store) OnNews(tell func(ctx context.Context, tx bun.Tx, n News) error) { s.tell = tell }

// tellLow tells who has paid from a purse if it is nearly empty now, unless
// that was said before.
func (s *Store) tellLow(ctx context.Context, tx bun.Tx, a Act, purse uuid.UUID) error {
	p, err := purseIn(ctx, tx, purse)
	if err != nil || p.Balance >= LowBalance || p.Person == "" {
		return err
	}
	result, err := tx.NewUpdate().Model((*purseRow)(nil)).Set("told_low = 1").Where("id = ? AND told_low = 0", purse).Exec(ctx)
	if err != nil {
		return fmt.Errorf("noting that a purse is nearly empty: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return s.tell(ctx, tx, News{Kind: NewsLow, Person: p.Person, About: purse, Balance: p.Balance, Now: a.Now})
}

// toppedUp tells whose purse it is that another has paid something in, and
// has it said again when it is nearly empty the next time.
func (s *Store) toppedUp(ctx context.Context, tx bun.Tx, a Act, before Purse, t Transaction) error {
	balance := before.Balance + t.OnPurse()
	if balance >= LowBalance {
		if _, err := tx.NewUpdate().Model((*purseRow)(nil)).Set("told_low = 0").Where("id = ?", before.ID).Exec(ctx); err != nil {
			return fmt.Errorf("noting that a purse is filled: %w", err)
		}
	}
	if before.Person == "" || a.Actor == before.Person {
		return nil
	}
	return s.tell(ctx, tx, News{Kind: NewsToppedUp, Person: before.Person, About: t.ID, Amount: t.OnPurse(), Balance: balance, Now: a.Now})
}

// newsKept is how long somebody is tried to be told.
const newsKept = 3 * 24 * time.Hour

// message is the news for whose purse it is. words are those of a language, by
// its tag.
func (n News) message(words map[web.Language]web.View) notify.Message {
	m := notify.Message{
		At: n.Now, Person: n.Person, Kind: string(n.Kind), About: n.About.String(), Link: homePath,
		Text: map[string]string{}, NotAfter: n.Now.Add(newsKept),
	}
	for lang, v := range words {
		if n.Kind == NewsLow {
			m.Text[string(lang)] = v.T("accounts.news.low", "Balance", yuan(n.Balance))
		} else {
			m.Text[string(lang)] = v.T("accounts.news.toppedUp", "Amount", yuan(n.Amount), "Balance", yuan(n.Balance))
		}
	}
	return m
}

// tell hands news over to be told.
func (s *service) tell(ctx context.Context, tx bun.Tx, n News) error {
	return notify.Send(ctx, tx, n.message(s.words()))
}

// words are what texts are written with that no request is answered with.
func (s *service) words() map[web.Language]web.View {
	words := map[web.Language]web.View{}
	for _, lang := range web.Languages {
		words[lang] = s.pages.Words(lang)
	}
	return words
}
