package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// Head is how far a record goes: the number and the hash of its last entry.
type Head struct {
	Seq  int64
	Hash string
}

// String writes a head as ParseHead reads it.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads a head as String writes it.
func ParseHead(s string) (Head, error) {
	seq, hash, found := strings.Cut(s, ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if !found || err != nil || n < 0 {
		return Head{}, fmt.Errorf("%q is no head of an audit record: it is a number, a colon and a hash", s)
	}
	return Head{Seq: n, Hash: hash}, nil
}

// Report is what Verify has found.
type Report struct {
	// Entries is how many entries fit one another, from the first on.
	Entries int64
	// Head is the last of them.
	Head Head
	// Bad is the first that does not fit; nil if all do.
	Bad *Fault
}

// Fault is the first entry that does not fit.
type Fault struct {
	Seq     int64
	Problem string
}

// Verify reads the whole record and says whether each entry fits the one
// before. The entries of known, heads that were noted earlier, must still be
// there: that is how it shows that the end was cut off or that everything was
// written anew. An error means that the record could not be read.
func Verify(ctx context.Context, db *database.DB, known ...Head) (Report, error) {
	// Head and entries are to be of the same moment, while others write.
	options := &sql.TxOptions{ReadOnly: true}
	if db.Engine() == database.Postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	var report Report
	err := db.Reader().RunInTx(ctx, options, func(ctx context.Context, tx bun.Tx) (err error) {
		report, err = verify(ctx, tx, known)
		return err
	})
	if err != nil {
		return Report{}, fmt.Errorf("reading the audit: %w", err)
	}
	return report, nil
}

func verify(ctx context.Context, tx bun.Tx, known []Head) (report Report, err error) {
	var end Head
	err = tx.NewRaw("SELECT seq, hash FROM audit_head").Scan(ctx, &end.Seq, &end.Hash)
	noEnd := errors.Is(err, sql.ErrNoRows)
	if err != nil && !noEnd {
		return report, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT seq, at, action, actor, person, object, detail, hash FROM audit ORDER BY seq")
	if err != nil {
		return report, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.Seq, &r.At, &r.Action, &r.Actor, &r.Person, &r.Object, &r.Detail, &r.Hash); err != nil {
			return report, err
		}
		if report.Bad = report.next(r, known); report.Bad != nil {
			return report, nil
		}
	}
	if err := rows.Err(); err != nil {
		return report, err
	}
	if noEnd {
		report.Bad = &Fault{Seq: report.Entries + 1, Problem: "the head of the record is missing"}
		return report, nil
	}
	for _, h := range append(slices.Clone(known), end) {
		if h.Seq > report.Head.Seq {
			report.Bad = &Fault{
				Seq:     report.Head.Seq + 1,
				Problem: fmt.Sprintf("the end of the record is missing: there were entries up to %d", h.Seq),
			}
			return report, nil
		}
	}
	if end != report.Head {
		report.Bad = &Fault{Seq: report.Head.Seq, Problem: "it is not the end of the record: it was added past the head, or the head was changed"}
	}
	return report, nil
}

// next takes the next entry, or says why it does not fit.
func (p *Report) next(r row, known []Head) *Fault {
	if want := p.Head.Seq + 1; r.Seq != want {
		return &Fault{Seq: want, Problem: fmt.Sprintf("it is missing: entry %d comes next", r.Seq)}
	}
	if r.digest(p.Head.Hash) != r.Hash {
		return &Fault{Seq: r.Seq, Problem: "it was changed, or the one before it was: content and hash do not fit"}
	}
	for _, h := range known {
		if h.Seq == r.Seq && h.Hash != r.Hash {
			return &Fault{Seq: r.Seq, Problem: "it is another than the one that was noted earlier: the record was written anew"}
		}
	}
	p.Entries++
	p.Head = Head{Seq: r.Seq, Hash: r.Hash}
	return nil
}
