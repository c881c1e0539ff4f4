package accounts

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

func (s *service) deskOperations(a *host.API) {
	desk := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagDesk}
		return a.Staff([]identity.Duty{identity.FrontDesk}, op, errors...)
	}
	huma.Register(a, desk(huma.Operation{
		OperationID: "see-purse", Method: http.MethodGet, Path: "/staff/purses/{person}", Summary: "What is in somebody's purse",
	}, http.StatusNotFound, http.StatusUnprocessableEntity), s.apiSeePurse)
	huma.Register(a, desk(huma.Operation{
		OperationID: "top-up", Method: http.MethodPost, Path: "/staff/top-ups", DefaultStatus: http.StatusCreated, Summary: "Take in cash and put it into somebody's purse",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), s.apiTopUp)
	huma.Register(a, desk(huma.Operation{
		OperationID: "pay-out", Method: http.MethodPost, Path: "/staff/payouts", DefaultStatus: http.StatusCreated,
		Summary: "Give out cash from somebody's purse, of what is not held for anything",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), s.apiPayOut)
	huma.Register(a, desk(huma.Operation{
		OperationID: "reverse", Method: http.MethodPost, Path: "/staff/reversals", DefaultStatus: http.StatusCreated,
		Summary: "Take back a mistake of the caller's own at the counter, of today",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), s.apiReverse)
	huma.Register(a, desk(huma.Operation{
		OperationID: "get-day", Method: http.MethodGet, Path: "/staff/day", Summary: "What happened to the drawer on a day, and what must be in it",
	}, http.StatusUnprocessableEntity), s.apiDay)
}

func (s *service) ledgerOperations(a *host.API) {
	op := a.Staff([]identity.Duty{identity.Manager}, huma.Operation{
		OperationID: "get-ledger", Method: http.MethodGet, Path: "/staff/ledger", Tags: []string{tagLedger}, Summary: "A month of all accounts",
		Description: "Money is positive in purses and revenue, and negative where it came in from: cash, wechat, subsidies. The sums are 0.",
	}, http.StatusUnprocessableEntity)
	huma.Register(a, op, s.apiLedger)
}

// known is a person whom the community knows, or ErrNotFound.
func (s *service) known(ctx context.Context, id string) (identity.Person, error) {
	p, err := s.people.Person(ctx, id)
	if errors.Is(err, identity.ErrNobody) {
		err = ErrNotFound
	}
	return p, err
}

type personInput struct {
	Person string `path:"person" maxLength:"100" doc:"The ID of the person."`
}

func (s *service) apiSeePurse(ctx context.Context, in *personInput) (*purseOutput, error) {
	if _, err := s.known(ctx, in.Person); err != nil {
		return nil, s.problem(ctx, err)
	}
	p, err := s.store.Look(ctx, s.act(ctx), in.Person)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return apiPurseOf(p, nil, s.location()), nil
}

type cashInput struct {
	KeyInput
	Body struct {
		Person string `json:"person" minLength:"1" maxLength:"100"`
		Amount int64  `json:"amount" minimum:"1" maximum:"10000000" doc:"In fen."`
	}
}

type transactionOutput struct{ Body APITransaction }

func (s *service) apiTopUp(ctx context.Context, in *cashInput) (*transactionOutput, error) {
	return s.cash(ctx, in, s.store.TopUp)
}

func (s *service) apiPayOut(ctx context.Context, in *cashInput) (*transactionOutput, error) {
	return s.cash(ctx, in, s.store.PayOut)
}

func (s *service) cash(ctx context.Context, in *cashInput, do func(ctx context.Context, a Act, person string, amount int64, key string) (Transaction, error)) (*transactionOutput, error) {
	if _, err := s.known(ctx, in.Body.Person); err != nil {
		return nil, s.problem(ctx, err)
	}
	return s.transactionAnswer(ctx)(do(ctx, s.act(ctx), in.Body.Person, in.Body.Amount, in.Key))
}

type reversalInput struct {
	KeyInput
	Body struct {
		Transaction string `json:"transaction" format:"uuid"`
		Reason      string `json:"reason" minLength:"1" maxLength:"200"`
	}
}

func (s *service) apiReverse(ctx context.Context, in *reversalInput) (*transactionOutput, error) {
	id, err := parseID(in.Body.Transaction)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return s.transactionAnswer(ctx)(s.store.Reverse(ctx, s.act(ctx), id, in.Body.Reason, in.Key))
}

func (s *service) transactionAnswer(ctx context.Context) func(t Transaction, err error) (*transactionOutput, error) {
	return func(t Transaction, err error) (*transactionOutput, error) {
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return &transactionOutput{Body: apiTransactionOf(t, t.OnPurse(), s.location())}, nil
	}
}

type dayInput struct {
	Date string `query:"date" example:"2026-11-23" doc:"YYYY-MM-DD; today if it is left out."`
}

type apiDrawerSum struct {
	Kind  Kind   `json:"kind,omitempty"`
	Actor string `json:"actor,omitempty"`
	In    int64  `json:"in" doc:"In fen."`
	Out   int64  `json:"out" doc:"In fen."`
	Count int    `json:"count"`
}

type dayOutput struct {
	Body struct {
		Date         string           `json:"date"`
		Cash         int64            `json:"cash" doc:"What must have been added to the drawer, in fen."`
		Kinds        []apiDrawerSum   `json:"kinds"`
		Actors       []apiDrawerSum   `json:"actors"`
		Transactions []APITransaction `json:"transactions" doc:"The amount is what was put into the drawer."`
	}
}

func (s *service) apiDay(ctx context.Context, in *dayInput) (*dayOutput, error) {
	day, err := s.dayOf(in.Date)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	d, err := s.store.Drawer(ctx, s.act(ctx), day)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &dayOutput{}
	out.Body.Date, out.Body.Cash = d.Day.String(), d.Cash
	out.Body.Kinds, out.Body.Actors, out.Body.Transactions = []apiDrawerSum{}, []apiDrawerSum{}, []APITransaction{}
	for _, sum := range d.Kinds {
		out.Body.Kinds = append(out.Body.Kinds, apiDrawerSum{Kind: Kind(sum.Name), In: sum.In, Out: sum.Out, Count: sum.Count})
	}
	for _, sum := range d.Actors {
		out.Body.Actors = append(out.Body.Actors, apiDrawerSum{Actor: sum.Name, In: sum.In, Out: sum.Out, Count: sum.Count})
	}
	for _, t := range d.Transactions {
		out.Body.Transactions = append(out.Body.Transactions, apiTransactionOf(t, t.Cash(), s.location()))
	}
	return out, nil
}

type apiLedgerAccount struct {
	Account      string `json:"account" doc:"purse is all purses."`
	Before       int64  `json:"before" doc:"The balance at the month's beginning, in fen."`
	Plus         int64  `json:"plus" doc:"In fen."`
	Minus        int64  `json:"minus" doc:"In fen; negative."`
	After        int64  `json:"after" doc:"The balance at the month's end, in fen."`
	Transactions int64  `json:"transactions"`
}

type ledgerOutput struct {
	Body struct {
		Month    civil.Month        `json:"month"`
		Accounts []apiLedgerAccount `json:"accounts"`
		Sum      int64              `json:"sum" doc:"Of all balances; 0 unless the ledger has a fault."`
		Nobodys  int64              `json:"nobodys" doc:"What is in purses whose persons were deleted, in fen."`
	}
}

func (s *service) apiLedger(ctx context.Context, in *monthInput) (*ledgerOutput, error) {
	month, err := s.monthOf(in.Month)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	l, err := s.store.Ledger(ctx, s.act(ctx), month)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &ledgerOutput{}
	out.Body.Month, out.Body.Accounts, out.Body.Sum, out.Body.Nobodys = l.Month, []apiLedgerAccount{}, l.Sum().After, l.Nobodys
	for _, a := range l.Accounts {
		out.Body.Accounts = append(out.Body.Accounts, apiLedgerAccount{
			Account: a.Name, Before: a.Before, Plus: a.Plus, Minus: a.Minus, After: a.After, Transactions: a.Transactions,
		})
	}
	return out, nil
}
