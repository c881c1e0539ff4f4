package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// PaymentState is what has become of a payment. Names are stable.
type PaymentState string

// The states. One that is Odd was paid in a way that was not asked for, such as
// with another amount: nothing is booked before a person has looked into it.
const (
	PaymentPending PaymentState = "Pending"
	PaymentPaid    PaymentState = "Paid"
	PaymentClosed  PaymentState = "Closed"
	PaymentOdd     PaymentState = "Odd"
)

// Oddity is why a payment is not what was asked for. Names are stable; a message
// is called after each.
type Oddity string

// The oddities.
const (
	OddAmount    Oddity = "amount"
	OddCurrency  Oddity = "currency"
	OddPayee     Oddity = "payee"      // it went to another merchant or application
	OddGivenBack Oddity = "given-back" // at the merchant's platform
)

// Channel is how somebody pays. Names are stable.
type Channel string

// The channels: a QR code that another device reads, or the app on the phone
// that shows the page.
const (
	ChannelNative Channel = "Native"
	ChannelH5     Channel = "H5"
)

// Payment is money on its way into a purse, paid elsewhere.
type Payment struct {
	ID    uuid.UUID
	Purse uuid.UUID
	// Person is whose purse it is, Payer who has asked for it.
	Person, Payer string
	// Amount is in fen.
	Amount  int64
	Channel Channel
	State   PaymentState
	// Address is what the QR code says or the phone opens; empty if the
	// provider has not answered yet.
	Address string
	// Number is the provider's, once it is paid.
	Number string
	// Received is what came in, in fen of the currency that it came in, once it is
	// paid, and Odd why that is not what was asked for.
	Received int64
	Odd      Oddity
	// DoneAt is when somebody of the staff, DoneBy, noted what was done about an
	// odd payment; zero if nobody has.
	DoneAt       time.Time
	DoneBy, Note string
	// Transaction is what booked it.
	Transaction          uuid.UUID
	CreatedAt, ExpiresAt time.Time
	// CheckAt is when the provider is asked next.
	CheckAt time.Time
	key     string
}

// Reference is what the provider knows the payment by.
func (p Payment) Reference() string {
	text := p.ID.String()
	return text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
}

// paymentOf is the payment that a provider names.
func paymentOf(reference string) (uuid.UUID, error) {
	id, err := uuid.Parse(reference)
	if err != nil || len(reference) != 32 {
		return uuid.Nil, ErrNotFound
	}
	return id, nil
}

const (
	// payWithin is how long somebody has to pay.
	payWithin = 15 * time.Minute
	// askEvery is how often the provider is asked meanwhile.
	askEvery = 20 * time.Second
	// maxPending is how many payments somebody may have begun.
	maxPending = 3
)

// Outcome is what a provider says of a payment.
type Outcome struct {
	// Reference is what Payment.Reference was when it was begun.
	Reference string
	// Paid says that it is paid, Closed that it never will be; neither that it
	// may be yet.
	Paid, Closed bool
	// Amount is what was paid in fen, and Number what the provider calls it.
	Amount int64
	Number string
	// Odd is why what was paid is not what was asked for; the amount needs not be
	// looked at.
	Odd Oddity
}

// after is a payment after what its provider says of it. It is false if nothing
// changes. What was paid counts whenever that becomes known, and once.
func (p Payment) after(o Outcome) (Payment, bool) {
	switch {
	case p.State == PaymentPaid, p.State == PaymentOdd:
		return p, false
	case o.Paid:
		p.State, p.Number, p.Received, p.Odd = PaymentPaid, o.Number, o.Amount, o.Odd
		if p.Odd == "" && p.Received != p.Amount {
			p.Odd = OddAmount
		}
		if p.Odd != "" {
			p.State = PaymentOdd
		}
		return p, true
	case o.Closed && p.State == PaymentPending:
		p.State = PaymentClosed
		return p, true
	}
	return p, false
}

// done is an odd payment about which somebody has done something, and says what.
// To say it again changes nothing.
func (p Payment) done(a Act, note string) (Payment, error) {
	switch {
	case p.State != PaymentOdd:
		return p, ErrNotFound
	case !p.DoneAt.IsZero():
		return p, nil
	case note == "" || len([]rune(note)) > maxReason:
		return p, refuse(RuleReason, "say what was done, in at most %d characters", maxReason)
	}
	p.DoneAt, p.DoneBy, p.Note = a.Now, a.Actor, note
	return p, nil
}

// provider takes payments for the community.
type provider interface {
	// Begin has a payment be possible until it expires, and returns its
	// address. Beginning again is no error. from is the payer's IP address.
	Begin(ctx context.Context, p Payment, description, from string) (address string, err error)
	// Ask says what has become of a payment; errUnknownPayment if it was never
	// begun.
	Ask(ctx context.Context, p Payment) (Outcome, error)
	// Close makes a payment impossible. Without an error it is not paid and
	// never will be.
	Close(ctx context.Context, p Payment) error
}

// errUnknownPayment means that the provider was never asked for a payment.
var errUnknownPayment = errors.New("the provider does not know the payment")

// checkPayment refuses a payment that may not be begun: beside the limits of a
// top-up, what is on its way already counts, and nobody begins many.
func checkPayment(amount, balance, onItsWay int64, pending int) *Refusal {
	if pending >= maxPending {
		return refuse(RuleTooMany, "%d payments are open: finish one of them, or wait", pending)
	}
	return checkTopUp(amount, balance+onItsWay)
}
