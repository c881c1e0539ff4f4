package canteen

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
)

// SuggestionState is what has become of what somebody would like to be cooked. Names are
// stable.
type SuggestionState string

// What becomes of a suggestion. All but Open and Planned are ends.
const (
	SuggestionOpen     SuggestionState = "Open"
	SuggestionPlanned  SuggestionState = "Planned"
	SuggestionCooked   SuggestionState = "Cooked"
	SuggestionDeclined SuggestionState = "Declined"
	SuggestionHidden   SuggestionState = "Hidden" // residents do not see it
)

// answers are what the staff can make of a suggestion.
var answers = []SuggestionState{SuggestionPlanned, SuggestionCooked, SuggestionDeclined, SuggestionHidden}

// Live reports whether one can vote for it.
func (w SuggestionState) Live() bool { return w == SuggestionOpen || w == SuggestionPlanned }

// needsReason reports whether who says so says why.
func (w SuggestionState) needsReason() bool { return w == SuggestionDeclined || w == SuggestionHidden }

// Suggestion is what somebody would like to be cooked. Who it is only managers
// see.
type Suggestion struct {
	ID          uuid.UUID
	Title, Text string
	State       SuggestionState
	// Answer is what the staff say to it.
	Answer string
	// Version rises with every answer.
	Version               int
	CreatedAt, AnsweredAt time.Time
	// Votes is how many others would like it.
	Votes int
	// Mine says that it is the reader's own, Voted that they would like it too.
	Mine, Voted bool
}

// Limits of suggestions.
const (
	maxTitle  = 40
	maxText   = 200
	maxAnswer = 200
	// maxOpen is how many suggestions of one person wait for an answer.
	maxOpen = 3
	// suggestionsShown is how many are listed at most.
	suggestionsShown = 200
	// suggestionRetention is for how long a suggestion is kept after it was
	// cooked, declined or hidden.
	suggestionRetention = 180 * 24 * time.Hour
)

// The rules of suggestions.
const (
	RuleTitle    Rule = "title"
	RuleText     Rule = "text-too-long"
	RuleTooMany  Rule = "too-many-open"
	RuleOwn      Rule = "own-suggestion"
	RuleAnswered Rule = "answered"
	RuleWhy      Rule = "why"
)

type suggestionRow struct {
	bun.BaseModel `bun:"table:suggestions"`

	ID         uuid.UUID `bun:",pk"`
	Author     string
	Title      string
	Text       string
	State      SuggestionState
	Answer     string
	Version    int
	CreatedAt  int64
	AnsweredAt *int64
	EndedAt    *int64
}

func (r suggestionRow) suggestion() Suggestion {
	return Suggestion{
		ID: r.ID, Title: r.Title, Text: r.Text, State: r.State, Answer: r.Answer, Version: r.Version,
		CreatedAt: time.Unix(r.CreatedAt, 0), AnsweredAt: timeOf(r.AnsweredAt),
	}
}

type voteRow struct {
	bun.BaseModel `bun:"table:votes"`

	Suggestion uuid.UUID `bun:",pk"`
	Person     string    `bun:",pk"`
}

// CheckSuggestion says which rule the texts of a suggestion break, or nil.
func CheckSuggestion(title, text string) *Refusal {
	if n := utf8.RuneCountInString(title); strings.TrimSpace(title) == "" || n > maxTitle {
		return refuse(RuleTitle, maxTitle, "a title has 1 to %d characters", maxTitle)
	}
	if utf8.RuneCountInString(text) > maxText {
		return refuse(RuleText, maxText, "a text has at most %d characters", maxText)
	}
	return nil
}

// Suggest keeps what somebody would like to be cooked. It returns a *Refusal if
// they have too many that wait for an answer.
func (s *Store) Suggest(ctx context.Context, by By, title, text string) (Suggestion, error) {
	if refusal := CheckSuggestion(title, text); refusal != nil {
		return Suggestion{}, refusal
	}
	id, err := newID()
	if err != nil {
		return Suggestion{}, err
	}
	row := suggestionRow{ID: id, Author: by.Actor, Title: title, Text: text, State: SuggestionOpen, Version: 1, CreatedAt: by.Now.Unix()}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*suggestionRow)(nil)).Where("author = ? AND state = ?", by.Actor, SuggestionOpen).Count(ctx)
		if err != nil {
			return fmt.Errorf("counting suggestions: %w", err)
		}
		if n >= maxOpen {
			return refuse(RuleTooMany, maxOpen, "at most %d suggestions of one person wait for an answer", maxOpen)
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("keeping a suggestion: %w", err)
		}
		return nil
	})
	out := row.suggestion()
	out.Mine = true
	return out, err
}

func suggestionIn(ctx context.Context, db bun.IDB, id uuid.UUID) (suggestionRow, error) {
	var row suggestionRow
	err := db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return row, ErrNotFound
	}
	if err != nil {
		return row, fmt.Errorf("reading suggestion %s: %w", id, err)
	}
	return row, nil
}

// Vote notes that somebody would like a suggestion of somebody else's too, or
// not any more. To say it again is no error, and counts once.
func (s *Store) Vote(ctx context.Context, by By, id uuid.UUID, like bool) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		row, err := suggestionIn(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case row.State == SuggestionHidden:
			return ErrNotFound
		case row.Author == by.Actor:
			return refuse(RuleOwn, 0, "one's own suggestion needs no vote of one's own")
		case !row.State.Live():
			return refuse(RuleAnswered, 0, "the suggestion is %s", row.State)
		}
		vote := voteRow{Suggestion: id, Person: by.Actor}
		if like {
			_, err = tx.NewInsert().Model(&vote).On("CONFLICT DO NOTHING").Exec(ctx)
		} else {
			_, err = tx.NewDelete().Model(&vote).WherePK().Exec(ctx)
		}
		if err != nil {
			return fmt.Errorf("keeping a vote: %w", err)
		}
		return nil
	})
}

// TakeBack removes a suggestion of one's own that was not answered yet.
func (s *Store) TakeBack(ctx context.Context, by By, id uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		row, err := suggestionIn(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case row.Author != by.Actor:
			return ErrNotFound
		case row.State != SuggestionOpen:
			return refuse(RuleAnswered, 0, "the suggestion is %s", row.State)
		}
		if _, err := tx.NewDelete().Model(&row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("removing a suggestion: %w", err)
		}
		return nil
	})
}

// Suggestions are those that a reader sees, hidden ones only if asked: first
// those that one can vote for, most votes first, then the others, the latest
// answer first.
func (s *Store) Suggestions(ctx context.Context, reader string, hidden bool) ([]Suggestion, error) {
	var rows []struct {
		suggestionRow `bun:",extend"`
		Votes         int
		Voted         int
	}
	q := s.db.Reader().NewSelect().Model(&rows).ModelTableExpr("suggestions AS s").ColumnExpr("s.*").
		ColumnExpr("(SELECT COUNT(*) FROM votes WHERE suggestion = s.id) AS votes").
		ColumnExpr("(SELECT COUNT(*) FROM votes WHERE suggestion = s.id AND person = ?) AS voted", reader).
		OrderExpr("CASE WHEN s.ended_at IS NULL THEN 0 ELSE 1 END, CASE WHEN s.ended_at IS NULL THEN 0 ELSE -s.ended_at END, votes DESC, s.created_at, s.id").
		Limit(suggestionsShown)
	if !hidden {
		q.Where("s.state <> ?", SuggestionHidden)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing suggestions: %w", err)
	}
	list := make([]Suggestion, len(rows))
	for i, row := range rows {
		list[i] = row.suggestion()
		list[i].Votes, list[i].Voted, list[i].Mine = row.Votes, row.Voted > 0, row.Author != "" && row.Author == reader
	}
	return list, nil
}

// Suggestion is one for staff, or ErrNotFound.
func (s *Store) Suggestion(ctx context.Context, id uuid.UUID) (Suggestion, error) {
	row, err := suggestionIn(ctx, s.db.Reader(), id)
	return row.suggestion(), err
}

// Author is who has made a suggestion, empty if they have left. That staff look
// is recorded first.
func (s *Store) Author(ctx context.Context, by By, id uuid.UUID) (string, error) {
	row, err := suggestionIn(ctx, s.db.Reader(), id)
	if err != nil {
		return "", err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: Name + ".suggestion-author", Actor: by.Actor, Person: row.Author, Object: id.String()})
	})
	if err != nil {
		return "", fmt.Errorf("nothing is shown, since that could not be recorded: %w", err)
	}
	return row.Author, nil
}

// Answer says what becomes of a suggestion, and tells its author. Version is
// the one that was seen; it returns ErrStale if somebody else has answered
// meanwhile, and a *Refusal without the reason that declining and hiding need.
func (s *Store) Answer(ctx context.Context, by By, id uuid.UUID, version int, state SuggestionState, text string) (Suggestion, error) {
	var row suggestionRow
	if n := utf8.RuneCountInString(text); n > maxAnswer || n == 0 && state.needsReason() {
		return Suggestion{}, refuse(RuleWhy, maxAnswer, "say why, in at most %d characters", maxAnswer)
	}
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if row, err = suggestionIn(ctx, tx, id); err != nil {
			return err
		}
		if row.Version != version {
			return ErrStale
		}
		row.State, row.Answer, row.AnsweredAt, row.EndedAt = state, text, unix(by.Now), nil
		row.Version++
		action := Name + ".suggestion-answer"
		if !state.Live() {
			row.EndedAt = unix(by.Now)
		}
		if state == SuggestionHidden {
			action = Name + ".suggestion-hide"
		}
		if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("keeping an answer: %w", err)
		}
		if row.Author != "" && row.Author != by.Actor {
			if err := s.tell(ctx, tx, News{Kind: NewsAnswered, Suggestion: row.suggestion(), Person: row.Author, Now: by.Now}); err != nil {
				return err
			}
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: action, Actor: by.Actor, Object: id.String(), Detail: map[string]string{"state": string(state)}})
	})
	return row.suggestion(), err
}

// eraseSuggestions removes suggestions that have ended by a moment, with their
// votes.
func eraseSuggestions(ctx context.Context, tx bun.Tx, ended time.Time) error {
	_, err := tx.NewDelete().Model((*suggestionRow)(nil)).Where("ended_at <= ?", ended.Unix()).Exec(ctx)
	return err
}

// forgetSuggestions takes a person out of suggestions and votes. Of what they
// have suggested only the title stays, which others may have voted for.
func forgetSuggestions(ctx context.Context, tx bun.Tx, person string) error {
	_, err := tx.NewUpdate().Model((*suggestionRow)(nil)).Set("author = '', text = ''").Where("author = ?", person).Exec(ctx)
	if err == nil {
		_, err = tx.NewDelete().Model((*voteRow)(nil)).Where("person = ?", person).Exec(ctx)
	}
	return err
}

// PersonalSuggestion is what a person has suggested, or voted for.
type PersonalSuggestion struct {
	// Title is left out of what was hidden, unless it is theirs.
	Title string          `json:"title,omitempty"`
	Text  string          `json:"text,omitempty"`
	State SuggestionState `json:"state"`
	// Own says that it is theirs; else they voted for it.
	Own bool `json:"own"`
}

// suggestionsAbout are what a person has suggested and voted for.
func (s *Store) suggestionsAbout(ctx context.Context, person string) ([]PersonalSuggestion, error) {
	var rows []suggestionRow
	voted := s.db.Reader().NewSelect().Model((*voteRow)(nil)).Column("suggestion").Where("person = ?", person)
	err := s.db.Reader().NewSelect().Model(&rows).Where("author = ? OR id IN (?)", person, voted).Order("created_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what a person has suggested: %w", err)
	}
	list := []PersonalSuggestion{}
	for _, r := range rows {
		p := PersonalSuggestion{Title: r.Title, State: r.State, Own: r.Author == person}
		switch {
		case p.Own:
			p.Text = r.Text // others' texts are theirs
		case r.State == SuggestionHidden:
			p.Title = "" // which residents are not to read
		}
		list = append(list, p)
	}
	return list, nil
}
