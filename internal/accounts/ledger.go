package accounts

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/civil"
)

// AllPurses is the account by which a Ledger has all purses.
const AllPurses = "purse"

// Ledger is a month of all accounts.
type Ledger struct {
	Month civil.Month
	// Accounts are in order of their names; all purses are one.
	Accounts []LedgerAccount
	// Nobodys is what is in purses whose persons were deleted, in fen.
	Nobodys int64
}

// LedgerAccount is a month of an account, in fen.
type LedgerAccount struct {
	Name string
	// Before and After are the balances at the month's beginning and end. Plus
	// and Minus, which is negative, are what was posted meanwhile.
	Before, Plus, Minus, After int64
	// Transactions is how many that were.
	Transactions int64
}

// Sum is a line that adds up all accounts: of a ledger without faults, its
// balances and the sum of Plus and Minus are 0.
func (l Ledger) Sum() LedgerAccount {
	var sum LedgerAccount
	for _, a := range l.Accounts {
		sum.Before += a.Before
		sum.Plus += a.Plus
		sum.Minus += a.Minus
		sum.After += a.After
	}
	return sum
}

// Ledger is a month of all accounts. That it was looked at is audited.
func (s *Store) Ledger(ctx context.Context, a Act, month civil.Month) (Ledger, error) {
	l := Ledger{Month: month}
	first, last := month.First().String(), month.Last().String()
	err := s.db.Reader().NewRaw(`SELECT CASE WHEN account LIKE ? THEN ? ELSE account END AS name,
		CAST(COALESCE(SUM(CASE WHEN day < ? THEN amount END), 0) AS BIGINT) AS before,
		CAST(COALESCE(SUM(CASE WHEN day >= ? AND amount > 0 THEN amount END), 0) AS BIGINT) AS plus,
		CAST(COALESCE(SUM(CASE WHEN day >= ? AND amount < 0 THEN amount END), 0) AS BIGINT) AS minus,
		CAST(SUM(amount) AS BIGINT) AS after,
		COUNT(DISTINCT CASE WHEN day >= ? THEN transaction_id END) AS transactions
		FROM postings WHERE day <= ? GROUP BY 1 ORDER BY 1`,
		pursePrefix+"%", AllPurses, first, first, first, first, last).Scan(ctx, &l.Accounts)
	if err != nil {
		return l, fmt.Errorf("adding up the ledger: %w", err)
	}
	err = s.db.Reader().NewRaw(`SELECT CAST(COALESCE(SUM(a.balance), 0) AS BIGINT) FROM purses p
		JOIN accounts a ON a.name = ? || CAST(p.id AS TEXT) WHERE p.person IS NULL`, pursePrefix).Scan(ctx, &l.Nobodys)
	if err != nil {
		return l, fmt.Errorf("adding up purses of nobody: %w", err)
	}
	return l, s.Note(ctx, a, "ledger-view", string(month))
}

// LedgerLine is a posting of the ledger, with its transaction.
type LedgerLine struct {
	Transaction
	Posting
}

// maxLines is how many postings a file has at most.
const maxLines = 500_000

// Lines are all postings of a month, in order of time. That they were taken
// out is audited.
func (s *Store) Lines(ctx context.Context, a Act, month civil.Month) ([]LedgerLine, error) {
	all, err := transactionsIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("t.day >= ? AND t.day <= ?", month.First().String(), month.Last().String()).Order("t.at", "t.id").Limit(maxLines)
	})
	if err != nil {
		return nil, err
	}
	var lines []LedgerLine
	for _, t := range all {
		for _, p := range t.Postings {
			lines = append(lines, LedgerLine{Transaction: t, Posting: p})
		}
	}
	return lines, s.Note(ctx, a, "ledger-export", string(month))
}

// Recount adds everything up anew and returns what does not agree, in words;
// nothing of a ledger without faults.
func (s *Store) Recount(ctx context.Context) ([]string, error) { return recount(ctx, s.db.Reader()) }

func recount(ctx context.Context, db bun.IDB) ([]string, error) {
	var faults []string
	for _, check := range []struct{ text, query string }{
		{"the postings of transaction %s do not sum to 0", `SELECT CAST(transaction_id AS TEXT) FROM postings GROUP BY transaction_id HAVING SUM(amount) <> 0`},
		{"transaction %s has no postings", `SELECT CAST(id AS TEXT) FROM transactions t WHERE NOT EXISTS (SELECT 1 FROM postings p WHERE p.transaction_id = t.id)`},
		{"the balance of %s is not the sum of its postings", `SELECT name FROM accounts a WHERE balance <> (SELECT COALESCE(SUM(amount), 0) FROM postings p WHERE p.account = a.name)`},
		{"what is held of %s is not the sum of its holds", `SELECT name FROM accounts a WHERE held <> (SELECT COALESCE(SUM(h.amount), 0)
			FROM holds h WHERE h.state = 'Held' AND a.name = 'purse/' || CAST(h.purse AS TEXT))`},
		{"%s is overdrawn", `SELECT name FROM accounts WHERE name LIKE 'purse/%' AND (balance < 0 OR held < 0 OR held > balance)`},
		{"all accounts sum to %s, not to 0", `SELECT CAST(SUM(balance) AS TEXT) FROM accounts HAVING SUM(balance) <> 0`},
		{"what was taken as %s is not what its transaction says", `SELECT k.name FROM taken k WHERE k.transaction_id IS NOT NULL AND NOT EXISTS (
			SELECT 1 FROM postings p WHERE p.transaction_id = k.transaction_id AND p.account = 'revenue/' || k.service AND p.amount = k.amount + k.subsidy)`},
	} {
		var found []string
		if err := db.NewRaw(check.query).Scan(ctx, &found); err != nil {
			return nil, fmt.Errorf("recounting the ledger: %w", err)
		}
		for _, name := range found {
			faults = append(faults, fmt.Sprintf(check.text, name))
		}
	}
	return faults, nil
}
