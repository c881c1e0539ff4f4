package accounts

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// notificationsPath is where WeChat Pay says what became of payments.
const notificationsPath = apiPath + "/wechat-pay/notifications"

const (
	// reconcileEvery is how often payments are looked for whose provider is to
	// be asked.
	reconcileEvery = 5 * time.Second
	// answerTime is how long a provider has for an answer.
	answerTime = 10 * time.Second
	// maxNotificationBytes is far more than a notification needs.
	maxNotificationBytes = 64 << 10
)

// newPayClient is a client that goes nowhere else than where it is sent.
func newPayClient() *http.Client {
	return &http.Client{Timeout: answerTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// errNotOnline means that the community takes no payments online.
var errNotOnline = errors.New("the community takes no payments online")

// online reports whether residents may pay online.
func (s *service) online() bool {
	spec := s.config().Community.Spec.Services.Accounts
	return spec != nil && spec.WeChatPay != nil
}

// site is where residents reach the community, without a slash at the end.
func (s *service) site() string {
	now := s.config()
	return now.Release.Class.URL(now.Community.Name)
}

// weChat is the community's merchant account, with its keys as they are now;
// errNotOnline if it has none.
func (s *service) weChat() (*weChat, error) {
	if !s.online() {
		return nil, errNotOnline
	}
	return newWeChat(*s.config().Community.Spec.Services.Accounts.WeChatPay, s.key, s.site()+notificationsPath, s.payClient)
}

// provider is weChat for what does not depend on it.
func (s *service) provider() (provider, error) {
	w, err := s.weChat()
	if err != nil {
		return nil, err // not w: a nil pointer in the interface would not be nil
	}
	return w, nil
}

// errUnpayable means that the provider cannot be reached, or is not set up.
var errUnpayable = errors.New("the provider does not answer")

// pay begins a payment of the caller into somebody's purse. A provider that
// does not answer leaves it as it is: the same key begins it again.
func (s *service) pay(ctx context.Context, person identity.Person, amount int64, channel Channel, key, from string) (Payment, error) {
	by, err := s.provider()
	if errors.Is(err, errNotOnline) {
		return Payment{}, err
	}
	if err != nil {
		s.keysMissing(ctx, err)
		return Payment{}, errUnpayable
	}
	p, err := s.store.BeginPayment(ctx, s.act(ctx), person.ID, amount, channel, key)
	if err != nil || p.Address != "" || p.State != PaymentPending {
		return p, err
	}
	description := s.pages.Words(web.Chinese).T("accounts.payment.description", "Community", s.config().Community.Spec.DisplayName)
	if p.Address, err = by.Begin(ctx, p, description, from); err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "a payment was not begun", "payment", p.ID.String(), "error", err.Error())
		}
		return p, errUnpayable
	}
	return p, s.store.Addressed(ctx, p.ID, p.Address)
}

// keysMissing says in the log what stands in the way of payments.
func (s *service) keysMissing(ctx context.Context, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		s.log.ErrorContext(ctx, "no payments: the Secret linli-keys needs "+weChatPrivateKeyFile+", "+weChatAPIKeyFile+" and "+weChatPublicKeyFile)
		return
	}
	s.log.ErrorContext(ctx, "no payments: a key is not usable", "error", err.Error())
}

// payment is a payment that the caller has begun, or that goes into their own
// purse.
func (s *service) payment(ctx context.Context, id string) (Payment, error) {
	parsed, err := parseID(id)
	if err != nil {
		return Payment{}, err
	}
	p, err := s.store.Payment(ctx, parsed)
	if err != nil {
		return p, err
	}
	if me, _ := identity.FromContext(ctx); p.Payer != me.ID && p.Person != me.ID {
		return Payment{}, ErrNotFound
	}
	return p, nil
}

// settle notes an outcome, and says in the log what a person has to look into.
func (s *service) settle(ctx context.Context, o Outcome) (Payment, error) {
	p, err := s.store.Settle(ctx, Act{Now: s.clock.Now(), Location: s.location()}, o)
	if err == nil && p.State == PaymentOdd && o.Paid {
		s.metrics.odd.Inc()
		s.log.ErrorContext(ctx, "a payment was not booked: it is not what was asked for; look it up at the provider",
			"payment", p.ID.String(), "number", p.Number, "amount", p.Received, "asked", p.Amount, "odd", string(p.Odd))
	}
	return p, err
}

// reconcile asks the provider for what became of payments that nobody was told
// of, and closes those whose time is over.
func (s *service) reconcile(ctx context.Context) {
	due, err := s.store.Due(ctx, s.clock.Now())
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "payments were not looked for", "error", err.Error())
	}
	if len(due) == 0 {
		return
	}
	by, err := s.provider()
	if err != nil {
		s.keysMissing(ctx, err)
		return
	}
	for _, p := range due {
		if err := s.reconcileOne(ctx, by, p); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "it is not known what became of a payment; it is asked for again", "payment", p.ID.String(), "error", err.Error())
		}
	}
}

func (s *service) reconcileOne(ctx context.Context, by provider, p Payment) error {
	over := !p.ExpiresAt.After(s.clock.Now())
	o, err := by.Ask(ctx, p)
	switch {
	case errors.Is(err, errUnknownPayment):
		// Nobody pays what was never begun; until it expires it may be.
		o = Outcome{Reference: p.Reference(), Closed: over}
	case err != nil:
		return err
	case o.Reference != p.Reference():
		return errors.New("the provider answers about another payment")
	case over && !o.Paid && !o.Closed:
		// Who pays at this moment makes it fail, and is found the next time.
		if err := by.Close(ctx, p); err != nil {
			return err
		}
		o.Closed = true
	}
	if !o.Paid && !o.Closed {
		return nil
	}
	_, err = s.settle(ctx, o)
	return err
}

// mountNotifications takes what WeChat Pay says of payments. Nobody is signed
// in there: each notification is signed.
func (s *service) mountNotifications(mux *host.Router) {
	mux.HandleFunc("POST "+notificationsPath, func(w http.ResponseWriter, r *http.Request) {
		wc, err := s.weChat()
		if err != nil {
			if !errors.Is(err, errNotOnline) {
				s.keysMissing(r.Context(), err)
			}
			identity.Problem(w, http.StatusNotFound, "There is nothing at this address for this method.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxNotificationBytes)
		o, about, err := wc.Notified(r.Context(), r)
		if err != nil {
			s.metrics.forged.Inc()
			identity.Problem(w, http.StatusBadRequest, "This is not signed by WeChat Pay, or not of now.")
			return
		}
		if about {
			if _, err = s.settle(r.Context(), o); errors.Is(err, ErrNotFound) {
				s.log.ErrorContext(r.Context(), "a payment is not known here; look it up at the provider", "number", o.Number)
				err = nil // telling it again does not make it known
			}
		}
		if err != nil {
			s.log.ErrorContext(r.Context(), "a payment was not noted; it is asked for again", "error", err.Error())
			identity.Problem(w, http.StatusInternalServerError, failedText)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// payerAddress is the IP address of who makes a request, as the gateway knows it.
func payerAddress(forwarded, remote string) string {
	first, _, _ := strings.Cut(forwarded, ",")
	if ip := net.ParseIP(strings.TrimSpace(first)); ip != nil {
		return ip.String()
	}
	if address, _, err := net.SplitHostPort(remote); err == nil {
		return address
	}
	return remote
}
