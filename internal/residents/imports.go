package residents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Choice is what is done with a row that may be about somebody who is known.
type Choice string

// The choices.
const (
	ChoiceSkip   Choice = "Skip"
	ChoiceUpdate Choice = "Update"
	ChoiceAdd    Choice = "Add"
)

// Finding is what a row is compared with the records.
type Finding string

// The findings.
const (
	// FoundNew: nobody like this is known.
	FoundNew Finding = "New"
	// FoundSame: the record says all that the row does.
	FoundSame Finding = "Same"
	// FoundLikely: a record is likely of this person, and differs.
	FoundLikely Finding = "Likely"
	// FoundEarlier: an earlier line is likely of this person.
	FoundEarlier Finding = "Earlier"
	// FoundPhone: somebody else has the phone number.
	FoundPhone Finding = "Phone"
)

// Compared is a row beside whom it may be about.
type Compared struct {
	Row
	Finding Finding
	// Known are the records that it may be about, or those of the number.
	Known []Person
	// Earlier is the line that it may repeat; 0 if there is none.
	Earlier int
}

// Choices are what can be done with the row, what is proposed first.
func (c Compared) Choices() []Choice {
	switch c.Finding {
	case FoundSame:
		return []Choice{ChoiceSkip}
	case FoundLikely:
		return []Choice{ChoiceUpdate, ChoiceSkip, ChoiceAdd}
	case FoundEarlier:
		return []Choice{ChoiceSkip, ChoiceAdd}
	case FoundPhone:
		return []Choice{ChoiceAdd, ChoiceSkip}
	}
	return []Choice{ChoiceAdd}
}

// Asks says that somebody has to look at the row.
func (c Compared) Asks() bool { return len(c.Choices()) > 1 }

// Compare lays the rows of a table beside the records.
func Compare(rows []Row, known []Person) []Compared {
	names, phones := map[string][]Person{}, map[string][]Person{}
	for _, p := range known {
		names[p.Name] = append(names[p.Name], p)
		if p.Phone != "" {
			phones[p.Phone] = append(phones[p.Phone], p)
		}
	}
	earlier, earlierPhones := map[string][]Row{}, map[string]int{}
	out := make([]Compared, len(rows))
	for i, row := range rows {
		c := Compared{Row: row, Finding: FoundNew}
		for _, p := range names[row.Name] {
			if Likely(p.Details, row.Details) {
				c.Known = append(c.Known, p)
			}
		}
		j := slices.IndexFunc(earlier[row.Name], func(r Row) bool { return Likely(r.Details, row.Details) })
		switch {
		case len(c.Known) == 1 && c.Known[0].Details.Completed(row.Details) == c.Known[0].Details:
			c.Finding = FoundSame
		case len(c.Known) > 0:
			c.Finding = FoundLikely
		case j >= 0:
			c.Finding, c.Earlier = FoundEarlier, earlier[row.Name][j].Line
		case row.Phone != "" && (len(phones[row.Phone]) > 0 || earlierPhones[row.Phone] != 0):
			c.Finding, c.Known, c.Earlier = FoundPhone, phones[row.Phone], earlierPhones[row.Phone]
		}
		earlier[row.Name] = append(earlier[row.Name], row)
		if row.Phone != "" && earlierPhones[row.Phone] == 0 {
			earlierPhones[row.Phone] = row.Line
		}
		out[i] = c
	}
	return out
}

// Draft is an import that was read, and what became of it if it was confirmed.
type Draft struct {
	ID uuid.UUID
	Table
	Added, Updated, Skipped int
	CreatedBy               string
	CreatedAt, ConfirmedAt  time.Time
}

type draftRow struct {
	bun.BaseModel `bun:"table:drafts"`

	ID          uuid.UUID `bun:",pk"`
	Rows        string
	Added       int
	Updated     int
	Skipped     int
	CreatedBy   string
	CreatedAt   int64
	ConfirmedAt *int64
}

// draftLifetime is how long an import waits for its confirmation.
const draftLifetime = 24 * time.Hour

// PutDraft keeps a table that was read, until it is confirmed.
func (s *Store) PutDraft(ctx context.Context, a Act, t Table) (uuid.UUID, error) {
	id, err := newID()
	if err != nil {
		return id, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return id, fmt.Errorf("writing an import: %w", err)
	}
	row := draftRow{ID: id, Rows: string(text), CreatedBy: a.Actor, CreatedAt: a.Now.Unix()}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("keeping an import: %w", err)
		}
		return a.note(ctx, tx, "import.read", uuid.Nil, id.String(),
			map[string]string{"rows": strconv.Itoa(len(t.Rows)), "faulty": strconv.Itoa(t.Faulty())})
	})
	return id, err
}

// Draft is an import of the last 24 hours, by whoever reads it.
func (s *Store) Draft(ctx context.Context, a Act, id uuid.UUID) (Draft, error) {
	return draftIn(ctx, s.db.Reader(), a, id)
}

func draftIn(ctx context.Context, db bun.IDB, a Act, id uuid.UUID) (Draft, error) {
	var rows []draftRow
	err := db.NewSelect().Model(&rows).Where("id = ? AND created_at > ?", id, a.Now.Add(-draftLifetime).Unix()).Scan(ctx)
	if err != nil {
		return Draft{}, fmt.Errorf("reading an import: %w", err)
	}
	if len(rows) == 0 {
		return Draft{}, ErrNotFound
	}
	r := rows[0]
	d := Draft{
		ID: r.ID, Added: r.Added, Updated: r.Updated, Skipped: r.Skipped, CreatedBy: r.CreatedBy,
		CreatedAt: time.Unix(r.CreatedAt, 0), ConfirmedAt: timeOf(r.ConfirmedAt),
	}
	if err := json.Unmarshal([]byte(r.Rows), &d.Table); err != nil {
		return d, fmt.Errorf("import %s in the database: %w", id, err)
	}
	return d, nil
}

// Compare lays an import beside the records as they are now, which is audited
// since records are shown.
func (s *Store) Compare(ctx context.Context, a Act, d Draft) (compared []Compared, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		known, err := peopleIn(ctx, tx, everybody)
		if err != nil {
			return err
		}
		compared = Compare(d.Rows, known)
		shown := 0
		for _, c := range compared {
			if c.Asks() {
				shown += len(c.Known)
			}
		}
		if shown == 0 {
			return nil
		}
		return a.note(ctx, tx, "import.compare", uuid.Nil, d.ID.String(), map[string]string{"people": strconv.Itoa(shown)})
	})
	return compared, err
}

func everybody(q *bun.SelectQuery) *bun.SelectQuery {
	return q.Where("moved_away_at IS NULL").Order("id")
}

// DropDraft forgets an import. Dropping again is no error.
func (s *Store) DropDraft(ctx context.Context, id uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*draftRow)(nil)).Where("id = ? AND confirmed_at IS NULL", id).Exec(ctx)
		return err
	})
}

// Confirm does an import in one transaction: what was chosen for a line, for
// the other lines that ask rest if that is a choice of theirs, else what is
// proposed. Confirming again changes nothing and answers the same.
func (s *Store) Confirm(ctx context.Context, a Act, id uuid.UUID, chosen map[int]Choice, rest Choice) (d Draft, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if d, err = draftIn(ctx, tx, a, id); err != nil || !d.ConfirmedAt.IsZero() {
			return err
		}
		known, err := peopleIn(ctx, tx, everybody)
		if err != nil {
			return err
		}
		var added []personRow
		for _, c := range Compare(d.Rows, known) {
			switch c.choose(chosen, rest) {
			case ChoiceAdd:
				p, err := newPerson(a, Resident, c.Details)
				if err != nil {
					return fmt.Errorf("line %d: %w", c.Line, err)
				}
				added = append(added, rowOf(p))
				d.Added++
			case ChoiceUpdate:
				if _, err := changeIn(ctx, tx, a, c.Known[0], c.Known[0].Details.Completed(c.Details)); err != nil {
					return fmt.Errorf("line %d: %w", c.Line, err)
				}
				d.Updated++
			case ChoiceSkip:
				d.Skipped++
			}
		}
		for chunk := range slices.Chunk(added, maxTogether) {
			if _, err := tx.NewInsert().Model(&chunk).Exec(ctx); err != nil {
				return fmt.Errorf("adding people: %w", err)
			}
		}
		d.Table, d.ConfirmedAt = Table{}, time.Unix(a.Now.Unix(), 0)
		_, err = tx.NewUpdate().Model((*draftRow)(nil)).Where("id = ?", id).
			Set("rows = '{}'").Set("added = ?", d.Added).Set("updated = ?", d.Updated).Set("skipped = ?", d.Skipped).Set("confirmed_at = ?", a.Now.Unix()).Exec(ctx)
		if err != nil {
			return fmt.Errorf("noting an import: %w", err)
		}
		return a.note(ctx, tx, "import.confirm", uuid.Nil, id.String(), map[string]string{
			"added": strconv.Itoa(d.Added), "updated": strconv.Itoa(d.Updated), "skipped": strconv.Itoa(d.Skipped),
		})
	})
	return d, err
}

// choose is what is done with the row.
func (c Compared) choose(chosen map[int]Choice, rest Choice) Choice {
	can := c.Choices()
	for _, choice := range []Choice{chosen[c.Line], rest} {
		if slices.Contains(can, choice) {
			return choice
		}
	}
	return can[0]
}

// tableProblem is the id of the message about a table as a whole, without its
// prefix; empty if err is about something else.
func tableProblem(err error) string {
	for _, known := range []struct {
		err error
		id  string
	}{
		{ErrTableTooLarge, "tooLarge"}, {ErrTableTooLong, "tooLong"}, {ErrTableUnread, "unread"},
		{ErrTableNoName, "noName"}, {ErrTableEmpty, "empty"}, {ErrTableTwice, "twice"},
	} {
		if errors.Is(err, known.err) {
			return known.id
		}
	}
	return ""
}

// escaped is a text as it stands within a JSON string, for looking it up there.
func escaped(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return strings.Trim(string(quoted), `"`)
}
