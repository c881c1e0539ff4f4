package accounts

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/host"
)

func (s *service) paymentOperations(a *host.API) {
	begin := a.Personal(huma.Operation{
		OperationID: "begin-payment", Method: http.MethodPost, Path: "/payments", DefaultStatus: http.StatusCreated, Tags: []string{tagOwn},
		Summary:     "Begin to top up online",
		Description: "Of communities with WeChat Pay; elsewhere 404. With Native the address is what a QR code must say, with H5 what the phone opens. Ask for the payment to learn what became of it.",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable)...)
	begin.Middlewares = append(begin.Middlewares, withPayerAddress)
	huma.Register(a, begin, s.apiPay)
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "get-payment", Method: http.MethodGet, Path: "/payments/{id}", Tags: []string{tagOwn},
		Summary: "What became of a payment that the caller has begun, or that goes into the caller's purse",
	}, http.StatusNotFound, http.StatusUnprocessableEntity), s.apiPayment)
}

// payerAddressKey is where the IP address of who pays stands in a context.
type payerAddressKey struct{}

func withPayerAddress(ctx huma.Context, next func(huma.Context)) {
	next(huma.WithValue(ctx, payerAddressKey{}, payerAddress(ctx.Header("X-Forwarded-For"), ctx.RemoteAddr())))
}

type payInput struct {
	KeyInput
	Body struct {
		Person  string  `json:"person,omitempty" maxLength:"100" doc:"For whom the caller may order; the caller if it is left out."`
		Amount  int64   `json:"amount" minimum:"1" maximum:"10000000" doc:"In fen."`
		Channel Channel `json:"channel" enum:"Native,H5" doc:"A QR code for another device, or the app of the phone itself."`
	}
}

// apiPaymentBody is a payment as people see it.
type apiPaymentBody struct {
	ID        string       `json:"id"`
	Person    string       `json:"person" doc:"Whose purse it goes into."`
	Amount    int64        `json:"amount" doc:"In fen."`
	Channel   Channel      `json:"channel" enum:"Native,H5"`
	State     PaymentState `json:"state" enum:"Pending,Paid,Closed,Odd" doc:"Odd: it was paid in a way that was not asked for; the staff look into it."`
	Address   string       `json:"address,omitempty" doc:"Where it is paid, as long as it can be."`
	ExpiresAt time.Time    `json:"expiresAt"`
	Note      string       `json:"note,omitempty" doc:"What the staff did about an odd one."`
}

type paymentOutput struct{ Body apiPaymentBody }

func (s *service) paymentAnswer(ctx context.Context, p Payment, err error) (*paymentOutput, error) {
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &paymentOutput{Body: apiPaymentOf(p, s.location())}, nil
}

func apiPaymentOf(p Payment, loc *time.Location) apiPaymentBody {
	out := apiPaymentBody{ID: p.ID.String(), Person: p.Person, Amount: p.Amount, Channel: p.Channel, State: p.State, ExpiresAt: p.ExpiresAt.In(loc), Note: p.Note}
	if p.State == PaymentPending {
		out.Address = p.Address
	}
	return out
}

func (s *service) apiPay(ctx context.Context, in *payInput) (*paymentOutput, error) {
	who, err := s.party(ctx, in.Body.Person)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	from, _ := ctx.Value(payerAddressKey{}).(string)
	p, err := s.pay(ctx, who, in.Body.Amount, in.Body.Channel, in.Key, from)
	return s.paymentAnswer(ctx, p, err)
}

type paymentInput struct {
	ID string `path:"id" format:"uuid" doc:"The ID of the payment."`
}

func (s *service) apiPayment(ctx context.Context, in *paymentInput) (*paymentOutput, error) {
	p, err := s.payment(ctx, in.ID)
	return s.paymentAnswer(ctx, p, err)
}
