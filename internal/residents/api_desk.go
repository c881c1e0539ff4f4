package residents

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/internal/identity"
)

// importsPath is where tables are sent, beneath the API's path.
const importsPath = "/imports"

func (s *service) importOperations(api *host.API) {
	desk := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagImports}
		return api.Staff(frontDesk, op, errors...)
	}
	huma.Register(api, desk(huma.Operation{
		OperationID: "read-table", Method: http.MethodPost, Path: importsPath, DefaultStatus: http.StatusCreated, MaxBodyBytes: MaxTableBytes,
		Summary:     "Read a table of people, in CSV or XLSX, and keep it for a day until it is confirmed",
		Description: "The first row names the columns, as in the template of the pages. Lines with mistakes are listed and left out.",
	}, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity), s.apiRead)
	huma.Register(api, desk(huma.Operation{
		OperationID: "get-import", Method: http.MethodGet, Path: importsPath + "/{id}", Summary: "A table that was read, and what became of it",
	}, host.ByID()...), s.apiImport)
	huma.Register(api, desk(huma.Operation{
		OperationID: "confirm-import", Method: http.MethodPost, Path: importsPath + "/{id}/confirm",
		Summary: "Write what was read, all or nothing; confirming again changes nothing",
	}, host.WithBody(host.ByID()...)...), s.apiConfirm)
}

func (s *service) actingOperations(api *host.API) {
	desk := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagActing}
		return api.Staff(frontDesk, op, errors...)
	}
	huma.Register(api, desk(huma.Operation{
		OperationID: "let-act", Method: http.MethodPost, Path: "/acting", DefaultStatus: http.StatusCreated,
		Summary:     "Note that somebody may act for another; noting the same again changes nothing",
		Description: "Paper: the person has signed for it. Parent: of a child under 18 in the same home; it ends on the 18th birthday.",
	}, host.WithBody(host.ByID()...)...), s.apiLetAct)
	huma.Register(api, desk(huma.Operation{
		OperationID: "end-acting", Method: http.MethodDelete, Path: "/acting/{id}", DefaultStatus: http.StatusNoContent,
		Summary: "End that somebody acts for another; ending again changes nothing",
	}, host.ByID()...), s.apiEndActing)
}

type readInput struct {
	RawBody []byte `contentType:"application/octet-stream"`
}

// APIImport is a table that was read.
type APIImport struct {
	ID       string       `json:"id"`
	Rows     int          `json:"rows" doc:"Rows that can be imported."`
	Mistakes []APIMistake `json:"mistakes" maxItems:"500" doc:"At most the first 500."`
	Ignored  []string     `json:"ignored" doc:"Headings that mean nothing here; what is beneath them is not kept."`
	// Asking are lines that may be about somebody who is known.
	Asking    []APIAsking `json:"asking" maxItems:"500" doc:"Lines that may be about somebody who is known, at most the first 500."`
	Confirmed bool        `json:"confirmed"`
	Added     int         `json:"added"`
	Updated   int         `json:"updated"`
	Skipped   int         `json:"skipped"`
}

// APIMistake is a cell that cannot be imported, and so its line.
type APIMistake struct {
	Line   int    `json:"line"`
	Column string `json:"column"`
	Value  string `json:"value,omitempty"`
	Rule   string `json:"rule"`
	Detail string `json:"detail"`
}

// APIAsking is a line beside whom it may be about.
type APIAsking struct {
	Line    int         `json:"line"`
	Finding Finding     `json:"finding" enum:"Likely,Earlier,Phone"`
	Earlier int         `json:"earlier,omitempty" doc:"The line that it may repeat."`
	Details Details     `json:"details"`
	Known   []APIPerson `json:"known"`
	Choices []Choice    `json:"choices" doc:"What can be done with it; the first is done if nothing else is chosen."`
}

type importOutput struct{ Body APIImport }

func (s *service) importAnswer(ctx context.Context, d Draft) (*importOutput, error) {
	out := &importOutput{Body: APIImport{
		ID: d.ID.String(), Rows: len(d.Rows), Mistakes: []APIMistake{}, Ignored: d.Ignored, Asking: []APIAsking{},
		Confirmed: !d.ConfirmedAt.IsZero(), Added: d.Added, Updated: d.Updated, Skipped: d.Skipped,
	}}
	if d.Ignored == nil {
		out.Body.Ignored = []string{}
	}
	for _, m := range d.Mistakes[:min(len(d.Mistakes), maxMistakes)] {
		out.Body.Mistakes = append(out.Body.Mistakes, APIMistake{m.Line, m.Column, m.Value, m.Rule, problemTexts[m.Rule]})
	}
	if out.Body.Confirmed {
		return out, nil
	}
	compared, err := s.store.Compare(ctx, s.act(ctx), d)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	for _, c := range compared {
		if !c.Asks() || len(out.Body.Asking) == maxMistakes {
			continue
		}
		one := APIAsking{Line: c.Line, Finding: c.Finding, Earlier: c.Earlier, Details: c.Details, Known: []APIPerson{}, Choices: c.Choices()}
		for _, p := range c.Known {
			one.Known = append(one.Known, apiPersonOf(p, s.config().Location))
		}
		out.Body.Asking = append(out.Body.Asking, one)
	}
	return out, nil
}

func (s *service) apiRead(ctx context.Context, in *readInput) (*importOutput, error) {
	a := s.act(ctx)
	table, err := ReadTable(in.RawBody, a.Estates, a.Today())
	if known := tableProblem(err); known != "" {
		return nil, host.NewProblem(http.StatusUnprocessableEntity, "table-"+known, err.Error())
	}
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	id, err := s.store.PutDraft(ctx, a, table)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return s.importAnswer(ctx, Draft{ID: id, Table: table})
}

func (s *service) apiImport(ctx context.Context, in *IDInput) (*importOutput, error) {
	d, err := s.store.Draft(ctx, s.act(ctx), in.id())
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return s.importAnswer(ctx, d)
}

type confirmInput struct {
	IDInput
	Body struct {
		Rest  Choice `json:"rest,omitempty" enum:"Skip,Update,Add" doc:"What is done with lines that ask and are not in lines, where it is one of their choices."`
		Lines []struct {
			Line   int    `json:"line"`
			Choice Choice `json:"choice" enum:"Skip,Update,Add"`
		} `json:"lines,omitempty" maxItems:"200"`
	}
}

func (s *service) apiConfirm(ctx context.Context, in *confirmInput) (*importOutput, error) {
	chosen := map[int]Choice{}
	for _, l := range in.Body.Lines {
		chosen[l.Line] = l.Choice
	}
	d, err := s.store.Confirm(ctx, s.act(ctx), in.id(), chosen, in.Body.Rest)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return s.importAnswer(ctx, d)
}

type letActInput struct {
	Body struct {
		Actor  string           `json:"actor" format:"uuid" doc:"Who may act."`
		Person string           `json:"person" format:"uuid" doc:"For whom."`
		Scopes []identity.Scope `json:"scopes" enum:"Book,Order" minItems:"1" maxItems:"2"`
		Basis  Basis            `json:"basis" enum:"Paper,Parent"`
		Until  string           `json:"until,omitempty" format:"date" doc:"The last day."`
	}
}

type letActOutput struct {
	Body struct {
		ID    string `json:"id"`
		Until Date   `json:"until,omitempty"`
	}
}

func (s *service) apiLetAct(ctx context.Context, in *letActInput) (*letActOutput, error) {
	made, err := s.store.LetAct(ctx, s.act(ctx), Acting{
		Actor: idOf(in.Body.Actor), Represented: idOf(in.Body.Person), Scopes: in.Body.Scopes, Basis: in.Body.Basis, Until: Date(in.Body.Until),
	})
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	out := &letActOutput{}
	out.Body.ID, out.Body.Until = made.ID.String(), made.Until
	return out, nil
}

func (s *service) apiEndActing(ctx context.Context, in *IDInput) (*struct{}, error) {
	if err := s.store.EndActing(ctx, s.act(ctx), in.id(), noID); err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return nil, nil
}
