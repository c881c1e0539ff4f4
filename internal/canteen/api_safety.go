package canteen

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

func (s *service) safetyOperations(a *host.API) {
	staff := func(op huma.Operation, statuses ...int) huma.Operation {
		op.Tags = []string{tagSafety}
		return a.Staff(cooksAndManagers, op, statuses...)
	}
	huma.Register(a, staff(huma.Operation{
		OperationID: "list-suppliers", Method: http.MethodGet, Path: "/staff/suppliers", Summary: "List the suppliers",
	}), answer(s, s.listSuppliers))
	huma.Register(a, staff(huma.Operation{
		OperationID: "create-supplier", Method: http.MethodPost, Path: "/staff/suppliers", Summary: "Add a supplier", DefaultStatus: http.StatusCreated,
	}, host.WithBody()...), answer(s, s.createSupplier))
	huma.Register(a, staff(huma.Operation{
		OperationID: "list-batches", Method: http.MethodGet, Path: "/staff/batches", Summary: "List the batches",
		Description: "Those in use, what expires first at the top; with all=true also those that are used up or discarded.",
	}, http.StatusUnprocessableEntity), answer(s, s.listBatches))
	huma.Register(a, staff(huma.Operation{
		OperationID: "take-in-batch", Method: http.MethodPost, Path: "/staff/batches", Summary: "Take in a batch", DefaultStatus: http.StatusCreated,
	}, host.WithBody()...), answer(s, s.takeInBatch))
	huma.Register(a, staff(huma.Operation{
		OperationID: "end-batch", Method: http.MethodPost, Path: "/staff/batches/{id}/end", Summary: "Note that a batch is used up or discarded",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.endBatchByAPI))
	huma.Register(a, staff(huma.Operation{
		OperationID: "trace-batch", Method: http.MethodGet, Path: "/staff/batches/{id}/trace", Summary: "Trace a batch to those who ate of it",
		Description: "Names and phone numbers only for the duty Manager, to tell them; that they are read is recorded.",
	}, host.ByID()...), answer(s, s.traceBatchByAPI))
	huma.Register(a, staff(huma.Operation{
		OperationID: "put-uses", Method: http.MethodPut, Path: "/staff/uses/{canteen}/{date}/{meal}", Summary: "Note which batches went into the dishes of a meal",
		Description: "In place of what was noted before, from the day before the meal until 7 days after it.", DefaultStatus: http.StatusNoContent,
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.putUses))
	huma.Register(a, staff(huma.Operation{
		OperationID: "take-samples", Method: http.MethodPost, Path: "/staff/samples", Summary: "Note retained samples", DefaultStatus: http.StatusCreated,
		Description: "Of at least 125 grams (GB 31654). All of them or none; one can be corrected on the day of the meal by sending it again.",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.takeSamples))
	huma.Register(a, staff(huma.Operation{
		OperationID: "discard-sample", Method: http.MethodPost, Path: "/staff/samples/{id}/discard", Summary: "Note that a sample was discarded",
		Description: "After it was kept for 48 hours (GB 31654).",
	}, host.ByID(http.StatusConflict)...), answer(s, s.discardSampleByAPI))
	huma.Register(a, staff(huma.Operation{
		OperationID: "put-checks", Method: http.MethodPut, Path: "/staff/checks/{canteen}/{date}", Summary: "Note the daily check of a canteen",
		Description: "On the day itself. Points that are not named stay as they are.", DefaultStatus: http.StatusNoContent,
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.putChecks))
	huma.Register(a, staff(huma.Operation{
		OperationID: "trace-dish", Method: http.MethodGet, Path: "/staff/trace/{canteen}/{date}/{meal}/{dish}", Summary: "Trace a dish to its batches and to those who ate it",
		Description: "Names and phone numbers only for the duty Manager, to tell them; that they are read is recorded.",
	}, host.ByID()...), answer(s, s.traceDishByAPI))
}

type APISupplierContent struct {
	Name    string `json:"name" minLength:"1" maxLength:"60"`
	Contact string `json:"contact,omitempty" maxLength:"30"`
	Phone   string `json:"phone,omitempty" maxLength:"20"`
	Licence string `json:"licence,omitempty" maxLength:"40" doc:"The number of the licence to sell or make food."`
}

type apiSupplier struct {
	ID string `json:"id" format:"uuid"`
	APISupplierContent
	Retired bool `json:"retired" doc:"Nothing more is bought there."`
}

func apiSupplierOf(p Supplier) apiSupplier {
	return apiSupplier{p.ID.String(), APISupplierContent{p.Name, p.Contact, p.Phone, p.Licence}, p.Retired}
}

type suppliersOutput struct {
	Body struct {
		Suppliers []apiSupplier `json:"suppliers"`
	}
}

func (s *service) listSuppliers(ctx context.Context, _ *struct{}) (*suppliersOutput, error) {
	suppliers, err := s.store.Suppliers(ctx)
	if err != nil {
		return nil, err
	}
	out := &suppliersOutput{}
	out.Body.Suppliers = []apiSupplier{}
	for _, p := range suppliers {
		out.Body.Suppliers = append(out.Body.Suppliers, apiSupplierOf(p))
	}
	return out, nil
}

type supplierOutput struct{ Body apiSupplier }

func (s *service) createSupplier(ctx context.Context, in *struct{ Body APISupplierContent }) (*supplierOutput, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	p := Supplier{ID: id, Name: oneLine(in.Body.Name), Contact: in.Body.Contact, Phone: in.Body.Phone, Licence: in.Body.Licence}
	if err := wrongFields(CheckSupplier(p)); err != nil {
		return nil, err
	}
	p, err = s.store.PutSupplier(ctx, s.by(ctx), p)
	return &supplierOutput{apiSupplierOf(p)}, err
}

// wrongFields are mistakes as the checks of inputs write theirs; nil if there
// are none.
func wrongFields(wrong []DishMistake) error {
	if len(wrong) == 0 {
		return nil
	}
	details := make([]error, len(wrong))
	for i, m := range wrong {
		details[i] = &huma.ErrorDetail{Message: m.Text, Location: "body." + m.Field}
	}
	return huma.Error422UnprocessableEntity("validation failed", details...)
}

type APIBatchContent struct {
	Ingredient string `json:"ingredient" minLength:"1" maxLength:"40"`
	Supplier   string `json:"supplier" maxLength:"64" doc:"The supplier's ID."`
	Lot        string `json:"lot,omitempty" maxLength:"40"`
	Quantity   string `json:"quantity" minLength:"1" maxLength:"30" doc:"With its unit." example:"20千克"`
	BoughtOn   string `json:"boughtOn" format:"date" maxLength:"10"`
	ExpiresOn  string `json:"expiresOn,omitempty" maxLength:"10" doc:"The last day on which it may be used, YYYY-MM-DD; left out for what has no shelf life."`
	Note       string `json:"note,omitempty" maxLength:"200"`
}

type apiBatch struct {
	ID string `json:"id" format:"uuid"`
	APIBatchContent
	End    BatchEnd `json:"end,omitempty" enum:"UsedUp,Discarded" doc:"What became of it; left out while it is in use."`
	Reason string   `json:"reason,omitempty"`
}

func apiBatchOf(b Batch) apiBatch {
	out := apiBatch{ID: b.ID.String(), End: b.End, Reason: b.Reason, APIBatchContent: APIBatchContent{
		Ingredient: b.Ingredient, Supplier: b.Supplier.String(), Lot: b.Lot, Quantity: b.Quantity, BoughtOn: b.BoughtOn.String(), Note: b.Note,
	}}
	if (b.ExpiresOn != civil.Date{}) {
		out.ExpiresOn = b.ExpiresOn.String()
	}
	return out
}

type batchesOutput struct {
	Body struct {
		Batches []apiBatch `json:"batches"`
	}
}

// maxBatches is how many batches the API lists at most.
const maxBatches = 1000

func (s *service) listBatches(ctx context.Context, in *struct {
	All  bool   `query:"all" doc:"Also those that are used up or discarded."`
	Text string `query:"text" maxLength:"40" doc:"A part of the ingredient, the lot or the supplier's name."`
}) (*batchesOutput, error) {
	batches, err := s.store.Batches(ctx, BatchQuery{Open: !in.All, Text: strings.TrimSpace(in.Text), Limit: maxBatches})
	if err != nil {
		return nil, err
	}
	out := &batchesOutput{}
	out.Body.Batches = apiBatchesOf(batches)
	return out, nil
}

func apiBatchesOf(batches []Batch) []apiBatch {
	list := []apiBatch{}
	for _, b := range batches {
		list = append(list, apiBatchOf(b))
	}
	return list
}

type batchOutput struct{ Body apiBatch }

func (s *service) takeInBatch(ctx context.Context, in *struct{ Body APIBatchContent }) (*batchOutput, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	b := Batch{ID: id, Ingredient: oneLine(in.Body.Ingredient), Lot: in.Body.Lot, Quantity: in.Body.Quantity, Note: in.Body.Note}
	if b.BoughtOn, err = parseDay("body.boughtOn", in.Body.BoughtOn); err != nil {
		return nil, err
	}
	if in.Body.ExpiresOn != "" {
		if b.ExpiresOn, err = parseDay("body.expiresOn", in.Body.ExpiresOn); err != nil {
			return nil, err
		}
	}
	supplier, err := s.store.Supplier(ctx, idOf(in.Body.Supplier))
	if err != nil {
		return nil, invalid("body.supplier", "there is no such supplier")
	}
	b.Supplier = supplier.ID
	if err := wrongFields(CheckBatch(b, s.today())); err != nil {
		return nil, err
	}
	b, err = s.store.PutBatch(ctx, s.by(ctx), b)
	return &batchOutput{apiBatchOf(b)}, err
}

func (s *service) endBatchByAPI(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64" doc:"The batch's ID."`
	Body struct {
		End    BatchEnd `json:"end" enum:"UsedUp,Discarded"`
		Reason string   `json:"reason,omitempty" maxLength:"200" doc:"Needed if it is discarded."`
	}
}) (*batchOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.store.EndBatch(ctx, s.by(ctx), id, in.Body.End, in.Body.Reason); err != nil {
		return nil, err
	}
	b, err := s.store.Batch(ctx, id)
	return &batchOutput{apiBatchOf(b)}, err
}

// sittingInPath is the sitting that a path names.
func (s *service) sittingInPath(ctx context.Context, canteen, date, meal string) (Sitting, error) {
	day, err := parseDay("path.date", date)
	if err != nil {
		return Sitting{}, err
	}
	_, err = s.store.Canteen(ctx, canteen)
	return Sitting{canteen, day, meal}, err
}

type apiDishBatches struct {
	Dish    string   `json:"dish" maxLength:"64" doc:"The dish's ID."`
	Batches []string `json:"batches" maxItems:"40" doc:"The batches' IDs."`
}

func (s *service) putUses(ctx context.Context, in *struct {
	Canteen string `path:"canteen" maxLength:"63" doc:"The canteen's name."`
	Date    string `path:"date" maxLength:"10" doc:"The day, YYYY-MM-DD."`
	Meal    string `path:"meal" maxLength:"63" doc:"The meal's name."`
	Body    struct {
		Dishes []apiDishBatches `json:"dishes" maxItems:"40"`
	}
}) (*struct{}, error) {
	sitting, err := s.sittingInPath(ctx, in.Canteen, in.Date, in.Meal)
	if err != nil {
		return nil, err
	}
	var uses []DishBatches
	for _, d := range in.Body.Dishes {
		of := DishBatches{Dish: idOf(d.Dish)}
		for _, id := range d.Batches {
			of.Batches = append(of.Batches, idOf(id))
		}
		uses = append(uses, of)
	}
	return nil, s.store.PutUses(ctx, s.by(ctx), sitting, uses, s.location())
}

type apiSample struct {
	ID          string     `json:"id" format:"uuid"`
	Dish        string     `json:"dish" format:"uuid"`
	Grams       int        `json:"grams"`
	Place       string     `json:"place"`
	TakenAt     time.Time  `json:"takenAt"`
	DiscardFrom time.Time  `json:"discardFrom" doc:"From when on it may be discarded."`
	DiscardedAt *time.Time `json:"discardedAt,omitempty"`
}

func (s *service) apiSampleOf(sample Sample) apiSample {
	loc := s.location()
	return apiSample{
		sample.ID.String(), sample.Dish.String(), sample.Grams, sample.Place, sample.TakenAt.In(loc), sample.DiscardFrom().In(loc), momentIn(sample.DiscardedAt, loc),
	}
}

type samplesOutput struct {
	Body struct {
		Samples []apiSample `json:"samples"`
	}
}

type apiSampleBody struct {
	Dish    string    `json:"dish" maxLength:"64" doc:"The dish's ID."`
	Grams   int       `json:"grams" doc:"At least 125."`
	Place   string    `json:"place" minLength:"1" maxLength:"40" doc:"Where it is kept." example:"留样冰箱"`
	TakenAt time.Time `json:"takenAt,omitzero" doc:"On the day of the meal, not later than now; now if left out."`
}

func (s *service) takeSamples(ctx context.Context, in *struct {
	Body struct {
		APISitting
		Samples []apiSampleBody `json:"samples" minItems:"1" maxItems:"40"`
	}
}) (*samplesOutput, error) {
	sitting, err := in.Body.sitting()
	if err != nil {
		return nil, err
	}
	if _, err := s.store.Canteen(ctx, sitting.Canteen); err != nil {
		return nil, err
	}
	var samples []Sample
	for _, of := range in.Body.Samples {
		sample := Sample{Sitting: sitting, Dish: idOf(of.Dish), Grams: of.Grams, Place: oneLine(of.Place), TakenAt: of.TakenAt}
		if sample.TakenAt.IsZero() {
			sample.TakenAt = s.clock.Now()
		}
		samples = append(samples, sample)
	}
	if samples, err = s.store.TakeSamples(ctx, s.by(ctx), samples, s.location()); err != nil {
		return nil, err
	}
	out := &samplesOutput{}
	for _, sample := range samples {
		out.Body.Samples = append(out.Body.Samples, s.apiSampleOf(sample))
	}
	return out, nil
}

type sampleOutput struct{ Body apiSample }

func (s *service) discardSampleByAPI(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64" doc:"The sample's ID."`
}) (*sampleOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	sample, err := s.store.DiscardSample(ctx, s.by(ctx), id)
	if err != nil {
		return nil, err
	}
	return &sampleOutput{s.apiSampleOf(sample)}, nil
}

type apiFinding struct {
	Point  string     `json:"point" enum:"surfaces,stores,apart,health,receiving,fridges,hands,briefing,allergens,washing,cooking,dishware"`
	State  CheckState `json:"state" enum:"OK,NotOK"`
	Remark string     `json:"remark,omitempty" maxLength:"200" doc:"What was wrong and what was done; needed if something was."`
}

func (s *service) putChecks(ctx context.Context, in *struct {
	Canteen string `path:"canteen" maxLength:"63" doc:"The canteen's name."`
	Date    string `path:"date" maxLength:"10" doc:"The day, YYYY-MM-DD."`
	Body    struct {
		Checks []apiFinding `json:"checks" minItems:"1" maxItems:"12"`
	}
}) (*struct{}, error) {
	day, err := parseDay("path.date", in.Date)
	if err != nil {
		return nil, err
	}
	var checks []Finding
	for _, c := range in.Body.Checks {
		checks = append(checks, Finding{Point: c.Point, State: c.State, Remark: oneLine(c.Remark)})
	}
	return nil, s.store.PutChecks(ctx, s.by(ctx), in.Canteen, day, checks, s.location())
}

type apiTrace struct {
	// Batches are what went into the dish, or the batch itself.
	Batches   []apiBatch        `json:"batches" doc:"What went into the dish; of a batch itself."`
	Suppliers []apiSupplier     `json:"suppliers" doc:"Those of the batches."`
	Dishes    []apiTracedDish   `json:"dishes" doc:"The dish; of a batch all into which it went."`
	People    *[]apiTracedEater `json:"people,omitempty" doc:"The orders that have one of the dishes; left out for who is not a manager."`
}

type apiTracedDish struct {
	APISitting
	Dish     string `json:"dish" format:"uuid"`
	Orders   int    `json:"orders"`
	Portions int    `json:"portions"`
}

type apiTracedEater struct {
	Order string `json:"order" format:"uuid"`
	APISitting
	Name  string `json:"name"`
	Phone string `json:"phone,omitempty"`
	Guest bool   `json:"guest" doc:"Somebody of whom there is no record."`
	State State  `json:"state" enum:"Placed,Served,Missed" doc:"Missed: nobody ticked it off, and it may have been eaten all the same."`
}

type traceOutput struct{ Body apiTrace }

func (s *service) traceBatchByAPI(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64" doc:"The batch's ID."`
}) (*traceOutput, error) {
	b, err := s.store.Batch(ctx, idOf(in.ID))
	if err != nil {
		return nil, err
	}
	uses, err := s.store.UsesOfBatches(ctx, b.ID)
	if err != nil {
		return nil, err
	}
	return s.traced(ctx, b.ID.String(), []Batch{b}, cookedOf(uses))
}

func (s *service) traceDishByAPI(ctx context.Context, in *struct {
	Canteen string `path:"canteen" maxLength:"63" doc:"The canteen's name."`
	Date    string `path:"date" maxLength:"10" doc:"The day, YYYY-MM-DD."`
	Meal    string `path:"meal" maxLength:"63" doc:"The meal's name."`
	Dish    string `path:"dish" maxLength:"64" doc:"The dish's ID."`
}) (*traceOutput, error) {
	sitting, err := s.sittingInPath(ctx, in.Canteen, in.Date, in.Meal)
	if err != nil {
		return nil, err
	}
	d, err := s.store.Dish(ctx, idOf(in.Dish))
	if err != nil {
		return nil, err
	}
	uses, err := s.store.UsesOf(ctx, sitting)
	if err != nil {
		return nil, err
	}
	ids := []uuid.UUID{}
	for _, u := range uses {
		if u.Dish == d.ID {
			ids = append(ids, u.Batch)
		}
	}
	batches, err := s.store.Batches(ctx, BatchQuery{IDs: ids})
	if err != nil {
		return nil, err
	}
	cooked := Cooked{sitting, d.ID}
	return s.traced(ctx, cooked.String(), batches, []Cooked{cooked})
}

// traced is what the trace of some dishes answers.
func (s *service) traced(ctx context.Context, about string, batches []Batch, cooked []Cooked) (*traceOutput, error) {
	suppliers, err := s.store.Suppliers(ctx)
	if err != nil {
		return nil, err
	}
	reached, err := s.store.Reached(ctx, cooked)
	if err != nil {
		return nil, err
	}
	out := &traceOutput{apiTrace{Batches: apiBatchesOf(batches), Suppliers: []apiSupplier{}, Dishes: []apiTracedDish{}}}
	for _, p := range suppliers {
		for _, b := range batches {
			if b.Supplier == p.ID {
				out.Body.Suppliers = append(out.Body.Suppliers, apiSupplierOf(p))
				break
			}
		}
	}
	for _, c := range cooked {
		out.Body.Dishes = append(out.Body.Dishes, apiTracedDish{apiSittingOf(c.Sitting), c.Dish.String(), reached[c].Orders, reached[c].Portions})
	}
	if caller, ok := identity.FromContext(ctx); !ok || !caller.Has(identity.Manager) {
		return out, nil
	}
	eaten, err := s.store.Eaters(ctx, s.by(ctx), about, cooked, true, s.location())
	if err != nil {
		return nil, fmt.Errorf("tracing %s: %w", about, err)
	}
	people := []apiTracedEater{}
	for _, e := range eaten {
		people = append(people, apiTracedEater{e.ID.String(), apiSittingOf(e.Sitting), e.Name, e.Phone, isGuest(e.Eater), e.State})
	}
	out.Body.People = &people
	return out, nil
}

func apiSittingOf(s Sitting) APISitting { return APISitting{s.Canteen, s.Day.String(), s.Meal} }
