package canteen

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/civil"
)

// Rating is what somebody says about a dish that was handed out to them.
type Rating struct {
	Dish uuid.UUID
	// Stars are 1 to 5; 0 takes back what was said.
	Stars int
	// Line is a line more about it, or empty. Only the staff read it.
	Line string
}

// Limits of ratings.
const (
	maxStars = 5
	// maxLine is how long a line may be, in characters.
	maxLine = 140
	// rateFor is for how long after a meal was handed out its dishes can be
	// rated, and what was said changed and taken back.
	rateFor = 7 * 24 * time.Hour
	// fewestRaters is how many eaters must have rated a dish before residents
	// see its stars: of fewer one could guess who said what.
	fewestRaters = 3
	// complaintStars is with how many stars, or fewer, a rating is a complaint.
	complaintStars = 2
)

// The rules of ratings.
const (
	RuleNotServed  Rule = "not-served"
	RuleNotEaten   Rule = "not-eaten"
	RuleRatingOver Rule = "rating-over"
	RuleStars      Rule = "stars"
	RuleLineLength Rule = "line-too-long"
)

// CheckRating says which rule a rating breaks, or nil.
func CheckRating(o Order, r Rating, now time.Time) *Refusal {
	dish := r.Dish.String()
	switch until := o.EndedAt.Add(rateFor); {
	case o.State != StateServed:
		return refuse(RuleNotServed, 0, "what was not handed out cannot be rated")
	case !slices.ContainsFunc(o.Lines, func(l Line) bool { return idOf(l.Dish) == r.Dish }):
		return &Refusal{Rule: RuleNotEaten, Dish: dish, Text: "the order does not have this dish"}
	case !now.Before(until):
		return refuse(RuleRatingOver, until.Unix(), "a meal can be rated for %d days", int(rateFor.Hours()/24))
	case r.Stars < 0 || r.Stars > maxStars:
		return &Refusal{Rule: RuleStars, Dish: dish, Limit: maxStars, Text: fmt.Sprintf("stars are 1 to %d", maxStars)}
	case utf8.RuneCountInString(r.Line) > maxLine:
		return &Refusal{Rule: RuleLineLength, Dish: dish, Limit: maxLine, Text: fmt.Sprintf("a line has at most %d characters", maxLine)}
	}
	return nil
}

type ratingRow struct {
	bun.BaseModel `bun:"table:ratings"`

	OrderID uuid.UUID `bun:",pk"`
	Dish    uuid.UUID `bun:",pk"`
	Canteen string
	Day     string
	Meal    string
	Eater   string
	SaidBy  string
	Stars   int
	Line    string
	SaidAt  int64
}

// Rate keeps what somebody says about dishes of an order within reach, in place
// of what was said before, or takes it back. It returns a *Refusal, and keeps
// nothing, if one of the ratings breaks a rule.
func (s *Store) Rate(ctx context.Context, a Act, ratings []Rating) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		o, err := orderIn(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		if !a.covers(o) {
			return ErrNotFound
		}
		for _, r := range ratings {
			if refusal := CheckRating(o, r, a.Now); refusal != nil {
				return refusal
			}
			if err := rate(ctx, tx, o, r, a); err != nil {
				return fmt.Errorf("keeping a rating: %w", err)
			}
		}
		return nil
	})
}

func rate(ctx context.Context, tx bun.Tx, o Order, r Rating, a Act) error {
	if r.Stars == 0 {
		_, err := tx.NewDelete().Model((*ratingRow)(nil)).Where("order_id = ? AND dish = ?", o.ID, r.Dish).Exec(ctx)
		return err
	}
	row := ratingRow{
		OrderID: o.ID, Dish: r.Dish, Canteen: o.Canteen, Day: o.Day.String(), Meal: o.Meal, Eater: o.Eater, SaidBy: a.Actor,
		Stars: r.Stars, Line: r.Line, SaidAt: a.Now.Unix(),
	}
	// What was said before and is said again stays as old as it is.
	_, err := tx.NewInsert().Model(&row).On("CONFLICT (order_id, dish) DO UPDATE").
		Set("said_by = EXCLUDED.said_by, stars = EXCLUDED.stars, line = EXCLUDED.line, said_at = EXCLUDED.said_at").
		Where("?TableAlias.stars <> EXCLUDED.stars OR ?TableAlias.line <> EXCLUDED.line").Exec(ctx)
	return err
}

// unrate takes back all that was said about an order that was not eaten after
// all.
func unrate(ctx context.Context, tx bun.Tx, order uuid.UUID) error {
	if _, err := tx.NewDelete().Model((*ratingRow)(nil)).Where("order_id = ?", order).Exec(ctx); err != nil {
		return fmt.Errorf("taking ratings back: %w", err)
	}
	return nil
}

// RatingsOf are what was said about an order within reach, by dish.
func (s *Store) RatingsOf(ctx context.Context, reach Reach, order uuid.UUID) (map[uuid.UUID]Rating, error) {
	if _, err := s.Order(ctx, reach, order); err != nil {
		return nil, err
	}
	var rows []ratingRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("order_id = ?", order).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading ratings: %w", err)
	}
	ratings := make(map[uuid.UUID]Rating, len(rows))
	for _, r := range rows {
		ratings[r.Dish] = Rating{Dish: r.Dish, Stars: r.Stars, Line: r.Line}
	}
	return ratings, nil
}

// Stars are what some ratings come to.
type Stars struct {
	// Ratings is how many there are, Sum how many stars they have together.
	Ratings, Sum int
}

// Average is the average in tenths of a star, rounded; 0 without ratings.
func (s Stars) Average() int {
	if s.Ratings == 0 {
		return 0
	}
	return (20*s.Sum + s.Ratings) / (2 * s.Ratings)
}

// StarsOf are the stars that residents see, by dish: of those dishes only that
// enough eaters have rated, of the time for which orders are kept.
func (s *Store) StarsOf(ctx context.Context, dishes []uuid.UUID) (map[uuid.UUID]Stars, error) {
	stars := map[uuid.UUID]Stars{}
	if len(dishes) == 0 {
		return stars, nil
	}
	var rows []struct {
		Dish         uuid.UUID
		Ratings, Sum int
	}
	// Those who have left count as one: nobody knows any more how many they were.
	err := s.db.Reader().NewSelect().Model((*ratingRow)(nil)).ColumnExpr("dish, COUNT(*) AS ratings, CAST(SUM(stars) AS BIGINT) AS sum").
		Where("dish IN (?)", bun.List(dishes)).GroupExpr("dish").Having("COUNT(DISTINCT eater) >= ?", fewestRaters).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("adding up stars: %w", err)
	}
	for _, r := range rows {
		stars[r.Dish] = Stars{r.Ratings, r.Sum}
	}
	return stars, nil
}

// Said is what somebody said, as the staff see it: without who it was.
type Said struct {
	Sitting
	Rating
	// Order leads to who it was; only managers are led there.
	Order uuid.UUID
	At    time.Time
}

// Complaint reports whether it calls for somebody to look into it.
func (s Said) Complaint() bool { return s.Stars <= complaintStars }

// SaidFilter says what of all that was said is asked for.
type SaidFilter struct {
	// Dish is the dish that it is about; uuid.Nil for all.
	Dish uuid.UUID
	// Complaints says that only complaints are asked for.
	Complaints bool
	// Skip is how many of the newest are passed over, Limit how many there are
	// at most.
	Skip, Limit int
}

// Said is what was said, the newest first.
func (s *Store) Said(ctx context.Context, f SaidFilter) ([]Said, error) {
	var rows []ratingRow
	q := s.db.Reader().NewSelect().Model(&rows).Order("said_at DESC", "order_id", "dish").Offset(int64(f.Skip)).Limit(int64(f.Limit))
	if f.Dish != uuid.Nil {
		q.Where("dish = ?", f.Dish)
	}
	if f.Complaints {
		q.Where("stars <= ?", complaintStars)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing ratings: %w", err)
	}
	said := make([]Said, len(rows))
	for i, r := range rows {
		sitting, err := sittingOf(r.Canteen, r.Day, r.Meal)
		if err != nil {
			return nil, err
		}
		said[i] = Said{sitting, Rating{r.Dish, r.Stars, r.Line}, r.OrderID, time.Unix(r.SaidAt, 0)}
	}
	return said, nil
}

// MonthStars are the stars of a dish in a month of meals.
type MonthStars struct {
	Month civil.Month
	Dish  uuid.UUID
	Stars
}

// StarsByMonth are the stars of all dishes in the months from first to last, or
// of one if it is named, by month and dish.
func (s *Store) StarsByMonth(ctx context.Context, first, last civil.Month, dish uuid.UUID) ([]MonthStars, error) {
	var rows []struct {
		Month        civil.Month
		Dish         uuid.UUID
		Ratings, Sum int
	}
	kept := ratingsByMonth(s.db.Reader()).Where("day >= ? AND day <= ?", string(first)+"-01", string(last)+"-31")
	past := s.db.Reader().NewSelect().Table("past_ratings").Column("month", "dish", "ratings", "stars").Where("month >= ? AND month <= ?", first, last)
	if dish != uuid.Nil {
		kept.Where("dish = ?", dish)
		past.Where("dish = ?", dish)
	}
	err := s.db.Reader().NewRaw("SELECT month, dish, CAST(SUM(ratings) AS BIGINT) AS ratings, CAST(SUM(stars) AS BIGINT) AS sum FROM ("+
		"SELECT * FROM (?) AS kept UNION ALL SELECT * FROM (?) AS past) AS every GROUP BY 1, 2 ORDER BY 1, 2", kept, past).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("adding up stars by month: %w", err)
	}
	months := make([]MonthStars, len(rows))
	for i, r := range rows {
		months[i] = MonthStars{r.Month, r.Dish, Stars{r.Ratings, r.Sum}}
	}
	return months, nil
}

// ratingsByMonth adds up the ratings that are kept by the month of the meal and
// by dish.
func ratingsByMonth(db bun.IDB) *bun.SelectQuery {
	return db.NewSelect().Model((*ratingRow)(nil)).
		ColumnExpr("SUBSTR(day, 1, 7) AS month, dish, COUNT(*) AS ratings, CAST(SUM(stars) AS BIGINT) AS stars").GroupExpr("1, 2")
}

// eraseRatings removes what was said about meals before a day, after it was
// added up.
func eraseRatings(ctx context.Context, tx bun.Tx, before string) error {
	_, err := tx.NewRaw("INSERT INTO past_ratings (month, dish, ratings, stars) SELECT * FROM (?) AS past WHERE true "+
		"ON CONFLICT (month, dish) DO UPDATE SET ratings = past_ratings.ratings + EXCLUDED.ratings, stars = past_ratings.stars + EXCLUDED.stars",
		ratingsByMonth(tx).Where("day < ?", before)).Exec(ctx)
	if err == nil {
		_, err = tx.NewDelete().Model((*ratingRow)(nil)).Where("day < ?", before).Exec(ctx)
	}
	return err
}

// forgetRatings takes a person out of what was said, and what they said; the
// stars stay as nobody's.
func forgetRatings(ctx context.Context, tx bun.Tx, person string) error {
	_, err := tx.NewUpdate().Model((*ratingRow)(nil)).Set("said_by = '', line = ''").Where("said_by = ? OR eater = ?", person, person).Exec(ctx)
	if err == nil {
		_, err = tx.NewUpdate().Model((*ratingRow)(nil)).Set("eater = ''").Where("eater = ?", person).Exec(ctx)
	}
	return err
}

// PersonalRating is what a person said, or what was said for them.
type PersonalRating struct {
	Order uuid.UUID `json:"order"`
	Day   string    `json:"day"`
	Dish  string    `json:"dish"`
	Stars int       `json:"stars"`
	Line  string    `json:"line"`
}

// ratingsAbout are what a person said, and what was said for them.
func (s *Store) ratingsAbout(ctx context.Context, person string) ([]PersonalRating, error) {
	ratings := []PersonalRating{}
	err := s.db.Reader().NewSelect().Model((*ratingRow)(nil)).Join("JOIN dishes ON dishes.id = ?TableAlias.dish").
		ColumnExpr("?TableAlias.order_id AS \"order\", ?TableAlias.day, dishes.name AS dish, ?TableAlias.stars, ?TableAlias.line").
		Where("?TableAlias.eater = ? OR ?TableAlias.said_by = ?", person, person).OrderExpr("?TableAlias.day, dishes.name").Scan(ctx, &ratings)
	if err != nil {
		return nil, fmt.Errorf("reading what a person said: %w", err)
	}
	return ratings, nil
}
