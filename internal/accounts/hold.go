package accounts

import (
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
)

// HoldState is what has become of a hold. Names are stable.
type HoldState string

// The states. One that was refused from the beginning waits for a later
// revision as if it had never been.
const (
	HoldHeld     HoldState = "Held"
	HoldRefused  HoldState = "Refused"
	HoldCaptured HoldState = "Captured"
	HoldReleased HoldState = "Released"
	HoldExpired  HoldState = "Expired"
)

// Hold is money in a purse that is kept for something a service will take it
// for.
type Hold struct {
	// Service has made it, under an ID of its own.
	Service, ID string
	// Person is whose purse it is on.
	Person string
	Purse  uuid.UUID
	// Revision is the one that was granted last, and Amount what it asked for,
	// in fen.
	Revision, Amount int64
	// RefusedRevision is the one that was refused last for want of money, and
	// RefusedAvailable what the purse had then.
	RefusedRevision, RefusedAvailable int64

	State HoldState
	// ExpiresAt is when it is released by itself.
	ExpiresAt time.Time
	// About is the ID of what it is for, Memo what that is in words.
	About string
	Memo  Memo

	CreatedAt, EndedAt time.Time
	// Captured and Subsidy are what was taken, and what the community added.
	Captured, Subsidy int64
	// Transaction is the one that took it; nil if nothing was.
	Transaction uuid.UUID
	// PostedOn is the day of Transaction, which Capture alone finds out.
	PostedOn civil.Date
}

// maxHold is how long money is held at most.
const maxHold = 400 * 24 * time.Hour

// HoldOrder asks for a hold, or to change one.
type HoldOrder struct {
	Service, ID string
	Revision    int64
	Person      string
	Amount      int64
	ExpiresAt   time.Time
	About       string
	Memo        Memo
}

// check refuses what makes no sense.
func (o HoldOrder) check(now time.Time) *Refusal {
	switch {
	case o.ID == "" || o.Person == "" || o.Revision < 1:
		return refuse(RuleInvalid, "id and person must be named, and revisions count from 1")
	case o.Amount < 0 || o.Amount > MaxAmount:
		return refuse(RuleInvalid, "the amount must be between 0 and %d fen", MaxAmount)
	case !o.ExpiresAt.After(now) || o.ExpiresAt.Sub(now) > maxHold:
		return refuse(RuleExpiry, "expiresAt must be ahead, by at most %d days", maxHold/(24*time.Hour))
	}
	return nil
}

// standing is the state of a hold now: one that nobody has expired yet may be
// over.
func (h Hold) standing(now time.Time) HoldState {
	if h.State == HoldHeld && !h.ExpiresAt.After(now) {
		return HoldExpired
	}
	return h.State
}

// notHeld refuses what can be done to a hold that stands only.
func notHeld(state HoldState) *Refusal {
	r := refuse(RuleNotHeld, "the hold is %s", state)
	r.State = state
	return r
}

// revise is a hold after an order, given what the purse has beside it. It is
// false if nothing changes. A refusal for want of money changes the hold too:
// it is kept.
//
// An order that was answered is answered the same again as long as the hold
// stands. One that reaches a hold which has ended is refused, whatever was
// answered before: nothing is held.
func (h Hold) revise(o HoldOrder, available int64, now time.Time) (after Hold, changed bool, refusal *Refusal) {
	switch state := h.standing(now); state {
	case HoldCaptured, HoldReleased, HoldExpired:
		return h, false, notHeld(state)
	}
	switch known := max(h.Revision, h.RefusedRevision); {
	case o.Revision < known:
		return h, false, refuse(RuleSuperseded, "revision %d is known", known)
	case o.Revision == h.RefusedRevision:
		return h, false, insufficient(h.RefusedAvailable)
	case o.Revision == known:
		return h, false, nil
	case h.Person != o.Person:
		return h, false, refuse(RuleOtherPerson, "the hold is on another person's purse")
	case o.Amount-h.Amount > available:
		h.RefusedRevision, h.RefusedAvailable = o.Revision, available
		return h, true, insufficient(available)
	}
	h.Revision, h.Amount, h.ExpiresAt, h.About, h.Memo, h.State = o.Revision, o.Amount, o.ExpiresAt, o.About, o.Memo, HoldHeld
	return h, true, nil
}

// capture refuses to take an amount of a hold. It is false if that was done
// before.
func (h Hold) capture(amount, subsidy int64, now time.Time) (due bool, refusal *Refusal) {
	if h.State == HoldCaptured && h.Captured == amount && h.Subsidy == subsidy {
		return false, nil
	}
	if state := h.standing(now); state != HoldHeld {
		return false, notHeld(state)
	}
	if amount < 0 || subsidy < 0 || subsidy > MaxAmount {
		return false, refuse(RuleInvalid, "amounts are not negative")
	}
	if amount > h.Amount {
		return false, refuse(RuleTooMuch, "%d fen are held", h.Amount)
	}
	return true, nil
}

// Taken is what a service took, by capturing a hold or by a sale, and what of
// it was given back.
type Taken struct {
	Service string
	// Name is holds/<id> or sales/<id>.
	Name string
	// Person is whose purse a refund goes to; empty if nobody is named.
	Person                    string
	Amount, Subsidy           int64
	Refunded, RefundedSubsidy int64
	Transaction               uuid.UUID
	// PostedOn is the day of Transaction, which Sell alone finds out; zero if
	// nothing had to be moved.
	PostedOn civil.Date
}

// The names of what a service took.
func nameOfHold(id string) string { return "holds/" + id }
func nameOfSale(id string) string { return "sales/" + id }

// refund refuses to give back more than was taken, over all refunds.
func (t Taken) refund(amount, subsidy int64) *Refusal {
	if amount < 0 || subsidy < 0 {
		return refuse(RuleInvalid, "amounts are not negative")
	}
	if amount > t.Amount-t.Refunded || subsidy > t.Subsidy-t.RefundedSubsidy {
		return refuse(RuleTooMuch, "of what was taken %d fen and a subsidy of %d fen are left", t.Amount-t.Refunded, t.Subsidy-t.RefundedSubsidy)
	}
	return nil
}

// Where a refund goes.
const (
	ToPurse = "Purse"
	ToCash  = "Cash"
)
