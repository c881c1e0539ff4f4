package booking

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// maxWrongCodes is how many wrong door codes a person may enter in an hour of
// the clock. Of a million codes that is one in a hundred thousand.
const maxWrongCodes = 10

type wrongCodesRow struct {
	bun.BaseModel `bun:"table:wrong_codes,alias:wrong_codes"`

	Person string
	Hour   int64
	Count  int
}

// hourOf numbers the hours of the clock since the Unix epoch.
func hourOf(t time.Time) int64 { return t.Unix() / int64(time.Hour/time.Second) }

// CheckCode says whether a code is the one on a venue's door, for somebody who
// stands there. It returns nil if it is, ErrNotFound if there is no such
// venue, and a *Refusal if the code is wrong or the person, who acts, has tried
// too many; then the right one is refused too, until the hour is over.
func (s *Store) CheckCode(ctx context.Context, venue, person, code string, now time.Time) error {
	// A wrong code is counted in the transaction that compares it, so that many
	// requests at the same moment do not try more codes than one after another.
	// That transaction must not fail, else nothing would be counted.
	var refusal *Refusal
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		refusal = nil
		row, err := venueRowIn(ctx, in(tx), venue)
		if err != nil {
			return err
		}
		var wrong []int
		err = tx.NewSelect().Model((*wrongCodesRow)(nil)).Column("count").Where("person = ? AND hour = ?", person, hourOf(now)).Scan(ctx, &wrong)
		if err != nil {
			return fmt.Errorf("reading how many codes were wrong: %w", err)
		}
		if len(wrong) > 0 && wrong[0] >= maxWrongCodes {
			refusal = refuse(RuleTooManyCodes, maxWrongCodes, "%d codes were wrong; try again in an hour, or ask the staff to check you in", maxWrongCodes)
			return nil
		}
		if row.DoorCode != "" && subtle.ConstantTimeCompare([]byte(row.DoorCode), []byte(code)) == 1 {
			return nil
		}
		refusal = refuse(RuleWrongCode, 0, "the code is not the one on the venue's door")
		_, err = tx.NewInsert().Model(&wrongCodesRow{Person: person, Hour: hourOf(now), Count: 1}).
			On("CONFLICT (person, hour) DO UPDATE").Set("count = wrong_codes.count + 1").Exec(ctx)
		if err != nil {
			return fmt.Errorf("counting a wrong code: %w", err)
		}
		return nil
	})
	if err == nil && refusal != nil {
		return refusal
	}
	return err
}
