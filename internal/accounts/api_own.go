package accounts

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

func (s *service) ownOperations(a *host.API) {
	own := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagOwn}
		return a.Personal(op, errors...)
	}
	huma.Register(a, own(huma.Operation{
		OperationID: "get-purse", Method: http.MethodGet, Path: "/purse",
		Summary:     "What is in the purse of the caller, or of somebody for whom the caller may order",
		Description: "Of somebody else the balance only: what they have ordered is theirs.",
	}, http.StatusUnprocessableEntity), s.apiPurse)
	huma.Register(a, own(huma.Operation{
		OperationID: "get-statement", Method: http.MethodGet, Path: "/statement", Summary: "What happened to the caller's own purse in a month, the latest first",
	}, http.StatusUnprocessableEntity), s.apiStatement)
}

// party is for whom the caller asks: themselves if person is empty, or
// somebody for whom they may order. It returns errNotYours for anybody else.
func (s *service) party(ctx context.Context, person string) (identity.Person, error) {
	me, _ := identity.FromContext(ctx)
	if person == "" || person == me.ID {
		return me, nil
	}
	for _, p := range identity.HouseholdFromContext(ctx, identity.Order) {
		if p.ID == person {
			return p, nil
		}
	}
	return identity.Person{}, errNotYours
}

type purseInput struct {
	Person string `query:"person" maxLength:"100" doc:"For whom the caller may order; the caller if it is left out."`
}

// apiPurse is a purse as people see it.
type apiPurse struct {
	Person    string    `json:"person"`
	Balance   int64     `json:"balance" doc:"In fen."`
	Held      int64     `json:"held" doc:"What of the balance is kept for what was ordered, in fen."`
	Available int64     `json:"available" doc:"What can be spent, in fen."`
	Holds     []apiHold `json:"holds,omitempty" doc:"What is kept for what; of one's own purse."`
}

type apiHold struct {
	Service   string            `json:"service"`
	About     string            `json:"about" doc:"The ID of the order there."`
	Amount    int64             `json:"amount" doc:"In fen."`
	ExpiresAt time.Time         `json:"expiresAt" doc:"When it is free again by itself."`
	Memo      map[string]string `json:"memo,omitempty" doc:"What it is for, by language."`
}

type purseOutput struct{ Body apiPurse }

func apiPurseOf(p Purse, holds []Hold, loc *time.Location) *purseOutput {
	out := &purseOutput{Body: apiPurse{Person: p.Person, Balance: p.Balance, Held: p.Held, Available: p.Available()}}
	for _, h := range holds {
		out.Body.Holds = append(out.Body.Holds, apiHold{Service: h.Service, About: h.About, Amount: h.Amount, ExpiresAt: h.ExpiresAt.In(loc), Memo: h.Memo})
	}
	return out
}

func (s *service) apiPurse(ctx context.Context, in *purseInput) (*purseOutput, error) {
	who, err := s.party(ctx, in.Person)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	p, err := s.store.Purse(ctx, who.ID)
	var holds []Hold
	if me, _ := identity.FromContext(ctx); err == nil && who.ID == me.ID && p.ID != uuid.Nil {
		holds, err = s.store.Held(ctx, p.ID)
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return apiPurseOf(p, holds, s.location()), nil
}

type monthInput struct {
	Month string `query:"month" example:"2026-11" doc:"YYYY-MM; this month if it is left out."`
}

type statementOutput struct {
	Body struct {
		Month        civil.Month      `json:"month"`
		Before       int64            `json:"before" doc:"What was in the purse when the month began, in fen."`
		After        int64            `json:"after" doc:"What was in it when the month ended, or is now, in fen."`
		Transactions []APITransaction `json:"transactions"`
	}
}

func (s *service) apiStatement(ctx context.Context, in *monthInput) (*statementOutput, error) {
	month, err := s.monthOf(in.Month)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	me, _ := identity.FromContext(ctx)
	st, err := s.statement(ctx, me.ID, month)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &statementOutput{}
	out.Body.Month, out.Body.Before, out.Body.After, out.Body.Transactions = st.Month, st.Before, st.After, []APITransaction{}
	for _, l := range st.Lines {
		t := apiTransactionOf(l.Transaction, l.Amount, s.location())
		t.Balance = &l.Balance
		out.Body.Transactions = append(out.Body.Transactions, t)
	}
	return out, nil
}

// statement is a month of somebody's purse; an empty one of who has none.
func (s *service) statement(ctx context.Context, person string, month civil.Month) (Statement, error) {
	p, err := s.store.Purse(ctx, person)
	if err != nil || p.ID == uuid.Nil {
		return Statement{Month: month}, err
	}
	return s.store.Statement(ctx, p.ID, month)
}
