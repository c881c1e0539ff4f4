package booking

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/danielgtaylor/huma/v2/negotiation"
	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/internal/web"
)

const (
	typeJSON = "application/json"
	typeCSV  = "text/csv"
)

// useOperations are about how much venues are used.
func (s *service) useOperations(api *host.API) {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[useList](), true, "UseList")
	huma.Register(api, api.Staff(frontDesk, huma.Operation{
		OperationID: "staff-use", Method: http.MethodGet, Path: "/staff/use",
		Tags:        []string{tagDesk},
		Summary:     "How much each venue was used, by month and by what became of the bookings",
		Description: "As JSON, or as CSV for a spreadsheet if Accept says text/csv.",
		Responses: map[string]*huma.Response{"200": {
			Description: http.StatusText(http.StatusOK),
			Content:     map[string]*huma.MediaType{typeJSON: {Schema: schema}, typeCSV: {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, http.StatusUnprocessableEntity), s.deskUse)
}

type useInput struct {
	From   string `query:"from" maxLength:"7" pattern:"^2[0-9]{3}-(0[1-9]|1[0-2])$" example:"2026-01" doc:"The first month; eleven months before the last if left out."`
	To     string `query:"to" maxLength:"7" pattern:"^2[0-9]{3}-(0[1-9]|1[0-2])$" example:"2026-11" doc:"The last month; this one if left out."`
	Accept string `header:"Accept" hidden:"true" doc:"application/json, or text/csv."`
}

type apiUse struct {
	Venue       string `json:"venue"`
	DisplayName string `json:"displayName"`
	Month       string `json:"month" example:"2026-11"`
	Status      string `json:"status" enum:"requested,held,booked,cancelled,refused,expired,released"`
	Bookings    int    `json:"bookings"`
	Minutes     int    `json:"minutes" doc:"How long they were together."`
}

type useList struct {
	From string   `json:"from" example:"2026-01"`
	To   string   `json:"to" example:"2026-11"`
	Use  []apiUse `json:"use"`
}

type useOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Vary        string `header:"Vary"`
	Body        []byte
}

func (s *service) deskUse(ctx context.Context, in *useInput) (*useOutput, error) {
	from, to, err := useSpan(in.From, in.To, s.today())
	if err != nil {
		return nil, invalid("query", in.From+" "+in.To, err.Error())
	}
	list := useList{From: from, To: to}
	if list.From > list.To {
		return nil, invalid("query.from", list.From, "is after to")
	}
	uses, err := s.store.Use(ctx, list.From, list.To)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	names, err := s.store.VenueNames(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &useOutput{ContentType: typeJSON, Vary: "Accept"}
	if negotiation.SelectQValueFast(in.Accept, []string{typeJSON, typeCSV}) == typeCSV {
		out.ContentType = typeCSV + "; charset=utf-8"
		out.Disposition = fmt.Sprintf("attachment; filename=%q", "use-"+list.From+"-"+list.To+".csv")
		lines := [][]string{{"venue", "displayName", "month", "status", "bookings", "minutes"}}
		for _, u := range uses {
			lines = append(lines, []string{u.Venue, names[u.Venue], u.Month, string(u.State), strconv.Itoa(u.Bookings), strconv.Itoa(u.Minutes)})
		}
		out.Body, err = web.CSV(lines)
	} else {
		list.Use = make([]apiUse, len(uses))
		for i, u := range uses {
			list.Use[i] = apiUse{Venue: u.Venue, DisplayName: names[u.Venue], Month: u.Month, Status: string(u.State), Bookings: u.Bookings, Minutes: u.Minutes}
		}
		out.Body, err = json.Marshal(list)
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return out, nil
}
