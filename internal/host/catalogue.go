package host

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/sharing"
	"github.com/linli-io/linli/internal/web"
)

// datasetsPath is where the catalogue of a service's datasets is, beneath its
// prefix.
const datasetsPath = "/sharing/v1/datasets"

// tagSharing groups what departments ask for.
const tagSharing = "sharing"

// catalogued is a text by language.
type catalogued map[web.Language]string

type cataloguedColumn struct {
	Name  string       `json:"name" example:"day"`
	Type  sharing.Type `json:"type" enum:"String,Integer,Date,Month,Strings" doc:"Date is YYYY-MM-DD, Month YYYY-MM, Strings a list. Any value may be missing."`
	Title catalogued   `json:"title" doc:"What it is called, by language."`
	Tag   sharing.Tag  `json:"tag" enum:"None,Personal,Sensitive" doc:"How close it comes to people (PIPL, Art. 4 and 28)."`
}

type cataloguedDataset struct {
	Name    string             `json:"name" example:"canteen.menus"`
	Title   catalogued         `json:"title" doc:"What it is called, by language."`
	Text    catalogued         `json:"text" doc:"What is in it, by language."`
	Floor   sharing.Class      `json:"floor" enum:"Unconditional,Conditional,NotShared" doc:"The freest class in which it may be shared (State Council Decree 809)."`
	Subject string             `json:"subject,omitempty" doc:"The column with the person whom a row is about; left out if rows are about nobody."`
	Columns []cataloguedColumn `json:"columns"`
}

type catalogueOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Datasets []cataloguedDataset `json:"datasets"`
	}
}

// catalogue serves what a service could share. That is no secret; what there is
// in it nobody is given.
func (a *API) catalogue(datasets []sharing.Dataset, pages *web.Pages) {
	out := &catalogueOutput{CacheControl: "public, max-age=3600"}
	text := func(id string) catalogued {
		return catalogued{web.Chinese: pages.Words(web.Chinese).T(id), web.English: pages.Words(web.English).T(id)}
	}
	for _, d := range datasets {
		c := cataloguedDataset{Name: d.Name, Title: text(d.Title), Text: text(d.Text), Floor: d.Floor, Subject: d.Subject}
		for _, column := range d.Columns {
			c.Columns = append(c.Columns, cataloguedColumn{column.Name, column.Type, text(column.Title), column.Tag})
		}
		out.Body.Datasets = append(out.Body.Datasets, c)
	}
	a.OpenAPI().Tags = append(a.OpenAPI().Tags, &huma.Tag{Name: tagSharing, Description: "What the service could share with departments."})
	op := a.Public(huma.Operation{
		OperationID: "list-datasets", Method: http.MethodGet, Tags: []string{tagSharing},
		Summary:     "List the datasets that could be shared",
		Description: "Which columns they have, how close these come to people, and how freely they may be shared at most. No data is given out here.",
	})
	op.Path = "/" + a.service + datasetsPath
	huma.Register(a, op, func(context.Context, *struct{}) (*catalogueOutput, error) { return out, nil })
}

// checkDatasets says what is wrong with the datasets of a service, which has
// registered its routes.
func (s Service) checkDatasets(mux *Router) error {
	for _, d := range s.Datasets {
		if err := d.Validate(); err != nil {
			return err
		}
		if !strings.HasPrefix(d.Name, s.Name+".") {
			return fmt.Errorf("dataset %s is not named after its service", d.Name)
		}
	}
	if len(s.Datasets) > 0 && !slices.Contains(mux.patterns, "GET /"+s.Name+datasetsPath) {
		return fmt.Errorf("dataset %s is in no catalogue: the service publishes no API", s.Datasets[0].Name)
	}
	return nil
}
