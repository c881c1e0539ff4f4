// Package accounts keeps the purses of a community's residents: what they have
// paid in, what is held for what they have ordered, and what was spent, in a
// double-entry ledger. All money is in fen.
//
// The postings of a transaction sum to 0, hence so do the balances of all
// accounts. A purse and what a service has earned are positive: the community
// owes or owns it. The drawer, WeChat Pay and what the community gives as a
// subsidy are negative: from there it came. Transactions are never changed; a
// mistake is reversed by another.
package accounts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
)

// Kind is what a transaction is. Names are stable.
type Kind string

// The kinds.
const (
	KindTopUp    Kind = "TopUp"    // into a purse, from the drawer or online
	KindPayout   Kind = "Payout"   // out of a purse, from the drawer
	KindCapture  Kind = "Capture"  // out of a purse, for what was held
	KindSale     Kind = "Sale"     // paid for in cash
	KindRefund   Kind = "Refund"   // of a capture or a sale, into a purse or in cash
	KindReversal Kind = "Reversal" // of a mistake at the desk
)

// Kinds are all kinds, in the order in which they are shown.
var Kinds = []Kind{KindTopUp, KindPayout, KindCapture, KindSale, KindRefund, KindReversal}

// Accounts of which there is one. The others are those of purses and, by
// service, of revenue and subsidy.
const (
	AccountCash   = "cash"   // the drawer at the counter
	AccountWeChat = "wechat" // the community's merchant account
)

const (
	pursePrefix   = "purse/"
	revenuePrefix = "revenue/"
	subsidyPrefix = "subsidy/"
)

// PurseAccount is the account of a purse.
func PurseAccount(purse uuid.UUID) string { return pursePrefix + purse.String() }

// RevenueAccount is what a service has earned, SubsidyAccount what the
// community has given towards it.
func RevenueAccount(service string) string { return revenuePrefix + service }

// SubsidyAccount is what the community has given towards what a service sold.
func SubsidyAccount(service string) string { return subsidyPrefix + service }

// isPurse reports whether an account is that of a purse.
func isPurse(account string) bool { return strings.HasPrefix(account, pursePrefix) }

// Limits in fen.
const (
	// MaxPurse is what a purse may be topped up to: what a prepaid card with
	// its holder's name may hold (单用途商业预付卡管理办法, Art. 18).
	MaxPurse = 500_000
	// MinTopUp and MaxTopUp bound one payment into a purse.
	MinTopUp = 100
	MaxTopUp = 100_000
	// MaxAmount is more than anything that is ordered or sold at once.
	MaxAmount = 10_000_000
	// LowBalance is beneath what a purse is called nearly empty.
	LowBalance = 1_000
)

// Posting is what a transaction does to an account.
type Posting struct {
	Account string
	Amount  int64
	// Balance is the account's after it.
	Balance int64
}

// Memo is a line about something, by language (zh-CN and en).
type Memo map[string]string

// Transaction is an entry of the ledger.
type Transaction struct {
	ID uuid.UUID
	At time.Time
	// Day is its date in the community's zone, for ever.
	Day  civil.Date
	Kind Kind
	// Service is on whose behalf it was made; About the ID of what it is for
	// there, and Memo what that is in words. Empty at the desk and online.
	Service, About string
	Memo           Memo
	// Actor is who made it: the ID of a person, or the name of a service.
	Actor string
	// Purse is whose purse it moves; nil of what is paid for in cash.
	Purse uuid.UUID
	// Receipt is the number of what happened at the desk; zero elsewhere.
	Receipt Receipt
	// Reverses is the transaction whose mistake it takes back, ReversedBy the
	// one that takes this back, and Reason why.
	Reverses, ReversedBy uuid.UUID
	Reason               string
	Postings             []Posting
}

// Receipt is the number of a voucher. They are counted up within a year of the
// community's zone, without a gap.
type Receipt struct{ Year, Number int }

// String writes the number as 2026-000042; empty for none.
func (r Receipt) String() string {
	if r.Number == 0 {
		return ""
	}
	return fmt.Sprintf("%04d-%06d", r.Year, r.Number)
}

// On is what the transaction does to an account.
func (t Transaction) On(account string) int64 {
	var sum int64
	for _, p := range t.Postings {
		if p.Account == account {
			sum += p.Amount
		}
	}
	return sum
}

// OnPurse is what the transaction does to its purse.
func (t Transaction) OnPurse() int64 {
	if t.Purse == uuid.Nil {
		return 0
	}
	return t.On(PurseAccount(t.Purse))
}

// Cash is what the transaction has put into the drawer; negative if it took
// some out.
func (t Transaction) Cash() int64 { return -t.On(AccountCash) }

// into moves an amount from where money comes in to a purse, and back if it is
// negative.
func into(purse uuid.UUID, from string, amount int64) []Posting {
	return []Posting{{Account: from, Amount: -amount}, {Account: PurseAccount(purse), Amount: amount}}
}

// earn has who pays, a purse or the drawer, pay an amount to a service, towards
// which the community adds a subsidy. Negative amounts give it back.
func earn(payer, service string, amount, subsidy int64) []Posting {
	return []Posting{
		{Account: payer, Amount: -amount},
		{Account: SubsidyAccount(service), Amount: -subsidy},
		{Account: RevenueAccount(service), Amount: amount + subsidy},
	}
}

// reversed undoes postings.
func reversed(postings []Posting) []Posting {
	back := make([]Posting, len(postings))
	for i, p := range postings {
		back[i] = Posting{Account: p.Account, Amount: -p.Amount}
	}
	return back
}

// checked are postings without those that move nothing, in the order of
// accounts in which all transactions take them. It is an error if they do not
// sum to 0.
func checked(postings []Posting) ([]Posting, error) {
	var sum int64
	moving := make([]Posting, 0, len(postings))
	for _, p := range postings {
		sum += p.Amount
		if p.Amount != 0 {
			moving = append(moving, p)
		}
	}
	if sum != 0 {
		return nil, fmt.Errorf("postings sum to %d fen, not to 0", sum)
	}
	slices.SortFunc(moving, func(a, b Posting) int { return strings.Compare(a.Account, b.Account) })
	return moving, nil
}

// Rule is the name of what refuses something. Names are stable.
type Rule string

// The rules.
const (
	RuleInsufficient Rule = "insufficient" // the purse has less than that
	RuleNotHeld      Rule = "not-held"     // captured, released or expired
	RuleSuperseded   Rule = "superseded"   // a later revision is known
	RuleOtherPerson  Rule = "other-person" // the hold is on another's purse
	RuleTooMuch      Rule = "too-much"     // more than is held, or than was taken
	RuleReused       Rule = "reused"       // the id or key was used for something else
	RuleNoPurse      Rule = "no-purse"     // nobody's purse to refund into
	RuleAmount       Rule = "amount"       // outside of the limits of a payment
	RulePurseFull    Rule = "purse-full"   // the purse would hold more than it may
	RuleNotYours     Rule = "not-yours"    // another has made it
	RuleNotToday     Rule = "not-today"    // it was made on another day
	RuleReversed     Rule = "reversed"     // it has been reversed
	RuleIrreversible Rule = "irreversible" // it was not made at the desk
	RuleReason       Rule = "reason"       // no reason was given
	RuleExpiry       Rule = "expiry"       // outside of the time for which money is held
	RuleTooMany      Rule = "too-many"     // too many payments are open
	RuleInvalid      Rule = "invalid"      // it makes no sense
)

// Refusal is why something was not done.
type Refusal struct {
	Rule Rule
	Text string
	// Available is what the purse has, in fen, if it has too little.
	Available int64
	// State is the hold's, if it is not held any more.
	State HoldState
}

func (r *Refusal) Error() string { return r.Text }

func refuse(rule Rule, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// insufficient refuses for want of money.
func insufficient(available int64) *Refusal {
	r := refuse(RuleInsufficient, "the purse has too little: %d fen are available", available)
	r.Available = available
	return r
}

// checkTopUp refuses an amount that one payment may not have, or with which the
// purse would hold more than it may.
func checkTopUp(amount, balance int64) *Refusal {
	if amount < MinTopUp || amount > MaxTopUp {
		return refuse(RuleAmount, "top up between %d and %d fen at once", MinTopUp, MaxTopUp)
	}
	if balance+amount > MaxPurse {
		return refuse(RulePurseFull, "a purse may hold %d fen", MaxPurse)
	}
	return nil
}

// maxReason is how long a reason may be, in characters.
const maxReason = 200

// checkReversal refuses to take something back that is not a mistake of the
// actor's own at the desk, of today.
func checkReversal(t Transaction, a Act, reason string) *Refusal {
	switch {
	case reason == "" || len([]rune(reason)) > maxReason:
		return refuse(RuleReason, "say why, in at most %d characters", maxReason)
	case t.Receipt.Number == 0 || t.Kind == KindReversal:
		return refuse(RuleIrreversible, "only what was paid in or out at the desk is reversed there")
	case t.ReversedBy != uuid.Nil:
		return refuse(RuleReversed, "it has been reversed")
	case t.Actor != a.Actor:
		return refuse(RuleNotYours, "only who made it reverses it")
	case t.Day != a.Today():
		return refuse(RuleNotToday, "it is reversed on its own day only: pay in or out what is wrong")
	}
	return nil
}
