package accounts

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

const (
	topUpPath    = homePath + "top-up"
	paymentsPath = homePath + "payments/"
)

func paymentURL(id uuid.UUID) string { return paymentsPath + id.String() }

// topUpView is the form to top up online, with what was typed.
type topUpView struct {
	web.View
	// People are those into whose purses the reader may pay, the reader first.
	People []identity.Person
	Person string
	Amount typed
	// Channel is what was chosen; H5 at first, since most read this on a phone.
	Channel Channel
	Key     string
}

func (s *service) topUpView(r *http.Request) topUpView {
	me, _ := identity.FromContext(r.Context())
	return topUpView{
		View: s.pages.View(r), People: append([]identity.Person{me}, identity.HouseholdFromContext(r.Context(), identity.Order)...),
		Person: me.ID, Channel: ChannelH5, Key: newKey(),
	}
}

func (s *service) topUpPage(w http.ResponseWriter, r *http.Request) {
	if !s.online() {
		s.fail(w, r, ErrNotFound)
		return
	}
	s.pages.Render(w, r, http.StatusOK, topUpPage(s.topUpView(r)))
}

func (s *service) payFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	v := s.topUpView(r)
	v.Person, v.Channel = r.PostForm.Get("person"), Channel(r.PostForm.Get("channel"))
	v.Amount = typed{Value: r.PostForm.Get("amount"), Problem: v.T("accounts.refused.notMoney")}
	who, err := s.party(r.Context(), v.Person)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if amount, ok := parseYuan(v.Amount.Value); ok {
		p, err := s.pay(r.Context(), who, amount, v.Channel, r.PostForm.Get("key"), payerAddress(r.Header.Get("X-Forwarded-For"), r.RemoteAddr))
		if err == nil {
			http.Redirect(w, r, paymentURL(p.ID), http.StatusSeeOther)
			return
		}
		if v.Amount.Problem, ok = refusedText(v.View, err); !ok {
			s.fail(w, r, err)
			return
		}
	}
	s.pages.Render(w, r, http.StatusUnprocessableEntity, topUpPage(v))
}

// paymentView is a payment as its payer sees it.
type paymentView struct {
	web.View
	Payment
	// Open is where the phone pays, and comes back from.
	Open string
}

// paymentPage shows a payment, and asks what became of it if that is not known.
func (s *service) paymentPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	p, err := s.payment(ctx, r.PathValue("id"))
	if err == nil && p.State == PaymentPending && r.URL.Query().Has("paid") {
		p, err = s.look(r, p)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := paymentView{View: s.pages.View(r), Payment: p}
	if p.Channel == ChannelH5 && p.Address != "" {
		v.Open = p.Address + "&" + url.Values{"redirect_url": {s.site() + paymentURL(p.ID) + "?paid"}}.Encode()
	}
	s.pages.Render(w, r, http.StatusOK, paymentPage(v))
}

// look asks the provider at once what became of a payment. That it does not
// answer is no reason to show nothing.
func (s *service) look(r *http.Request, p Payment) (Payment, error) {
	by, err := s.provider()
	if err == nil {
		err = s.reconcileOne(r.Context(), by, p)
	}
	if err != nil && !errors.Is(err, errNotOnline) && r.Context().Err() == nil {
		s.log.WarnContext(r.Context(), "it is not known yet what became of a payment", "payment", p.ID.String(), "error", err.Error())
	}
	return s.store.Payment(r.Context(), p.ID)
}
